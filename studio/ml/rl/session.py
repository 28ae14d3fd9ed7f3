"""A run: one learner for each seed, what is written down of them, and ways back. No clock, no thread, no window.

Each seed's future depends on nothing but its own learner, so the order in which they take turns, watching, evaluating
and saving change no result. The only thing that differs from run to run is the seconds in the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from itertools import count
from math import inf, isnan
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from studio.ml.rl import agents, learners
from studio.ml.rl.errors import BadSetting, BadWorld, Diverged, RLError
from studio.ml.rl.evaluation import Evaluation, evaluate
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.knobs import knob_of, needs_new_run
from studio.ml.rl.learner import Kept, Learner, Look, Phase, Policy, Turn
from studio.ml.rl.marks import FIRST, Best, Mark, Marks, MemberMark, size_of
from studio.ml.rl.plan import Note, Plan, RunView
from studio.ml.rl.record import BEGINNING, POINTS, Curve, Record
from studio.ml.rl.worlds import WorldSpec

__all__ = ["Curve", "Mark", "Note", "Plan", "RunView", "Session"]

Make = Callable[[str, WorldSpec, Any, int, int], Learner]

BOUND = 1000
"""Transitions that a tabular learner makes in one turn at most: a few milliseconds."""
STREAK = 20
"""Episodes whose mean return says which policy was the best."""
PACE = 0.25
"""Seconds of computing over which steps a second are counted."""
ALL_POINTS = 16_000
"""Points of one measure over all seeds; with many seeds each one's curve is thinned further."""


