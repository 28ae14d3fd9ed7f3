"""The job behind Generate: denoise step by step, show each, keep the result on disk before saying so."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from studio.engine import Event, JobContext, Metric, Offload, Preview, Progress, Snapshot
from studio.host.pictures import Pixels
from studio.models.external import with_offers
from studio_plugins.generate.drawing import Drawn
from studio_plugins.generate.keeping import keep_run
from studio_plugins.generate.preparing import Run, prepare
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.results import Cost, GenerateResult
from studio_plugins.generate.trajectory import StepData, Trajectory, is_kept

Running = Generator[Event | Offload, Any, GenerateResult]


@dataclass(frozen=True)
class Stages:
    """How many steps of each stage will be shown; told before the first step where there are two."""

    shown: tuple[int, ...]


def generate(request: GenerateRequest, ctx: JobContext) -> Running:
    """Draw `request.batch` pictures.

    Yields per step: Progress over all stages, Preview of x0, a Metric per norm (mean over the batch), and Snapshot
    "step <i>" (StepData) of each step kept; before the first, where there are two stages, Snapshot "stages" (Stages).
    Where a public model cannot draw, Snapshot "offers" says what would help.
    Returns a GenerateResult that is in the results store already (services["results"]), or says why it is not.
    """
    result = yield from live(request, ctx)
    steps = result.cost.steps + result.cost.upsample_steps
    yield Progress(steps, steps, "saving")
    kept: GenerateResult = yield Offload(keep_run, result, ctx.services.get("results"))
    return kept


def live(request: GenerateRequest, ctx: JobContext) -> Running:
    """As `generate`, but nothing is kept: what Live mode draws on the way is gone with the next key press."""
    result: GenerateResult = yield from with_offers(_drawing(request, ctx))
    return result


def _drawing(request: GenerateRequest, ctx: JobContext) -> Running:
    yield Progress(0, request.steps, "opening the model")
    run = yield from prepare(request, ctx)
    if isinstance(run, Run) and run.upsampler is not None:
        yield Snapshot("stages", Stages(run.kept))
    kept: list[StepData] = []
    finished: list[Pixels] = []
    cost = Cost()
    steps = run.steps()
    begin = time.perf_counter()
    for drawn in steps:
        cost = cost.after(drawn, time.perf_counter() - begin)
        yield from _shown(drawn, cost, two=len(run.totals) > 1)
        if drawn.data is not None and is_kept(drawn.data):
            kept.append(drawn.data)
            yield Snapshot(f"step {drawn.done - 1}", drawn.data)
        if drawn.pictures is not None:
            finished.append(drawn.pictures)
        begin = time.perf_counter()
    return GenerateResult(
        request=run.request,
        pictures=finished[-1],
        cost=cost,
        provenance=run.provenance,
        small=finished[0] if len(finished) > 1 else None,
        steps=Trajectory(tuple(kept)) if kept else None,
    )


def _shown(drawn: Drawn, cost: Cost, *, two: bool) -> Iterator[Event]:
    """What is told of a step."""
    yield Progress(drawn.done, drawn.total, _words(drawn, two=two))
    if drawn.data is not None:
        yield Preview(drawn.data.x0)
        yield from _metrics(drawn.data)
    elif drawn.pictures is not None:
        yield Preview(drawn.pictures)
    yield Metric("seconds", drawn.done, cost.seconds)


def _words(drawn: Drawn, *, two: bool) -> str:
    """Where a run is; of two stages, each with its own count."""
    data = drawn.data
    if not two or data is None:
        return f"step {drawn.done} of {drawn.total}"
    return f"{'enlarging' if data.stage == 'upsample' else 'drawing small'}, step {data.index + 1} of {data.total}"


def _metrics(data: StepData) -> Iterator[Metric]:
    """Means over the batch: the norms, and of each gradient its length and its score; the second stage's are marked."""
    mark = "" if data.stage == "base" else f"{data.stage} "
    for name, value in data.numbers().items():
        yield Metric(mark + name, data.index + 1, value)
