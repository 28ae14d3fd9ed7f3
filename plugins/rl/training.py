"""The jobs of a run: train it, one step of it, and everything that is done to it between two steps."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import cycle
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Log, Offload, Progress, Snapshot, Wait
from studio.ml.rl.errors import BadSetting, RLError
from studio_plugins.rl import keeping
from studio_plugins.rl.plans import agent_title
from studio_plugins.rl.seat import Clock, Seat, let_go
from studio_plugins.rl.shared import forget
from studio_plugins.rl.yard import in_yard

if TYPE_CHECKING:
    from studio.ml.rl.marks import Mark
    from studio.ml.rl.plan import Plan
    from studio.ml.rl.session import Session
    from studio.ml.rl.worlds import WorldSpec

Running = Generator[Event | Offload | Wait, Any, Any]

log = logging.getLogger("studio.rl")

SLICE = 0.005
"""Seconds of training between two words to the engine: others on the lane wait no longer."""
RATE, PACED_RATE = 16.0, 30.0
"""Looks a second at all runs together while they go as fast as they can, and at each while their pace is set: what the
window paints takes its own time, and where both share an interpreter, that of the training too."""
SHARE = 25.0
"""A look is had no sooner than this many times what the last one cost: watching takes at most 4 % of the time."""
SAVE_EVERY = 20.0
"""Seconds between checkpoints."""
SAVE_SHARE = 25.0
"""The next checkpoint is taken no sooner than this many times what the last one took."""
STRIDES = (3, 11, 6, 2, 9, 14, 5, 8, 1, 12)
"""Single steps before a look at a quick run, which otherwise would always be seen at the end of an episode."""
CURVES_EVERY = 0.3
"""Seconds between two looks with curves; the others leave them as they were."""
BOUND = 1000
"""Transitions of a table in one go, at most."""
_REST, _PATIENCE = 0.02, 0.004


@dataclass(frozen=True, eq=False)
class TrainOrder:
    """Which run to train, and the clock it keeps."""

    seat: Seat
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True, eq=False)
class Trained:
    """A run has used up its steps, or all its seeds have met trouble. `view` is the last look."""

    seat: Seat
    view: Any


@dataclass(frozen=True, eq=False)
class Looked:
    """What a run looks like after something was done to it; `text` says what, `back` whether it went back to a mark."""

    seat: Seat
    view: Any
    text: str = ""
    back: bool = False


class Watch:
    """When to look: as often as the eye wants, and never so often that it slows the training down."""

    def __init__(self, order: TrainOrder) -> None:
        self._order = order
        self._next = 0.0

    def due(self) -> bool:
        return time.monotonic() >= self._next

    def looked(self, began: float) -> None:
        """A look that began then (monotonic seconds) is over."""
        now = time.monotonic()
        runs = max(1, sum(seat.trains for seat in self._order.clock.seats))
        rate = RATE / runs if self._order.seat.pace.speed is None else PACED_RATE
        self._next = now + max(1 / rate, SHARE * (now - began))


@in_yard
def train(order: TrainOrder, ctx: JobContext) -> Running:
    """Train a run until its steps are used up. Raises RLError."""
    seat = order.seat
    session = yield from seated(seat)
    words = f"{seat.letter}: {agent_title(seat.plan)}"
    watch, saver, strides = Watch(order), Saver(seat), cycle(STRIDES if session.quick else (0,))
    whole = 0.0
    seat.pace.begin(session.steps)
    seat.trains = True
    try:
        while not session.done:
            hold = _advance(seat, order.clock)
            if watch.due() and seat.watched:
                began = time.monotonic()
                for _ in range(next(strides) if seat.pace.speed is None else 0):
                    session.step()
                view, with_curves = session.view(frame=True), began >= whole + CURVES_EVERY
                whole = began if with_curves else whole
                watch.looked(began)
                yield Snapshot("run with curves", view) if with_curves else Snapshot("run", replace(view, curves={}))
            yield Progress(session.steps, session.plan.steps, words)
            if saver.due():
                yield from saver.save()
            if hold:
                yield Wait(hold)
    except GeneratorExit:
        _break_off(seat, session)
        raise
    finally:
        seat.trains = False
    yield from saver.save()
    return Trained(seat, session.view(frame=True))


def _advance(seat: Seat, clock: Clock) -> float:
    """As many steps as a slice of time, the pace and the clock allow. Returns how long to wait before the next ones."""
    session = seat.opened()
    paced = seat.pace.allowance(session.steps)
    if paced < 1:
        return min(_REST, (1 - paced) / (seat.pace.speed or 1.0))
    allowed = min(paced, clock.allowance(seat))
    if allowed < 1:
        return _PATIENCE
    end, first = time.monotonic() + SLICE, session.steps
    while not session.done and time.monotonic() < end:
        left = allowed - (session.steps - first)
        if left < 1:
            break
        session.advance(int(min(left, BOUND)))
    return 0.0


def seated(seat: Seat) -> Running:
    """The run's session, made if it has none yet: its libraries are loaded beside the lane. Raises AnnexEnded."""
    if seat.session is None and not seat.begun:
        yield Progress(0, seat.plan.steps, "opening the world")
        yield Offload(load, seat.plan)
        from studio.ml.rl.session import Session

        if seat.session is None:  # another job may have opened it meanwhile
            seat.session = Session(seat.plan)
    return seat.opened()


