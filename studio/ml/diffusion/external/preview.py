"""A quick look at latents: the linear map from a cell's channels to its colour that fits the model's own decoder best.

A decoder is far from linear, yet the mean colour of the pixels of a cell nearly is: so the map is fitted once by least
squares on a few decoded pictures of plain colours and gradients. No numbers of other tools are used, and any
autoencoder with two sides gets its own. How good the fit is, is in `r2`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from studio.ml.diffusion.external.asked import Pixels

AUTOENCODERS = ("AutoencoderKL", "AutoencoderDC", "AutoencoderTiny")
CELLS = 16
"""Cells a side of the pictures it is fitted on."""
PICTURES = 6
RIDGE = 1e-4
"""Of the mean square of the latents: keeps channels that hardly vary from taking part."""


@dataclass(frozen=True, eq=False)
class LatentToRgb:
    """rgb = weights^T z + bias in [-1, 1], for latents z as the network sees them.

    weights [C, 3], bias [3]; r2: share of the variance of the decoded colours that the map explains, 1 for all.
    """

    weights: Tensor
    bias: Tensor
    r2: float

    def __call__(self, latents: Tensor) -> Pixels:
        """[B, C, h, w] -> uint8 [B, h, w, 3]."""
        z = latents.detach().float().cpu().permute(0, 2, 3, 1)
        return pixels(z @ self.weights + self.bias)


def pixels(rgb: Tensor) -> Pixels:
    """[B, H, W, 3] in [-1, 1] -> uint8."""
    scaled = ((rgb.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round()
    return np.asarray(scaled.to(torch.uint8).numpy())


def can_fit(vae: Any) -> bool:
    """Whether an autoencoder is of a known kind, with latents [B, C, h, w]."""
    return type(vae).__name__ in AUTOENCODERS


@torch.no_grad()
def fit(vae: Any, side: int, device: torch.device) -> LatentToRgb:
    """Fit the map for an autoencoder that runs on `device`; a cell of its latents has `side` pixels a side."""
    with in_full_precision(vae):
        latents = encoded(vae, samples(CELLS * side).to(device, vae.dtype))
        height, width = latents.shape[-2:]
        colours = adaptive_avg_pool2d(decoded(vae, latents).float(), (height, width))
    z = latents.float().cpu().permute(0, 2, 3, 1).reshape(-1, latents.shape[1]).double()
    rgb = colours.clamp(-1, 1).cpu().permute(0, 2, 3, 1).reshape(-1, 3).double()
    return least_squares(z, rgb)


def least_squares(z: Tensor, rgb: Tensor) -> LatentToRgb:
    """z [N, C], rgb [N, 3], float64: the map with the least squared error, a little shrunk (`RIDGE`)."""
    mean, centre = z.mean(dim=0), rgb.mean(dim=0)
    x, y = z - mean, rgb - centre
    ridge = RIDGE * float(x.square().mean()) * len(x) * torch.eye(z.shape[1], dtype=z.dtype)
    weights = torch.linalg.solve(x.T @ x + ridge, x.T @ y)
    left = (y - x @ weights).square().sum()
    r2 = 1 - float(left / y.square().sum().clamp_min(1e-12))
    return LatentToRgb(weights.float(), (centre - mean @ weights).float(), r2)


@contextmanager
def in_full_precision(vae: Any) -> Iterator[None]:
    """While inside, an autoencoder that overflows in half precision (that of SDXL says so) computes in float32."""
    dtype = vae.dtype
    if dtype != torch.float16 or not vae.config.get("force_upcast"):
        yield
        return
    vae.to(dtype=torch.float32)
    try:
        yield
    finally:
        vae.to(dtype=dtype)


def samples(side: int) -> Tensor:
    """[N, 3, side, side] in [-1, 1]: smooth fields of colour, the same each time."""
    places = torch.arange(side, dtype=torch.float32) / side
    noise = torch.Generator().manual_seed(0)
    phases = torch.rand(PICTURES, 3, 2, generator=noise) * 2 * torch.pi
    turns = torch.randint(1, 4, (PICTURES, 3, 2), generator=noise)
    down, across = (
        torch.sin(2 * torch.pi * turns[..., i, None] * places + phases[..., i, None]) for i in range(2)
    )
    return (down[..., :, None] + across[..., None, :]) / 2


def encoded(vae: Any, pictures: Tensor) -> Tensor:
    """[B, 3, H, W] in [-1, 1] -> latents [B, C, h, w] as the network sees them, without sampling."""
    out = vae.encode(pictures)
    z = out.latent_dist.mode() if hasattr(out, "latent_dist") else out[0]
    mean, deviation = _normal(vae, z)
    normalised: Tensor = (z - mean) / deviation
    return normalised


def decoded(vae: Any, latents: Tensor) -> Tensor:
    """The other way round: [B, C, h, w] -> [B, 3, H, W]."""
    mean, deviation = _normal(vae, latents)
    picture: Tensor = vae.decode(latents * deviation + mean).sample
    return picture


def _normal(vae: Any, z: Tensor) -> tuple[Any, Any]:
    """Mean and deviation that the network's latents are freed from: per channel where the autoencoder says so."""
    config = vae.config
    if config.get("latents_mean") is not None and config.get("latents_std") is not None:
        shape = (1, -1, 1, 1)
        mean, deviation = (torch.tensor(config[f"latents_{key}"]).to(z).view(shape) for key in ("mean", "std"))
        return mean, deviation / (config.get("scaling_factor") or 1)
    return config.get("shift_factor") or 0, 1 / (config.get("scaling_factor") or 1)
