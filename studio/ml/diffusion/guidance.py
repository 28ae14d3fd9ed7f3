"""Guidance: what is done to eps before a sampler uses it, returned with its parts so that they can be shown.

Convention: eps = eps_u + s (eps_c - eps_u), so s = 0 is unconditional, s = 1 conditional and unguided, s > 1 guided
(GLIDE, Imagen). Ho & Salimans 2022 write (1 + w) eps_c - w eps_u; their w is s - 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from studio.ml.diffusion.denoiser import ConditionalDenoiser, Denoiser, Prediction


@dataclass(frozen=True, eq=False)
class GuidanceParts:
    """eps is what the sampler uses; all [B, C, H, W] float32.

    eps_uncond is None where it was not computed; variance is the network's v (of the conditional half), None where it
    has none; gradient is the gradient a `cond_fn` gave at this step, None without one.
    """

    eps: Tensor
    eps_cond: Tensor
    eps_uncond: Tensor | None = None
    variance: Tensor | None = None
    gradient: Tensor | None = None


GuidedModel = Callable[[Tensor, Tensor], GuidanceParts]
"""(x_t [B, C, H, W], t [B]) -> parts: what the samplers take."""

GradientFn = Callable[[Tensor, Tensor], Tensor]
"""(x_t [B, C, H, W], t [B]) -> grad_x log p(y | x_t), [B, C, H, W]; enables gradients itself."""


class Unguided:
    """eps(x_t | y) as the network gives it."""

    def __call__(self, denoiser: Denoiser, x: Tensor, t: Tensor) -> GuidanceParts:
        eps, variance = denoiser(x, t)
        return GuidanceParts(eps, eps, None, variance)

    def of(self, denoiser: Denoiser) -> GuidedModel:
        """The function of (x, t) that samplers take."""
        return partial(self, denoiser)


class ClassifierFree:
    """Classifier-free guidance (Ho & Salimans 2022): eps_u + s (eps_c - eps_u), variance from the conditional half.

    Both halves run as one batch of 2B while 2B <= max_batch (None: no limit known) and memory suffices; otherwise one
    after the other. A batch that ran out of memory once is not tried again. `skip_unused` leaves the unconditional
    half out when s = 1, where it cannot change eps; it is off by default because its parts are then missing.
    """

    def __init__(self, scale: float, *, max_batch: int | None = None, skip_unused: bool = False) -> None:
        if not math.isfinite(scale):
            raise ValueError(f"The guidance scale must be a finite number, not {scale}.")
        self.scale = scale
        self.max_batch = max_batch
        self.skip_unused = skip_unused

    def __call__(self, denoiser: ConditionalDenoiser, x: Tensor, t: Tensor) -> GuidanceParts:
        if self.skip_unused and self.scale == 1.0:
            return Unguided()(denoiser, x, t)
        cond, uncond = self._evaluate(denoiser, x, t)
        eps = torch.lerp(uncond.eps, cond.eps, self.scale)
        return GuidanceParts(eps, cond.eps, uncond.eps, cond.variance)

    def of(self, denoiser: ConditionalDenoiser) -> GuidedModel:
        """The function of (x, t) that samplers take."""
        return partial(self, denoiser)

    def _evaluate(self, denoiser: ConditionalDenoiser, x: Tensor, t: Tensor) -> tuple[Prediction, Prediction]:
        if self.max_batch is None or 2 * len(x) <= self.max_batch:
            try:
                return denoiser.both(x, t)
            except torch.OutOfMemoryError:
                self.max_batch = 2 * len(x) - 1
        # Not inside the handler, whose traceback would keep the failed batch's memory alive.
        return denoiser(x, t), denoiser.unconditional(x, t)
