"""The one door to everything that learns: tables, networks, and agents of other libraries.

A learner is advanced by `advance()`, one bounded step at a time. Everything its future depends on lies in its fields
between two steps, and none of it in any global random stream; so whoever advances it may pause, watch, save or put it
back without changing what it becomes.

Every episode begins with a seed of its own (`episode_seed`) and is then decided by its actions alone. So a seed and
the actions are a whole episode: they are its replay, and they are how a world in mid-episode is put back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.agent import Transition
from studio.ml.rl.grid import GridWorld

Phase = Literal["collect", "update"]
Floats = NDArray[np.float64]


def episode_seed(seed: int, place: int, number: int) -> int:
    """The reset seed (31 bits) of the `number`-th episode in the `place`-th parallel world of a run with `seed`."""
    digest = hashlib.blake2b(f"{seed} {place} {number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """A finished episode of training: its outcome, and all that is needed to see it again.

    place: which of the parallel worlds. number: counted from 0 in that place. seed: the world was reset with.
    actions: [length] integers or [length, k] floats. steps: the learner's environment steps when it ended.
    terminated: the world ended it; otherwise it was cut by a time limit.
    """

    place: int
    number: int
    seed: int
    actions: NDArray[Any]
    total: float
    steps: int
    terminated: bool

    @property
    def length(self) -> int:
        return len(self.actions)


class Turn(NamedTuple):
    """What one `advance()` was. figures: what it measured, by name ("loss", "entropy", "kl", "epsilon", ...)."""

    phase: Phase
    episodes: tuple[Episode, ...] = ()
    figures: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """All that a learner's future depends on: JSON data and arrays by name. Never pickled."""

    data: dict[str, Any]
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


class Policy(Protocol):
    """A frozen copy of how a learner acts: it stays as it is while the learner goes on."""

    def act(self, observation: Any, u: float | None = None) -> Any:
        """The best action; with a draw u in [0, 1) the action that the exploring policy takes on that draw."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TableLook:
    """What tabular agents show. q: [S, A] as acted by. visits, error: [S], the error a running mean of |TD error|.

    policy: [S, A] behaviour probabilities. trail: states of the present episode, the newest last. transition: the
    last step with its updates. optimal: [S, A] of the best policy, where the world's table is known.
    """

    q: Floats
    policy: Floats
    visits: NDArray[np.int64]
    error: Floats
    state: int
    trail: tuple[int, ...] = ()
    transition: Transition | None = None
    rule: str = ""
    optimal: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class NetLook:
    """What networks show for the present observation of world 0.

    values: [A] action values, or None. policy: [A] probabilities, or None for continuous actions. mean, deviation: [k]
    of a Gaussian policy. value: V(s) where there is a critic. last: the numbers of the last update by name.
    ages: [n] steps since each sample of the buffer was made, for its histogram.
    """

    values: Floats | None = None
    policy: Floats | None = None
    mean: Floats | None = None
    deviation: Floats | None = None
    value: float | None = None
    last: Mapping[str, float] = field(default_factory=dict)
    ages: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is to be seen of a learner or a player at one moment. Arrays are copies.

    observation: of world 0. frame: uint8 [H, W, 3] where one was asked for and there is one. text: of worlds that
    only write. grid: of grid worlds. action: the last one. total, time: return and steps of the episode so far.
    """

    steps: int
    episode: int
    time: int
    total: float
    phase: Phase = "collect"
    observation: NDArray[Any] | None = None
    frame: NDArray[np.uint8] | None = None
    text: str = ""
    grid: GridWorld | None = None
    action: Any = None
    reward: float = 0.0
    table: TableLook | None = None
    net: NetLook | None = None


class Learner(Protocol):
    """One agent of one seed in its world or worlds."""

    kind: str
    """Its name in `learners.LEARNERS`."""
    on_policy: bool
    seed: int
    steps: int
    """Environment steps so far, of all its parallel worlds together."""
    updates: int
    """Gradient steps, or values of a table moved."""
    settings: Any
    """A frozen dataclass of knobs (see `knobs`)."""

    def advance(self) -> Turn:
        """One bounded step: a step in each parallel world, or one minibatch. Raises RLError, Diverged above all."""
        ...

    def change(self, settings: Any) -> None:
        """Other settings from the next step on. Raises BadSetting where they need a new run."""
        ...

    def look(self, *, frame: bool = False) -> Look:
        """What is to be seen now; changes nothing, draws nothing."""
        ...

    def policy(self) -> Policy: ...
    def keep(self) -> Kept: ...
    def put_back(self, kept: Kept) -> None:
        """Goes on where `kept` was taken. Raises BadCheckpoint and then leaves the learner as it was."""
        ...

    def close(self) -> None:
        """Lets go of windows, processes and files of its worlds."""
        ...
