"""Which sampler, how many steps, where: one value for every pipeline, and the call that runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from studio.ml.diffusion.guidance import GradientFn, GuidedModel
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import Resume, StepRecord, X0Edit, ddim, ddpm, dpmpp_2m
from studio.ml.diffusion.schedule import Respacing, Schedule

SamplerName = Literal["dpmpp_2m", "ddim", "ddpm"]
DEFAULT_STEPS: Mapping[str, int] = {"dpmpp_2m": 20, "ddim": 50, "ddpm": 100}
"""Samplers by name, with a number of steps that serves each."""


@dataclass(frozen=True)
class Sampling:
    """How a run visits the schedule.

    steps: network evaluations, spaced as suits the sampler (None: DEFAULT_STEPS); `respacing`, as in
    `Schedule.respace`, says it exactly instead. eta: DDIM's noise. Raises ValueError for an unknown sampler.
    """

    sampler: SamplerName = "dpmpp_2m"
    steps: int | None = None
    respacing: Respacing | None = None
    eta: float = 0.0

    def __post_init__(self) -> None:
        if self.sampler not in DEFAULT_STEPS:
            raise ValueError(f"Unknown sampler {self.sampler!r}; known are {', '.join(DEFAULT_STEPS)}.")

    def schedule(self, full: Schedule) -> Schedule:
        """The steps of `full` to visit. Raises ScheduleError."""
        if self.respacing is not None:
            return full.respace(self.respacing)
        steps = DEFAULT_STEPS[self.sampler] if self.steps is None else self.steps
        return full.respace(default_respacing(self.sampler, steps))


def default_respacing(sampler: SamplerName, steps: int) -> str:
    """Where `steps` evaluations do most good: even in log-SNR for DPM-Solver++, even in t for DDIM and DDPM."""
    if sampler == "dpmpp_2m" or steps == 1:
        return f"logsnr{steps}"
    return str(steps)


def run(
    model: GuidedModel,
    x: Tensor,
    visited: Schedule,
    noise: NoiseSource,
    sampling: Sampling,
    *,
    cond_fn: GradientFn | None = None,
    edit_x0: X0Edit | None = None,
    resume: Resume | None = None,
) -> Iterator[StepRecord]:
    """The sampler's step records from x = x_T [B, C, H, W], or from `resume`; `visited` is `sampling.schedule(full)`."""
    if sampling.sampler == "dpmpp_2m":
        return dpmpp_2m(model, x, visited, edit_x0=edit_x0, cond_fn=cond_fn, resume=resume)
    if sampling.sampler == "ddim":
        return ddim(model, x, visited, noise, eta=sampling.eta, edit_x0=edit_x0, cond_fn=cond_fn, resume=resume)
    return ddpm(model, x, visited, noise, edit_x0=edit_x0, cond_fn=cond_fn, resume=resume)
