"""A run as the window and its jobs share it: the jobs own the session, the window only turns the dials.

All jobs of a run are on the compute lane of one engine, one step at a time, so a session is never touched by two at once:
a training is paused, a rewind runs, the training goes on. Where that engine is in another process, the session is there
only; the dials are single values that are written here and read there (`shared`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from studio.engine import AnnexEnded
from studio.ml.rl.errors import BadSetting
from studio_plugins.rl.shared import Shared

if TYPE_CHECKING:
    from studio.ml.rl.plan import Plan
    from studio.ml.rl.session import Session

LETTERS = "ABCD"
AHEAD = 256
"""Environment steps of one seed by which a run may be in front of the slowest while they keep together."""


class Pace(Shared):
    """How fast a run may go: steps a second of one seed; None is as fast as it can."""

    turned = ("speed",)

    def __init__(self, speed: float | None = None) -> None:
        super().__init__()
        self.speed = speed
        self._kept: float | None = None
        self._since = 0.0
        self._from = 0

    def begin(self, steps: int) -> None:
        """From now on, with so many steps made: after a pause, a rewind, another speed."""
        self._since, self._from = time.monotonic(), steps

    def allowance(self, steps: int) -> float:
        """How many more steps may be made now; infinite without a limit."""
        if self.speed is None:
            return float("inf")
        if self.speed != self._kept:
            self._kept = self.speed
            self.begin(steps)
        due = self._from + (time.monotonic() - self._since) * self.speed
        if due - steps > 2 + self.speed / 4:  # it could not keep up: what it owes is not made up for later
            self.begin(steps)
            return 1.0
        return due - steps


class Seat(Shared):
    """One run. `trains` while a job advances it, `letter` is its name on the screen; `folder` takes its checkpoints."""

    turned = ("letter", "begun", "dropped", "left", "held", "watched")

    def __init__(self, letter: str, plan: Plan, folder: Path | None = None, pace: Pace | None = None) -> None:
        super().__init__()
        self.letter, self.plan, self.folder = letter, plan, folder
        self.seen: Plan | None = None
        """Its plan when it was last looked at."""
        self.session: Session | None = None
        self.begun = False
        """Whether it was seen: then it has a session, or had one that is lost."""
        self.disk = Lock()
        """Held by whoever writes or removes its checkpoints: a write that was begun cannot be called back."""
        self.dropped = False
        """Whether nobody wants it any more: then no checkpoint of it is written."""
        self.left = False
        """Whether its panel has closed: then it may be taken up by another, once its last checkpoint is written."""
        self.kept = -1
        """Steps of all seeds when it was last kept in the History."""
        self.pace = pace or Pace()
        self.trains = False
        self.held = False
        """Whether it is paused: then nobody waits for it."""
        self.watched = True
        """Whether somebody looks: a hidden panel needs no pictures."""

    @property
    def now(self) -> Plan:
        """Its plan as it stands, with what was changed in it while it ran."""
        return self.session.plan if self.session is not None else self.seen or self.plan

    def made_of(self) -> tuple[Any, ...]:
        return self.letter, self.plan, self.folder, self.pace

    @property
    def steps(self) -> int:
        """Environment steps of the watched seed."""
        return 0 if self.session is None else self.session.steps

    @property
    def has_begun(self) -> bool:
        """Whether it has a session, or had one and is still wanted."""
        return self.session is not None or self.begun and not self.dropped

    def opened(self) -> Session:
        """The session of a run that has begun. Raises AnnexEnded where it is lost with the process that held it."""
        if self.session is not None:
            return self.session
        if self.dropped:
            raise BadSetting(f"Run {self.letter} was let go of meanwhile.")
        raise AnnexEnded(f"Run {self.letter} is no longer in memory: the process that trained it has ended.")

    def __repr__(self) -> str:
        return f"<Seat {self.letter} {self.plan.kind}, {self.steps} steps>"


class Clock(Shared):
    """One clock for runs side by side: none gets further ahead in steps than the slowest allows."""

    turned = ("seats", "together")

    def __init__(self, seats: Sequence[Seat] = (), together: bool = True) -> None:
        super().__init__()
        self.seats, self.together = tuple(seats), together

    def allowance(self, seat: Seat) -> float:
        """How many more steps this run may make before the others have followed; infinite where it is alone."""
        others = [other.steps for other in self.seats if other is not seat and other.trains and not other.held]
        return min(others) + AHEAD - seat.steps if self.together and others else float("inf")


_HELD: set[Path] = set()


def hold(folder: Path) -> None:
    """A run of this process writes its checkpoints there: nobody is offered it as broken off."""
    _HELD.add(folder)


def let_go(folder: Path | None) -> None:
    """No run of this process writes there any more."""
    if folder is not None:
        _HELD.discard(folder)


def is_held(folder: Path) -> bool:
    """Whether a run of this process writes its checkpoints there."""
    return folder in _HELD
