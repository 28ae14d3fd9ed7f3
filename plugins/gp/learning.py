"""The stochastic way as a job: inducing points that learn from one small batch of the points after another (SVGP)."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Metric, Offload, Progress, Snapshot
from studio.ml.gp.components import noise_apart
from studio_plugins.gp.answers import Learned
from studio_plugins.gp.request import GpRequest
from studio_plugins.gp.results import FitResult, keep

if TYPE_CHECKING:
    from studio.ml.gp.sparse import Bound
    from studio.ml.gp.stochastic import StochasticPosterior

SHOWN_EVERY = 10
"""Steps between two pictures: each is a posterior of its own."""


def learn(request: GpRequest, ctx: JobContext) -> Generator[Event | Offload, Any, FitResult]:
    """Learn q(u) and the hyper-parameters together, as many steps as the request has iterations; bounds and priors are
    not heeded. Snapshots "learned". Raises GPError, and GPyTorchMissing where that is not installed."""
    from studio.ml.gp.fitting import Fitted
    from studio.ml.gp.stochastic import train

    started = time.monotonic()
    way, data = request.way, request.data
    assert way.inducing is not None
    steps = train(noise_apart(request.model), data, way.inducing, steps=request.iterations, seed=request.seed)
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            posterior: StochasticPosterior = stop.value
            break
        yield Progress(step.number, request.iterations, f"batch {step.number} of {request.iterations}")
        yield Metric("bound per point", step.number, step.elbo)
        if step.number % SHOWN_EVERY == 0:
            yield Snapshot("learned", Learned(step.posterior(), step.elbo * len(data)))
    bound: Bound = yield Offload(_bound, posterior)
    fitted = Fitted(posterior.model, bound, bound.total, ())
    result = FitResult(request, fitted, time.monotonic() - started, posterior)
    kept: FitResult = yield Offload(keep, result, ctx.services.get("results"))
    return kept


def _bound(posterior: StochasticPosterior) -> Bound:
    """Over all the data, once; the posterior remembers it."""
    return posterior.evidence
