"""Small jobs that touch the disk, for the quick lane: read a run back, look for one, save its maps."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.atomic import write_bytes
from studio.host.pictures import Pixels
from studio.host.results import ResultRecord, ResultsStore
from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.results import PICTURE_FILE, TokensResult, keep
from studio_plugins.tokens.run import ATTENTION_FILE, AttentionUnreadable, TokenRun


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run read back from the store; without its maps, `problem` says why."""

    record: ResultRecord
    picture: Pixels
    run: TokenRun | None = None
    problem: str = ""


@dataclass(frozen=True, eq=False)
class SaveOrder:
    """Which maps to write where."""

    run: TokenRun
    path: Path


def load_run(record_id: str, ctx: JobContext) -> Generator[Event | Offload, Any, StoredRun]:
    """Picture and maps of a result. Raises ResultMissing, OSError."""
    yield Progress(0, 1, "reading the result")
    done: StoredRun = yield Offload(_read_run, ctx.services["results"], record_id)
    return done


def find_run(request: Mapping[str, Any], ctx: JobContext) -> Generator[Event | Offload, Any, StoredRun | None]:
    """The newest stored result of exactly this request, None when there is none (any more)."""
    yield Progress(0, 1, "looking for the picture")
    done: StoredRun | None = yield Offload(_find_run, ctx.services["results"], request)
    return done


def keep_run(result: TokensResult, ctx: JobContext) -> Generator[Event | Offload, Any, TokensResult]:
    """Save a run that could not be saved before."""
    yield Progress(0, 1, "saving")
    done: TokensResult = yield Offload(keep, result, ctx.services.get("results"))
    return done


def save_maps(order: SaveOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Path]:
    """Write a run's maps as an npz file. Raises FileUnwritable."""
    yield Progress(0, 1, f"saving {order.path.name}")
    done: Path = yield Offload(_write_maps, order)
    return done


def _write_maps(order: SaveOrder) -> Path:
    path = order.path if order.path.suffix.lower() == ".npz" else order.path.with_name(f"{order.path.name}.npz")
    write_bytes(path, order.run.to_npz())
    return path


def _find_run(store: ResultsStore, request: Mapping[str, Any]) -> StoredRun | None:
    record = store.newest(TokensRequest.kind, request)
    return _read_run(store, record.id) if record is not None else None


def _read_run(store: ResultsStore, record_id: str) -> StoredRun:
    record, files = store.get(record_id), store.files(record_id)
    if PICTURE_FILE not in files:
        raise FileNotFoundError(2, "The picture of this result is gone", str(record.folder))
    picture = np.asarray(Image.open(files[PICTURE_FILE]).convert("RGB"))
    if ATTENTION_FILE not in files:
        return StoredRun(record, picture, None, "The attention of this picture is gone; draw it again.")
    try:
        return StoredRun(record, picture, TokenRun.read(files[ATTENTION_FILE]))
    except AttentionUnreadable as error:
        return StoredRun(record, picture, None, str(error))
