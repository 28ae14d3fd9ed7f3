"""Stacks of transformer layers: encoder (BERT, ViT), causal (GPT), and encoder with decoder (translation).

They map vectors to vectors; embeddings and heads belong to the models that use them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from studio.ml.nn.attention import causal_mask
from studio.ml.nn.layers import DecoderLayer, EncoderLayer, LayerCache, TransformerConfig


class Encoder(nn.Module):
    """Every token sees every other (that the mask keeps): [B, T, W] -> [B, T, W]."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.norm = _last(config)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = layer(x, mask)
        out: Tensor = self.norm(x)
        return out


class Causal(nn.Module):
    """Every token sees itself and those before it: [B, T, W] -> [B, T, W].

    With a cache, x are the tokens that follow those already read.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.norm = _last(config)

    def forward(self, x: Tensor, cache: Sequence[LayerCache] | None = None) -> Tensor:
        mask = causal_mask(x.shape[1], read(cache) + x.shape[1], x.device)
        for i, layer in enumerate(self.layers):
            x = layer(x, mask, None if cache is None else cache[i])
        out: Tensor = self.norm(x)
        return out


class Decoder(nn.Module):
    """As `Causal`, and every token sees all of another text: x [B, T, W], memory [B, T_k, W] -> [B, T, W]."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.norm = _last(config)

    def forward(
        self, x: Tensor, memory: Tensor, memory_mask: Tensor | None = None, cache: Sequence[LayerCache] | None = None
    ) -> Tensor:
        mask = causal_mask(x.shape[1], read(cache) + x.shape[1], x.device)
        for i, layer in enumerate(self.layers):
            x = layer(x, memory, mask, memory_mask, None if cache is None else cache[i])
        out: Tensor = self.norm(x)
        return out


class EncoderDecoder(nn.Module):
    """The transformer of the paper, between embeddings and head (figure 1): source and target vectors -> [B, T, W]."""

    def __init__(self, encoder: TransformerConfig, decoder: TransformerConfig) -> None:
        super().__init__()
        self.encoder = Encoder(encoder)
        self.decoder = Decoder(decoder)

    def forward(self, source: Tensor, target: Tensor, source_mask: Tensor | None = None) -> Tensor:
        out: Tensor = self.decoder(target, self.encoder(source, source_mask), source_mask)
        return out


def new_cache(layers: int) -> list[LayerCache]:
    """An empty memory for as many layers."""
    return [LayerCache() for _ in range(layers)]


def read(cache: Sequence[LayerCache] | None) -> int:
    """How many tokens a cache has read."""
    return cache[0].own.length if cache else 0


def _last(config: TransformerConfig) -> nn.Module:
    return nn.LayerNorm(config.width) if config.final_norm else nn.Identity()
