"""What tabular agents share: a table of action values, a place in the world, one random stream, and exact checkpoints.

An agent is advanced by `step()`, one transition at a time, and is its own iterator. Everything its future depends on
lies in its fields between two steps, so whoever advances it may pause, watch, or save without changing anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from random import Random
from typing import Any, ClassVar, NamedTuple

from studio.ml.rl.errors import BadCheckpoint, BadSetting, Diverged
from studio.ml.rl.exploration import EpsilonGreedy, Exploration
from studio.ml.rl.walk import Environment, set_stream, stream_state

Table = list[list[float]]

TOO_LARGE = 1e100
"""Values from here on are growing without bound. Far below overflow, so that what is kept is still numbers."""


class Update(NamedTuple):
    """One value that moved: new = old + step * error, error = target − old.

    through: the next action whose value stands in the target; None where the target ends or averages over actions.
    """

    state: int
    action: int
    old: float
    target: float
    error: float
    new: float
    through: int | None


class Transition(NamedTuple):
    """One step in the world and what was learnt from it.

    episode, time: counted from 0. terminated: the world ended the episode; truncated: the step limit did. total: the
    episode's rewards so far. updates: in the order they were made.
    """

    episode: int
    time: int
    state: int
    action: int
    reward: float
    next: int
    terminated: bool
    truncated: bool
    total: float
    updates: tuple[Update, ...]

    @property
    def last(self) -> bool:
        return self.terminated or self.truncated


@dataclass(frozen=True)
class Settings:
    """alpha: step size α in (0, 1]. gamma: discount γ in [0, 1]. initial: the first value of every action.

    limit: steps after which an episode is cut; what would have followed is still in the target. Raises BadSetting.
    """

    alpha: float = 0.5
    gamma: float = 1.0
    exploration: Exploration = EpsilonGreedy()
    initial: float = 0.0
    limit: int = 10_000

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise BadSetting(f"The step size is above 0 and at most 1, not {self.alpha}.")
        if not 0 <= self.gamma <= 1:
            raise BadSetting(f"The discount is from 0 to 1, not {self.gamma}.")
        if not isfinite(self.initial):
            raise BadSetting(f"The first value is a finite number, not {self.initial}.")
        if self.limit < 1:
            raise BadSetting(f"An episode has at least one step, not {self.limit}.")


class Agent(ABC):
    """A learner in a world. `settings` may be replaced between two steps, as a slider does."""

    name: ClassVar[str]
    on_policy: ClassVar[bool]
    """Whether the values it learns are those of the policy it acts by."""
    _kept: ClassVar[tuple[str, ...]] = ("episode", "time", "total", "state", "action", "q")

    def __init__(self, world: Environment, settings: Settings | None = None, seed: int = 0) -> None:
        self.world, self.settings, self.seed = world, settings or Settings(), seed
        self.q: Table = self._table()
        self.episode, self.time, self.total = 0, 0, 0.0
        self.state: int | None = None
        self.action: int | None = None
        self._random = Random(f"agent {seed}")
        world.reset(seed)

    def _table(self) -> Table:
        return [[self.settings.initial] * self.world.actions for _ in range(self.world.states)]

    def __iter__(self) -> Iterator[Transition]:
        while True:
            yield self.step()

    @abstractmethod
    def step(self) -> Transition:
        """One transition and what is learnt from it."""

    def values(self) -> Table:
        """The action values that the agent acts by, [S][A]."""
        return self.q

    def choose(self, state: int) -> int:
        return self.settings.exploration.choose(self.q[state], self.episode, self._random.random())

    def _here(self) -> tuple[int, int]:
        """S and A: where the agent stands, and what it does there. Begins the episode where none is under way."""
        if self.state is None:
            self.state, self.action, self.time, self.total = self.world.reset(), None, 0, 0.0
        if self.action is None:
            self.action = self.choose(self.state)
        return self.state, self.action

    def _moved(self, table: Table, state: int, action: int, target: float, through: int | None, step: float) -> Update:
        """Q(S, A) ← Q(S, A) + step · (target − Q(S, A)). Raises Diverged."""
        old = table[state][action]
        error = target - old
        new = old + step * error
        if not abs(new) < TOO_LARGE:
            raise Diverged(state, action, target)
        table[state][action] = new
        return Update(state, action, old, target, error, new, through)

    def _cut(self, end: bool) -> bool:
        return not end and self.time + 1 >= self.settings.limit

    def _told(
        self,
        state: int,
        action: int,
        reward: float,
        following: int,
        end: bool,
        next_action: int | None,
        updates: tuple[Update, ...],
    ) -> Transition:
        """Goes on to the next state; `next_action` is None where it is yet to be chosen."""
        cut = self._cut(end)
        self.total += reward
        told = Transition(self.episode, self.time, state, action, reward, following, end, cut, self.total, updates)
        if end or cut:
            self.episode, self.state, self.action = self.episode + 1, None, None
        else:
            self.state, self.action = following, next_action
        self.time += 1
        return told

    def checkpoint(self) -> dict[str, Any]:
        """All that the rest of the run depends on but settings and the world's map, as JSON."""
        fields = {name: _copied(getattr(self, name)) for name in self._kept}
        streams = {"random": stream_state(self._random), "world": self.world.keep()}
        return {"agent": self.name, "seed": self.seed, **streams, **fields}

    def resume(self, kept: dict[str, Any]) -> None:
        """Goes on where `checkpoint` was taken. Raises BadCheckpoint and then leaves the agent as it was."""
        if kept.get("agent") != self.name:
            made = kept.get("agent")
            raise BadCheckpoint(f"This checkpoint was made by {made}, and the agent is {self.name}; choose that agent.")
        if missing := {"seed", "random", "world", *self._kept} - kept.keys():
            names = ", ".join(sorted(missing))
            raise BadCheckpoint(f"The checkpoint lacks {names}; it may have been cut short. Take an earlier one.")
        if [len(row) for row in kept["q"]] != [self.world.actions] * self.world.states:
            size = f"{self.world.states} states and {self.world.actions} actions"
            raise BadCheckpoint(f"The checkpoint is of another world; this one has {size}. Open the right one.")
        stream = Random()
        set_stream(stream, kept["random"])
        self.world.put_back(kept["world"])
        self._random, self.seed = stream, kept["seed"]
        for name in self._kept:
            setattr(self, name, _copied(kept[name]))


def _copied(value: Any) -> Any:
    """Lists in lists anew, many times as fast as `deepcopy`; all else in a checkpoint never changes."""
    return [_copied(inner) for inner in value] if isinstance(value, list) else value
