"""The jobs behind the panel: fill a selection, or fill it by every method; kept on disk before saying so."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

from studio.engine import Event, JobContext, Log, Offload, Progress, Snapshot
from studio_plugins.inpaint.choices import Method
from studio_plugins.inpaint.drawing import fill
from studio_plugins.inpaint.inputs import InpaintInputs, find_inputs
from studio_plugins.inpaint.keeping import keep_methods, keep_run
from studio_plugins.inpaint.preparing import prepare
from studio_plugins.inpaint.request import InpaintRequest, MethodsRequest
from studio_plugins.inpaint.results import Filled, InpaintResult, MethodsResult

Steps = Generator[Event | Offload, Any, Any]


@dataclass(frozen=True, eq=False)
class InpaintOrder:
    """A request, and the pixels it is about, from a canvas: nothing is looked for then."""

    request: InpaintRequest
    inputs: InpaintInputs


def inpaint(request: InpaintRequest, ctx: JobContext) -> Generator[Event | Offload, Any, InpaintResult]:
    """Fill a selection, its pixels read from the files or results that the request names; as `paint` otherwise.

    Raises InputsMissing and PhotoUnreadable besides.
    """
    order = yield from _with_inputs(request, ctx)
    done: InpaintResult = yield from paint(order, ctx)
    return done


def paint(order: InpaintOrder, ctx: JobContext) -> Generator[Event | Offload, Any, InpaintResult]:
    """Fill a selection and keep what came of it (services["results"]).

    Yields Snapshot "view" (View) before the first step, then what `fill` does. Raises RegionError, InpaintingError and
    NotNumbers, and what `prepare` raises.
    """
    result = yield from live(order, ctx)
    steps = result.filled.cost.steps
    yield Progress(steps, steps, "saving")
    kept: InpaintResult = yield Offload(keep_run, result, order.inputs, ctx.services.get("results"))
    return kept


def live(order: InpaintOrder, ctx: JobContext) -> Generator[Event | Offload, Any, InpaintResult]:
    """As `paint`, but nothing is kept."""
    yield Progress(0, order.request.steps, "opening the model")
    run = yield from prepare(order.request, order.inputs, ctx)
    yield Snapshot("view", run.view)
    filled = yield from fill(run)
    return InpaintResult(run.request, order.inputs.picture.shape, run.view, filled, run.provenance)


def methods(request: MethodsRequest, ctx: JobContext) -> Generator[Event | Offload, Any, MethodsResult]:
    """Fill a selection by every method, its pixels read as `inpaint` does; as `paint_methods` otherwise."""
    order = yield from _with_inputs(request, ctx)
    done: MethodsResult = yield from paint_methods(order, ctx)
    return done


def paint_methods(order: InpaintOrder, ctx: JobContext) -> Generator[Event | Offload, Any, MethodsResult]:
    """Fill the same selection from the same noise by every method that the model knows, and keep all.

    Yields as `paint`; names of events begin with the method and ": ". Raises as `paint`.
    """
    assert isinstance(order.request, MethodsRequest)
    yield Progress(0, order.request.steps, "opening the model")
    run = yield from prepare(order.request, order.inputs, ctx)
    yield Snapshot("view", run.view)
    filled: dict[Method, Filled] = {}
    for method in run.painter.methods:
        one = replace(run, request=run.request.replace(method=method))
        filled[method] = yield from fill(one, label=f"{method}: ")
    assert isinstance(run.request, MethodsRequest)
    result = MethodsResult(run.request, order.inputs.picture.shape, run.view, filled, run.provenance)
    yield Progress(1, 1, "saving")
    kept: MethodsResult = yield Offload(keep_methods, result, order.inputs, ctx.services.get("results"))
    return kept


def _with_inputs(request: InpaintRequest, ctx: JobContext) -> Generator[Event | Offload, Any, InpaintOrder]:
    yield Progress(0, request.steps, "reading the picture")
    inputs, notes = yield Offload(find_inputs, request, ctx.services.get("results"))
    for note in notes:
        yield Log(note, "warning")
    return InpaintOrder(request, inputs)
