"""The job behind Generate: denoise step by step, show each, keep the result on disk before saying so."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from studio.engine import Event, JobContext, Metric, Offload, Preview, Progress, Snapshot
from studio.host.pictures import Pixels
from studio_plugins.generate.drawing import draw, evaluations_of, pictures_of, step_data
from studio_plugins.generate.keeping import keep_run
from studio_plugins.generate.preparing import prepare
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
    Returns a GenerateResult that is in the results store already (services["results"]), or says why it is not.
    """
    result = yield from live(request, ctx)
    steps = result.cost.steps + result.cost.upsample_steps
    yield Progress(steps, steps, "saving")
    kept: GenerateResult = yield Offload(keep_run, result, ctx.services.get("results"))
    return kept


def live(request: GenerateRequest, ctx: JobContext) -> Running:
    """As `generate`, but nothing is kept: what Live mode draws on the way is gone with the next key press."""
    yield Progress(0, request.steps, "opening the model")
    run = yield from prepare(request, ctx)
    total = sum(run.totals)
    if len(run.totals) > 1:
        yield Snapshot("stages", Stages(run.kept))
    records = draw(run)
    kept: list[StepData] = []
    small: Pixels | None = None
    cost = Cost()
    for done in range(1, total + 1):
        begin = time.perf_counter()
        record = next(records)
        data = step_data(record, run)
        cost = cost.after(data.stage, *evaluations_of(record.step.parts), time.perf_counter() - begin)
        yield Progress(done, total, _words(data, run.totals))
        yield Preview(data.x0)
        yield from _metrics(data)
        yield Metric("seconds", done, cost.seconds)
        if is_kept(data):
            kept.append(data)
            yield Snapshot(f"step {done - 1}", data)
        if data.last and done < total:
            small = pictures_of(record.step)
    return GenerateResult(
        request=run.request,
        pictures=pictures_of(record.step),
        cost=cost,
        provenance=run.provenance,
        small=small,
        steps=Trajectory(tuple(kept)),
    )


def _words(data: StepData, totals: tuple[int, ...]) -> str:
    """Where a run is."""
    step = f"step {data.index + 1} of {data.total}"
    if len(totals) == 1:
        return step
    return f"{'enlarging' if data.stage == 'upsample' else 'drawing small'}, {step}"


def _metrics(data: StepData) -> Iterator[Metric]:
    """Means over the batch: the norms, and of each gradient its length and its score; the second stage's are marked."""
    mark = "" if data.stage == "base" else f"{data.stage} "
    for name, value in data.numbers().items():
        yield Metric(mark + name, data.index + 1, value)
