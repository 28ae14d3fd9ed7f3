"""Small jobs that touch the disk, for the quick lane: read a comparison, keep one."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.panel_jobs import FindOrder
from studio.host.results import ResultsStore
from studio_plugins.guidance import keeping
from studio_plugins.guidance.results import Comparison

def load(record_id: str, ctx: JobContext) -> Generator[Event | Offload, Any, Comparison]:
    """Pictures and steps of a result. Raises ResultMissing, OSError."""
    yield Progress(0, 1, "reading the comparison")
    done: Comparison = yield Offload(keeping.read_back, ctx.services["results"], record_id)
    return done


def find(order: FindOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Comparison | None]:
    """The newest stored result of exactly this request, None when there is none (any more)."""
    yield Progress(0, 1, "looking for the comparison")
    done: Comparison | None = yield Offload(_find, ctx.services["results"], order)
    return done


def keep(result: Comparison, ctx: JobContext) -> Generator[Event | Offload, Any, Comparison]:
    """Save a comparison that could not be saved before."""
    yield Progress(0, 1, "saving")
    done: Comparison = yield Offload(keeping.keep, result, ctx.services.get("results"))
    return done


def _find(store: ResultsStore, order: FindOrder) -> Comparison | None:
    record = store.newest(order.kind, order.request)
    return keeping.read_back(store, record.id) if record is not None else None
