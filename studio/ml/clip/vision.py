"""The picture's half of GLIDE's noised CLIP: a vision transformer that is told how noisy the picture is.

Parameter names are those of the released clip_image_enc.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from studio.ml.clip.blocks import LayerNorm, Projection, gaussian, transformer

CHANNEL_MEANS = (122.77093945, 116.74601272, 104.09373519)
CHANNEL_STDS = (68.50053285, 66.63215831, 70.32316309)
"""Of CLIP's training pictures, red, green and blue in 0..255."""


class VisionConfig(BaseModel):
    """Shape of an image encoder; sizes in pixels, `timesteps` counts the steps it was trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_size: int = Field(ge=1)
    patch_size: int = Field(ge=1)
    width: int = Field(ge=1)
    heads: int = Field(ge=1)
    layers: int = Field(ge=1)
    embedding: int = Field(ge=1)
    timesteps: int = Field(default=1000, ge=1)


class PatchEmbedding(nn.Module):
    """(x [B, 3, H, W], t [B]) -> [B, 1 + patches, W]: the step's embedding stands in front of the patches."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        if config.image_size % config.patch_size:
            raise ValueError(f"{config.image_size} pixels cannot be cut into patches of {config.patch_size}")
        self.config = config
        side, patch = config.image_size // config.patch_size, config.patch_size
        std = 1 / math.sqrt(config.width)
        self.w_t = gaussian(config.timesteps, config.width, std=std)
        self.patch_proj = gaussian(config.width, 3, patch, patch, std=std * math.sqrt(2) / patch)
        self.w_pos = gaussian(1 + side * side, config.width, std=std)
        self.ln = LayerNorm(config.width)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        side = self.config.image_size
        if x.shape[1:] != (3, side, side):
            raise ValueError(f"this CLIP sees [B, 3, {side}, {side}] pictures, not {list(x.shape)}")
        x = x.to(torch.promote_types(x.dtype, torch.float32))  # 0..255 has no room in half precision
        means, stds = (x.new_tensor(values)[:, None, None] for values in (CHANNEL_MEANS, CHANNEL_STDS))
        x = (((x + 1) * 127.5 - means) / stds).to(self.patch_proj.dtype)
        patches = F.conv2d(x, self.patch_proj, stride=self.config.patch_size).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.w_t[t][:, None], patches], dim=1) + self.w_pos
        out: Tensor = self.ln(tokens)
        return out


class ImageEncoder(nn.Module):
    """(x_t [B, 3, H, W] in [-1, 1], t [B] whole steps) -> [B, E], not normalised.

    Raises ValueError for pictures of another size.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        projection = Projection(config.width, config.embedding)
        self.blocks = transformer(
            PatchEmbedding(config), config.width, config.heads, config.layers, projection, causal=False
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        tokens = self.blocks["input"](x, t)
        for i in range(self.config.layers):
            tokens = self.blocks[f"block_{i}"](tokens)
        out: Tensor = self.blocks["output"](tokens[:, 0])
        return out
