"""What is known of a finite world: its transition table, checked, and the same numbers as arrays.

The table has the form that Gymnasium's toy-text environments carry as `P`: table[s][a] lists what can follow. A way
that ends is worth its reward and nothing after it, whatever state it leads to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.errors import BadWorld

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Follows = tuple[float, int, float, bool]

_EXACT = 1e-9
"""How far probabilities may sum from one."""


class Outcome(NamedTuple):
    """One thing that can follow an action."""

    probability: float
    state: int
    reward: float
    terminal: bool


class Arrays(NamedTuple):
    """The table padded to the same number K of outcomes everywhere; padding has probability 0.

    probability, next, going: [S, A, K]; going is 0 where the episode ends and 1 elsewhere. reward: expected, [S, A].
    """

    probability: Array
    next: Places
    going: Array
    reward: Array


@dataclass(frozen=True)
class Model:
    """table[s][a]: outcomes; starts: (probability, state) pairs. Raises BadWorld."""

    table: tuple[tuple[tuple[Outcome, ...], ...], ...]
    starts: tuple[tuple[float, int], ...] = ((1.0, 0),)

    def __post_init__(self) -> None:
        if not self.table or not self.table[0]:
            raise BadWorld("A world needs at least one state and one action.")
        for s, row in enumerate(self.table):
            if len(row) != self.actions:
                raise BadWorld(f"State {s} has {len(row)} actions and state 0 {self.actions}; all need the same.")
            for a, outcomes in enumerate(row):
                self._check(f"Action {a} in state {s}", [o.probability for o in outcomes], [o.state for o in outcomes])
                if not all(isfinite(o.reward) for o in outcomes):
                    raise BadWorld(f"Action {a} in state {s} has a reward that is no finite number.")
        self._check("The start", [p for p, _ in self.starts], [s for _, s in self.starts])

    def _check(self, what: str, probabilities: Sequence[float], states: Sequence[int]) -> None:
        if not all(p >= 0 for p in probabilities) or not abs(sum(probabilities) - 1) <= _EXACT:
            raise BadWorld(f"{what} has probabilities {list(probabilities)}; they must be non-negative and sum to 1.")
        if not all(0 <= s < self.states for s in states):
            raise BadWorld(f"{what} leads to a state outside 0 to {self.states - 1}.")

    @classmethod
    def of(cls, table: Mapping[int, Mapping[int, Sequence[Follows]]], starts: Sequence[float]) -> Model:
        """From Gymnasium's `env.unwrapped.P` and `env.unwrapped.initial_state_distrib`."""

        def outcomes(follows: Sequence[Follows]) -> tuple[Outcome, ...]:
            return tuple(Outcome(float(p), int(s2), float(r), bool(end)) for p, s2, r, end in follows)

        rows = tuple(tuple(outcomes(table[s][a]) for a in range(len(table[s]))) for s in range(len(table)))
        return cls(rows, tuple((float(p), s) for s, p in enumerate(starts) if p > 0))

    @property
    def states(self) -> int:
        return len(self.table)

    @property
    def actions(self) -> int:
        return len(self.table[0])

    @cached_property
    def certain(self) -> bool:
        """Whether every action has one outcome: then a walk draws nothing but its start."""
        return all(len(outcomes) == 1 for row in self.table for outcomes in row)

    @cached_property
    def arrays(self) -> Arrays:
        most = max(len(outcomes) for row in self.table for outcomes in row)
        shape = (self.states, self.actions, most)
        probability, following, going = np.zeros(shape), np.zeros(shape, dtype=np.int64), np.zeros(shape)
        reward = np.zeros(shape[:2])
        for s, row in enumerate(self.table):
            for a, outcomes in enumerate(row):
                for k, o in enumerate(outcomes):
                    probability[s, a, k], following[s, a, k], going[s, a, k] = o.probability, o.state, not o.terminal
                    reward[s, a] += o.probability * o.reward
        return Arrays(probability, following, going, reward)
