"""Small jobs that touch the disk, for the quick lane: read a comparison or a picture's settings, export, keep."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.export import Exportable, ExportService
from studio.host.imagemeta import ImageMetadata, read_metadata
from studio.host.results import ResultsStore
from studio_plugins.guidance import keeping
from studio_plugins.guidance.results import Comparison

FIND_LIMIT = 1000


@dataclass(frozen=True)
class ExportOrder:
    """What to write where; `exportable.produce` must not touch a widget."""

    service: ExportService
    exportable: Exportable
    path: Path


@dataclass(frozen=True)
class FindOrder:
    """Which result to look for."""

    kind: str
    request: Mapping[str, Any]


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


def read_settings(path: Path, ctx: JobContext) -> Generator[Event | Offload, Any, ImageMetadata]:
    """The settings in a picture file. Raises ImageMetadataError."""
    yield Progress(0, 1, "reading the picture")
    done: ImageMetadata = yield Offload(read_metadata, path)
    return done


def keep(result: Comparison, ctx: JobContext) -> Generator[Event | Offload, Any, Comparison]:
    """Save a comparison that could not be saved before."""
    yield Progress(0, 1, "saving")
    done: Comparison = yield Offload(keeping.keep, result, ctx.services.get("results"))
    return done


def export(order: ExportOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Path]:
    """Write an exportable to a file. Raises ExportError, FileUnwritable."""
    yield Progress(0, 1, f"saving {order.path.name}")
    done: Path = yield Offload(order.service.save, order.exportable, order.path)
    return done


def _find(store: ResultsStore, order: FindOrder) -> Comparison | None:
    for record in store.records(kind=order.kind, limit=FIND_LIMIT):
        if record.request == order.request:
            return keeping.read_back(store, record.id)
    return None
