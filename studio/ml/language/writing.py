"""How a next token is picked from its logits, and what can go wrong with a text."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Pick = Callable[[Tensor], int]
"""Logits [V] -> the token to write."""


class TextTooLong(ValueError):
    """A text with more tokens than the model reads; the message says how many."""


def likeliest(logits: Tensor) -> int:
    """The most probable token."""
    return int(logits.argmax())


def sampled(seed: int, temperature: float = 1.0) -> Pick:
    """A picker that draws from softmax(logits / temperature), the same tokens for the same seed.

    Raises ValueError unless the temperature is above zero.
    """
    if temperature <= 0:
        raise ValueError(f"a temperature of {temperature} cannot be sampled at; it must be above zero")
    generator = torch.Generator().manual_seed(seed)

    def pick(logits: Tensor) -> int:
        probabilities = (logits.float().cpu() / temperature).softmax(dim=-1)
        return int(torch.multinomial(probabilities, 1, generator=generator))

    return pick
