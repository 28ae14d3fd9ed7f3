"""Jobs of the panel: those of `jobs` on a shot of the canvas, and what comes of them as pictures to lay over it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.pictures import Pixels
from studio.host.results import ResultMissing, ResultsStore
from studio.models.external import with_offers
from studio_plugins.inpaint import jobs
from studio_plugins.inpaint.inputs import InpaintInputs
from studio_plugins.inpaint.request import InpaintRequest
from studio_plugins.inpaint.results import InpaintResult, MethodsResult
from studio_plugins.inpaint.shot import Shot
from studio_plugins.inpaint.stored import ResultUnreadable, read_run


@dataclass(frozen=True, eq=False)
class CanvasOrder:
    """A request about the canvas as it was when it was asked for."""

    request: InpaintRequest
    shot: Shot


@dataclass(frozen=True, eq=False)
class Patch:
    """What a version changes: pixels [h, w, 4], straight alpha, nobody writes to them; left and top on the picture."""

    pixels: Pixels
    left: int
    top: int


@dataclass(frozen=True, eq=False)
class Drawn:
    """A finished run and each of its variants as a patch."""

    result: InpaintResult
    patches: tuple[Patch, ...]


@dataclass(frozen=True, eq=False)
class Reread:
    """A stored result of either kind, the pixels it began with, and each variant of a single run as a patch."""

    record_id: str
    result: InpaintResult | MethodsResult
    inputs: InpaintInputs
    patches: tuple[Patch, ...] = ()


def paint(order: CanvasOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Drawn]:
    """Fill the selection and keep what came of it; as `jobs.paint`. What helps after a failure is Snapshot "offers"."""
    yield Progress(0, order.request.steps, "looking at the picture")
    inputs = yield Offload(order.shot.inputs)
    result = yield from with_offers(jobs.paint(jobs.InpaintOrder(order.request, inputs), ctx))
    return Drawn(result, (yield Offload(patches_of, result)))


def paint_methods(order: CanvasOrder, ctx: JobContext) -> Generator[Event | Offload, Any, MethodsResult]:
    """Fill the selection by every method; as `jobs.paint_methods`."""
    yield Progress(0, order.request.steps, "looking at the picture")
    inputs = yield Offload(order.shot.inputs)
    result: MethodsResult = yield from with_offers(jobs.paint_methods(jobs.InpaintOrder(order.request, inputs), ctx))
    return result


def reread(record_id: str, ctx: JobContext) -> Generator[Event | Offload, Any, Reread]:
    """A result of either kind from the store. Raises ResultMissing, ResultUnreadable."""
    yield Progress(0, 1, "reading the result")
    done: Reread = yield Offload(_reread, ctx.services["results"], record_id)
    return done


def read_whole(store: ResultsStore, record_id: str) -> Reread | None:
    """A result of either kind, None where its files are gone or damaged."""
    try:
        return _reread(store, record_id)
    except (ResultMissing, ResultUnreadable):
        return None


def patches_of(result: InpaintResult) -> tuple[Patch, ...]:
    """Each variant as a patch."""
    made = []
    for index in range(len(result)):
        pixels, left, top = result.layer(index)
        pixels.setflags(write=False)
        made.append(Patch(pixels, left, top))
    return tuple(made)


def _reread(store: ResultsStore, record_id: str) -> Reread:
    found = read_run(store, record_id)
    patches = patches_of(found.result) if isinstance(found.result, InpaintResult) else ()
    return Reread(record_id, found.result, found.inputs, patches)
