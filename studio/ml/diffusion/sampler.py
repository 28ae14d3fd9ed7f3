"""Samplers: DDPM, DDIM and DPM-Solver++ (2M), each a generator that yields one `StepRecord` per network evaluation.

Shared symbols: x_t [B, C, H, W]; a = abar_t, a' = abar of the step visited next (1 after the last); x0 the predicted
clean picture; eps the guided noise; lambda = log(sqrt(a) / sqrt(1 - a)). All coefficients are Python floats worked
out before the loop, so nothing in the loop waits for the device. Whoever iterates decides what to show and when to
stop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from studio.ml.diffusion.guidance import GradientFn, GuidanceParts, GuidedModel, Term
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.schedule import Floats, Schedule

X0Edit = Callable[[Tensor], Tensor]
"""Changes the predicted x0 before it is clamped, e.g. puts the known pixels back (inpainting)."""


@dataclass(frozen=True, eq=False)
class StepRecord:
    """One step, 0..total-1, noisiest first: the network saw `x_t` at original step `t`; the step made `x` of it."""

    index: int
    total: int
    t: int
    x_t: Tensor
    x: Tensor
    x0: Tensor
    eps: Tensor
    parts: GuidanceParts


@dataclass(frozen=True, eq=False)
class Resume:
    """Where a run goes on: its steps 0..index are done, x [B, C, H, W] came out of the last, x0 was its prediction.

    x0 is None where no network predicted one, in a picture noised to that step.
    """

    index: int
    x: Tensor
    x0: Tensor | None

    @classmethod
    def after(cls, record: StepRecord) -> Resume:
        """Go on after this step, with the same guidance or another."""
        return cls(record.index, record.x, record.x0)


@torch.no_grad()
def ddpm(
    model: GuidedModel,
    x: Tensor,
    schedule: Schedule,
    noise: NoiseSource,
    *,
    clip: bool = True,
    edit_x0: X0Edit | None = None,
    cond_fn: GradientFn | None = None,
    resume: Resume | None = None,
) -> Iterator[StepRecord]:
    """Ancestral sampling (Ho et al. 2020, Alg. 2), with learned-range variance where the network gives v.

    x: x_T [B, C, H, W]. Nichol & Dhariwal 2021, eq. 15; without v the variance is the posterior's. `cond_fn` shifts
    the mean by variance * gradient
    (Dhariwal & Nichol 2021, Alg. 1) after x0 was clamped; nothing is clamped after it.
    """
    a, before, beta = schedule.alphas_cumprod, schedule.alphas_cumprod_prev, schedule.betas
    coef_x0 = (beta * np.sqrt(before) / (1 - a)).tolist()
    coef_x = (np.sqrt(1 - beta) * (1 - before) / (1 - a)).tolist()
    log_min = schedule.posterior_log_variance_clipped.tolist()
    log_max = np.log(beta).tolist()
    x = x if resume is None else resume.x
    for index, k, t in _visits(schedule, x, resume):
        parts = model(x, t)
        x0 = _clamp(_edit(_x0_from_eps(x, parts.eps, a[k]), edit_x0), clip)
        mean = coef_x0[k] * x0 + coef_x[k] * x
        if parts.variance is None:
            log_variance = torch.full((), log_min[k], device=x.device)
        else:
            log_variance = torch.lerp(
                torch.full_like(x, log_min[k]), torch.full_like(x, log_max[k]), (parts.variance + 1) / 2
            )
        parts = _with_gradients(parts, x, t, a[k], cond_fn)
        if parts.gradient is not None:
            mean = mean + log_variance.exp() * parts.gradient
        after = mean + (0.5 * log_variance).exp() * noise.step(index, x.shape[1:]) if k else mean
        yield StepRecord(index, len(schedule), int(schedule.timesteps[k]), x, after, x0, parts.eps, parts)
        x = after


@torch.no_grad()
def ddim(
    model: GuidedModel,
    x: Tensor,
    schedule: Schedule,
    noise: NoiseSource | None = None,
    *,
    eta: float = 0.0,
    clip: bool = True,
    edit_x0: X0Edit | None = None,
    cond_fn: GradientFn | None = None,
    resume: Resume | None = None,
) -> Iterator[StepRecord]:
    """DDIM (Song et al. 2021, eq. 12 and 16): deterministic at eta = 0; above, it needs `noise`; 1 is DDPM's.

    eps is recomputed from the clamped x0. `cond_fn` shifts it by -sqrt(1 - a) * gradient (Dhariwal & Nichol 2021,
    Alg. 2) and x0 follows WITHOUT being clamped again, as in the released code.
    """
    if eta < 0 or (eta and noise is None):
        raise ValueError("DDIM needs eta >= 0, and a noise source where eta is above 0.")
    a, before = schedule.alphas_cumprod, _float32(schedule.alphas_cumprod_prev)
    sigma = (eta * np.sqrt((1 - before) / (1 - _float32(a))) * np.sqrt(1 - _float32(a) / before)).tolist()
    x = x if resume is None else resume.x
    for index, k, t in _visits(schedule, x, resume):
        parts = model(x, t)
        x0, parts = _guided_x0(x, t, parts, a[k], clip, edit_x0, cond_fn)
        eps = _eps_from_x0(x, x0, a[k])
        after = math.sqrt(before[k]) * x0 + math.sqrt(max(0.0, 1 - before[k] - sigma[k] ** 2)) * eps
        if noise is not None and sigma[k]:
            after = after + sigma[k] * noise.step(index, x.shape[1:])
        yield StepRecord(index, len(schedule), int(schedule.timesteps[k]), x, after, x0, parts.eps, parts)
        x = after


@torch.no_grad()
def dpmpp_2m(
    model: GuidedModel,
    x: Tensor,
    schedule: Schedule,
    *,
    clip: bool = True,
    edit_x0: X0Edit | None = None,
    cond_fn: GradientFn | None = None,
    resume: Resume | None = None,
) -> Iterator[StepRecord]:
    """DPM-Solver++(2M) (Lu et al. 2022, Alg. 2): second-order multistep in lambda with data prediction; deterministic.

    x_next = (s'/s) x - sqrt(a') (e^-h - 1) D, with s = sqrt(1 - a), h = lambda' - lambda, r = h_previous / h and D =
    x0 + (x0 - x0_previous) / 2r. The first step has no previous one, and the last, to a' = 1, is x = x0: both are
    first order. Clamping and `cond_fn` act on x0 as in `ddim`.
    """
    a, before = schedule.alphas_cumprod, schedule.alphas_cumprod_prev
    lambdas = schedule.lambdas
    x0_previous: Tensor | None = None
    h_previous = 0.0
    if resume is not None and (k := len(schedule) - 1 - resume.index) > 0:
        x0_previous, h_previous = resume.x0, float(lambdas[k - 1] - lambdas[k])
    x = x if resume is None else resume.x
    for index, k, t in _visits(schedule, x, resume):
        parts = model(x, t)
        x0, parts = _guided_x0(x, t, parts, a[k], clip, edit_x0, cond_fn)
        if k == 0:
            after = x0
        else:
            h = float(lambdas[k - 1] - lambdas[k])
            d = x0 if x0_previous is None else x0 + (h / (2 * h_previous)) * (x0 - x0_previous)
            after = math.sqrt((1 - before[k]) / (1 - a[k])) * x - math.sqrt(before[k]) * math.expm1(-h) * d
            x0_previous, h_previous = x0, h
        yield StepRecord(index, len(schedule), int(schedule.timesteps[k]), x, after, x0, parts.eps, parts)
        x = after


def _visits(schedule: Schedule, x: Tensor, resume: Resume | None) -> list[tuple[int, int, Tensor]]:
    """(index in sampling order, position k in the schedule, original step as [B] on the device), noisiest first."""
    steps = torch.as_tensor(schedule.timesteps, device=x.device)
    first = 0 if resume is None else resume.index + 1
    return [(i, k, steps[k].expand(len(x))) for i, k in enumerate(reversed(range(len(schedule)))) if i >= first]


def _float32(values: Floats) -> Floats:
    """Rounded to float32, as the released DDIM does before 1 - abar; near abar = 1 it shows in x's fourth digit."""
    return values.astype(np.float32).astype(np.float64)


