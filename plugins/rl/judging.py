"""One policy judged by the episodes of another, as batches for a job. Qt-free.

Both policies are ε-greedy on the same action values: the behaviour, which makes the episodes, explores more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from studio.ml.rl.errors import BadSetting
from studio.ml.rl.experiment import behaviour_policy
from studio.ml.rl.exploration import Constant, EpsilonGreedy
from studio.ml.rl.model import Array, Model
from studio.ml.rl.offpolicy import Estimate, Judge, episodes, exactly

STEPS = 1500
"""Steps of the behaviour between two batches: a few milliseconds."""


@dataclass(frozen=True)
class Judgement:
    """behaviour, target: their ε. episodes: how many the behaviour makes; one beyond `limit` steps is an error."""

    behaviour: float = 0.3
    target: float = 0.0
    episodes: int = 1000
    gamma: float = 1.0
    seed: int = 0
    limit: int = 10_000

    def __post_init__(self) -> None:
        if not (0 <= self.behaviour <= 1 and 0 <= self.target <= 1):
            raise BadSetting("ε is a probability, from 0 to 1.")
        if self.episodes < 1:
            raise BadSetting("Judging takes at least one episode.")


class Truth(NamedTuple):
    """Exact values of the start: what the estimates should come to, and what the behaviour gets. nan: never ends."""

    target: float
    behaviour: float


def epsilon_greedy(q: ArrayLike, epsilon: float) -> Array:
    """Probabilities [S, A] of acting ε-greedily by values [S, A]."""
    return behaviour_policy(np.asarray(q, dtype=np.float64), EpsilonGreedy(Constant(epsilon)), 0)


def judge(model: Model, q: ArrayLike, wanted: Judgement) -> Iterator[Truth | tuple[Estimate, ...]]:
    """The truth first, then batches of estimates, one for each episode in order. Raises BadPolicy, NoEnd."""
    target, behaviour = epsilon_greedy(q, wanted.target), epsilon_greedy(q, wanted.behaviour)
    judged = Judge(target, behaviour, wanted.gamma)
    yield Truth(exactly(model, target, wanted.gamma), exactly(model, behaviour, wanted.gamma))
    batch: list[Estimate] = []
    steps = 0
    for k, path in enumerate(episodes(model, behaviour, wanted.seed, limit=wanted.limit), start=1):
        batch.append(judged.hear(path))
        steps += len(path)
        if steps >= STEPS or k == wanted.episodes:
            yield tuple(batch)
            batch, steps = [], 0
        if k == wanted.episodes:
            return
