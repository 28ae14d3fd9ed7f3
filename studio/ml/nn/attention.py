"""Attention as the paper writes it (Vaswani et al. 2017, arXiv 1706.03762, section 3.2).

Letters: B texts or pictures, T tokens (T_q that ask, T_k that are asked), W width, H heads, d = W / H width of a head.
Masks say what may be looked at: bool with True = keep, or numbers added to the scores; None keeps everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class KeyValues:
    """What one attention remembers between calls: keys and values [B, H, T, d] of the tokens read; None at first."""

    key: Tensor | None = None
    value: Tensor | None = None

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Remember the keys and values of further tokens; returns those of all tokens."""
        self.key = key if self.key is None else torch.cat([self.key, key], dim=2)
        self.value = value if self.value is None else torch.cat([self.value, value], dim=2)
        return self.key, self.value

    @property
    def length(self) -> int:
        """Tokens remembered."""
        return 0 if self.key is None else self.key.shape[2]

    @property
    def nbytes(self) -> int:
        """Bytes remembered: 2 B H T d numbers."""
        return sum(part.nbytes for part in (self.key, self.value) if part is not None)


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """A = softmax(scale Q K^T) over the keys (eq. 1): [B, H, T_q, d], [B, H, T_k, d] -> [B, H, T_q, T_k].

    Rows sum to 1; a row that keeps no key at all is NaN.
    """
    scores = query @ key.transpose(-2, -1) * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    return scores.softmax(dim=-1)


def scaled_dot_product(
    module: MultiHeadAttention, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
) -> Tensor:
    """A V (eq. 1): value [B, H, T_k, d] -> [B, H, T_q, d]. What every attention computes until it is told otherwise."""
    return attention_weights(query, key, mask, scale) @ value


class MultiHeadAttention(nn.Module):
    """Concat(head_1 .. head_H) W^O with head_i = attention(X W_i^Q, C W_i^K, C W_i^V) (section 3.2.2).

    C is X itself, or another text for cross-attention. The W_i of all heads lie side by side in one matrix.

    `attend` computes the heads from their queries, keys and values: (module, Q, K, V, mask, scale) -> [B, H, T_q, d].
    It may be replaced on an instance, to watch it or to change it.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be divided among {heads} attention heads")
        self.heads = heads
        self.scale = 1 / math.sqrt(width // heads)
        self.w_q = nn.Linear(width, width)
        self.w_k = nn.Linear(width, width)
        self.w_v = nn.Linear(width, width)
        self.w_o = nn.Linear(width, width)
        self.attend: Attend = scaled_dot_product

    def forward(
        self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None, cache: KeyValues | None = None
    ) -> Tensor:
        """x [B, T_q, W], context [B, T_k, W] or None for x, mask broadcast to [B, H, T_q, T_k] -> [B, T_q, W].

        With a cache, self-attention looks at x after all tokens read before; cross-attention reads its context once.
        """
        query = self._heads(self.w_q(x))
        if context is not None and cache is not None and cache.key is not None and cache.value is not None:
            key, value = cache.key, cache.value
        else:
            source = x if context is None else context
            key, value = self._heads(self.w_k(source)), self._heads(self.w_v(source))
            if cache is not None:
                key, value = cache.append(key, value)
        heads = self.attend(self, query, key, value, mask, self.scale)
        out: Tensor = self.w_o(heads.transpose(1, 2).flatten(2))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        """[B, T, W] -> [B, H, T, d]."""
        b, length, width = x.shape
        return x.view(b, length, self.heads, width // self.heads).transpose(1, 2)


Attend = Callable[[MultiHeadAttention, Tensor, Tensor, Tensor, Tensor | None, float], Tensor]
"""(module, query [B, H, T_q, d], key and value [B, H, T_k, d], mask, scale) -> [B, H, T_q, d]."""


def causal_mask(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """[T_q, T_k] bool: each token keeps itself and those before it; the queries are the last ones of the keys."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def padding_mask(real: Tensor) -> Tensor:
    """real [B, T] bool, False where a text is only filled up -> [B, 1, 1, T]: nobody looks at the filling."""
    return real[:, None, None, :]