class Session:
    """Raises RLError where the world is not there or the agent is not for it.

    members: learners by seed, None until they are first needed. taken: their steps. records, bests, troubles: of each
    seed. watched: the seed that is looked at. quick: whether a turn makes many transitions, up to an episode's end.
    """

    def __init__(self, plan: Plan, make: Make = learners.make) -> None:
        self.plan, self._make, self._budget = plan, make, plan.steps
        self.quick = learners.kind_of(plan.kind).family == "tabular"
        self.watched = 0
        points = max(256, min(POINTS, ALL_POINTS // plan.seeds))
        self.members: list[Learner | None] = [None] * plan.seeds
        self.records = [Record(points) for _ in range(plan.seeds)]
        self.bests: list[Best | None] = [None] * plan.seeds
        self.troubles = [""] * plan.seeds
        self.diverged: set[int] = set()
        self.notes: list[Note] = []
        self._marks = Marks(max(FIRST, plan.steps // (640 if self.quick else 40)))
        self.taken = [0] * plan.seeds
        self._phase: Phase = "collect"
        self._rate, self._paced = 0.0, (0, 0.0)
        self._looks = count()
        self.member(0)

    def member(self, place: int) -> Learner:
        """The learner of a seed, made when it is first asked for."""
        found = self.members[place]
        if found is None:
            plan = self.plan
            found = self._make(plan.kind, plan.world, plan.settings, plan.seed + place, self._budget)
            self.members[place] = found
        return found

    @property
    def steps(self) -> int:
        """Of the watched seed."""
        return self.taken[self.watched]

    @property
    def total(self) -> int:
        return sum(self.taken)

    @property
    def seconds(self) -> float:
        return sum(record.seconds for record in self.records)

    @property
    def done(self) -> bool:
        """Whether every seed has taken its steps or stopped."""
        return self._next() is None

    def watch(self, place: int) -> None:
        if not 0 <= place < self.plan.seeds:
            raise BadSetting(f"This run has {self.plan.seeds} seeds; there is none numbered {place}.")
        self.member(place)
        self.watched = place

    def extend(self, steps: int) -> None:
        """Another budget of steps for each seed, also while running."""
        self.plan = replace(self.plan, steps=steps)

    def _going(self) -> list[float]:
        """Steps of each seed; of those that stopped, infinitely many."""
        if not any(self.troubles):
            return self.taken  # type: ignore[return-value]
        return [inf if why else taken for taken, why in zip(self.taken, self.troubles, strict=True)]

    def _next(self) -> int | None:
        taken = self._going()
        fewest = min(taken)
        if fewest >= self.plan.steps:
            return None
        return self.watched if taken[self.watched] == fewest else taken.index(fewest)

    def _reached(self) -> int:
        """Steps that every seed has made, those that stopped left out."""
        fewest = min(self._going())
        return min(self.taken) if fewest == inf else int(fewest)

    def advance(self, limit: int = BOUND) -> Turn:
        """One bounded step of the seed with the fewest steps. limit: transitions of a tabular learner at most.

        A seed that fails stops with its sentence in `troubles`; the others go on.
        """
        place = self._next()
        return Turn("collect") if place is None else self._turn(place, limit)

    def step(self) -> Turn:
        """The smallest step of the watched seed."""
        done = self.troubles[self.watched] or self.steps >= self.plan.steps
        return Turn("collect") if done else self._turn(self.watched, 1)

    def _turn(self, place: int, limit: int) -> Turn:
        if self._reached() >= self._marks.due and not self._marks.trouble:
            self.mark(lasting=False)
        learner, turn = None, Turn("collect")
        before, began = self.taken[place], perf_counter()
        try:
            learner = self.member(place)
            # Only tabular learners are quick enough to make many transitions in one bounded step.
            if self.quick:
                turn = learner.advance(min(limit, self._marks.ahead(before), self.plan.steps - before))  # type: ignore[call-arg]
            else:
                turn = learner.advance()
        except RLError as error:
            self.troubles[place] = str(error)
            if isinstance(error, Diverged):
                self.diverged.add(place)
        seconds = perf_counter() - began
        if learner is not None:
            self.taken[place] = learner.steps
        self.records[place].hear(turn, self.taken[place], seconds)
        self._pace(self.taken[place] - before, seconds)
        if turn.episodes:
            self._better(place, len(turn.episodes))
        if place == self.watched:
            self._phase = turn.phase
        return turn

    def _pace(self, steps: int, seconds: float) -> None:
        self._paced = (self._paced[0] + steps, self._paced[1] + seconds)
        if self._paced[1] >= PACE:
            self._rate, self._paced = self._paced[0] / self._paced[1], (0, 0.0)

    def _better(self, place: int, ended: int) -> None:
        """Keeps the policy where its last episodes were better than any before. Looked at twice in a streak."""
        record, often = self.records[place], STREAK // 2
        if record.episodes // often == (record.episodes - ended) // often:
            return
        mean, best, learner = record.recent_mean(STREAK), self.bests[place], self.members[place]
        if learner is not None and not isnan(mean) and (best is None or mean > best.mean):
            self.bests[place] = Best(learner.policy(), agents.weights(learner), mean, learner.steps)

    def change(self, settings: Any) -> None:
        """Other settings for every seed from its next step on, noted on the curves. Raises BadSetting.

        Seeds that diverged kept their last good values, and go on with the new settings.
        """
        if type(settings) is not type(self.plan.settings):
            raise BadSetting(f"{self.plan.kind} takes {type(self.plan.settings).__name__}.")
        if fixed := needs_new_run(self.plan.settings, settings):
            raise BadSetting(f"{', '.join(fixed)} cannot be changed in a run; start a new one.")
        told = _differences(self.plan.settings, settings)
        for learner in self._made():
            learner.change(settings)
        self.plan = replace(self.plan, settings=settings)
        self.diverged, self.troubles = set(), ["" if k in self.diverged else t for k, t in enumerate(self.troubles)]
        if told:
            self.notes.append(Note(self.steps, told))

    def edit(self, grid: GridWorld, text: str = "World edited") -> None:
        """Another grid under every seed, at the same cells; noted on the curves. Raises BadWorld."""
        if grid == self.plan.world.grid:
            return
        if self.plan.world.grid is None:
            raise BadWorld(f"{self.plan.world.title} cannot be edited; only grid worlds can.")
        made = self._made()
        if not all(hasattr(learner, "edit") for learner in made):
            raise BadWorld("Only tabular agents can have their world edited while they learn; start a new run in it.")
        for learner in made:
            learner.edit(grid)  # type: ignore[attr-defined]
        self.plan = replace(self.plan, world=replace(self.plan.world, grid=grid))
        self.notes.append(Note(self.steps, text))

    def _made(self) -> list[Learner]:
        return [learner for learner in self.members if learner is not None]

    def policy(self, which: Literal["current", "best"] = "current", place: int | None = None) -> Policy:
        """Of a seed, the watched one unless told otherwise: as it is, or the best so far, if there is one."""
        here = self.watched if place is None else place
        best = self.bests[here]
        return self.member(here).policy() if which == "current" or best is None else best.policy

    def evaluate(
        self, episodes: int = 10, which: Literal["current", "best"] = "current", place: int | None = None
    ) -> Iterator[Evaluation]:
        """Episodes without exploration in a world of their own; nothing of the run changes."""
        return evaluate(self.policy(which, place), self.plan.world, self.plan.seed, episodes)

    def view(self, *, frame: bool = False) -> RunView:
        """All that a window shows; changes nothing. frame: with a picture of the world, where there is one."""
        learner, record = self.member(self.watched), self.records[self.watched]
        measures = dict.fromkeys(name for r in self.records for name in r.series)
        curves = {name: tuple(r.curve(name) for r in self.records) for name in measures}
        return RunView(
            self.plan, self.steps, self.total, learner.updates, self._phase, self.seconds, self._rate, self.watched,
            _looked(learner, frame), curves, tuple(m.place for m in self._marks.kept),
            tuple(record.recent), record.best,
            tuple(self.notes), self.done, self.trouble, next(self._looks),
        )  # fmt: skip

    @property
    def trouble(self) -> str:
        """What stopped seeds, and why there are no marks, in sentences."""
        told = [f"Seed {self.plan.seed + k}: {why}" for k, why in enumerate(self.troubles) if why]
        return "\n".join([*told, self._marks.trouble] if self._marks.trouble else told)

    @property
    def exact(self) -> bool:
        """Whether a rewound or opened run goes on bit for bit; agents of other libraries begin their rollout anew."""
        return all(getattr(learner, "exact_resume", True) for learner in self._made())

    def marks(self) -> tuple[Mark, ...]:
        return tuple(self._marks.kept)

    def mark(self, *, lasting: bool = True) -> Mark | None:
        """Marks this moment, to come back to; None where that is not possible, and `trouble` says why."""
        kept, size, steps = list[Kept | None](), 0, self._reached()
        try:
            for learner in self.members:
                kept.append(None if learner is None else learner.keep())
                size += size_of(kept[-1])
                if self._marks.too_large(steps, size):
                    return None
        except RLError as error:
            self._marks.trouble = f"This run cannot be rewound: {error}"
            return None
        members = tuple(
            None if k is None else MemberMark(k, record.mark(), trouble, best)
            for k, record, trouble, best in zip(kept, self.records, self.troubles, self.bests, strict=True)
        )
        mark = Mark(
            self._marks.made, steps, members, self.plan.settings, self.plan.world, len(self.notes), size, lasting
        )  # fmt: skip
        self._marks.take(mark)
        return mark

    def rewind(self, mark: Mark) -> None:
        """Back to a mark, the curves too; what came after is forgotten. Raises BadSetting, BadCheckpoint."""
        self._known(mark)
        self._put_back(mark)
        for record, member in zip(self.records, mark.members, strict=True):
            record.cut(BEGINNING if member is None else member.record)
        del self.notes[mark.notes :]
        self._marks.back_to(mark)

    def branch(self, mark: Mark, settings: Any = None, grid: GridWorld | None = None) -> Session:
        """A new run that begins at a mark with this one's past, to be compared with it.

        Raises as `rewind`, `change` and `edit`.
        """
        self._known(mark)
        plan = replace(self.plan, settings=mark.settings, world=mark.world)
        branch = Session(plan, self._make)
        branch.watched, branch.notes = self.watched, self.notes[: mark.notes]
        branch._put_back(mark)
        for place, (record, member) in enumerate(zip(self.records, mark.members, strict=True)):
            if member is not None:
                branch.records[place] = record.copy()
                branch.records[place].cut(member.record)
        branch._marks.interval, branch._marks.made = self._marks.interval, mark.number + 1
        branch._marks.kept = list(self._marks.kept)
        branch._marks.back_to(mark)
        try:
            if settings is not None:
                branch.change(settings)
            if grid is not None:
                branch.edit(grid)
        except RLError:
            branch.close()
            raise
        return branch

    def _known(self, mark: Mark) -> None:
        if mark not in self._marks.kept:
            raise BadSetting("This mark is no longer kept; choose one of those that are.")

    def _put_back(self, mark: Mark) -> None:
        """Every seed where it was at the mark; all as they were if one cannot be."""
        before: list[tuple[Learner, Kept]] = []
        plan = self.plan
        try:
            for place, member in enumerate(mark.members):
                if member is not None:
                    learner = self.member(place)
                    before.append((learner, learner.keep()))
                    _settle(learner, mark.settings, mark.world.grid)
                    learner.put_back(member.kept)
        except RLError:
            for learner, kept in before:
                _settle(learner, plan.settings, plan.world.grid)
                learner.put_back(kept)
            raise
        self.plan = replace(plan, settings=mark.settings, world=mark.world)
        for place, member in enumerate(mark.members):
            if member is None:
                self._forget(place)
            else:
                self.taken[place] = self.member(place).steps
                self.troubles[place], self.bests[place] = member.trouble, member.best
                if not member.trouble:
                    self.diverged.discard(place)

    def _forget(self, place: int) -> None:
        """A seed begins anew when its turn comes."""
        learner = self.members[place]
        self.members[place], self.taken[place], self.troubles[place], self.bests[place] = None, 0, "", None
        if learner is not None:
            learner.close()

    def export(self, folder: Path, which: Literal["current", "best"] = "current", place: int | None = None) -> None:
        """A seed's agent as agent.safetensors and agent.json, which `agents.load` takes. Raises OSError, BadSetting."""
        here = self.watched if place is None else place
        best = self.bests[here]
        kept = agents.weights(self.member(here)) if which == "current" or best is None else best.weights
        if kept is None:
            raise BadSetting("Agents of other libraries are not exported here; save the run instead.")
        agents.export(replace(self.plan, seed=self.plan.seed + here, seeds=1), kept, folder)

    def save(self, folder: Path) -> None:
        """A checkpoint that `open` goes on from exactly. Raises OSError; the one before then stays."""
        from studio.ml.rl.store import save

        save(self, folder)

    @classmethod
    def open(cls, folder: Path, make: Make = learners.make) -> Session:
        """Raises BadCheckpoint."""
        from studio.ml.rl.store import open_session

        return open_session(folder, make)

    def close(self) -> None:
        """Lets go of the learners' worlds."""
        for learner in self._made():
            learner.close()


def _looked(learner: Learner, frame: bool) -> Look:
    """A look at a learner whose world may have come to its end: then without a picture of it."""
    try:
        return learner.look(frame=frame)
    except RLError:
        return learner.look()


def _settle(learner: Learner, settings: Any, grid: GridWorld | None) -> None:
    """The settings and the grid that a kept state was made with."""
    if learner.settings != settings:
        learner.change(settings)
    if grid is not None and hasattr(learner, "edit"):
        learner.edit(grid)


def _differences(before: Any, after: Any) -> str:
    changed = (f for f in fields(before) if getattr(before, f.name) != getattr(after, f.name))
    return ", ".join(
        f"{knob_of(f).label} {_shown(getattr(before, f.name))} → {_shown(getattr(after, f.name))}" for f in changed
    )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
