"""The job behind a sweep: one run per cell of a grid, each with its own settings, all shown as they come."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.engine import Event, JobContext, Offload, Preview, Progress, Snapshot
from studio.host.pictures import Pixels, enlarge
from studio.models.opening import open_drawing
from studio.models.provenance import provenance_of
from studio_plugins.generate.drawing import draw, pictures_of, step_data
from studio_plugins.generate.jobs import note_weights
from studio_plugins.generate.keeping import keep_sweep
from studio_plugins.generate.request import GenerateRequest, SweepRequest
from studio_plugins.generate.results import SweepResult


@dataclass(frozen=True)
class SweepState:
    """How far a sweep is: how many cells are finished, and which one is being drawn."""

    finished: int
    cell: int


def sweep(request: SweepRequest, ctx: JobContext) -> Generator[Event | Offload, Any, SweepResult]:
    """Draw every cell, row by row.

    Yields per step: Progress over all steps of all cells, Preview [cells, H, W, 3] with what there is so far (cells
    to come are blank), Snapshot "sweep" (SweepState). Returns a SweepResult that is in the results store already, or
    says why it is not.
    """
    cells = [cell for _, _, cell in request.cells()]
    total = sum(cell.steps for cell in cells)
    done, seconds = 0, 0.0
    pictures: list[Pixels] = []
    base = request.base
    provenance: dict[str, Any] = {}
    yield Progress(0, total, "opening the model")
    for i, cell in enumerate(cells):
        model = yield from open_drawing(cell.model, ctx, precision=cell.precision)
        cell = yield from note_weights(cell, model)
        if not provenance:
            provenance = provenance_of(model, ctx)
            if cell.model == base.model:
                base = base.replace(model_sha256=cell.model_sha256)
        yield Snapshot("sweep", SweepState(i, i))
        records = draw(model, cell)
        for _ in range(cell.steps):
            begin = time.perf_counter()
            record = next(records)
            data = step_data(record, model, unconditional=cell.unconditional)
            seconds += time.perf_counter() - begin
            done += 1
            yield Progress(done, total, f"picture {i + 1} of {len(cells)}")
            yield Preview(arranged([*pictures, data.x0[0]], len(cells)))
        pictures.append(pictures_of(record)[0])
    result = SweepResult(request.replace(base=base), arranged(pictures, len(cells)), seconds, provenance)
    yield Snapshot("sweep", SweepState(len(cells), len(cells)))
    yield Progress(total, total, "saving")
    kept: SweepResult = yield Offload(keep_sweep, result, ctx.services.get("results"))
    return kept


def arranged(pictures: list[Pixels], count: int) -> Pixels:
    """[count, H, W, 3]: the pictures, smaller ones enlarged to the largest, and mid grey for those to come."""
    side = max(picture.shape[0] for picture in pictures)
    sheet = np.full((count, side, side, 3), 128, np.uint8)
    for i, picture in enumerate(pictures):
        sheet[i] = _fitted(picture, side)
    return sheet


def _fitted(picture: Pixels, side: int) -> Pixels:
    """A picture enlarged by the largest whole factor that fits, centred on grey."""
    if picture.shape[0] == side:
        return picture
    larger = enlarge(picture, side // picture.shape[0])
    edge = (side - larger.shape[0]) // 2
    sheet = np.full((side, side, 3), 128, np.uint8)
    sheet[edge : edge + larger.shape[0], edge : edge + larger.shape[1]] = larger
    return sheet


def cell_request(request: SweepRequest, index: int) -> GenerateRequest:
    """The settings of one cell, counted row by row."""
    return next(cell for i, (_, _, cell) in enumerate(request.cells()) if i == index)
