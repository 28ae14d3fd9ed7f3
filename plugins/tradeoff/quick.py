"""Small jobs that touch the disk, for the quick lane: read a sweep or the example, keep what a cancelled one has."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.panel_jobs import FindOrder
from studio.host.results import ResultsStore
from studio_plugins.tradeoff import demo
from studio_plugins.tradeoff.keeping import keep, read_record
from studio_plugins.tradeoff.results import TradeoffResult


def load_sweep(record_id: str, ctx: JobContext) -> Generator[Event | Offload, Any, TradeoffResult]:
    """A stored sweep with its pictures. Raises ResultMissing, SweepUnreadable, RequestError."""
    yield Progress(0, 1, "reading the sweep")
    done: TradeoffResult = yield Offload(_read, ctx.services["results"], record_id)
    return done


def find_sweep(order: FindOrder, ctx: JobContext) -> Generator[Event | Offload, Any, TradeoffResult | None]:
    """The newest stored sweep of exactly this request, None when there is none (any more)."""
    yield Progress(0, 1, "looking for the sweep")
    done: TradeoffResult | None = yield Offload(_find, ctx.services["results"], order)
    return done


def load_example(_request: None, ctx: JobContext) -> Generator[Event | Offload, Any, TradeoffResult | None]:
    """The sweep that ships with the panel, None when it is not there. Raises SweepUnreadable."""
    yield Progress(0, 1, "reading the example")
    done: TradeoffResult | None = yield Offload(demo.read)
    return done


def keep_sweep(result: TradeoffResult, ctx: JobContext) -> Generator[Event | Offload, Any, TradeoffResult]:
    """Save a sweep that was cancelled on the way, or could not be saved before."""
    yield Progress(0, 1, "saving")
    done: TradeoffResult = yield Offload(keep, result, ctx.services.get("results"))
    return done


def _read(store: ResultsStore, record_id: str) -> TradeoffResult:
    return read_record(store.get(record_id), store.files(record_id))


def _find(store: ResultsStore, order: FindOrder) -> TradeoffResult | None:
    record = store.newest(order.kind, order.request)
    return _read(store, record.id) if record is not None else None
