"""Several prompts with weights: "a cat : 1 | a dog : -0.5" leads to cats and away from dogs.

The guidance of each prompt is added with its weight: sum_i w_i grad f(x_t) . g(c_i) = grad f(x_t) . (sum_i w_i g(c_i)).
Weights are shares (divided by the sum of their magnitudes), so the guidance scale keeps its meaning however many
prompts there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.ml.clip.model import NoisedClip

_NOTHING = 1e-3
"""A sum of unit vectors shorter than this leads nowhere: half precision alone makes as much."""


class PromptError(ValueError):
    """A weighted prompt that cannot be understood; the message says how to write it."""


@dataclass(frozen=True)
class Weighted:
    """One prompt and its weight; a negative one leads away."""

    text: str
    weight: float = 1.0


def parse(text: str) -> tuple[Weighted, ...]:
    """The parts between "|", each a prompt with ": weight" behind it or the weight 1. Raises PromptError."""
    parts = tuple(_part(part) for part in text.split("|"))
    if all(part.weight == 0 for part in parts):
        raise PromptError("Every weight is 0, so nothing is asked for. Give at least one prompt another weight.")
    return parts


def encode_weighted(clip: NoisedClip, prompts: Sequence[str]) -> Tensor:
    """sum_i w_i g(c_i) / sum_i |w_i| of each weighted prompt, [B, E] in float32, at most of length 1.

    The product with a unit f(x_t) is the weighted mean of the cosines. Raises PromptError, also for prompts that
    cancel each other.
    """
    rows = []
    for prompt in prompts:
        parts = parse(prompt)
        weights = torch.tensor([part.weight for part in parts], device=clip.device)
        row = weights / weights.abs().sum() @ clip.encode_text([part.text for part in parts])
        if row.norm() < _NOTHING:
            raise PromptError(
                f"The prompts of “{prompt.strip()}” cancel each other. Change a weight, or leave one out."
            )
        rows.append(row)
    return torch.stack(rows)


def _part(part: str) -> Weighted:
    text, colon, weight = part.rpartition(":")
    prompt = Weighted(text.strip(), _weight(weight, part)) if colon else Weighted(part.strip())
    if not prompt.text:
        where = f"before “:{weight}”" if colon else "beside “|”"
        raise PromptError(f"A prompt is missing {where}. Write “a cat : 1 | a dog : -0.5”.")
    return prompt


def _weight(text: str, part: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise PromptError(
            f"“{text.strip()}” in “{part.strip()}” is no weight. After a colon comes a number: "
            "“a cat : 1 | a dog : -0.5”; leave the colon out where it belongs to the prompt."
        )
    return weight
