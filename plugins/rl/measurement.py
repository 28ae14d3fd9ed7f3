"""On-policy against off-policy, measured: the same world, exploration and seeds for every agent. Qt-free, for a job.

At each ε each agent learns once on every seed. What is asked of the greedy policy is worked out exactly where the
model allows it, and a greedy policy that goes round in circles is counted as such and not as a bad score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from studio.ml.rl.agent import Settings
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.experiment import Learnt, Mean, trial
from studio.ml.rl.exploration import Constant, EpsilonGreedy
from studio.ml.rl.lockstep import Rule
from studio.ml.rl.model import Array, Model
from studio_plugins.rl.score_words import plus_minus

RULES: tuple[Rule, ...] = ("sarsa", "expected_sarsa", "q_learning")
EPSILONS = (0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.0)
ALL_BUT_GONE = 0.1
"""Share of a gap below which it is said to go."""
CHUNK = 16
"""Steps of all seeds between two yields: a few milliseconds."""


@dataclass(frozen=True)
class Experiment:
    """What to measure. last: how many episodes at the end count as online. seeds: that many, from `seed` on."""

    epsilons: tuple[float, ...] = EPSILONS
    seeds: int = 20
    episodes: int = 500
    alpha: float = 0.5
    gamma: float = 1.0
    last: int = 100
    seed: int = 0
    limit: int = 10_000

    def __post_init__(self) -> None:
        if not self.epsilons or not all(0 <= epsilon <= 1 for epsilon in self.epsilons):
            raise BadSetting("Choose at least one ε, each from 0 to 1.")
        if self.seeds < 2:
            raise BadSetting("A measured difference with an error needs at least two seeds.")
        if not 1 <= self.last <= self.episodes:
            raise BadSetting(f"Of {self.episodes} episodes from 1 to all can count as online, not {self.last}.")


class Score(NamedTuple):
    """Of one agent at one ε, over seeds.

    online: return of the last episodes while learning. greedy: exact value of acting greedily, of the seeds where that
    ends; behaviour: of acting as it explores. circling: share of seeds whose greedy policy never arrives. path: states
    of the commonest greedy way, with the share of seeds that take it.
    """

    online: Mean
    greedy: Mean
    behaviour: Mean
    circling: float
    path: tuple[int, ...]
    share: float


class Point(NamedTuple):
    """All agents at one ε. difference: online, Sarsa − Q-learning, seed by seed."""

    epsilon: float
    scores: Mapping[Rule, Score]
    difference: Mean


class Stage(NamedTuple):
    """How far a measurement is. done, total: in episodes of the slowest seed, over all ε and agents."""

    epsilon: float
    rule: Rule
    done: int
    total: int


def measure(model: Model, wanted: Experiment) -> Iterator[Stage | Point]:
    """Stages while it learns and a point for each ε, in the order of `wanted.epsilons`. Raises RLError."""
    total = len(wanted.epsilons) * len(RULES) * wanted.episodes
    done = 0
    for epsilon in wanted.epsilons:
        settings = Settings(wanted.alpha, wanted.gamma, EpsilonGreedy(Constant(epsilon)), limit=wanted.limit)
        found: dict[Rule, Learnt] = {}
        seeds = range(wanted.seed, wanted.seed + wanted.seeds)
        for k, (rule, told) in enumerate(trial(model, RULES, seeds, wanted.episodes, settings, last=wanted.last)):
            if isinstance(told, Learnt):
                found[rule] = told
                done += wanted.episodes
            elif k % CHUNK == 0:
                yield Stage(epsilon, rule, done + told.episodes, total)
        yield point(model, epsilon, found)


def point(model: Model, epsilon: float, found: Mapping[Rule, Learnt]) -> Point:
    """What the seeds came to at one ε."""
    apart = Mean.of(found["sarsa"].online - found["q_learning"].online)
    return Point(epsilon, {rule: score(model, learnt) for rule, learnt in found.items()}, apart)


def score(model: Model, learnt: Learnt) -> Score:
    """Of one agent's seeds."""
    ways = [greedy_way(model, q) for q in learnt.q]
    arrived = Counter(path for path, ends in ways if ends)
    path, count = arrived.most_common(1)[0] if arrived else (ways[0][0], 0)
    lost = [not ends for _, ends in ways] if model.certain else np.isnan(learnt.greedy)
    online, greedy, behaviour = (Mean.of(values) for values in (learnt.online, learnt.greedy, learnt.behaviour))
    return Score(online, greedy, behaviour, float(np.mean(lost)), path, count / len(ways))


def greedy_way(model: Model, q: Array) -> tuple[tuple[int, ...], bool]:
    """States of the likeliest way of acting by values [S, A], and whether it ends.

    Else it stops where it closes a circle. Of equal actions the first is taken.
    """
    state = max(model.starts)[1]
    path, seen = [state], {state}
    while True:
        outcome = max(model.table[state][int(np.argmax(q[state]))], key=lambda one: one.probability)
        state = outcome.state
        path.append(state)
        if outcome.terminal:
            return tuple(path), True
        if state in seen:
            return tuple(path), False
        seen.add(state)


def verdict(points: Mapping[float, Point]) -> str:
    """What the measured gaps say about ε → 0, in words; each is told with its standard error."""
    if not points:
        return "Nothing has been measured yet."
    least, most = points[min(points)], points[max(points)]
    text = f"At ε = {most.epsilon:g} {_gap(most)}."
    if least is most:
        return text + " Measure a smaller ε to see whether the gap goes with exploration."
    text += f" At ε = {least.epsilon:g} {_gap(least)}"
    if not _clear(least) and _clear(most):
        return text + ": without exploration there is nothing to be on or off policy about, and the gap is gone."
    share = abs(least.difference.mean / most.difference.mean) if most.difference.mean else 1.0
    if share < ALL_BUT_GONE:
        return text + f": with exploration the gap goes, to {100 * share:.1g} % of what it was."
    return text + "."


def _clear(point: Point) -> bool:
    """Whether the difference is more than two standard errors from none."""
    return abs(point.difference.mean) > 2 * point.difference.error


def _gap(point: Point) -> str:
    size = plus_minus(abs(point.difference.mean), point.difference.error)
    if not _clear(point):
        return f"the two get the same online, within the noise (difference {size})"
    return f"Sarsa gets {size} {'more' if point.difference.mean > 0 else 'less'} online than Q-learning"


def circling_words(point: Point, titles: Mapping[str, str]) -> str:
    """Which greedy policies never arrive, or nothing."""
    lost = {rule: score.circling for rule, score in point.scores.items() if score.circling > 0}
    found = [f"{titles[rule]} {100 * share:.0f} %" for rule, share in lost.items()]
    if not found:
        return ""
    return (
        f"Greedy policies that go round in circles and never arrive: {', '.join(found)} of seeds. They are left out "
        "of the greedy mean; the behaviour itself does arrive, because it explores."
    )