@dataclass(frozen=True)
class Readying:
    """A world, and agents that may be trained in it soon."""

    world: WorldSpec
    kinds: tuple[str, ...]


@in_yard
def make_ready(order: Readying, ctx: JobContext) -> Running:
    """Import what training them needs, before anybody waits for it."""
    for kind in order.kinds:
        yield Progress(0, 1, "getting ready to train")
        yield Offload(_load, order.world, kind)


def load(plan: Plan) -> None:
    """The libraries of a world and an agent, which take a second to import."""
    _load(plan.world, plan.kind)


def _load(world: WorldSpec, kind: str) -> None:
    from studio.ml.rl.learners import LEARNERS
    from studio.ml.rl.worlds import describe

    describe(world)
    if LEARNERS[kind].family == "deep":
        import_module(f"studio.ml.rl.deep.{kind}")
        import_module("torch._dynamo")  # the first optimiser of torch imports it, which takes seconds


class Saver:
    """Writes the checkpoints of a run, every `SAVE_EVERY` seconds and never so often that training is held up by them.

    They are taken on the lane, in memory, and written beside it. What cannot be written stops nothing, but is told once.
    """

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._next = time.monotonic() + SAVE_EVERY
        self._told = False

    def due(self) -> bool:
        return self._seat.folder is not None and time.monotonic() >= self._next

    def save(self) -> Running:
        """One checkpoint; the one before it stays where this one cannot be written."""
        from studio.ml.rl import store

        seat, began = self._seat, time.monotonic()
        if seat.folder is None or seat.session is None:
            return
        try:
            yield Offload(_write, seat, store.prepare(seat.session))
            self._told = False
        except (OSError, RLError, MemoryError) as error:
            if not self._told:
                why = error.strerror if isinstance(error, OSError) and error.strerror else error or "too little memory"
                yield Log(f"No checkpoint of {seat.letter} could be written: {why}. The training goes on.", "warning")
            self._told = True
        now = time.monotonic()
        self._next = now + max(SAVE_EVERY, SAVE_SHARE * (now - began))


@in_yard
def write_checkpoint(seat: Seat, ctx: JobContext) -> Running:
    """Write a checkpoint of a run between two of its steps."""
    yield Progress(0, 1, f"writing a checkpoint of {seat.letter}")
    yield from Saver(seat).save()


def _write(seat: Seat, prepared: Any) -> None:
    from studio.ml.rl import store

    with seat.disk:
        if seat.folder is not None and not seat.dropped:
            store.write(prepared, seat.folder)


