"""Transformer blocks of GLIDE's noised CLIP (Nichol et al. 2021, arXiv 2112.10741), shared by pictures and text.

Parameter names are those of the released clip_image_enc and clip_text_enc: g and b scale and shift, w and b multiply
and add. Tensors are [B, L, W]: pictures or prompts, tokens, width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def gaussian(*shape: int, std: float) -> nn.Parameter:
    """A parameter drawn from N(0, std^2), or without content on the meta device: drawing there loads half of torch."""
    values = torch.empty(shape)
    return nn.Parameter(values if values.is_meta else values.normal_(std=std))


class LayerNorm(nn.Module):
    """Layer normalisation computed in float32 whatever the input's precision."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(width))
        self.b = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.float(), self.g.shape, self.g.float(), self.b.float()).to(x.dtype)


class Affine(nn.Module):
    """x w^T + b, with w [out, in] drawn from N(0, std^2); without b when `bias` is False."""

    def __init__(self, width: int, out: int, *, std: float, bias: bool = True) -> None:
        super().__init__()
        self.w = gaussian(out, width, std=std)
        self.b = nn.Parameter(torch.zeros(out)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.w, self.b)


class SelfAttention(nn.Module):
    """x + attention(LN(x)). Keys have no bias: it would shift all of a query's scores alike, which softmax ignores."""

    def __init__(self, width: int, heads: int, depth: int, *, causal: bool) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be divided among {heads} attention heads")
        self.heads, self.causal = heads, causal
        std = 1 / math.sqrt(width)
        self.ln = LayerNorm(width)
        self.f_q = Affine(width, width, std=std)
        self.f_k = Affine(width, width, std=std, bias=False)
        self.f_v = Affine(width, width, std=std)
        self.f_c = Affine(width, width, std=std / depth)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.ln(x)
        q, k, v = (self._split(f(normed)) for f in (self.f_q, self.f_k, self.f_v))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        joined: Tensor = self.f_c(out.transpose(1, 2).flatten(2))
        return x + joined

    def _split(self, x: Tensor) -> Tensor:
        """[B, L, W] -> [B, heads, L, W/heads]."""
        b, length, width = x.shape
        return x.view(b, length, self.heads, width // self.heads).transpose(1, 2)


class FeedForward(nn.Module):
    """x + f_2(GELU(f_1(LN(x)))) with a fourfold hidden width."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.ln = LayerNorm(width)
        self.f_1 = Affine(width, 4 * width, std=math.sqrt(2 / (4 * width)))
        self.f_2 = Affine(4 * width, width, std=1 / (math.sqrt(width) * depth))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.f_2(F.gelu(self.f_1(self.ln(x))))
        return x + out


class TransformerBlock(nn.Module):
    """Attention, then the feed-forward network; `depth` residual branches in all keep the start's variance bounded."""

    def __init__(self, width: int, heads: int, depth: int, *, causal: bool = False) -> None:
        super().__init__()
        self.f_attn = SelfAttention(width, heads, depth, causal=causal)
        self.f_mlp = FeedForward(width, depth)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.f_mlp(self.f_attn(x))
        return out


class Projection(nn.Module):
    """The feature of one token into the space that pictures and text share: [B, W] -> [B, E]."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.ln = LayerNorm(width)
        self.f = Affine(width, embedding, std=1 / math.sqrt(width), bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.f(self.ln(x))
        return out


def transformer(
    first: nn.Module, width: int, heads: int, layers: int, last: nn.Module, *, causal: bool
) -> nn.ModuleDict:
    """An encoder's parts by their released names: input, block_0 ..., output."""
    blocks = {f"block_{i}": TransformerBlock(width, heads, 2 * layers, causal=causal) for i in range(layers)}
    return nn.ModuleDict({"input": first, **blocks, "output": last})


def unit(x: Tensor) -> Tensor:
    """x / |x| along the last dimension, in float32."""
    x = x.float()
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / (length + 1e-12)
