"""The jobs of the panel that take longer than a moment: fitting, surveying the likelihood, how sure it is, searching for
a structure.

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
from studio.ml.gp.components import noise_apart
from studio.ml.gp.errors import GPError
from studio.ml.gp.jet import Array
from studio.ml.gp.mean import Mean
from studio.ml.gp.model import Data, Model
from studio.ml.gp.threads import one_blas_thread
from studio_plugins.gp.request import GpRequest, Rule, freedom_of
from studio_plugins.gp.learning import learn
from studio_plugins.gp.results import FitResult, keep
from studio_plugins.gp.ways import Way

if TYPE_CHECKING:
    from studio.ml.gp.fitting import Fitted
    from studio.ml.gp.landscape import Landscape
    from studio.ml.gp.objective import Objective
    from studio.ml.gp.search import Growth
    from studio.ml.gp.uncertainty import HyperGaussian

SEARCH_LIMIT = 1000
"""Points up to which structures are searched: dozens of exact fits."""
DRAWS, WARMUP, AVERAGED = 200, 120, 40
"""Samples of the hyper-parameters, those thrown away before, and how many of them predictions are averaged over."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What is asked about: a model, the data, the way to its posterior, and what may change."""

    model: Model
    data: Data
    way: Way
    rules: tuple[Rule, ...]

    def objective(self) -> Objective:
        """log p(y, θ), or what stands for it. Raises GPError."""
        from studio.ml.gp.objective import Objective

        model = self._settled
        return Objective(model, self.data, freedom_of(self.rules, model), self.way.condition)

    @property
    def _settled(self) -> Model:
        return noise_apart(self.model) if self.way.name == "sparse" else self.model

    def same_but(self, other: Subject, names: tuple[str, ...]) -> bool:
        """Whether the likelihood over `names` is the same for both: all else is equal."""
        return (
            _rest(self.model, names) == _rest(other.model, names)
            and _same(self.data, other.data)
            and (self.way.name, self.way.degrees) == (other.way.name, other.way.degrees)
            and _equal(self.way.inducing, other.way.inducing)
        )


@dataclass(frozen=True, eq=False)
class Survey:
    """A landscape to be worked out around a model; `names` run down and across."""

    subject: Subject
    names: tuple[str, str]
    reach: float = 3.0
    resolution: int = 32


@dataclass(frozen=True, eq=False)
class Sampling:
    """Samples of the hyper-parameters by NUTS, and predictions averaged over them at `grid` [m, D]."""

    subject: Subject
    grid: Array
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Sampled:
    """`names` and `thetas` [s, p], logarithms where `positive`; `acceptance` and `divergent` draws of the sampler;
    `mean` and `sd` [m] of f averaged over hyper-parameters at `grid`, None for ways whose f is not Gaussian."""

    names: tuple[str, ...]
    positive: tuple[bool, ...]
    thetas: Array
    acceptance: float
    divergent: int
    grid: Array
    mean: Array | None
    sd: Array | None

    def intervals(self) -> dict[str, tuple[float, float]]:
        """Each hyper-parameter's range with 95 % of the draws, in its own unit."""
        low, high = np.quantile(self.thetas, (0.025, 0.975), axis=0).tolist()
        ends = zip(self.names, self.positive, low, high, strict=True)
        return {name: (math.exp(a), math.exp(b)) if log else (a, b) for name, log, a, b in ends}


@dataclass(frozen=True, eq=False)
class Hunt:
    """A search for the structure of a kernel, `rounds` operations deep."""

    data: Data
    mean: Mean
    rounds: int


@dataclass(frozen=True, eq=False)
class Placing:
    """`count` inducing points are to be put among the data."""

    model: Model
    data: Data
    count: int


def gp(request: GpRequest, ctx: JobContext) -> Generator[Event | Offload, Any, FitResult]:
    """Fit by type-II maximum likelihood and keep what was found. One step is one evaluation of the likelihood.

    Yields per step Progress, a Metric "run <i>", the best log p(y) of the run over evaluations, and the FitStep as
    Snapshot "fit". Raises GPError.
    """
    from studio.ml.gp.fitting import HOPELESS, fit

    one_blas_thread()
    started = time.monotonic()
    way = request.way
    if way.name == "stochastic":
        return (yield from learn(request, ctx))
    model = noise_apart(request.model) if way.name == "sparse" else request.model
    climb = fit(
        model, request.data, request.freedom, condition=way.condition, restarts=request.restarts,
        iterations=request.iterations, seed=request.seed,
    )  # fmt: skip
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

    one_blas_thread()
    for found in landscape(wanted.subject.objective(), wanted.names, wanted.reach, wanted.resolution):
        yield Progress(found.done, wanted.resolution, "surveying the likelihood")
        yield Snapshot("landscape", found)
    return found


