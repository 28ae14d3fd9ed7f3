"""Fitting hyper-parameters, step by step: type-II maximum likelihood, or maximum a posteriori where there are priors.

    steps = fit(model, data, restarts=3)
    for step in steps: ...       step.model draws the plot of this moment, step.best is the best so far
    fitted = completed(steps)    without looking at the steps
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from studio.ml.gp.descent import Descended, descend
from studio.ml.gp.errors import NotPositiveDefinite
from studio.ml.gp.exact import Posterior
from studio.ml.gp.jet import Array
from studio.ml.gp.model import Data, Model
from studio.ml.gp.objective import Condition, Freedom, Objective, Terms

HOPELESS = 1e6
"""How far below all others a point without a Cholesky factor counts: finite, so that the line search turns back."""

T = TypeVar("T")


class FitStep(NamedTuple):
    """One evaluation. run: 0 is from the given hyper-parameters, the others from random ones; iteration: accepted steps
    of this run before; value: log p(y, theta), far below the rest without a Cholesky factor; best: of all runs so far.
    """

    run: int
    iteration: int
    model: Model
    value: float
    best: float


@dataclass(frozen=True, eq=False)
class Run:
    """One run of the optimiser. path [i, p]: the accepted free hyper-parameters, start and end included."""

    path: Array
    value: float
    evaluations: int
    converged: bool
    reason: str


@dataclass(frozen=True, eq=False)
class Fitted:
    """The best model of all runs, its evidence, and the runs."""

    model: Model
    evidence: Terms
    value: float
    runs: tuple[Run, ...]


def fit(
    model: Model,
    data: Data,
    freedom: Freedom | None = None,
    *,
    condition: Condition = Posterior.of,
    restarts: int = 0,
    iterations: int = 200,
    seed: int = 0,
) -> Generator[FitStep, None, Fitted]:
    """Maximise log p(y, theta) from the model's own hyper-parameters and from `restarts` random ones.

    condition: the exact posterior, or a sparse one, whose bound then takes the place of log p(y).
    Raises NotPositiveDefinite when no run found a covariance that has a Cholesky factor.
    """
    objective, rng = Objective(model, data, freedom, condition), np.random.default_rng(seed)
    runs: list[Run] = []
    ends: list[Array] = []
    best = -math.inf
    for number in range(restarts + 1):
        start = objective.random_start(rng) if number else objective.start
        climb = descend(_Loss(objective), start, objective.bounds, iterations)
        while True:
            try:
                evaluation = next(climb)
            except StopIteration as stop:
                end: Descended = stop.value
                break
            best = max(best, -evaluation.value)
            model_now = objective.model_at(evaluation.x)
            yield FitStep(number, evaluation.iteration, model_now, -evaluation.value, best)
        runs.append(Run(end.path, objective(end.x)[0], end.evaluations, end.converged, end.reason))
        ends.append(end.x)
    chosen = max(range(len(runs)), key=lambda i: runs[i].value)
    if runs[chosen].value == -math.inf:
        raise NotPositiveDefinite(len(data), 0.0)
    return Fitted(
        objective.model_at(ends[chosen]), objective.evidence(ends[chosen]), runs[chosen].value, tuple(runs)
    )


def completed(steps: Generator[Any, None, T]) -> T:
    """Run a generator to its end and give what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result


class _Loss:
    """-log p(y, theta); a point without a Cholesky factor counts as worse than all before, but finite."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._lowest = 0.0

    def __call__(self, theta: Array) -> tuple[float, Array]:
        value, gradient = self._objective(theta)
        if value == -math.inf:
            return HOPELESS - self._lowest, gradient
        self._lowest = min(self._lowest, value)
        return -value, -gradient
