"""Watching the attentions of the studio's own transformers while they compute, and what is read from their maps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from studio.ml.nn.attention import MultiHeadAttention, attention_weights


@contextmanager
def watched(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """The last attention map [B, H, T_q, T_k] of every `MultiHeadAttention` by name, as the network computes them."""
    maps: dict[str, Tensor] = {}
    named = [(name, module) for name, module in network.named_modules() if isinstance(module, MultiHeadAttention)]
    before = [module.attend for _, module in named]

    def watching(name: str) -> None:
        def attend(
            module: MultiHeadAttention, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
        ) -> Tensor:
            maps[name] = attention_weights(query, key, mask, scale)
            return maps[name] @ value

        dict(named)[name].attend = attend

    try:
        for name, _ in named:
            watching(name)
        yield maps
    finally:
        for (_, module), attend in zip(named, before, strict=True):
            module.attend = attend


def previous_token_score(weights: Tensor) -> Tensor:
    """How much each head looks at the token just before: [B, H, T, T] -> [H], mean over all tokens but the first."""
    return weights.diagonal(-1, dim1=-2, dim2=-1).mean(dim=(0, 2))


def induction_score(weights: Tensor, period: int) -> Tensor:
    """How much each head looks at what followed the last time (Olsson et al. 2022, arXiv 2209.11895).

    [B, H, T, T] -> [H]. For texts whose tokens repeat with a period: mean weight on the token `period - 1` before, over
    the repeated part.
    """
    return weights.diagonal(1 - period, dim1=-2, dim2=-1)[..., 1:].mean(dim=(0, 2))


def strongest(scores: dict[str, Tensor]) -> tuple[str, int, float]:
    """The attention, head and score of the highest of all scores [H]."""
    name = max(scores, key=lambda one: float(scores[one].max()))
    head = int(torch.argmax(scores[name]))
    return name, head, float(scores[name][head])
