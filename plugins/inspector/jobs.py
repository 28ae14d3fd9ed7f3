"""The inspector's jobs: list a file, measure tensors in chunks, cut out a plane. All can be cancelled between two chunks."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from studio.engine import Event, JobContext, Offload, Progress, Snapshot
from studio_plugins.inspector.block import ReadingError, Tensor, Window
from studio_plugins.inspector.colours import limits, paint, real
from studio_plugins.inspector.dtypes import Array
from studio_plugins.inspector.reading import Listing, TensorFile, open_file
from studio_plugins.inspector.request import InspectRequest, MeasureRequest, PlaneRequest
from studio_plugins.inspector.stats import Accumulator, Statistics
from studio_plugins.inspector.tables import survey_csv

Steps = Generator[Event | Offload, Any, Any]

MAX_SIDE = 1024
"""Values shown along a side of a plane; a longer side is shown by every second, third ... value."""
SHOW_EVERY = 24
"""Chunks between two pictures of unfinished statistics."""
CACHE = "inspector file"


@dataclass(frozen=True)
class Plane:
    """Values cut out of a tensor: [rows, cols], or [rows, cols, channels] of a picture; and `picture`, uint8 [rows, cols, 3 or 4].

    Value (i, j) is at row i * row_step, column j * col_step of the tensor. `low` to `high` is spread over the colours of `map`
    ("" = the values are colours themselves).
    """

    request: PlaneRequest
    values: Array
    row_step: int
    col_step: int
    picture: Array
    map: str = ""
    low: float = 0.0
    high: float = 255.0


def list_file(path: str, ctx: JobContext) -> Steps:
    """List the tensors of a file; nothing of their values is read. Returns a Listing; raises ReadingError."""
    file: TensorFile = yield Offload(open_kept, Path(path), ctx)
    return file.listing


def open_kept(path: Path, ctx: JobContext) -> TensorFile:
    """Open a file, or take the one that is open already and has not changed since; only one is kept. Raises ReadingError."""
    file = open_file(path)
    try:
        status = path.stat()
    except OSError as error:
        file.close()
        raise ReadingError(f"“{path.name}” could not be read ({error.strerror or error}).") from error
    key = (CACHE, str(path), status.st_mtime_ns, status.st_size)
    for other in ctx.models.keys():
        if isinstance(other, tuple) and other[:1] == (CACHE,) and other != key:
            ctx.models.evict(other)
    kept: TensorFile = ctx.models.get(key, lambda: file, nbytes=file.held_bytes)
    if kept is not file:
        file.close()
    return kept


def open_tensor(path: str, name: str, ctx: JobContext) -> Steps:
    """Open a tensor, decoding or unpacking it where needed. Returns a Tensor; raises ReadingError."""
    file: TensorFile = yield Offload(open_kept, Path(path), ctx)
    info = file.listing.find(name)
    if info is None:
        raise ReadingError(f"There is no tensor “{name}” in {Path(path).name} any more. Open the file again.")
    if info.problem:
        raise ReadingError(info.problem)
    steps = file.prepare(name)
    while (done := (yield Offload(next, steps, None))) is not None:
        yield Progress(done, 1.0, f"unpacking {name}")
    return file.tensor(name)


def measure(request: MeasureRequest, ctx: JobContext) -> Steps:
    """Statistics of tensors, one pass each. Snapshots "statistics NAME" hold a Statistics; returns all of them by name.

    Raises ReadingError. A tensor that cannot be read by its nature (its `problem`) is left out.
    """
    file: TensorFile = yield Offload(open_kept, Path(request.path), ctx)
    wanted = [info for info in (file.listing.find(name) for name in request.tensors) if info is not None and not info.problem]
    total = sum(info.count for info in wanted)
    done = 0
    found: dict[str, Statistics] = {}
    for info in wanted:
        tensor: Tensor = yield from open_tensor(request.path, info.name, ctx)
        accumulator = Accumulator()
        for number, chunk in enumerate(tensor.chunks(), 1):
            accumulator.add(chunk)
            done += chunk.size
            yield Progress(done, total, f"measuring {info.name}")
            if number % SHOW_EVERY == 0:
                yield Snapshot(f"statistics {info.name}", accumulator.result(complete=False))
        found[info.name] = accumulator.result()
        yield Snapshot(f"statistics {info.name}", found[info.name])
    return found


def plane(request: PlaneRequest, ctx: JobContext) -> Steps:
    """Cut a plane out of a tensor, at most MAX_SIDE values a side. Returns a Plane; raises ReadingError."""
    tensor: Tensor = yield from open_tensor(request.path, request.tensor, ctx)
    if request.cols < 0:
        return _painted(request, (yield from _line(tensor)), 1, _step(prod(tensor.shape)))
    windows = list(_windows(tensor.shape, request))
    rows = len(range(*windows[0].row_range))
    layers = []
    for number, window in enumerate(windows):
        lines = []
        for line in tensor.lines(window):
            lines.append(line)
            if len(lines) % 64 == 0:
                yield Progress(number * rows + len(lines), len(windows) * rows, request.tensor)
        layers.append(np.stack(lines) if lines else np.zeros((0, 0)))
    values = np.stack(layers, axis=-1) if request.picture else layers[0]
    return _painted(request, values, windows[0].row_range[2], windows[0].col_range[2])


def _painted(request: PlaneRequest, values: Array, row_step: int, col_step: int) -> Plane:
    if request.picture:
        return Plane(request, values, row_step, col_step, values)
    numbers = real(values)
    name, low, high = limits(numbers, request.colours, request.spread)
    return Plane(request, values, row_step, col_step, paint(numbers, name, low, high), name, low, high)


def _step(side: int) -> int:
    return max(1, -(-side // MAX_SIDE))


def _line(tensor: Tensor) -> Steps:
    """A tensor of no or one axis as a single row."""
    if not tensor.shape:
        return next(iter(tensor.chunks())).reshape(1, 1)
    count = tensor.shape[0]
    step = _step(count)
    pieces = []
    position = 0
    for chunk in tensor.chunks():
        pieces.append(chunk[(-position) % step :: step])
        position += chunk.size
        yield Progress(position, count)
    return np.concatenate(pieces).reshape(1, -1) if pieces else np.zeros((1, 0))


def _windows(shape: tuple[int, ...], request: PlaneRequest) -> Iterator[Window]:
    """The plane asked for, or the planes of all colour channels."""
    height, width = shape[request.rows], shape[request.cols]
    ranges = ((0, height, _step(height)), (0, width, _step(width)))
    channels = range(shape[-1]) if request.picture else (None,)
    for channel in channels:
        index = request.index if channel is None else (*request.index[:-1], channel)
        yield Window(request.rows, request.cols, index, *ranges)


def inspect(request: InspectRequest, ctx: JobContext) -> Steps:
    """Measure a file and keep the table of its tensors as a result. Returns the id of the result; raises ReadingError."""
    listing: Listing = yield from list_file(request.path, ctx)
    if request.tensor and listing.find(request.tensor) is None:
        raise ReadingError(f"There is no tensor “{request.tensor}” in {listing.path.name}.")
    infos = [info for info in listing.tensors if request.tensor in ("", info.name)]
    found: dict[str, Statistics] = yield from measure(MeasureRequest(request.path, tuple(info.name for info in infos)), ctx)
    table = survey_csv(infos, found)
    title = f"{listing.path.name}: {request.tensor or f'{len(infos)} tensors'}"
    record = yield Offload(ctx.services["results"].add, request.kind, request, {"tensors.csv": table.encode()}, title=title)
    return record.id
