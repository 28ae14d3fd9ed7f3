"""Jobs that every panel needs, for the quick lane: write an exportable, read a picture's settings."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.export import Exportable, ExportService
from studio.host.imagemeta import ImageMetadata, read_metadata


@dataclass(frozen=True)
class ExportOrder:
    """What to write where; `exportable.produce` must not touch a widget."""

    service: ExportService
    exportable: Exportable
    path: Path


@dataclass(frozen=True)
class FindOrder:
    """Which result to look for: the newest of exactly this request."""

    kind: str
    request: Mapping[str, Any]


def export(order: ExportOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Path]:
    """Write an exportable to a file. Raises ExportError, FileUnwritable."""
    yield Progress(0, 1, f"saving {order.path.name}")
    done: Path = yield Offload(order.service.save, order.exportable, order.path)
    return done


def read_settings(path: Path, ctx: JobContext) -> Generator[Event | Offload, Any, ImageMetadata]:
    """The settings in a picture file. Raises ImageMetadataError."""
    yield Progress(0, 1, "reading the picture")
    done: ImageMetadata = yield Offload(read_metadata, path)
    return done