def _x0_from_eps(x: Tensor, eps: Tensor, a: float) -> Tensor:
    return math.sqrt(1 / a) * x - math.sqrt(1 / a - 1) * eps


def _eps_from_x0(x: Tensor, x0: Tensor, a: float) -> Tensor:
    return (math.sqrt(1 / a) * x - x0) / math.sqrt(1 / a - 1)


def _edit(x0: Tensor, edit: X0Edit | None) -> Tensor:
    return x0 if edit is None else edit(x0)


def _clamp(x0: Tensor, clip: bool) -> Tensor:
    return x0.clamp(-1, 1) if clip else x0


def _guided_x0(
    x: Tensor, t: Tensor, parts: GuidanceParts, a: float, clip: bool, edit: X0Edit | None, cond_fn: GradientFn | None
) -> tuple[Tensor, GuidanceParts]:
    """x0 for the deterministic samplers: edited, clamped, then moved by the gradient through eps."""
    x0 = _clamp(_edit(_x0_from_eps(x, parts.eps, a), edit), clip)
    parts = _with_gradients(parts, x, t, a, cond_fn)
    if parts.gradient is None:
        return x0, parts
    eps = _eps_from_x0(x, x0, a) - math.sqrt(1 - a) * parts.gradient
    return _x0_from_eps(x, eps, a), parts


def _with_gradients(
    parts: GuidanceParts, x: Tensor, t: Tensor, a: float, cond_fn: GradientFn | None
) -> GuidanceParts:
    """The parts with the gradients of this step, each also as the term it adds to eps."""
    gradients = [] if cond_fn is None else cond_fn(x, t)
    if not gradients:
        return parts
    terms = [Term(g.name, -math.sqrt(1 - a) * g.value, g.scale, g.score) for g in gradients]
    total = torch.stack([g.value for g in gradients]).sum(dim=0)
    return replace(parts, gradient=total, terms=(*parts.terms, *terms))
