"""Judging one policy by the episodes of another: importance sampling (Sutton and Barto 2018, sections 5.5 and 5.9).

ρ = Π π(A|S) / b(A|S) over an episode says how much more likely the target policy π makes it than the behaviour b that
produced it. The ordinary estimate averages ρG: right on average, but of a variance that may be infinite. The weighted
one divides by the sum of the ρ instead of their number: biased, and tamer by far. Per decision, each reward carries
only the ratios of the actions up to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import nan
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from studio.ml.rl.errors import BadPolicy, BadSetting, NoEnd
from studio.ml.rl.model import Array, Model
from studio.ml.rl.planning import evaluate, start_value
from studio.ml.rl.walk import Walk, pick

Path = list[tuple[int, int, float]]
"""(state, action, reward) of one episode, in order."""


class Estimate(NamedTuple):
    """After `episode` episodes (from 1). ratio, value: ρ and the return G of the last one.

    ordinary, per_decision, weighted: the estimates so far; weighted is nan until a ratio is above 0. effective:
    (Σρ)² / Σρ², how many episodes of π these are worth. error: standard error of `ordinary`; nan for one episode.
    """

    episode: int
    ratio: float
    value: float
    ordinary: float
    weighted: float
    per_decision: float
    effective: float
    error: float


@dataclass
class Judge:
    """Takes episodes one by one. target, behaviour: probabilities [S, A]; π may only do what b may: else BadPolicy."""

    target: ArrayLike
    behaviour: ArrayLike
    gamma: float = 1.0
    _count: int = 0
    _sums: list[float] = field(default_factory=lambda: [0.0] * 5)
    """Of ρ, ρ², ρG, (ρG)² and the per-decision returns."""

    def __post_init__(self) -> None:
        pi, b = np.asarray(self.target, dtype=np.float64), np.asarray(self.behaviour, dtype=np.float64)
        if pi.shape != b.shape or pi.ndim != 2:
            raise BadPolicy(f"Both policies need the same states and actions, not shapes {pi.shape} and {b.shape}.")
        if uncovered := np.argwhere((pi > 0) & (b <= 0)).tolist():
            s, a = uncovered[0]
            raise BadPolicy(
                f"The target policy takes action {a} in state {s}, which the behaviour never does: no number of "
                "episodes can tell its worth. Let the behaviour explore."
            )
        self._pi, self._b = pi.tolist(), b.tolist()

    def hear(self, path: Path) -> Estimate:
        """The estimates with one more episode."""
        ratio, value, decided, discount = 1.0, 0.0, 0.0, 1.0
        for s, a, reward in path:
            ratio *= self._pi[s][a] / self._b[s][a]
            value += discount * reward
            decided += discount * reward * ratio
            discount *= self.gamma
        self._count += 1
        for k, term in enumerate((ratio, ratio**2, ratio * value, (ratio * value) ** 2, decided)):
            self._sums[k] += term
        n, (total, squares, weighed, weighed2, decisions) = self._count, self._sums
        spread = max(weighed2 / n - (weighed / n) ** 2, 0.0)
        return Estimate(
            n, ratio, value, weighed / n,
            weighted=weighed / total if total > 0 else nan,
            per_decision=decisions / n,
            effective=total**2 / squares if squares > 0 else 0.0,
            error=(spread / (n - 1)) ** 0.5 if n > 1 else nan,
        )  # fmt: skip


def episodes(model: Model, policy: ArrayLike, seed: int = 0, *, limit: int = 100_000) -> Iterator[Path]:
    """Episodes of a policy (probabilities [S, A]) without end, drawn from the seed alone.

    Raises NoEnd where one is still going after `limit` steps: a cut episode would bias every estimate.
    """
    if limit < 1:
        raise BadSetting(f"An episode has at least one step, not {limit}.")
    rows: Sequence[list[float]] = np.asarray(policy, dtype=np.float64).tolist()
    walk, stream = Walk(model, seed), Random(f"behaviour {seed}")
    while True:
        path: Path = []
        state, end = walk.reset(), False
        while not end:
            if len(path) == limit:
                raise NoEnd(
                    f"An episode of the behaviour policy was still going after {limit} steps. "
                    "Let it explore more, or allow more steps."
                )
            action = pick(rows[state], stream.random())
            following, reward, end = walk.step(action)
            path.append((state, action, reward))
            state = following
        yield path


def judged(
    model: Model,
    target: ArrayLike,
    behaviour: ArrayLike,
    seed: int = 0,
    *,
    gamma: float = 1.0,
    limit: int = 100_000,
) -> Iterator[Estimate]:
    """One estimate an episode of the behaviour, without end. Raises BadPolicy, NoEnd."""
    judge = Judge(target, behaviour, gamma)
    for path in episodes(model, behaviour, seed, limit=limit):
        yield judge.hear(path)


def exactly(model: Model, target: ArrayLike, gamma: float = 1.0) -> float:
    """What the estimates should come to: the target policy's exact value of the start. nan where it may not end."""
    policy: Array = np.asarray(target, dtype=np.float64)
    return start_value(model, evaluate(model, policy, gamma))
