"""How well the data determine the hyper-parameters: Laplace's approximation, or samples (`nuts.py`).

Laplace: near its top the log posterior is a parabola, so theta ~ N(top, H^-1) with H = -d^2 log p(y, theta).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from studio.ml.gp.errors import GPError
from studio.ml.gp.exact import Posterior, Prediction
from studio.ml.gp.factor import Factor
from studio.ml.gp.jet import Array
from studio.ml.gp.model import Model
from studio.ml.gp.nuts import Draw, Leap, nuts
from studio.ml.gp.objective import LogNormal, Objective

STEP = 1e-4
"""Of theta, for central differences of the analytic gradient."""

VAGUE = 3.0
"""Spread of the log-normal prior that sampling gives a hyper-parameter without one: within a factor 20 with 68 %.

Without any the posterior need not be a density: a length-scale far beyond the data changes nothing.
"""


@dataclass(frozen=True, eq=False)
class HyperGaussian:
    """theta ~ N(mean [p], covariance [p, p]); names [p]; positive [p]: theta is a logarithm there."""

    names: tuple[str, ...]
    positive: tuple[bool, ...]
    mean: Array
    covariance: Array

    def intervals(self, sigmas: float = 2.0) -> dict[str, tuple[float, float]]:
        """Each hyper-parameter's range within so many standard deviations, in its own unit."""
        spread = sigmas * np.sqrt(self.covariance.diagonal())
        ends = zip(self.names, self.positive, (self.mean - spread).tolist(), (self.mean + spread).tolist(), strict=True)
        return {n: (math.exp(low), math.exp(high)) if log else (low, high) for n, log, low, high in ends}


def laplace(objective: Objective, top: Array) -> Generator[int, None, HyperGaussian]:
    """Laplace's approximation at the top [p] that a fit found; yields how many rows of H are done.

    Raises GPError where the log posterior does not curve down in every direction: there is no such approximation.
    """
    rows = []
    for i, step in enumerate(STEP * np.eye(len(top))):
        ahead, behind = objective(top + step)[1], objective(top - step)[1]
        rows.append((behind - ahead) / (2 * STEP))
        yield i + 1
    hessian: Array = np.array(rows).reshape(len(top), len(top))
    hessian = 0.5 * (hessian + hessian.T)
    if len(top) and np.linalg.eigvalsh(hessian).min() <= 0:
        raise GPError(
            "The data leave a hyper-parameter undetermined here, so its uncertainty is no bell curve: "
            "fit first, fix it, or give it a prior."
        )
    names = tuple(p.name for p in objective.parameters)
    positive = tuple(p.positive for p in objective.parameters)
    covariance = Factor.of(hessian).solve(np.eye(len(top)))
    return HyperGaussian(names, positive, top, covariance)


def sampled(objective: Objective, draws: int, *, warmup: int = 200, seed: int = 0) -> Iterator[Leap | Draw]:
    """NUTS over theta from the objective's start; hyper-parameters without a prior get a vague one around it."""
    start = objective.start
    loose = [p.name not in objective.freedom.priors for p in objective.parameters]
    vague = LogNormal(1.0, VAGUE)

    def log_density(theta: Array) -> tuple[float, Array]:
        value, gradient = objective(theta)
        for i in np.flatnonzero(loose):
            prior, slope = vague.log_density(float(theta[i] - start[i]))
            value, gradient[i] = value + prior, gradient[i] + slope
        return value, gradient

    yield from nuts(log_density, start, draws, warmup=warmup, seed=seed)


class Mixed(NamedTuple):
    """Predictions averaged over hyper-parameters: mean [m], variance [m] (law of total variance), each [s, m]."""

    mean: Array
    variance: Array
    each: Array


def mixed(objective: Objective, thetas: Array, x: Array) -> Mixed:
    """What samples thetas [s, p] of the hyper-parameters predict at points [m, d] together."""
    predictions: list[Prediction] = []
    for theta in thetas:
        model: Model = objective.model_at(theta)
        predictions.append(Posterior.of(model, objective.data).predict(x))
    means = np.array([p.mean for p in predictions])
    within = np.mean([p.variance for p in predictions], axis=0)
    return Mixed(means.mean(axis=0), within + means.var(axis=0), means)
