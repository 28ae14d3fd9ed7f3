"""Guidance: what is done to eps before a sampler uses it, returned with its parts so that they can be shown.

Convention of classifier-free guidance: eps = eps_u + s (eps_c - eps_u), so s = 0 is unconditional, s = 1 conditional
and unguided, s > 1 guided (GLIDE, Imagen). Ho & Salimans 2022 write (1 + w) eps_c - w eps_u; their w is s - 1. The
scale of a gradient (`gradients.py`) is neutral at 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from studio.ml.diffusion.denoiser import ConditionalDenoiser, Denoiser, Prediction


class Term(NamedTuple):
    """What one guidance adds to eps.

    name: "classifier-free", "classifier", "clip" or "clip-x0"; eps [B, C, H, W], its scale included; scale [B] at this
    step; score [B] is what a gradient climbs (log p(y|x_t), or a cosine), None for classifier-free guidance.
    """

    name: str
    eps: Tensor
    scale: Tensor
    score: Tensor | None = None


class Gradient(NamedTuple):
    """One gradient guidance at one step: value [B, C, H, W] = scale * grad_x of what it climbs; scale, score [B]."""

    name: str
    value: Tensor
    scale: Tensor
    score: Tensor


@dataclass(frozen=True, eq=False)
class GuidanceParts:
    """One step's eps and where it came from; all [B, C, H, W] float32.

    eps is what classifier-free guidance made of the network's predictions; eps_uncond is None where it was not
    computed; variance is the network's v (of the conditional half), None where it has none; gradient is the sum of the
    gradients at this step, None without any. terms: what each guidance adds to `base`. A gradient's term is
    -sqrt(1 - abar) * value, as DDIM and DPM-Solver++ add it; DDPM shifts its mean by variance * gradient instead.
    """

    eps: Tensor
    eps_cond: Tensor
    eps_uncond: Tensor | None = None
    variance: Tensor | None = None
    gradient: Tensor | None = None
    terms: tuple[Term, ...] = ()

    @property
    def base(self) -> Tensor:
        """What the terms are added to: eps(x|nothing) where it was computed, eps(x|y) otherwise."""
        return self.eps_cond if self.eps_uncond is None else self.eps_uncond


GuidedModel = Callable[[Tensor, Tensor], GuidanceParts]
"""(x_t [B, C, H, W], t [B]) -> parts: what the samplers take."""

GradientFn = Callable[[Tensor, Tensor], Sequence[Gradient]]
"""(x_t [B, C, H, W], t [B]) -> the gradients that act at this step; enables gradients itself."""


@dataclass(frozen=True)
class Scale:
    """A guidance scale as a function of time, counted as the share of the way from noise (0) to picture (1).

    constant: `value` throughout. interval: `value` from `start` to `stop`, neutral outside (Kynkaanniemi et al. 2024,
    arXiv 2404.07724). ramp: neutral until `start`, rising linearly to `value` at `stop`, `value` after it. Raises
    ValueError unless value is finite and 0 <= start < stop <= 1.
    """

    value: float
    kind: Literal["constant", "interval", "ramp"] = "constant"
    start: float = 0.0
    stop: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"The guidance scale must be a finite number, not {self.value}.")
        if self.kind not in ("constant", "interval", "ramp"):
            raise ValueError(f"Unknown course of a scale {self.kind!r}; known are constant, interval and ramp.")
        if not 0 <= self.start < self.stop <= 1:
            raise ValueError(f"Guidance must start before it stops, both from 0 to 1, not {self.start} to {self.stop}.")

    def at(self, t: Tensor, T: int, neutral: float = 0.0) -> Tensor:
        """The scale at original steps t [B] of T -> [B] float32."""
        way = 1 - t.float() / max(1, T - 1)
        if self.kind == "constant":
            return torch.full_like(way, self.value)
        if self.kind == "interval":
            inside = (way >= self.start) & (way <= self.stop)
            return torch.where(inside, self.value, neutral)
        return torch.lerp(
            torch.full_like(way, neutral),
            torch.full_like(way, self.value),
            ((way - self.start) / (self.stop - self.start)).clamp(0, 1),
        )

    def idle(self, scale: Tensor, neutral: float = 0.0) -> bool:
        """Whether nothing acts at this step; `scale` is `at`'s. A constant scale is decided without the device."""
        return self.value == neutral if self.kind == "constant" else bool((scale == neutral).all())

    @classmethod
    def of(cls, scale: float | Scale) -> Scale:
        """A number as a constant scale."""
        return scale if isinstance(scale, Scale) else cls(scale)


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
    half out of steps where s = 1, where it cannot change eps; it is off by default because its parts are then missing.
    T: original steps of the model's schedule, by which a scale that changes counts.
    """

    def __init__(
        self, scale: float | Scale, *, T: int = 1000, max_batch: int | None = None, skip_unused: bool = False
    ) -> None:
        self.scale = Scale.of(scale)
        self.T = T
        self.max_batch = max_batch
        self.skip_unused = skip_unused

    def __call__(self, denoiser: ConditionalDenoiser, x: Tensor, t: Tensor) -> GuidanceParts:
        scale = self.scale.at(t, self.T, neutral=1.0)
        if self.skip_unused and self.scale.idle(scale, neutral=1.0):
            return Unguided()(denoiser, x, t)
        cond, uncond = self._evaluate(denoiser, x, t)
        weight = scale.to(cond.eps.dtype).view(-1, *[1] * (x.ndim - 1))
        eps = torch.lerp(uncond.eps, cond.eps, weight)
        term = Term("classifier-free", weight * (cond.eps - uncond.eps), scale)
        return GuidanceParts(eps, cond.eps, uncond.eps, cond.variance, terms=(term,))

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
