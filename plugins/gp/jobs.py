"""The jobs of the panel that take longer than a moment: fitting, surveying the likelihood, how sure it is.

The science of fitting takes half a second to import, so each job imports what it needs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.engine import Event, JobContext, Metric, Offload, Progress, Snapshot
from studio.ml.gp.model import Data, Model
from studio.ml.gp.threads import one_blas_thread
from studio_plugins.gp.request import GpRequest
from studio_plugins.gp.results import FitResult, keep

if TYPE_CHECKING:
    from studio.ml.gp.fitting import Fitted
    from studio.ml.gp.landscape import Landscape
    from studio.ml.gp.uncertainty import HyperGaussian


@dataclass(frozen=True, eq=False)
class Survey:
    """A landscape to be worked out around a model; `names` run down and across."""

    model: Model
    data: Data
    names: tuple[str, str]
    reach: float = 3.0
    resolution: int = 32

    def holds(self, model: Model, data: Data) -> bool:
        """Whether the landscape is also that of this model and these data: all else than `names` is equal."""
        return _rest(self.model, self.names) == _rest(model, self.names) and _same(self.data, data)


@dataclass(frozen=True, eq=False)
class Doubt:
    """How well the data determine the hyper-parameters of a model."""

    model: Model
    data: Data


def gp(request: GpRequest, ctx: JobContext) -> Generator[Event | Offload, Any, FitResult]:
    """Fit by type-II maximum likelihood and keep what was found. One step is one evaluation of the likelihood.

    Yields per step Progress, a Metric "run <i>", the best log p(y) of the run over evaluations, and the FitStep as
    Snapshot "fit". Raises GPError.
    """
    from studio.ml.gp.fitting import HOPELESS, fit

    one_blas_thread()
    started = time.monotonic()
    model, data = request.model, request.data
    climb = fit(model, data, restarts=request.restarts, iterations=request.iterations, seed=request.seed)
    count, runs = 0, request.restarts + 1
    run, height = 0, -math.inf
    while True:
        try:
            step = next(climb)
        except StopIteration as stop:
            fitted: Fitted = stop.value
            break
        count += 1
        share = step.run + min(1.0, step.iteration / request.iterations)
        yield Progress(share, runs, f"run {step.run + 1} of {runs}, iteration {step.iteration}")
        height = max(height, step.value) if step.run == run else step.value
        run = step.run
        if height > -HOPELESS:  # else no covariance of this run had a Cholesky factor so far
            yield Metric(f"run {run + 1}", count, height)
        yield Snapshot("fit", step)
    result = FitResult(request, fitted, time.monotonic() - started)
    kept: FitResult = yield Offload(keep, result, ctx.services.get("results"))
    return kept


def survey(wanted: Survey, _ctx: JobContext) -> Generator[Event, Any, Landscape]:
    """The likelihood over two hyper-parameters, row by row; Snapshots "landscape"."""
    from studio.ml.gp.landscape import landscape
    from studio.ml.gp.objective import Objective

    one_blas_thread()
    for found in landscape(Objective(wanted.model, wanted.data), wanted.names, wanted.reach, wanted.resolution):
        yield Progress(found.done, wanted.resolution, "surveying the likelihood")
        yield Snapshot("landscape", found)
    return found


def doubt(wanted: Doubt, _ctx: JobContext) -> Generator[Event, Any, HyperGaussian]:
    """Laplace's approximation of what the data leave open. Raises GPError where there is none."""
    from studio.ml.gp.objective import Objective
    from studio.ml.gp.uncertainty import laplace

    one_blas_thread()
    objective = Objective(wanted.model, wanted.data)
    top = objective.start
    rows = laplace(objective, top)
    while True:
        try:
            done = next(rows)
        except StopIteration as stop:
            found: HyperGaussian = stop.value
            return found
        yield Progress(done, len(top), "curvature of the likelihood")


def _rest(model: Model, names: tuple[str, str]) -> dict[str, float]:
    """The hyper-parameters that a landscape holds, by name."""
    return {parameter.name: parameter.value for parameter in model.parameters() if parameter.name not in names}


def _same(a: Data, b: Data) -> bool:
    noises = [np.zeros(len(data)) if data.noise is None else data.noise for data in (a, b)]
    return np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y) and np.array_equal(*noises)
