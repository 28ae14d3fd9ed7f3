"""Noise schedules and respacing.

A diffusion model of T steps knows the signal share abar_t of every step t; a sampler visits only some of the steps.
Both are one value here: a `Schedule` with the kept original steps and their abar.

Symbols: beta_t, alpha_t = 1 - beta_t, abar_t = prod alpha, lambda_t = log(sqrt(abar) / sqrt(1 - abar)) (half the log
signal-to-noise ratio). Sources: Ho et al. 2020 (linear), Nichol & Dhariwal 2021 eq. 17 (cosine, respacing), Lu et al.
2022 (steps uniform in lambda).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Respacing = str | int | Sequence[int]

NAMES = ("squaredcos_cap_v2", "linear")
LAMBDA_MIN = -5.1
"""Where steps uniform in lambda begin. The cosine schedule runs on to -9.9, where x_t holds next to no signal: steps
there are lost to the rest of the way (measured in tests/ml/diffusion/test_solver.py), and 1/sqrt(abar) magnifies
every error of the network."""


class ScheduleError(ValueError):
    """A schedule or a respacing that cannot be; the message says which values can."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """The steps a sampler visits, ascending, with the signal share of each.

    name: the noise schedule; T: number of original steps; timesteps: [S] int64, kept original steps 0..T-1 (what the
    network is told); alphas_cumprod: [S] float64, abar at those steps.
    """

    name: str
    T: int
    timesteps: Ints
    alphas_cumprod: Floats

    @classmethod
    def named(cls, name: str, T: int = 1000) -> Schedule:
        """All T steps of the schedule called `name`. Raises ScheduleError for an unknown name or T < 1."""
        return cls.from_betas(named_betas(name, T), name=name)

    @classmethod
    def from_betas(cls, betas: Floats, name: str = "custom") -> Schedule:
        """A schedule from beta_0..beta_{T-1}, each in (0, 1]. Raises ScheduleError otherwise."""
        betas = np.asarray(betas, dtype=np.float64)
        if betas.ndim != 1 or not len(betas) or not np.all((betas > 0) & (betas <= 1)):
            raise ScheduleError("betas must be a non-empty list of numbers in (0, 1].")
        return cls(name, len(betas), np.arange(len(betas)), np.cumprod(1 - betas, dtype=np.float64))

    def respace(self, spec: Respacing) -> Schedule:
        """Keep only the steps `spec` names (see `kept_steps`); their abar stays, betas follow from it."""
        if len(self.timesteps) != self.T:
            raise ScheduleError("This schedule is respaced already; respace the full one.")
        keep = np.array(kept_steps(self.T, spec, self.lambdas), dtype=np.int64)
        return Schedule(self.name, self.T, keep, self.alphas_cumprod[keep])

    def __len__(self) -> int:
        return len(self.timesteps)

    @property
    def alphas_cumprod_prev(self) -> Floats:
        """abar of the step visited after each (one step less noisy); 1 for the last. [S]"""
        return np.append(1.0, self.alphas_cumprod[:-1])

    @property
    def betas(self) -> Floats:
        """beta between neighbouring kept steps: 1 - abar_t / abar_prev. [S]"""
        betas: Floats = 1 - self.alphas_cumprod / self.alphas_cumprod_prev
        return betas

    @property
    def posterior_variance(self) -> Floats:
        """Variance of q(x_{t-1} | x_t, x_0), Ho et al. eq. 7: beta (1 - abar_prev) / (1 - abar), 0 at the end. [S]"""
        variance: Floats = self.betas * (1 - self.alphas_cumprod_prev) / (1 - self.alphas_cumprod)
        return variance

    @property
    def posterior_log_variance_clipped(self) -> Floats:
        """log of the posterior variance, its zero replaced by the value before, as networks were trained. [S]"""
        variance = self.posterior_variance
        # A single step has no neighbour to borrow from; its value multiplies no noise.
        variance[0] = variance[1] if len(variance) > 1 else self.betas[0]
        logs: Floats = np.log(variance)
        return logs

    @property
    def lambdas(self) -> Floats:
        """lambda_t = log(sqrt(abar) / sqrt(1 - abar)), falling with t. [S]"""
        lambdas: Floats = 0.5 * (np.log(self.alphas_cumprod) - np.log1p(-self.alphas_cumprod))
        return lambdas


def named_betas(name: str, T: int) -> Floats:
    """beta_0..beta_{T-1} of a named schedule, float64 [T].

    linear: 1e-4..0.02 at T = 1000, scaled by 1000/T otherwise (Ho et al. 2020).
    squaredcos_cap_v2: abar(u) = cos^2((u + 0.008) / 1.008 * pi/2), beta capped at 0.999
    (Nichol & Dhariwal 2021, eq. 17).
    """
    if T < 1:
        raise ScheduleError(f"A schedule needs at least 1 step, not {T}.")
    if name == "linear":
        if T < 21:
            raise ScheduleError(f"The linear schedule needs at least 21 steps (beta would pass 1), not {T}.")
        betas: Floats = np.linspace(1e-4, 0.02, T, dtype=np.float64) * (1000 / T)
        return betas
    if name == "squaredcos_cap_v2":
        u = np.arange(T + 1, dtype=np.float64) / T
        abar = np.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = np.minimum(1 - abar[1:] / abar[:-1], 0.999)
        return betas
    raise ScheduleError(f"Unknown noise schedule {name!r}; known are {', '.join(NAMES)}.")


def kept_steps(T: int, spec: Respacing, lambdas: Floats | None = None) -> list[int]:
    """The original steps 0..T-1 that a respacing keeps, ascending.

    20, "20"          20 steps, first and last included ("10,10,3,2,2": so many in each of five equal sections)
    "ddim20"          every k-th step from 0, where some whole k gives exactly 20
    "fast27"          "10,10,3,2,2" with the last step T-1 replaced by T-3: the noisiest step makes artefacts
    "leading20"       as ddim but any number: i * (T // 20)
    "trailing20"      20 equal strides counted down from T-1
    "linspace20"      evenly from 0 to T-1
    "logsnr20"        evenly in lambda (needs `lambdas`, [T]), not below LAMBDA_MIN; best for few steps
    [0, 250, 999]     exactly these
    Raises ScheduleError where no such set of distinct steps exists.
    """
    if isinstance(spec, bool):
        raise ScheduleError("A respacing is a number, a list of numbers or a name, not True or False.")
    if isinstance(spec, int):
        return _sections(T, [spec])
    if not isinstance(spec, str):
        return _explicit(T, spec)
    text = spec.strip()
    if text == "fast27":
        steps = _sections(T, [10, 10, 3, 2, 2])
        if T - 3 in steps:
            raise ScheduleError(f"fast27 needs more steps to choose from than {T}.")
        return steps[:-1] + [T - 3]
    if re.fullmatch(r"\d+(\s*,\s*\d+)*", text):
        return _sections(T, [int(part) for part in text.split(",")])
    named = re.fullmatch(r"(ddim|leading|trailing|linspace|logsnr)(\d+)", text)
    if named is None:
        raise ScheduleError(
            f"Cannot read the respacing {spec!r}. Use a number (20), sections (10,10,3,2,2), fast27, ddim20, "
            "leading20, trailing20, linspace20 or logsnr20."
        )
    return _spaced(T, named[1], int(named[2]), lambdas)


def _sections(T: int, counts: Sequence[int]) -> list[int]:
    """`counts[i]` steps spread over the i-th of len(counts) near-equal sections of 0..T-1, both ends included."""
    size, extra = divmod(T, len(counts))
    steps: list[int] = []
    start = 0
    for i, count in enumerate(counts):
        length = size + (i < extra)
        if not 1 <= count <= length:
            raise ScheduleError(
                f"Cannot take {count} steps from a section of {length}; between 1 and {length} are possible."
            )
        stride = 1.0 if count == 1 else (length - 1) / (count - 1)
        position = 0.0
        for _ in range(count):
            steps.append(start + round(position))
            position += stride  # summed, not multiplied: the released schedules were rounded from this very sum
        start += length
    return steps


def _spaced(T: int, kind: str, n: int, lambdas: Floats | None) -> list[int]:
    if not 1 <= n <= T:
        raise ScheduleError(f"Cannot take {n} steps out of {T}; between 1 and {T} are possible.")
    if kind == "ddim":
        for stride in range(1, T + 1):
            steps = list(range(0, T, stride))
            if len(steps) == n:
                return steps
        raise ScheduleError(
            f"No whole stride over {T} steps gives exactly {n} (ddim{n}); use {n} or leading{n} instead."
        )
    if kind == "leading":
        return [i * (T // n) for i in range(n)]
    if kind == "trailing":
        return _distinct(T, T - 1 - np.arange(n - 1, -1, -1) * (T / n))
    if kind == "linspace" or n == 1:
        return [T - 1] if n == 1 else _distinct(T, np.linspace(0, T - 1, n, dtype=np.float64))
    if lambdas is None or len(lambdas) != T:
        raise ScheduleError("Steps uniform in log-SNR need the schedule; use Schedule.respace.")
    wanted = np.linspace(lambdas[0], max(lambdas[-1], LAMBDA_MIN), n)  # falling, as lambda does with t
    return _distinct(T, np.interp(-wanted, -lambdas, np.arange(T)))


def _distinct(T: int, positions: NDArray[np.floating[Any]]) -> list[int]:
    """Rounded positions, pushed apart where two fell on one step; keeps order and stays in 0..T-1 (needs len <= T)."""
    n = len(positions)
    steps = np.clip(np.round(positions).astype(int), 0, T - 1).tolist()
    for i in range(1, n):
        steps[i] = max(steps[i], steps[i - 1] + 1)
    for i in range(n - 1, -1, -1):
        steps[i] = min(steps[i], T - (n - i))
    return [int(step) for step in steps]


def _explicit(T: int, spec: Sequence[int]) -> list[int]:
    steps = [int(step) for step in spec]
    if not steps or sorted(set(steps)) != steps or steps[0] < 0 or steps[-1] >= T or steps != list(spec):
        raise ScheduleError(f"A list of steps must be whole, ascending, without repeats and within 0..{T - 1}.")
    return steps
