"""Every agent against updates worked out by hand, its limits against its neighbours, and what it converges to."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from studio.ml.rl.agent import Agent, Settings, Transition
from studio.ml.rl.dyna import DynaQ
from studio.ml.rl.errors import BadCheckpoint, BadSetting, Diverged
from studio.ml.rl.exploration import Constant, EpsilonGreedy, Linear, Softmax, greedy
from studio.ml.rl.grid import GridWorld, cliff, frozen_lake
from studio.ml.rl.kinds import KINDS, agent_of
from studio.ml.rl.model import Model, Outcome
from studio.ml.rl.multistep import MonteCarlo, NStepSarsa, SarsaLambda
from studio.ml.rl.planning import action_values, evaluate, optimum
from studio.ml.rl.td import DoubleQ, ExpectedSarsa, QLearning, Sarsa
from studio.ml.rl.walk import Walk

AGENTS = list(KINDS.values())
ON, STAY = 0, 1
CHAIN = Model(
    (
        ((Outcome(1.0, 1, 1.0, False),), (Outcome(1.0, 0, -2.0, False),)),
        ((Outcome(1.0, 0, 10.0, True),), (Outcome(1.0, 1, -2.0, False),)),
    )
)
"""0 → 1 → end with rewards 1 and 10; staying costs 2."""


@dataclass
class Script:
    """Takes the actions written down, and weighs them 1/4 and 3/4."""

    actions: list[int] = field(default_factory=list)

    def probabilities(self, q: Sequence[float], episode: int) -> list[float]:
        return [0.25, 0.75]

    def choose(self, q: list[float], episode: int, u: float) -> int:
        return self.actions.pop(0)

    def expectation(self, q: Sequence[float], episode: int) -> float:
        return 0.25 * q[0] + 0.75 * q[1]


def on_the_chain(kind: type[Agent], actions: list[int], seed: int = 0, **more: Any) -> Agent:
    """With Q = [[1, 2], [3, 5]], α = 0.5, γ = 0.9."""
    agent = kind(Walk(CHAIN), Settings(alpha=0.5, gamma=0.9, exploration=Script(actions)), seed, **more)
    agent.q = [[1.0, 2.0], [3.0, 5.0]]
    return agent


def take(agent: Agent, steps: int) -> list[Transition]:
    return list(islice(agent, steps))


def test_sarsa_by_hand() -> None:
    agent = on_the_chain(Sarsa, [ON, ON])
    first, last = agent.step(), agent.step()
    assert first[:9] == (0, 0, 0, ON, 1.0, 1, False, False, 1.0)
    assert first.updates[0] == pytest.approx((0, ON, 1.0, 1 + 0.9 * 3, 2.7, 2.35, ON))
    assert last.updates[0][:6] == pytest.approx((1, ON, 3.0, 10.0, 7.0, 6.5)) and last.updates[0].through is None
    assert last.terminated and last.last and last.total == 11
    assert agent.q == [[pytest.approx(2.35), 2.0], [6.5, 5.0]]


def test_q_learning_by_hand() -> None:
    first = on_the_chain(QLearning, [ON]).step()
    assert first.updates[0] == pytest.approx((0, ON, 1.0, 1 + 0.9 * 5, 4.5, 3.25, STAY))


def test_expected_sarsa_by_hand() -> None:
    update = on_the_chain(ExpectedSarsa, [ON]).step().updates[0]
    assert update[:6] == pytest.approx((0, ON, 1.0, 1 + 0.9 * 4.5, 4.05, 3.025)) and update.through is None


def test_double_q_by_hand() -> None:
    seen = set()
    for seed in range(20):
        agent = on_the_chain(DoubleQ, [ON], seed)
        assert isinstance(agent, DoubleQ)
        agent.other = [[0.0, 4.0], [7.0, 1.0]]
        update = agent.step().updates[0]
        seen.add((update.old, round(update.target, 9), round(update.new, 9), update.through))
        assert agent.values()[0][ON] == pytest.approx((1.45 + 0.0) if update.old == 1 else (1.0 + 1.85))
    assert seen == {(1.0, 1.9, 1.45, STAY), (0.0, 3.7, 1.85, ON)}


def test_n_step_sarsa_by_hand() -> None:
    agent = on_the_chain(NStepSarsa, [STAY, ON, ON], n=2)
    first, second, last = take(agent, 3)
    assert first.updates == ()
    assert second.updates[0] == pytest.approx((0, STAY, 2.0, -2 + 0.9 * (1 + 0.9 * 3), -0.67, 1.665, ON))
    assert last.updates[0][:6] == pytest.approx((0, ON, 1.0, 10.0, 9.0, 5.5))
    assert last.updates[1][:6] == pytest.approx((1, ON, 3.0, 10.0, 7.0, 6.5)) and len(last.updates) == 2


def test_sarsa_lambda_by_hand() -> None:
    agent = on_the_chain(SarsaLambda, [STAY, ON, ON], decay=0.5)
    first, second, last = take(agent, 3)
    assert first.updates[0] == pytest.approx((0, STAY, 2.0, -1.1, -3.1, 0.45, ON))
    assert second.updates[0] == pytest.approx((0, ON, 1.0, 3.7, 2.7, 2.35, ON))
    np.testing.assert_allclose(agent.q, [[3.925, 1.76625], [6.5, 5.0]])
    assert isinstance(agent, SarsaLambda) and agent.traces == []


@pytest.mark.parametrize(("trace", "expected"), [("accumulating", 1.45), ("replacing", 1.0), ("dutch", 1.225)])
def test_traces_of_a_second_visit(trace: str, expected: float) -> None:
    agent = on_the_chain(SarsaLambda, [STAY, STAY, STAY], decay=0.5, trace=trace)
    take(agent, 2)
    assert isinstance(agent, SarsaLambda)
    assert agent.traces == [[0, STAY, pytest.approx(0.45 * expected)]]


def test_monte_carlo_by_hand() -> None:
    averaged, stepped = (on_the_chain(MonteCarlo, [STAY, STAY, ON, ON], average=average) for average in (True, False))
    assert [len(told.updates) for told in take(averaged, 4)] == [0, 0, 0, 3]
    np.testing.assert_allclose(averaged.q, [[10, 4.3], [10, 5]])
    take(stepped, 4)
    np.testing.assert_allclose(stepped.q, [[5.5, 3.15], [6.5, 5]])


def test_monte_carlo_averages_returns() -> None:
    agent = MonteCarlo(Walk(frozen_lake().model), Settings(exploration=EpsilonGreedy(Constant(1.0)), gamma=0.9), seed=4)
    returns: list[float] = []
    path: list[tuple[int, int, float]] = []
    while len(returns) < 40:
        told = agent.step()
        path.append((told.state, told.action, told.reward))
        if told.last:
            first = next((k for k, (s, a, _) in enumerate(path) if (s, a) == (0, 2)), None)
            if first is not None:
                returns.append(sum(0.9**k * r for k, (_, _, r) in enumerate(path[first:])))
            path = []
    assert agent.q[0][2] == pytest.approx(np.mean(returns), abs=1e-12)


def test_dyna_by_hand() -> None:
    agent = on_the_chain(DynaQ, [ON], planning=2)
    updates = agent.step().updates
    assert [u.new for u in updates] == pytest.approx([3.25, 4.375, 4.9375])
    assert isinstance(agent, DynaQ) and agent.memory == [[0, ON, 1.0, 1, False]]


@pytest.mark.parametrize(("kind", "more"), [(NStepSarsa, {"n": 1}), (SarsaLambda, {"decay": 0.0})])
def test_agents_that_become_sarsa(kind: type[Agent], more: dict[str, Any]) -> None:
    settings = Settings(gamma=0.95, limit=60)
    one, other = Sarsa(Walk(frozen_lake().model), settings, 7), kind(Walk(frozen_lake().model), settings, 7, **more)
    assert take(one, 3000) == take(other, 3000)


def test_dyna_without_planning_is_q_learning() -> None:
    one, other = QLearning(Walk(cliff().model), seed=7), DynaQ(Walk(cliff().model), seed=7, planning=0)
    assert take(one, 3000) == take(other, 3000)


SMALL = GridWorld.drawn("..G .#C S..", cliff_reward=-20.0).model


@pytest.mark.parametrize("kind", [QLearning, DoubleQ, DynaQ])
def test_off_policy_agents_find_the_best_values_while_behaving_at_random(kind: type[Agent]) -> None:
    agent = kind(Walk(SMALL), Settings(gamma=0.9, exploration=EpsilonGreedy(Constant(1.0))), seed=2)
    take(agent, 12_000 if kind is not DynaQ else 3000)
    seen = [0, 1, 3, 6, 7, 8]  # Where an agent can stand: neither wall, cliff nor goal.
    _, Q = optimum(SMALL, 0.9)
    np.testing.assert_allclose(np.array(agent.q)[seen], Q[seen], atol=1e-6)


def test_expected_sarsa_finds_the_values_of_what_it_does() -> None:
    agent = ExpectedSarsa(Walk(SMALL), Settings(gamma=0.9, exploration=EpsilonGreedy(Constant(1.0))), seed=2)
    take(agent, 15_000)
    seen = [0, 1, 3, 6, 7, 8]
    Q = action_values(SMALL, evaluate(SMALL, np.full((9, 4), 0.25), 0.9), 0.9)
    np.testing.assert_allclose(np.array(agent.q)[seen], Q[seen], atol=1e-6)


@pytest.mark.parametrize("kind", [Sarsa, NStepSarsa, SarsaLambda, MonteCarlo])
def test_on_policy_agents_come_near_the_values_of_what_they_do(kind: type[Agent]) -> None:
    settings = Settings(alpha=0.02, gamma=0.9, exploration=EpsilonGreedy(Constant(1.0)))
    agent = kind(Walk(SMALL), settings, seed=2)
    take(agent, 30_000)
    total = np.zeros((9, 4))
    for k, _ in zip(range(30_000), agent, strict=False):
        total += np.array(agent.q) if k % 10 == 0 else 0.0
    seen = [0, 1, 3, 6, 7, 8]
    Q = action_values(SMALL, evaluate(SMALL, np.full((9, 4), 0.25), 0.9), 0.9)
    np.testing.assert_allclose((total / 3000)[seen], Q[seen], atol=1.5)


@pytest.mark.parametrize("kind", AGENTS)
def test_equal_seeds_are_equal_runs_and_watching_changes_nothing(kind: type[Agent]) -> None:
    settings = Settings(gamma=0.95, exploration=EpsilonGreedy(Linear(0.9, 0.1, 20)), limit=80)
    one, watched, other = (kind(Walk(frozen_lake().model), settings, seed) for seed in (5, 5, 6))
    straight = take(one, 1500)
    seen = []
    for k, told in zip(range(1500), watched, strict=False):
        random.random()
        watched.values()
        if k % 100 == 0:
            watched.checkpoint()
        seen.append(told)
    assert seen == straight and watched.q == one.q
    assert take(other, 1500) != straight


@pytest.mark.parametrize("kind", AGENTS)
@pytest.mark.parametrize("exploration", [EpsilonGreedy(Constant(0.3)), Softmax(Constant(0.5))])
def test_a_resumed_run_is_the_same_run(kind: type[Agent], exploration: Any) -> None:
    settings = Settings(gamma=0.95, exploration=exploration, limit=50)
    world = cliff(slip=0.2).model
    agent = kind(Walk(world), settings, seed=9)
    take(agent, 333)
    kept = json.loads(json.dumps(agent.checkpoint()))
    resumed = kind(Walk(world), settings, seed=0)
    take(resumed, 20)
    resumed.resume(kept)
    assert take(resumed, 700) == take(agent, 700)
    assert json.dumps(resumed.checkpoint()) == json.dumps(agent.checkpoint())


def test_checkpoints_of_something_else_are_refused_and_change_nothing() -> None:
    agent = Sarsa(Walk(cliff().model), seed=1)
    take(agent, 10)
    before = json.dumps(agent.checkpoint())
    kept = agent.checkpoint()
    bads = {
        "q_learning": QLearning(Walk(cliff().model)).checkpoint(),
        "another world": Sarsa(Walk(frozen_lake().model)).checkpoint(),
        "lacks": {"agent": "sarsa"},
        "stream": {**kept, "random": ["nothing"]},
    }
    for says, bad in bads.items():
        with pytest.raises(BadCheckpoint, match=says):
            agent.resume(bad)
        assert json.dumps(agent.checkpoint()) == before


@pytest.mark.parametrize("kind", AGENTS)
def test_episodes_are_cut_at_the_limit_and_still_look_ahead(kind: type[Agent]) -> None:
    nowhere = GridWorld.drawn("S.").model
    agent = kind(Walk(nowhere), Settings(limit=5, exploration=greedy()), seed=0)
    told = take(agent, 12)
    assert [t.truncated for t in told] == [False] * 4 + [True] + [False] * 4 + [True] + [False] * 2
    assert [t.episode for t in told] == [0] * 5 + [1] * 5 + [2] * 2 and not any(t.terminated for t in told)
    assert told[4].total == -5 and told[4].updates


def test_settings_and_the_world_may_change_between_steps() -> None:
    walk = Walk(cliff().model)
    agent = QLearning(walk, seed=3)
    take(agent, 4000)
    agent.settings = replace(agent.settings, exploration=greedy(), alpha=1.0)
    ends = [told.total for told in take(agent, 2000) if told.last]
    assert ends[-1] == -13
    world = cliff()
    for column in range(1, 11):
        world = world.put((3, column), ".")
    walk.change(world.model)
    agent.settings = replace(agent.settings, exploration=EpsilonGreedy(Constant(0.2)), alpha=0.5)
    take(agent, 20_000)
    agent.settings = replace(agent.settings, exploration=greedy())
    assert [told.total for told in take(agent, 200) if told.last][-1] == -11


def test_agents_by_name() -> None:
    assert set(KINDS) == {
        "sarsa", "expected_sarsa", "q_learning", "double_q", "n_step_sarsa", "sarsa_lambda", "dyna_q", "monte_carlo",
    }  # fmt: skip
    agent = agent_of("n_step_sarsa", Walk(CHAIN), seed=4, n=3)
    assert isinstance(agent, NStepSarsa) and (agent.n, agent.seed) == (3, 4)


def test_traces_that_grow_without_bound_are_told() -> None:
    settings = Settings(alpha=1.0, exploration=EpsilonGreedy(Constant(1.0)))
    agent = SarsaLambda(Walk(cliff().model), settings, decay=1.0, trace="accumulating")
    with pytest.raises(Diverged, match="Lower the step size"):
        take(agent, 30_000)
    assert np.isfinite(agent.q).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Settings(alpha=0.0),
        lambda: Settings(alpha=1.5),
        lambda: Settings(gamma=-0.1),
        lambda: Settings(limit=0),
        lambda: Settings(initial=float("nan")),
        lambda: on_the_chain(NStepSarsa, [], n=0),
        lambda: on_the_chain(SarsaLambda, [], decay=2.0),
        lambda: on_the_chain(SarsaLambda, [], trace="other"),
        lambda: on_the_chain(DynaQ, [], planning=-1),
        lambda: agent_of("sarsa", Walk(CHAIN), n=3),
        lambda: agent_of("deep_q", Walk(CHAIN)),
    ],
)
def test_settings_out_of_range_are_refused(make: Any) -> None:
    with pytest.raises(BadSetting):
        make()
