"""Stored requests brought back: their pixels, what came of them, and the script that repeats them. Quick jobs."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.panel_jobs import FindOrder
from studio.host.photos import PhotoUnreadable
from studio.host.request import what_fits
from studio.host.results import ResultsStore
from studio_plugins.inpaint import onto
from studio_plugins.inpaint.inputs import InpaintInputs, InputsMissing, find_inputs
from studio_plugins.inpaint.request import InpaintRequest
from studio_plugins.inpaint.script import script


@dataclass(frozen=True, eq=False)
class Recalled:
    """inputs: the pixels the request means, None where they are not here any more; drawn: what came of it, if kept."""

    request: InpaintRequest
    inputs: InpaintInputs | None
    notes: tuple[str, ...] = ()
    drawn: onto.Reread | None = None


@dataclass(frozen=True)
class ScriptOrder:
    """A request, where its result is kept ("" for none), and what else decided it."""

    request: InpaintRequest
    record_id: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Script:
    """Python source."""

    text: str


def recall(order: FindOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Recalled]:
    """The pixels of a stored request, and the newest result of exactly it."""
    yield Progress(0, 1, "looking for the picture")
    done: Recalled = yield Offload(_recall, order, ctx.services.get("results"))
    return done


def write_script(order: ScriptOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Script]:
    """A run as a script; where its result is kept, the script reads the pixels from there."""
    yield Progress(0, 1, "writing the script")
    done: Script = yield Offload(_write, order, ctx.services.get("results"))
    return done


def _recall(order: FindOrder, store: ResultsStore | None) -> Recalled:
    request = what_fits(InpaintRequest, order.request)[0]
    record = store.newest(order.kind, order.request) if store is not None else None
    drawn = onto.read_whole(store, record.id) if store is not None and record is not None else None
    if drawn is not None:
        return Recalled(request, drawn.inputs, (), drawn)
    try:
        inputs, notes = find_inputs(request, store)
    except (InputsMissing, PhotoUnreadable) as error:
        return Recalled(request, None, (str(error),))
    return Recalled(request, inputs, tuple(notes))


def _write(order: ScriptOrder, store: ResultsStore | None) -> Script:
    files = store.files(order.record_id) if store is not None and order.record_id else {}
    return Script(script(order.request, order.provenance, files))
