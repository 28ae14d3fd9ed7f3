"""Building blocks of the ADM U-Net (Dhariwal & Nichol 2021, arXiv 2105.05233) with GLIDE's text attention.

Sub-module names are those of the released checkpoints, so that their weights load unchanged. All tensors are
[B, C, H, W] unless a docstring says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

AttentionCapture = Callable[[Tensor], None]
M = TypeVar("M", bound=nn.Module)


class GroupNorm32(nn.GroupNorm):
    """Group normalisation computed in float32 whatever the input's precision."""

    def __init__(self, channels: int) -> None:
        super().__init__(32, channels)

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float32:
            return super().forward(x)
        weight, bias = self.weight.float(), self.bias.float()
        return F.group_norm(x.float(), self.num_groups, weight, bias, self.eps).to(x.dtype)


def timestep_embedding(t: Tensor, width: int, max_period: float = 10_000.0) -> Tensor:
    """Sinusoidal embedding of the diffusion step: [B] -> [B, width], cosines first (Vaswani et al. 2017)."""
    half = width // 2
    frequencies = torch.exp(-math.log(max_period) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
    angles = t.float()[:, None] * frequencies[None]
    embedding = torch.cat([angles.cos(), angles.sin()], dim=-1)
    return F.pad(embedding, (0, 1)) if width % 2 else embedding


class Downsample(nn.Module):
    """Halve the picture, by a strided convolution or by averaging."""

    def __init__(self, channels: int, learned: bool) -> None:
        super().__init__()
        self.op: nn.Module = nn.Conv2d(channels, channels, 3, stride=2, padding=1) if learned else nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.op(x)
        return out


class Upsample(nn.Module):
    """Double the picture by nearest neighbour, optionally followed by a convolution."""

    def __init__(self, channels: int, learned: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1) if learned else None

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        return x if self.conv is None else self.conv(x)


class ResBlock(nn.Module):
    """Residual block conditioned on the time embedding by scale and shift (or by addition).

    `resample` is "up", "down" or "" and applies to both the residual and the skip branch.
    """

    def __init__(
        self, channels: int, embed: int, out: int, *, dropout: float = 0.0, scale_shift: bool = True, resample: str = ""
    ) -> None:
        super().__init__()
        self.scale_shift = scale_shift
        self.in_layers = nn.Sequential(GroupNorm32(channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embed, 2 * out if scale_shift else out))
        self.out_layers = nn.Sequential(
            GroupNorm32(out), nn.SiLU(), nn.Dropout(dropout), zeroed(nn.Conv2d(out, out, 3, padding=1))
        )
        self.skip_connection: nn.Module = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)
        self.resample: nn.Module = nn.Identity()
        if resample:
            self.resample = Upsample(channels, False) if resample == "up" else Downsample(channels, False)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        norm, act, conv = self.in_layers
        h = conv(self.resample(act(norm(x))))
        condition = self.emb_layers(emb).to(h.dtype)[:, :, None, None]
        if self.scale_shift:
            scale, shift = condition.chunk(2, dim=1)
            h = self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)
        else:
            h = self.out_layers(h + condition)
        out: Tensor = self.skip_connection(self.resample(x)) + h
        return out


class AttentionBlock(nn.Module):
    """Self-attention over pixels; text keys and values, when given, stand in front of the picture's own.

    One softmax runs over text and pixels together, so columns 0..L-1 of a captured map are the text tokens and their
    sum per pixel is the share of attention that goes to the text (GLIDE, arXiv 2112.10741).
    Set `capture` to receive the weights [B, heads, pixels, L + pixels]; the fused kernel is used when it is None.
    `interleaved` is the channel order of the qkv projection: True = (head, q|k|v, channel), as in GLIDE and the legacy
    ADM checkpoints; False = (q|k|v, head, channel).
    """

    def __init__(
        self, channels: int, heads: int, *, encoder_channels: int | None = None, interleaved: bool = True
    ) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels cannot be divided among {heads} attention heads")
        self.heads = heads
        self.interleaved = interleaved
        self.capture: AttentionCapture | None = None
        self.norm = GroupNorm32(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        if encoder_channels is not None:
            self.encoder_kv = nn.Conv1d(encoder_channels, 2 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor, encoder_out: Tensor | None = None) -> Tensor:
        """x [B, C, H, W]; encoder_out [B, text width, L] -> [B, C, H, W]."""
        b, c, h, w = x.shape
        q, k, v = self._split(self.qkv(self.norm(x).reshape(b, c, h * w)), 3, self.interleaved)
        if encoder_out is not None:
            text_k, text_v = self._split(self.encoder_kv(encoder_out), 2, True)
            k, v = torch.cat([text_k, k], dim=2), torch.cat([text_v, v], dim=2)
        out = self._attend(q, k, v).transpose(2, 3).reshape(b, c, h * w)
        projected: Tensor = self.proj_out(out)
        return x + projected.reshape(b, c, h, w)

    def _split(self, projected: Tensor, parts: int, interleaved: bool) -> tuple[Tensor, ...]:
        """[B, parts*C, N] -> `parts` tensors [B, heads, N, C/heads]."""
        b, width, n = projected.shape
        d = width // (parts * self.heads)
        if interleaved:
            return projected.view(b, self.heads, parts, d, n).transpose(3, 4).unbind(2)
        return projected.view(b, parts, self.heads, d, n).transpose(3, 4).unbind(1)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.capture is None:
            # The fused kernels want the channels of a head side by side; other layouts silently fall to the explicit
            # matrices.
            return F.scaled_dot_product_attention(q.contiguous(), k.contiguous(), v.contiguous())
        weights = torch.softmax((q @ k.transpose(2, 3)).float() / math.sqrt(q.shape[-1]), dim=-1)
        self.capture(weights)
        return weights.to(v.dtype) @ v


class Block(nn.Sequential):
    """A stage of the U-Net: passes the time embedding and the text on to the layers that take them."""

    def forward(self, x: Tensor, emb: Tensor, encoder_out: Tensor | None = None) -> Tensor:  # type: ignore[override]
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, emb)
            elif isinstance(layer, AttentionBlock):
                x = layer(x, encoder_out)
            else:
                x = layer(x)
        return x


def zeroed(module: M) -> M:
    """The module with all its parameters at zero: a branch that starts as nothing."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module
