"""Inpainting with a network that knows no masks: after each step the known cells are put back, noised to the same time.

x_t <- m x_t + (1 - m) noised(z, t), with z the latents of the picture and m = 1 where it is to be drawn (Lugmayr et al.
2022, eq. 8, without resampling). The known part comes back through the autoencoder, so it is near the picture, not
equal to it; whoever shows the result composites.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from studio.ml.diffusion.external.asked import Asked
from studio.ml.diffusion.external.calling import Size
from studio.ml.diffusion.external.preview import encoded, in_full_precision
from studio.ml.diffusion.external.schedulers import is_flow
from studio.ml.diffusion.external.watching import Seen


class KnownRegion:
    """The known cells of a picture for the steps of one run."""

    def __init__(self, latents: Tensor, hole: Tensor, seeds: tuple[int, ...], scheduler: Any) -> None:
        """latents [1, C, h, w] of the picture, hole [1, 1, h, w] in [0, 1], 1 where to draw."""
        self._latents, self._hole, self._scheduler = latents, hole, scheduler
        rows = [
            torch.randn(latents.shape, generator=torch.Generator("cpu").manual_seed(seed), dtype=torch.float32)
            for seed in seeds
        ]
        self._noise = torch.cat(rows).to(latents)

    @classmethod
    @torch.no_grad()
    def of(cls, pipeline: Any, asked: Asked, size: Size, device: torch.device) -> KnownRegion:
        """Encode the picture and mask of a request."""
        assert asked.image is not None and asked.mask is not None
        vae = pipeline.vae
        with in_full_precision(vae):
            picture = Image.fromarray(asked.image).resize(size, Image.Resampling.LANCZOS)
            rgb = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].to(device, vae.dtype) / 127.5 - 1
            latents = encoded(vae, rgb)
        height, width = latents.shape[-2:]
        hole = Image.fromarray(asked.mask).resize((width, height), Image.Resampling.BOX)
        share = torch.from_numpy(np.array(hole))[None, None].to(latents) / 255
        return cls(latents.to(device), (share > 0).to(latents), asked.seeds, pipeline.scheduler)

    def put_back(self, seen: Seen) -> Tensor:
        """x after the step, with the known cells at the time of the next one; the picture's own after the last."""
        known = self._noised(seen).to(seen.previous)
        hole = self._hole.to(seen.previous)
        return hole * seen.previous + (1 - hole) * known

    def _noised(self, seen: Seen) -> Tensor:
        if seen.index + 1 >= seen.total:
            return self._latents.expand_as(self._noise)
        times = self._scheduler.timesteps
        t = times[len(times) - seen.total + seen.index + 1].reshape(1).to(self._latents.device)
        clean = self._latents.expand_as(self._noise)
        if is_flow(self._scheduler):
            noised: Tensor = self._scheduler.scale_noise(clean, t, self._noise)
        else:
            noised = self._scheduler.add_noise(clean, self._noise, t)
        return noised
