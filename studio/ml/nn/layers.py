"""The layers of a transformer (Vaswani et al. 2017, section 3): attention and a small network, each added to its input.

A branch F is added as LN(x + F(x)) in the paper's order (post-norm), or as x + F(LN(x)) (pre-norm; Xiong et al. 2020,
arXiv 2002.04745), which trains without care.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from studio.ml.nn.attention import KeyValues, MultiHeadAttention

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}


class TransformerConfig(BaseModel):
    """Shape of a stack of layers. hidden: width inside the feed-forward network. final_norm: one more LN at the end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(ge=1)
    heads: int = Field(ge=1)
    hidden: int = Field(ge=1)
    layers: int = Field(ge=1)
    norm_first: bool = True
    final_norm: bool = True
    activation: Literal["relu", "gelu"] = "gelu"


@dataclass
class LayerCache:
    """What one layer remembers while a text is written: of that text, and of the text it looks across to."""

    own: KeyValues = field(default_factory=KeyValues)
    across: KeyValues = field(default_factory=KeyValues)

    @property
    def nbytes(self) -> int:
        """Bytes remembered."""
        return self.own.nbytes + self.across.nbytes


class FeedForward(nn.Module):
    """ReLU(H W_1 + b_1) W_2 + b_2 for each token by itself (section 3.3); GELU in place of ReLU where asked for."""

    def __init__(self, width: int, hidden: int, activation: str = "relu") -> None:
        super().__init__()
        self.w_1 = nn.Linear(width, hidden)
        self.w_2 = nn.Linear(hidden, width)
        self.activation = _ACTIVATIONS[activation]

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = self.w_2(self.activation(self.w_1(h)))
        return out


class EncoderLayer(nn.Module):
    """Tokens look at each other, then each thinks by itself: [B, T, W] -> [B, T, W]. Masked causally, a layer of GPT."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.attention = MultiHeadAttention(config.width, config.heads)
        self.norm_1 = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.hidden, config.activation)
        self.norm_2 = nn.LayerNorm(config.width)

    def forward(self, x: Tensor, mask: Tensor | None = None, cache: LayerCache | None = None) -> Tensor:
        own = None if cache is None else cache.own

        def attended(h: Tensor) -> Tensor:
            out: Tensor = self.attention(h, mask=mask, cache=own)
            return out

        x = added(x, attended, self.norm_1, self.norm_first)
        return added(x, self.feed_forward, self.norm_2, self.norm_first)


class DecoderLayer(nn.Module):
    """Tokens look back at their own text, across to another, then each thinks by itself: [B, T, W] -> [B, T, W]."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.attention = MultiHeadAttention(config.width, config.heads)
        self.norm_1 = nn.LayerNorm(config.width)
        self.cross_attention = MultiHeadAttention(config.width, config.heads)
        self.norm_2 = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.hidden, config.activation)
        self.norm_3 = nn.LayerNorm(config.width)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """memory [B, T_k, W] is the encoder's output; mask holds for x, memory_mask for the memory."""
        own, across = (None, None) if cache is None else (cache.own, cache.across)

        def attended(h: Tensor) -> Tensor:
            out: Tensor = self.attention(h, mask=mask, cache=own)
            return out

        def crossed(h: Tensor) -> Tensor:
            out: Tensor = self.cross_attention(h, memory, memory_mask, across)
            return out

        x = added(x, attended, self.norm_1, self.norm_first)
        x = added(x, crossed, self.norm_2, self.norm_first)
        return added(x, self.feed_forward, self.norm_3, self.norm_first)


def added(x: Tensor, branch: Callable[[Tensor], Tensor], norm: nn.Module, norm_first: bool) -> Tensor:
    """x + F(LN(x)), or LN(x + F(x)) in the paper's order."""
    if norm_first:
        return x + branch(norm(x))
    out: Tensor = norm(x + branch(x))
    return out
