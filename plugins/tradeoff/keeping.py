"""A sweep on disk: its points as JSON, and one lossless picture per point; read back from the store or a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from studio.host.imagemeta import encode_png, envelope
from studio.host.pictures import thumbnail, tile
from studio.host.results import ResultRecord, ResultsStore, StoreUnwritable
from studio.ml.evaluation.points import Measured, Pictures, Point
from studio_plugins.tradeoff.request import TradeoffRequest
from studio_plugins.tradeoff.results import TradeoffResult

POINTS_FILE = "points.json"
NO_STORE = "There is no results store here, so the sweep was not kept."


class SweepUnreadable(ValueError):
    """A stored sweep that is damaged; the message says what is wrong with it."""


class StoredPoint(BaseModel):
    """A point, what each of its pictures lacks, and the file they are in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    point: Point
    faults: tuple[str, ...]
    file: str


class StoredSweep(BaseModel):
    """points.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    texts: tuple[str, ...]
    seconds: FiniteFloat
    points: tuple[StoredPoint, ...]


def keep(result: TradeoffResult, store: ResultsStore | None) -> TradeoffResult:
    """Save a sweep. When that is not possible the result comes back with `problem` saying why."""
    if store is None:
        return replace(result, problem=NO_STORE)
    best = max(result.measured, key=lambda measured: (measured.point.kind != "renders", measured.point.right))
    try:
        record = store.add(
            result.request.kind,
            result.request,
            files_of(result),
            title=f"{len(result.measured)} points of {result.request.pictures} pictures"
            + ("" if result.complete else ", cancelled on the way"),
            provenance=result.provenance,
            thumbnail=encode_png(thumbnail(best.pictures)),
            metrics={"seconds": round(result.seconds, 3), "points": len(result.measured)},
        )
    except StoreUnwritable as error:
        return replace(result, problem=str(error))
    return replace(result, record_id=record.id, problem="")


def files_of(result: TradeoffResult) -> dict[str, bytes | Path | Callable[[Path], object]]:
    """points.json and the picture of each point, by file name."""
    glassbox = envelope(result.request.kind, result.request.to_dict(), result.provenance)
    files: dict[str, bytes | Path | Callable[[Path], object]] = {}
    points = []
    for i, measured in enumerate(result.measured):
        name = f"point-{i:02}.png"
        sheet = tile(measured.pictures, columns=result.request.per_prompt, gap=0)
        files[name] = encode_png(sheet, glassbox)
        points.append(StoredPoint(point=measured.point, faults=measured.faults, file=name))
    stored = StoredSweep(texts=result.texts, seconds=result.seconds, points=tuple(points))
    return {POINTS_FILE: stored.model_dump_json(indent=1).encode(), **files}


def read_record(record: ResultRecord, files: Mapping[str, Path]) -> TradeoffResult:
    """A sweep from the store. Raises SweepUnreadable, RequestError."""
    request = TradeoffRequest.from_json(record.request)
    return replace(read_files(request, files, record.provenance), record_id=record.id)


def read_files(
    request: TradeoffRequest, files: Mapping[str, Path], provenance: Mapping[str, Any] | None = None
) -> TradeoffResult:
    """A sweep from its files by name. Raises SweepUnreadable."""
    if POINTS_FILE not in files:
        raise SweepUnreadable(f"The points of this sweep are gone ({POINTS_FILE} is missing). Draw it again.")
    try:
        stored = StoredSweep.model_validate_json(files[POINTS_FILE].read_bytes())
        measured = tuple(
            Measured(entry.point, _cut(files[entry.file], len(entry.faults), request.per_prompt), entry.faults)
            for entry in stored.points
        )
    except (OSError, KeyError, ValidationError, UnidentifiedImageError, ValueError) as error:
        raise SweepUnreadable(f"This sweep cannot be read back ({_first_line(error)}). Draw it again.") from error
    return TradeoffResult(request, stored.texts, measured, stored.seconds, provenance or {})


def _cut(file: Path, count: int, columns: int) -> Pictures:
    """The pictures of a sheet, row by row: [count, H, W, 3]."""
    with Image.open(file) as image:
        sheet = np.asarray(image.convert("RGB"))
    side, rows = sheet.shape[1] // columns, -(-count // columns)
    if side == 0 or sheet.shape != (rows * side, columns * side, 3):
        raise ValueError(f"{file.name} is {sheet.shape[1]}×{sheet.shape[0]} pixels, which is not {count} pictures")
    pictures = sheet.reshape(rows, side, columns, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)
    return np.ascontiguousarray(pictures[:count])


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
