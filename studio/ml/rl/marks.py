"""Marks to go back to: all that a run's future depends on at one moment, kept often early and never too many.

When there are too many, or they take too much memory, every second one is let go and the next ones are taken half as
often: so they always reach from the first step to the last. A learner too large to be kept is said to be so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from studio.ml.rl.learner import Kept, Policy
from studio.ml.rl.record import RecordMark

if TYPE_CHECKING:
    from studio.ml.rl.worlds import WorldSpec

MOST = 40
ROOM = 512 * 2**20
"""Bytes that all marks of a run may take together."""
FIRST = 64
"""Steps of each seed between the first marks of a run that is cheap to keep."""


class Place(NamedTuple):
    """Where a mark is, without what it keeps. good: no seed had stopped there."""

    number: int
    steps: int
    good: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The policy that did best in training: its mean return over the last episodes, and when that was.

    weights: what it acts by, for files; None where the agent has no such (`agents.weights`).
    """

    policy: Policy
    weights: Kept | None
    mean: float
    steps: int


@dataclass(frozen=True, slots=True, eq=False)
class MemberMark:
    """One seed at a mark."""

    kept: Kept
    record: RecordMark
    trouble: str
    best: Best | None


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """A moment of a run. steps: of the seed that had made fewest. members: None for a seed that had not begun.

    settings, world: as they were then. notes: how many edits had been made. size: bytes it takes. lasting: made by a
    person, and so not thinned out with the others.
    """

    number: int
    steps: int
    members: tuple[MemberMark | None, ...] = field(repr=False)
    settings: Any
    world: WorldSpec
    notes: int
    size: int
    lasting: bool = False

    @property
    def place(self) -> Place:
        return Place(self.number, self.steps, not any(member and member.trouble for member in self.members))


def size_of(kept: Kept | None) -> int:
    """Bytes, roughly: arrays by their size, and each number of the rest as Python holds it."""
    if kept is None:
        return 0
    return sum(array.nbytes for array in kept.arrays.values()) + 40 * _numbers(kept.data)


def _numbers(data: Any) -> int:
    if isinstance(data, dict):
        return sum(map(_numbers, data.values()))
    return sum(map(_numbers, data)) if isinstance(data, list) else 1


class Marks:
    """The marks of one run. trouble: why there are none any more, in words, or nothing."""

    def __init__(self, interval: int = FIRST, room: int = ROOM) -> None:
        self.interval, self.room = max(interval, 1), room
        self.due, self.made = 0, 0
        self.kept: list[Mark] = []
        self.trouble = ""

    def too_large(self, steps: int, size: int) -> bool:
        """Whether a mark of that size is too large to be taken; then `trouble` says so."""
        if size <= self.room // 4:
            return False
        self.trouble = (
            f"From step {steps} on this run cannot be rewound: a mark takes more than {size / 2**20:,.0f} MiB of the "
            f"{self.room / 2**20:,.0f} MiB there are for all. A smaller replay buffer or fewer seeds would fit."
        )
        return True

    def ahead(self, steps: int) -> int:
        """How many steps a seed that has made `steps` is from the next mark, so that all are at the same step there; from
        the one after it for a seed that is past it."""
        return self.due - steps if steps < self.due else self.interval - (steps - self.due) % self.interval

    def take(self, mark: Mark) -> None:
        """Adds a mark and makes room for it."""
        self.made = mark.number + 1
        self.kept.append(mark)
        while self._too_many():
            passing = [kept for kept in self.kept if not kept.lasting]
            gone = set(map(id, passing[1::2] if len(passing) > 1 else self.kept[:1]))
            self.kept, self.interval = [kept for kept in self.kept if id(kept) not in gone], self.interval * 2
        self.due = (mark.steps // self.interval + 1) * self.interval

    def _too_many(self) -> bool:
        passing = sum(not mark.lasting for mark in self.kept)
        return passing > MOST or len(self.kept) > 1 and sum(mark.size for mark in self.kept) > self.room

    def back_to(self, mark: Mark) -> None:
        """Forgets what came after a mark."""
        self.kept = [kept for kept in self.kept if kept.number <= mark.number]
        self.due, self.trouble = (mark.steps // self.interval + 1) * self.interval, ""


def nearest(marks: Sequence[Mark], steps: int) -> Mark | None:
    """The last mark at or before `steps`."""
    return max((mark for mark in marks if mark.steps <= steps), key=lambda mark: mark.number, default=None)
