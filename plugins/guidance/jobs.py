"""The job behind the Guidance lab: all columns advance together, step by step, from the same noise."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.engine import Event, JobContext, Offload, Preview, Progress, Snapshot
from studio.host.pictures import Pixels, to_pixels
from studio.host.request import RequestError
from studio.host.results import ResultMissing, ResultsStore
from studio.models.provenance import provenance_of
from studio_plugins.guidance.cost import cost_of
from studio_plugins.guidance.drawing import Diverged, Runner
from studio_plugins.guidance.keeping import keep, read_back
from studio_plugins.guidance.opening import Bench, measure, open_bench
from studio_plugins.guidance.request import Column, GuidanceRequest, shared_steps
from studio_plugins.guidance.results import ColumnRun, Comparison
from studio_plugins.guidance.trajectory import Step

Running = Generator[Event | Offload, Any, Comparison]
DIVERGED = "Its numbers left all bounds at {}: the scale is too high. Lower it, or guide in a part of the way only."


@dataclass(frozen=True)
class Order:
    """A comparison to draw, and the id of one kept before whose steps are taken over where they are the same."""

    request: GuidanceRequest
    known: str | None = None


@dataclass(frozen=True, eq=False)
class Drawn:
    """One more step of a column."""

    column: int
    step: Step


@dataclass(frozen=True)
class Stopped:
    """A column that cannot go on, and why."""

    column: int
    problem: str


def compare(request: GuidanceRequest, ctx: JobContext) -> Running:
    """Draw all columns and keep them; see `extend`."""
    done: Comparison = yield from extend(Order(request), ctx)
    return done


def extend(order: Order, ctx: JobContext) -> Running:
    """Draw the columns, each step of which is drawn only where no other column has it.

    Yields per column and step: Snapshot "<column> <step>" (Drawn, or Stopped), Progress, and after each round Preview
    [columns, H, W, 3] of x0. Returns a Comparison that is in the results store, or says why it is not.
    """
    yield Progress(0, 1, "opening the models")
    bench = yield from open_bench(order.request, ctx)
    request = bench.request
    provenance = provenance_of(bench.model, ctx)
    known = None
    if order.known is not None:
        known = yield Offload(_known, ctx.services.get("results"), order.known, request, provenance)
    units = yield from measure(bench, ctx)
    runners = [_runner(bench, column, known) for column in request.columns]
    shared = [shared_steps(request.columns, c, request.steps) for c in range(len(runners))]
    problems: dict[int, str] = {}
    total, done = request.steps * len(runners), 0
    for i in range(request.steps):
        for c, runner in enumerate(runners):
            done += 1
            if c in problems:
                continue
            link = shared[c]
            try:
                step = _step(runner, runners[link[0]] if link is not None and i < link[1] else None, i)
            except Diverged as error:
                problems[c] = DIVERGED.format(error)
                yield Snapshot(f"{c} {i}", Stopped(c, problems[c]))
                continue
            yield Snapshot(f"{c} {i}", Drawn(c, step))
            yield Progress(done, total, f"step {i + 1} of {request.steps}, column {c + 1} of {len(runners)}")
        yield Preview(np.stack([_pictures(runner, bench, x0=True)[0] for runner in runners]))
    columns = tuple(
        _finished(bench, runner, units, c, shared[c], problems.get(c, "")) for c, runner in enumerate(runners)
    )
    yield Progress(total, total, "saving")
    kept: Comparison = yield Offload(keep, Comparison(request, columns, provenance), ctx.services.get("results"))
    return kept


def _known(
    store: ResultsStore | None, record_id: str, request: GuidanceRequest, provenance: dict[str, Any]
) -> Comparison | None:
    """A comparison kept before, if its steps are those that would be drawn now, and scored where scores are wanted."""
    if store is None:
        return None
    try:
        known = read_back(store, record_id)
    except (ResultMissing, OSError, RequestError):
        return None  # it is drawn anew
    same = known.request.same_noise(request) and dict(known.provenance) == provenance
    return known if same and (known.request.probes or not request.probes) else None


def _runner(bench: Bench, column: Column, known: Comparison | None) -> Runner:
    """A column with the steps that an earlier comparison has of it."""
    steps: Sequence[Step] = ()
    for other, run in zip(known.request.columns, known.columns, strict=True) if known is not None else ():
        same = column.same_steps(other, min(len(run.steps), bench.request.steps))
        if same > len(steps):
            steps = run.steps[:same]
    return Runner(bench.model, bench.request, column, bench.guidings, bench.scorer, steps)


def _step(runner: Runner, other: Runner | None, i: int) -> Step:
    """Step i of a runner: drawn before, taken over from another one, or drawn now. Raises Diverged."""
    if i < len(runner.steps):
        return runner.steps[i]
    if other is None:
        return runner.advance()
    if i >= len(other.steps):
        raise Diverged(f"step {i + 1}")
    return runner.share(other.steps[i])


def _finished(
    bench: Bench, runner: Runner, units: dict[str, float], c: int, shared: tuple[int, int] | None, problem: str
) -> ColumnRun:
    pictures = _pictures(runner, bench)
    guiding = bench.guidings[bench.request.columns[c].guidance]
    return ColumnRun(
        tuple(runner.steps),
        pictures,
        cost_of(runner.steps, units, runner.computed),
        () if problem or not bench.request.probes else bench.scorer.verdicts(pictures),
        shared,
        guiding.targets[0] if guiding.targets else "",
        problem,
    )


def _pictures(runner: Runner, bench: Bench, *, x0: bool = False) -> Pixels:
    """Where a column is, [N, H, W, 3]: its result or, with x0, its prediction; mid grey before the first step."""
    if not runner.steps:
        side = bench.model.image_size
        return np.full((bench.request.batch, side, side, 3), 128, np.uint8)
    return runner.steps[-1].picture if x0 else to_pixels(runner.steps[-1].x)
