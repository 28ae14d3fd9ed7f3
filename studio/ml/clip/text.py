"""The text's half of GLIDE's noised CLIP: a causal transformer, read at the last token in use.

Parameter names are those of the released clip_text_enc.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from studio.ml.clip.blocks import Projection, gaussian, transformer


class TextConfig(BaseModel):
    """Shape of a text encoder; `context` is the number of tokens it reads, start and end included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocabulary: int = Field(ge=1)
    context: int = Field(ge=1)
    width: int = Field(ge=1)
    heads: int = Field(ge=1)
    layers: int = Field(ge=1)
    embedding: int = Field(ge=1)


class TokenEmbedding(nn.Module):
    """Tokens [B, L] -> [B, L, W], each with its position."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.w_voc = gaussian(config.vocabulary, config.width, std=0.02)
        self.w_pos = gaussian(config.context, config.width, std=0.01)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.embedding(tokens, self.w_voc) + self.w_pos


class TextEncoder(nn.Module):
    """(tokens [B, L], lengths [B] in 1..L) -> [B, E], not normalised; tokens behind the length have no influence."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        projection = Projection(config.width, config.embedding)
        self.blocks = transformer(
            TokenEmbedding(config), config.width, config.heads, config.layers, projection, causal=True
        )

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        features = self.blocks["input"](tokens)
        for i in range(self.config.layers):
            features = self.blocks[f"block_{i}"](features)
        last = features[torch.arange(len(features), device=features.device), lengths - 1]
        out: Tensor = self.blocks["output"](last)
        return out
