"""The same agent on many seeds at once, as fast as numpy goes: for bands over seeds beside one that is watched.

Row k is bit for bit the run of `Sarsa`, `QLearning` or `ExpectedSarsa` with seed k: the same random streams, drawn in
the same order, and the same arithmetic. Exploration is ε-greedy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.agent import TOO_LARGE, Settings
from studio.ml.rl.errors import BadCheckpoint, BadSetting, Diverged
from studio.ml.rl.exploration import EpsilonGreedy
from studio.ml.rl.model import Array, Model, Places

Rule = Literal["sarsa", "q_learning", "expected_sarsa"]
_KEPT = ("q", "returns", "lengths", "_episode", "_time", "_total", "_state", "_action")


class Progress(NamedTuple):
    """steps: taken by all seeds together. episodes: finished by the slowest seed. running: seeds not yet done."""

    steps: int
    episodes: int
    running: int


class Lockstep:
    """Seeds [N] that each learn for `episodes` episodes. Raises BadSetting.

    q: [N, S, A]. returns, lengths: [N, episodes], nan and 0 where not yet finished.
    """

    def __init__(
        self, model: Model, rule: Rule, seeds: Iterable[int], episodes: int, settings: Settings | None = None
    ) -> None:
        self.model, self.rule, self.settings = model, rule, settings or Settings()
        self.seeds = tuple(seeds)
        if rule not in get_args(Rule):
            known = ", ".join(get_args(Rule))
            raise BadSetting(f"Seeds in step learn by {known}, not {rule}; run that agent seed by seed.")
        if not isinstance(self.settings.exploration, EpsilonGreedy):
            raise BadSetting("Seeds in step explore ε-greedily only; run this agent seed by seed.")
        if not self.seeds or episodes < 1:
            raise BadSetting("Learning takes at least one seed and one episode.")
        n, shape = len(self.seeds), (model.states, model.actions)
        self.episodes, self.steps = episodes, 0
        self.q: Array = np.full((n, *shape), self.settings.initial)
        self.returns: Array = np.full((n, episodes), np.nan)
        self.lengths: Places = np.zeros((n, episodes), dtype=np.int64)
        self._agents = [Random(f"agent {seed}") for seed in self.seeds]
        self._worlds = [Random(f"world {seed}") for seed in self.seeds]
        self._episode, self._time, self._total = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n)
        self._rows: Places = np.arange(n)
        self._state, self._action = np.zeros(n, dtype=np.int64), np.full(n, -1)
        self._ways = _ways(model)
        epsilon = self.settings.exploration.epsilon
        self._epsilon: Array = np.minimum([epsilon.at(k) for k in range(episodes + 1)], 1.0)
        self._start(self._rows)  # An agent resets its world once to seed it, and again for the first episode.
        self._start(self._rows)

    def __iter__(self) -> Iterator[Progress]:
        """One step of every seed that is still learning, until none is."""
        while len(self._rows):
            self.step()
            yield Progress(self.steps, int(self._episode.min()), len(self._rows))

    def checkpoint(self) -> dict[str, NDArray[Any]]:
        """All that the rest of the run depends on but model and settings, as arrays for `np.savez`."""
        # Only uniform draws are made, so a stream's version and its spare Gaussian never change.
        streams = [[stream.getstate()[1] for stream in streams] for streams in (self._agents, self._worlds)]
        return {name: getattr(self, name).copy() for name in _KEPT} | {"streams": np.array(streams, dtype=np.uint32)}

    def resume(self, kept: Mapping[str, NDArray[Any]]) -> None:
        """Goes on where `checkpoint` was taken. Raises BadCheckpoint and then leaves the run as it was."""
        now = self.checkpoint()
        if kept.keys() != now.keys() or any(kept[name].shape != now[name].shape for name in now):
            raise BadCheckpoint("This checkpoint is of another run: its seeds, episodes or world differ. Open its own.")
        for name in _KEPT:
            setattr(self, name, kept[name].copy())
        for streams, states in zip((self._agents, self._worlds), kept["streams"].tolist(), strict=True):
            for stream, state in zip(streams, states, strict=True):
                stream.setstate((3, tuple(state), None))
        self.steps = int(self.lengths.sum() + self._time.sum())
        self._rows = np.flatnonzero(self._episode < self.episodes)

    def step(self) -> None:
        rows, gamma = self._rows, self.settings.gamma
        fresh = rows[self._action[rows] < 0]
        self._action[fresh] = self._choose(fresh, self._state[fresh])
        S, A = self._state[rows], self._action[rows]
        S2, R, end = self._move(rows, S, A)
        on, A2 = ~end, np.full(len(rows), -1)
        if self.rule == "sarsa":
            A2[on] = self._choose(rows[on], S2[on])
            ahead = self.q[rows, S2, A2]
        elif self.rule == "q_learning":
            ahead = self.q[rows, S2].max(axis=1)
        else:
            ahead = self._expected(rows, S2)
        old = self.q[rows, S, A]
        new = old + self.settings.alpha * (np.where(on, R + gamma * ahead, R) - old)
        if not (fine := np.abs(new) < TOO_LARGE).all():
            worst = int(fine.argmin())
            raise Diverged(int(S[worst]), int(A[worst]), float(new[worst]))
        self.q[rows, S, A] = new
        self._go_on(rows, S2, A2, R, end)

    def _go_on(self, rows: Places, S2: Places, A2: Places, R: Array, end: NDArray[np.bool_]) -> None:
        self._total[rows] += R
        self._time[rows] += 1
        self._state[rows], self._action[rows] = S2, A2
        self.steps += len(rows)
        over = rows[end | (self._time[rows] >= self.settings.limit)]
        if not len(over):
            return
        self.returns[over, self._episode[over]] = self._total[over]
        self.lengths[over, self._episode[over]] = self._time[over]
        self._episode[over] += 1
        self._total[over], self._time[over], self._action[over] = 0.0, 0, -1
        self._start(over)
        self._rows = rows[self._episode[rows] < self.episodes]

    def _start(self, rows: Places) -> None:
        starts = self.model.starts
        if len(starts) == 1:
            self._state[rows] = starts[0][1]
            return
        sums, states = np.cumsum([p for p, _ in starts]), np.array([s for _, s in starts])
        self._state[rows] = states[_place(np.broadcast_to(sums, (len(rows), len(sums))), _draws(self._worlds, rows))]

    def _move(self, rows: Places, S: Places, A: Places) -> tuple[Places, Array, NDArray[np.bool_]]:
        sums, following, reward, end = self._ways
        k = np.zeros_like(rows) if self.model.certain else _place(sums[S, A], _draws(self._worlds, rows))
        return following[S, A, k], reward[S, A, k], end[S, A, k]

    def _choose(self, rows: Places, states: Places) -> Places:
        """`EpsilonGreedy.choose` for every row: one draw says whether to explore and which action."""
        q, u, epsilon = self.q[rows, states], _draws(self._agents, rows), self._epsilon[self._episode[rows]]
        actions = q.shape[1]
        best = q == q.max(axis=1, keepdims=True)
        ties = best.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            among = np.where(u < epsilon, u / epsilon * actions, 0.0)
            place = np.where(u < epsilon, 0.0, (u - epsilon) / (1 - epsilon) * ties)
        explored = np.minimum(among.astype(np.int64), actions - 1)
        place = np.minimum(place.astype(np.int64), ties - 1)
        exploited = (best.cumsum(axis=1) > place[:, None]).argmax(axis=1)
        chosen: Places = np.where(u < epsilon, explored, exploited)
        return chosen

    def _expected(self, rows: Places, states: Places) -> Array:
        q, epsilon = self.q[rows, states], self._epsilon[self._episode[rows]]
        total = np.zeros(len(rows))
        for a in range(q.shape[1]):
            total += q[:, a]
        expected: Array = epsilon * (total / q.shape[1]) + (1 - epsilon) * q.max(axis=1)
        return expected


def _ways(model: Model) -> tuple[Array, Places, Array, NDArray[np.bool_]]:
    """Sums of probabilities, next states, rewards and ends, [S, A, K]."""
    m = model.arrays
    reward = np.zeros(m.probability.shape)
    for s, row in enumerate(model.table):
        for a, outcomes in enumerate(row):
            reward[s, a, : len(outcomes)] = [o.reward for o in outcomes]
    return np.cumsum(m.probability, axis=2), m.next, reward, m.going == 0


def _place(sums: Array, u: Array) -> Places:
    """`walk.pick` for every row; the last way that is possible where rounding leaves the sum below the draw."""
    last = (sums < sums[:, -1:]).sum(axis=1)
    place: Places = np.minimum((sums <= u[:, None]).sum(axis=1), last)
    return place


def _draws(streams: list[Random], rows: Places) -> Array:
    return np.array([streams[row].random() for row in rows.tolist()])
