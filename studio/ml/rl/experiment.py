"""On-policy against off-policy as an experiment: the same world and seeds, and what each agent gets while it learns.

Two policies are told apart for each agent: the behaviour, which explores, and the target, which its values are about.
For Sarsa they are one; Q-learning behaves ε-greedily and learns about the greedy policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from studio.ml.rl.agent import Settings
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.exploration import Constant, EpsilonGreedy, Exploration
from studio.ml.rl.lockstep import Lockstep, Progress, Rule
from studio.ml.rl.model import Array, Model
from studio.ml.rl.planning import evaluate, greedy_policy, start_value


class Mean(NamedTuple):
    """Mean and its standard error over `seeds`; error is nan for one."""

    mean: float
    error: float
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float] | Array) -> Mean:
        """Of the values that are numbers; nan stands for a seed without one and is not counted."""
        x = np.asarray(values, dtype=np.float64)
        x = x[~np.isnan(x)]
        error = float(x.std(ddof=1) / len(x) ** 0.5) if len(x) > 1 else np.nan
        return cls(float(x.mean()) if len(x) else np.nan, error, len(x))


class Learnt(NamedTuple):
    """What an agent came to over seeds.

    online: mean return of each seed's last episodes, exploration and learning included, [N]. greedy: the exact value
    of the start when acting greedily, [N]; nan where that policy may never end (γ = 1). behaviour: the same for the
    exploring policy, learning stopped. returns: [N, episodes]. q: [N, S, A].
    """

    rule: Rule
    online: Array
    greedy: Array
    behaviour: Array
    returns: Array
    q: Array
    steps: int


class Gap(NamedTuple):
    """At one ε: what each agent gets online, and the difference on-policy − off-policy, seed by seed."""

    epsilon: float
    sarsa: Mean
    q_learning: Mean
    difference: Mean


def behaviour_policy(q: Array, exploration: Exploration, episode: int) -> Array:
    """Probabilities [S, A] of acting by values [S, A] with exploration."""
    return np.array([exploration.probabilities(row, episode) for row in q.tolist()])


def learnt(run: Lockstep, last: int = 100) -> Learnt:
    """Of a finished run; `last`: how many episodes count as online. Raises BadSetting where there are fewer."""
    if not 1 <= last <= run.episodes or np.isnan(run.returns[:, -last:]).any():
        finished = int((~np.isnan(run.returns)).sum(axis=1).min())
        raise BadSetting(f"The last {last} episodes are asked for, and the run has finished {finished}.")

    def worth(policy: Array) -> float:
        return start_value(run.model, evaluate(run.model, policy, run.settings.gamma))

    greedy = np.array([worth(greedy_policy(q)) for q in run.q])
    behaviour = np.array([worth(behaviour_policy(q, run.settings.exploration, run.episodes)) for q in run.q])
    return Learnt(run.rule, run.returns[:, -last:].mean(axis=1), greedy, behaviour, run.returns, run.q, run.steps)


def trial(
    model: Model,
    rules: Iterable[Rule],
    seeds: Iterable[int],
    episodes: int = 500,
    settings: Settings | None = None,
    *,
    last: int = 100,
) -> Iterator[tuple[Rule, Progress | Learnt]]:
    """Every rule in turn on the same seeds; (rule, progress) step by step, then (rule, learnt)."""
    shared = tuple(seeds)
    for rule in rules:
        run = Lockstep(model, rule, shared, episodes, settings)
        for told in run:
            yield rule, told
        yield rule, learnt(run, last)


def outcomes(
    model: Model,
    rules: Iterable[Rule],
    seeds: Iterable[int],
    episodes: int = 500,
    settings: Settings | None = None,
    *,
    last: int = 100,
) -> dict[Rule, Learnt]:
    """`trial`, run to its end."""
    told = trial(model, rules, seeds, episodes, settings, last=last)
    return {rule: what for rule, what in told if isinstance(what, Learnt)}


def gaps(
    model: Model,
    epsilons: Iterable[float],
    seeds: Iterable[int],
    episodes: int = 500,
    settings: Settings | None = None,
    *,
    last: int = 100,
) -> Iterator[Gap]:
    """How far Sarsa and Q-learning are apart at each ε, measured: at ε → 0 they should not be."""
    shared, base = tuple(seeds), settings or Settings()
    for epsilon in epsilons:
        now = replace(base, exploration=EpsilonGreedy(Constant(epsilon)))
        found = outcomes(model, ("sarsa", "q_learning"), shared, episodes, now, last=last)
        on, off = found["sarsa"].online, found["q_learning"].online
        yield Gap(epsilon, Mean.of(on), Mean.of(off), Mean.of(on - off))
