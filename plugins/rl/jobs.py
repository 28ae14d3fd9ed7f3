"""Jobs beside training: curves made ready to draw, experiments measured, and the whole request from its beginning to its end."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress, Snapshot
from studio.ml.rl.errors import BadWorld
from studio.ml.rl.model import Model
from studio.ml.rl.worlds import WorldSpec
from studio_plugins.rl import bands, keeping
from studio_plugins.rl.bands import Choice, Drawn, Measured
from studio_plugins.rl.judging import Judgement, Truth, judge
from studio_plugins.rl.measurement import Experiment, Point, Stage, measure
from studio_plugins.rl.plans import agent_title, plans
from studio_plugins.rl.request import RlRequest
from studio_plugins.rl.seat import LETTERS, Seat
from studio_plugins.rl.training import SLICE, remove, seated
from studio_plugins.rl.yard import in_yard

Running = Generator[Event | Offload, Any, Any]


@dataclass(frozen=True, eq=False)
class CurveOrder:
    """Which runs to draw, for the upper and the lower plot, by their seats or as they were measured. resamples: of the
    intervals; 0 leaves them out."""

    runs: tuple[Measured | Seat, ...]
    choices: tuple[Choice, Choice]
    resamples: int


@dataclass(frozen=True, eq=False)
class Curves:
    """Ready to draw. measures: what else could be shown. seconds: what it took."""

    upper: tuple[Drawn, ...]
    lower: tuple[Drawn, ...]
    measures: tuple[str, ...]
    seconds: float


@in_yard
def draw(order: CurveOrder, ctx: JobContext) -> Running:
    """Work out the lines and their intervals, a run a step."""
    began = time.monotonic()
    found: list[tuple[Drawn, ...]] = []
    runs = tuple(run for run in map(_measured, order.runs) if run is not None)
    for choice in order.choices:
        drawn: list[Drawn] = []
        for run in runs:
            drawn += bands.figure([run], choice, resamples=order.resamples)
            yield Progress(len(drawn), len(runs), "drawing curves")
        found.append(tuple(drawn))
    return Curves(found[0], found[1], bands.measures(runs), time.monotonic() - began)


def _measured(run: Measured | Seat) -> Measured | None:
    if isinstance(run, Measured):
        return run
    return bands.measured(run.letter, run.opened().view()) if run.has_begun else None


@dataclass(frozen=True, eq=False)
class MeasureOrder:
    """In which world to measure what."""

    world: WorldSpec
    wanted: Experiment


@dataclass(frozen=True)
class MeasuredAll:
    """A measurement is over."""


@in_yard
def measure_gap(order: MeasureOrder, ctx: JobContext) -> Running:
    """Measure on-policy against off-policy at each ε. Raises RLError."""
    from studio.ml.rl.worlds import model_of

    yield Progress(0, 1, "opening the world")
    model = known(model_of(order.world))
    for told in measure(model, order.wanted):
        if isinstance(told, Stage):
            yield Snapshot("stage", told)
        elif isinstance(told, Point):
            yield Snapshot(f"point {told.epsilon:g}", told)
    return MeasuredAll()


@dataclass(frozen=True, eq=False)
class JudgeOrder:
    """In which world to judge what, by the values of a run or, without one, by the best there are."""

    world: WorldSpec
    wanted: Judgement
    seat: Seat | None = None


@in_yard
def judge_policy(order: JudgeOrder, ctx: JobContext) -> Running:
    """Judge one policy by the episodes of another. Raises RLError."""
    from studio.ml.rl.tabular import best_values
    from studio.ml.rl.worlds import model_of

    yield Progress(0, 1, "opening the world")
    model = known(model_of(order.world))
    session = (yield from seated(order.seat)) if order.seat is not None else None
    table = session.view().look.table if session is not None else None
    q = table.q if table is not None else best_values(model, order.wanted.gamma)
    if q is None:
        raise BadWorld("This world has too many states for its best values to be worked out; train a run and judge by that.")
    done = 0
    for told in judge(model, q, order.wanted):
        if isinstance(told, Truth):
            yield Snapshot("truth", told)
        else:
            done += len(told)
            yield Snapshot(f"estimates {done}", told)  # each by a name of its own: of one name only the latest is kept
            yield Progress(done, order.wanted.episodes, "judging")
    return MeasuredAll()


def known(model: Model | None) -> Model:
    """The table of a world that has one. Raises BadWorld."""
    if model is None:
        raise BadWorld("This needs a world whose transition table is known: a grid, or one of toy text.")
    return model


@dataclass(frozen=True, eq=False)
class KeepOrder:
    """Runs to keep as they stand; `asked`: by the person."""

    seats: tuple[Seat, ...]
    asked: bool = False


@in_yard
def keep(order: KeepOrder, ctx: JobContext) -> Running:
    """Keep runs in the store. Raises StoreUnwritable, AnnexEnded."""
    ids = []
    for seat in order.seats:
        session = seat.opened() if seat.has_begun else None
        if session is not None and session.steps:
            yield Progress(len(ids), len(order.seats), f"keeping run {seat.letter}")
            ids.append(keeping.keep(session, ctx.services["results"]))
            seat.kept = session.total
            if session.done:
                yield Offload(remove, seat)  # it is in the History: nothing was broken off
    return KeptRuns(tuple(ids))


@dataclass(frozen=True)
class KeptRuns:
    """Ids in the store, one for each run."""

    ids: tuple[str, ...]


def rl(request: RlRequest, ctx: JobContext) -> Running:
    """Train every run from its beginning to its end, and keep each. Raises RequestError, RLError, StoreUnwritable."""
    ids = []
    for letter, plan in zip(LETTERS, plans(request), strict=False):
        seat = Seat(letter, plan)
        session = yield from seated(seat)
        try:
            whole = plan.steps * plan.seeds
            while not session.done:
                end = time.monotonic() + SLICE
                while not session.done and time.monotonic() < end:
                    session.advance()
                yield Progress(session.total, whole, f"{letter}: {agent_title(plan)}, {session.total:,} of {whole:,} steps")
            ids.append((yield Offload(keeping.keep, session, ctx.services["results"])))
        finally:
            session.close()
    return KeptRuns(tuple(ids))