def doubt(wanted: Subject, _ctx: JobContext) -> Generator[Event, Any, HyperGaussian]:
    """Laplace's approximation of what the data leave open. Raises GPError where there is none."""
    from studio.ml.gp.uncertainty import laplace

    one_blas_thread()
    objective = wanted.objective()
    top = objective.start
    rows = laplace(objective, top)
    while True:
        try:
            done = next(rows)
        except StopIteration as stop:
            found: HyperGaussian = stop.value
            return found
        yield Progress(done, len(top), "curvature of the likelihood")


def sample(wanted: Sampling, _ctx: JobContext) -> Generator[Event, Any, Sampled]:
    """Draw hyper-parameters by NUTS; one step is one gradient. Raises GPError."""
    from studio.ml.gp.nuts import Draw
    from studio.ml.gp.uncertainty import mixed, sampled

    one_blas_thread()
    objective = wanted.subject.objective()
    kept: list[Draw] = []
    count = 0
    for event in sampled(objective, DRAWS, warmup=WARMUP, seed=wanted.seed):
        if isinstance(event, Draw):
            count += 1
            if not event.warmup:
                kept.append(event)
        yield Progress(count, WARMUP + DRAWS, "sampling hyper-parameters" if kept else "finding the step size")
    thetas = np.array([draw.x for draw in kept])
    names = tuple(p.name for p in objective.parameters)
    positive = tuple(p.positive for p in objective.parameters)
    mean = sd = None
    if wanted.subject.way.name == "exact":
        yield Progress(count, WARMUP + DRAWS, "averaging predictions")
        found = mixed(objective, thetas[:: max(1, len(thetas) // AVERAGED)], wanted.grid)
        mean, sd = found.mean, np.sqrt(found.variance)
    acceptance = float(np.mean([draw.acceptance for draw in kept]))
    return Sampled(
        names, positive, thetas, acceptance, sum(draw.divergent for draw in kept), wanted.grid, mean, sd
    )  # fmt: skip


def hunt(wanted: Hunt, _ctx: JobContext) -> Generator[Event, Any, Growth]:
    """Search for a structure by BIC; one step is one evaluation of one fit; Snapshots "tree". Raises GPError."""
    from studio.ml.gp.search import search

    one_blas_thread()
    if len(wanted.data) > SEARCH_LIMIT or wanted.data.dimensions != 1:
        raise GPError(
            f"A search fits dozens of kernels by the exact formula: it takes up to {SEARCH_LIMIT:,} points over one input."
        )
    steps = search(wanted.data, wanted.mean, rounds=wanted.rounds)
    while True:
        try:
            grown = next(steps)
        except StopIteration as stop:
            found: Growth = stop.value
            return found
        fitted = sum(math.isfinite(node.bic) for node in grown.tree)
        yield Progress(fitted, 0, f"{fitted} kernels fitted, now {grown.tree[grown.fitting].structure}")
        yield Snapshot("tree", grown)


def spread_inducing(wanted: Placing, _ctx: JobContext) -> Generator[Event | Offload, Any, Array]:
    """Inducing points [m, D], each where those before leave f most uncertain. Raises GPError."""
    from studio.ml.gp.sparse import spread

    places: Array = yield Offload(spread, noise_apart(wanted.model), wanted.data, wanted.count)
    return places


def _rest(model: Model, names: tuple[str, ...]) -> dict[str, float]:
    """The hyper-parameters that a landscape holds, by name."""
    return {parameter.name: parameter.value for parameter in model.parameters() if parameter.name not in names}


def _same(a: Data, b: Data) -> bool:
    noises = [np.zeros(len(data)) if data.noise is None else data.noise for data in (a, b)]
    return np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y) and np.array_equal(*noises)


def _equal(a: Array | None, b: Array | None) -> bool:
    return (a is None) == (b is None) and (a is None or b is None or np.array_equal(a, b))
