"""The job behind a sweep: one run per cell of a grid, each with its own settings, all shown as they come."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.engine import Event, JobContext, Offload, Preview, Progress, Snapshot
from studio.host.pictures import Pixels, enlarge
from studio_plugins.generate.keeping import keep_sweep
from studio_plugins.generate.preparing import prepare
from studio_plugins.generate.request import DIGEST_OF, GenerateRequest
from studio_plugins.generate.results import Cost, SweepResult
from studio_plugins.generate.sweep_request import SweepRequest


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
    plan = [cell.steps + (cell.upsample_steps if cell.upsampled else 0) for cell in cells]
    cost, base = Cost(), request.base
    pictures: list[Pixels] = []
    provenance: dict[str, Any] = {}
    yield Progress(0, sum(plan), "opening the model")
    for i, cell in enumerate(cells):
        run = yield from prepare(cell, ctx)
        plan[i] = sum(run.totals)  # an up-sampler's own number of steps is known only now
        provenance = provenance or dict(run.provenance)
        base = _with_digests(base, run.request)
        yield Snapshot("sweep", SweepState(i, i))
        last: Pixels | None = None
        before, begin = sum(plan[:i]), time.perf_counter()
        for drawn in run.steps():
            plan[i] = drawn.total
            cost = cost.after(drawn, time.perf_counter() - begin)
            yield Progress(before + drawn.done, sum(plan), f"picture {i + 1} of {len(cells)}")
            now = drawn.data.x0 if drawn.data is not None else drawn.pictures
            if now is not None:
                yield Preview(arranged([*pictures, now[0]], len(cells)))
            last, begin = drawn.pictures, time.perf_counter()
        assert last is not None  # a run ends with its pictures
        pictures.append(last[0])
    result = SweepResult(request.replace(base=base), arranged(pictures, len(cells)), cost, provenance)
    yield Snapshot("sweep", SweepState(len(cells), len(cells)))
    yield Progress(sum(plan), sum(plan), "saving")
    kept: SweepResult = yield Offload(keep_sweep, result, ctx.services.get("results"))
    return kept


def _with_digests(base: GenerateRequest, drawn: GenerateRequest) -> GenerateRequest:
    """The base with the digests of the weights a cell used, as far as both name the same models."""
    same = [field for name, field in DIGEST_OF.items() if getattr(drawn, name) == getattr(base, name)]
    used = {field: getattr(drawn, field) for field in same}
    return base.replace(**{field: digest for field, digest in used.items() if digest})


def arranged(pictures: list[Pixels], count: int) -> Pixels:
    """[count, H, W, 3]: the pictures, smaller ones enlarged to the largest, and mid grey for those to come."""
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    sheet = np.full((count, height, width, 3), 128, np.uint8)
    for i, picture in enumerate(pictures):
        sheet[i] = _fitted(picture, height, width)
    return sheet


def _fitted(picture: Pixels, height: int, width: int) -> Pixels:
    """A picture enlarged by the largest whole factor that fits, centred on grey."""
    if picture.shape[:2] == (height, width):
        return picture
    larger = enlarge(picture, min(height // picture.shape[0], width // picture.shape[1]))
    top, left = (height - larger.shape[0]) // 2, (width - larger.shape[1]) // 2
    sheet = np.full((height, width, 3), 128, np.uint8)
    sheet[top : top + larger.shape[0], left : left + larger.shape[1]] = larger
    return sheet


def cell_request(request: SweepRequest, index: int) -> GenerateRequest:
    """The settings of one cell, counted row by row."""
    return next(cell for i, (_, _, cell) in enumerate(request.cells()) if i == index)
