"""What a fit left: the model, its likelihood, the way there; and how it is kept."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from studio.host.results import ResultsStore, StoreUnwritable
from studio.ml.gp.model import Model
from studio_plugins.gp.request import GpRequest

if TYPE_CHECKING:
    from studio.ml.gp.fitting import Fitted
    from studio.ml.gp.stochastic import StochasticPosterior

MODEL_FILE = "model.json"
MOST_KEPT = 4 << 20
"""Characters of packed points: some 200,000 points over one input."""
NO_STORE = "There is no results store here, so the fit was not kept."


@dataclass(frozen=True, eq=False)
class FitResult:
    """A finished fit; `learned`: the posterior of the stochastic way, which is not had again from the values alone.
    `record_id` in the store, or `problem` saying why it is not there."""

    request: GpRequest
    fitted: Fitted
    seconds: float
    learned: StochasticPosterior | None = None
    record_id: str | None = None
    problem: str = ""


def keep(result: FitResult, store: ResultsStore | None) -> FitResult:
    """Save a fit. When that is not possible the result comes back with `problem` saying why."""
    if store is None:
        return replace(result, problem=NO_STORE)
    model, evidence = result.fitted.model, result.fitted.evidence
    description = {**model_description(model), "log_marginal_likelihood": evidence.total, "runs": [
        {"value": _finite(run.value), "evaluations": run.evaluations, "reason": run.reason} for run in result.fitted.runs
    ]}  # fmt: skip
    try:
        record = store.add(
            result.request.kind,
            fitted_request(result.request, model),
            {MODEL_FILE: json.dumps(description, indent=1).encode()},
            title=f"{model.kernel}, {len(result.request.points):,} points",
            provenance={"started_from": result.request.kernel, "method": result.request.way.name},
            metrics={"log_marginal_likelihood": round(evidence.total, 6), "seconds": round(result.seconds, 3)},
        )
    except StoreUnwritable as error:
        return replace(result, problem=str(error))
    return replace(result, record_id=record.id)


def fitted_request(request: GpRequest, model: Model) -> GpRequest:
    """The request with what was found in the place of what it began with: to look at, or to go on from."""
    return kept_small(request).replace(
        kernel=str(model.kernel), noise=request.noise if request.likelihood == "classes" else math.sqrt(model.noise), mean_values=tuple(model.mean.theta.tolist())
    )


def kept_small(request: GpRequest) -> GpRequest:
    """The request without points that are too many to be kept beside every result and session: open their table again."""
    return request.replace(packed="") if len(request.packed) > MOST_KEPT else request


def model_description(model: Model) -> dict[str, Any]:
    """A model as JSON data: text, and every hyper-parameter by name."""
    return {
        "kernel": str(model.kernel),
        "noise_variance": model.noise,
        "mean": type(model.mean).__name__,
        "parameters": {parameter.name: parameter.value for parameter in model.parameters()},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
