"""Noise keyed by (seed, image, step).

The same key gives the same numbers whatever else is in the batch, whichever guidance runs and whatever device
computes, so two runs that differ in one setting differ by that setting only. (Drawing `randn_like(x)` for a doubled
guidance batch, as the released sampling code does, changes the noise with the kind of guidance.)

Philox 4x64 (Salmon et al. 2011) is a counter-based generator: the 128-bit key IS (seed, image, step), so no two keys
share a stream. torch's CPU generator would fold a 64-bit seed to 32 bits and its normals differ in the last bits
between CPU instruction sets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from studio.ml.diffusion.schedule import Schedule

NOISE_VERSION = "philox4x64-numpy-f32-1"  # goes into provenance; raise the number when any stream changes

_SEED_LIMIT = 2**64
_IMAGE_LIMIT = 2**32


class NoiseKeyError(ValueError):
    """A seed, image index or step outside the range the noise is defined for."""


class NoiseSource:
    """Standard normal noise for a batch, in which each image has its own (seed, image) and so its own streams.

    NoiseSource(7, range(4)) is four images of seed 7. `NoiseSource.of_seeds([7, 8])` is image 0 of two seeds.
    """

    def __init__(self, seed: int, images: Sequence[int], *, device: str | torch.device = "cpu") -> None:
        self._set([(seed, image) for image in images], device)

    @classmethod
    def of_seeds(cls, seeds: Sequence[int], *, image: int = 0, device: str | torch.device = "cpu") -> NoiseSource:
        """One image of each seed: picture i of the batch is the one that `seeds[i]` alone would give."""
        source = cls.__new__(cls)
        source._set([(seed, image) for seed in seeds], device)
        return source

    def _set(self, keys: list[tuple[int, int]], device: str | torch.device) -> None:
        if not keys:
            raise NoiseKeyError("Noise for no image was asked for; give at least one.")
        for seed, image in keys:
            if not 0 <= seed < _SEED_LIMIT:
                raise NoiseKeyError(f"The seed {seed} is out of range; use a whole number from 0 to {_SEED_LIMIT - 1}.")
            if not 0 <= image < _IMAGE_LIMIT:
                raise NoiseKeyError(f"The image index {image} is out of range; use 0 to {_IMAGE_LIMIT - 1}.")
        self.keys = tuple(keys)
        self.device = torch.device(device)

    def __len__(self) -> int:
        return len(self.keys)

    def initial(self, shape: Sequence[int]) -> Tensor:
        """x_T, [B, *shape] float32 on the source's device; `shape` is that of one image, (C, H, W)."""
        return self._draw(0, shape)

    def step(self, index: int, shape: Sequence[int]) -> Tensor:
        """Noise added after the index-th evaluation (0 = noisiest), [B, *shape] float32 on the source's device."""
        if not 0 <= index < _IMAGE_LIMIT - 1:
            raise NoiseKeyError(f"The step index {index} is out of range; use 0 to {_IMAGE_LIMIT - 2}.")
        return self._draw(index + 1, shape)

    def _draw(self, counter: int, shape: Sequence[int]) -> Tensor:
        pinned = self.device.type == "cuda"  # a copy from pageable memory would wait for the device
        noise = torch.empty((len(self.keys), *shape), dtype=torch.float32, pin_memory=pinned)
        rows = noise.numpy()
        for row, (seed, image) in zip(rows, self.keys, strict=True):
            key = np.array([seed, (image << 32) | counter], dtype=np.uint64)
            np.random.Generator(np.random.Philox(key=key)).standard_normal(dtype=np.float32, out=row)
        return noise.to(self.device, non_blocking=True)


def noised(x0: Tensor, noise: Tensor, schedule: Schedule, t: int) -> Tensor:
    """Pictures at the original step t: x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps (Ho et al. 2020, eq. 4)."""
    abar = float(schedule.alphas_cumprod[t])
    return math.sqrt(abar) * x0 + math.sqrt(1 - abar) * noise