def _break_off(seat: Seat, session: Session) -> None:
    """The training was broken off: what there is stays on the disk, to be gone on with."""
    from studio.ml.rl import store

    if seat.folder is not None and not seat.dropped:
        try:
            _write(seat, store.prepare(session))
        except (OSError, RLError, MemoryError) as error:
            log.warning("The last checkpoint in %s could not be written: %s", seat.folder, error)
    if seat.left:
        leave(seat)


def leave(seat: Seat) -> None:
    """The panel of a run has closed: its worlds are closed, and its checkpoint is for whoever takes it up."""
    session, seat.session = seat.session, None
    if session is not None:
        session.close()
    let_go(seat.folder)
    forget(seat)


def remove(seat: Seat) -> None:
    """Take a run's checkpoints from the disk."""
    if seat.folder is None:
        return
    with seat.disk:
        shutil.rmtree(seat.folder, ignore_errors=True)


# --- between two steps ---


@dataclass(frozen=True, eq=False)
class Deed:
    """Something done to a run between two steps of its training; `text` says what, when it is done; `back`: it goes back."""

    seat: Seat
    do: Callable[[Session], object]
    text: str = ""
    back: bool = False


@in_yard
def act(deed: Deed, ctx: JobContext) -> Running:
    """Do it, and look. Raises RLError, AnnexEnded."""
    session = yield from seated(deed.seat)
    deed.do(session)
    if session.total < deed.seat.kept:
        deed.seat.kept = -1  # it went back: what comes now is not what was kept
    deed.seat.pace.begin(session.steps)
    return Looked(deed.seat, session.view(frame=True), deed.text, deed.back)


def look(_session: Session) -> None:
    """Nothing: a look at a run comes with everything that is done to it."""


def step(session: Session) -> None:
    """The smallest step."""
    session.step()


def go_back(session: Session, number: int) -> None:
    """To the mark of that number. Raises RLError."""
    session.rewind(marked(session, number))


@dataclass(frozen=True, eq=False)
class BranchOrder:
    """A new run from a mark of another, by its number, to be seated in `into`; `settings`: other ones, or None."""

    seat: Seat
    into: Seat
    number: int
    settings: Any = None


def marked(session: Session, number: int) -> Mark:
    """The mark of that number. Raises BadSetting where it was let go meanwhile."""
    for mark in session.marks():
        if mark.number == number:
            return mark
    raise BadSetting("This mark was let go meanwhile, to make room; choose another one.")


@dataclass(frozen=True, eq=False)
class Branched:
    """The run that branched off, in its seat."""

    source: Seat
    seat: Seat
    view: Any


@in_yard
def branch(order: BranchOrder, ctx: JobContext) -> Running:
    """Let a new run begin at a mark of a run. Raises RLError, AnnexEnded."""
    session = yield from seated(order.seat)
    yield Progress(0, 1, "branching off")
    found = session.branch(marked(session, order.number), order.settings)
    order.into.session, order.into.plan = found, found.plan
    return Branched(order.seat, order.into, found.view(frame=True))


@in_yard
def retire(seat: Seat, ctx: JobContext) -> Running:
    """Keep a run in the History if it has gone on since it was last kept, then let go of its worlds and checkpoints.

    Raises StoreUnwritable, and then nothing is let go of. The checkpoints of a run that is lost stay.
    """
    session, lost = seat.session, seat.session is None and seat.begun
    kept = ""
    if session is not None and session.total > max(0, seat.kept) and "results" in ctx.services:
        yield Progress(0, 1, f"keeping run {seat.letter}")
        kept = yield Offload(keeping.keep, session, ctx.services["results"])
        seat.kept = session.total
    seat.session = None
    if session is not None:
        session.close()
    if not lost:
        yield Offload(remove, seat)
    let_go(seat.folder)
    forget(seat)
    return Retired(seat, kept)


@dataclass(frozen=True, eq=False)
class Retired:
    """A run that was let go of; `record_id` in the store, or empty."""

    seat: Seat
    record_id: str
