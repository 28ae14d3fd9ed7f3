"""On-policy against off-policy: seeds in step are the agents themselves, and the book's figures come out."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest

from studio.ml.rl.agent import Agent, Settings
from studio.ml.rl.errors import BadCheckpoint, BadSetting
from studio.ml.rl.experiment import Learnt, Mean, gaps, learnt, outcomes, trial
from studio.ml.rl.exploration import Constant, EpsilonGreedy, Linear, Softmax
from studio.ml.rl.grid import GridWorld, cliff, frozen_lake, windy
from studio.ml.rl.lockstep import Lockstep, Rule
from studio.ml.rl.model import Model
from studio.ml.rl.planning import optimum
from studio.ml.rl.td import ExpectedSarsa, QLearning, Sarsa
from studio.ml.rl.walk import Walk

AGENTS: dict[Rule, type[Agent]] = {"sarsa": Sarsa, "q_learning": QLearning, "expected_sarsa": ExpectedSarsa}


def several_starts() -> Model:
    return Model(windy().model.table, ((0.5, 30), (0.0, 1), (0.5, 60)))


@pytest.mark.parametrize("rule", AGENTS)
@pytest.mark.parametrize("model", [cliff().model, frozen_lake().model, several_starts(), cliff(slip=0.2).model])
def test_each_row_is_bit_for_bit_the_agent_with_that_seed(rule: Rule, model: Model) -> None:
    settings = Settings(gamma=0.97, exploration=EpsilonGreedy(Linear(0.8, 0.05, 20)), limit=70)
    run = Lockstep(model, rule, (0, 3, 8), 30, settings)
    last = list(run)[-1]
    assert (last.running, last.episodes, last.steps) == (0, 30, int(run.lengths.sum()))
    for row, seed in enumerate(run.seeds):
        agent = AGENTS[rule](Walk(model), settings, seed)
        returns = []
        while agent.episode < 30:
            told = agent.step()
            if told.last:
                returns.append(told.total)
        np.testing.assert_array_equal(run.returns[row], returns)
        np.testing.assert_array_equal(run.q[row], agent.q)


@pytest.fixture(scope="module")
def figure() -> dict[Rule, Learnt]:
    """Sutton and Barto (2018), example 6.6: α = 0.5, ε = 0.1, γ = 1, 500 episodes; here on 100 seeds."""
    return outcomes(cliff().model, ("sarsa", "q_learning", "expected_sarsa"), range(100))


@pytest.mark.parametrize(("rule", "online"), [("sarsa", -27), ("q_learning", -50), ("expected_sarsa", -21)])
def test_the_online_returns_of_the_figure(figure: dict[Rule, Learnt], rule: Rule, online: float) -> None:
    got = Mean.of(figure[rule].online)
    assert got.seeds == 100 and abs(got.mean - online) <= 3 and got.error < 1


def test_q_learning_finds_the_shortest_way_on_every_seed(figure: dict[Rule, Learnt]) -> None:
    np.testing.assert_allclose(figure["q_learning"].greedy, -13)


def test_sarsa_walks_safer_but_not_always_to_the_end(figure: dict[Rule, Learnt]) -> None:
    on, off = figure["sarsa"], figure["q_learning"]
    assert Mean.of(on.online - off.online).mean > 15
    assert np.nanmedian(on.greedy) == -17
    assert 0.02 < np.isnan(on.greedy).mean() < 0.35, "some greedy policies loop"
    assert Mean.of(on.behaviour).mean > Mean.of(off.behaviour).mean + 10


def test_the_learnt_values_are_the_best_where_they_were_visited(figure: dict[Rule, Learnt]) -> None:
    """Along the shortest way, which Q-learning keeps walking: up, right along the edge, down."""
    V, _ = optimum(cliff().model)
    way = [36, *range(24, 36)]
    np.testing.assert_allclose(figure["q_learning"].q.max(axis=2)[:, way], np.tile(V[way], (100, 1)), atol=0.05)


def test_without_exploration_both_are_the_same() -> None:
    wide, narrow, none = gaps(cliff().model, (0.1, 0.02, 0.0), range(30), 300)
    assert wide.difference.mean > 15
    assert abs(narrow.difference.mean) < wide.difference.mean / 3
    assert abs(none.difference.mean) <= 3 * none.difference.error + 1e-9 and none.sarsa.mean == -13


@pytest.mark.parametrize("rule", AGENTS)
def test_seeds_resumed_in_step_go_on_as_they_would_have(rule: Rule) -> None:
    settings = Settings(limit=60)
    run, resumed = (Lockstep(frozen_lake().model, rule, range(5), 12, settings) for _ in range(2))
    for _ in range(150):
        run.step()
    file = io.BytesIO()
    np.savez(file, **run.checkpoint())
    file.seek(0)
    with np.load(file) as kept:
        resumed.resume(dict(kept))
    for told, again in zip(run, resumed, strict=True):
        assert told == again
    np.testing.assert_array_equal(run.returns, resumed.returns)
    np.testing.assert_array_equal(run.q, resumed.q)
    with pytest.raises(BadCheckpoint, match="another run"):
        Lockstep(frozen_lake().model, rule, range(4), 12, settings).resume(run.checkpoint())
    with pytest.raises(BadCheckpoint, match="another run"):
        run.resume({})


def test_a_trial_tells_its_way() -> None:
    told = list(trial(cliff().model, ("sarsa", "q_learning"), range(3), 20, last=5))
    ends = [(rule, what) for rule, what in told if isinstance(what, Learnt)]
    assert [rule for rule, _ in ends] == ["sarsa", "q_learning"]
    steps = [what.steps for rule, what in told if rule == "sarsa" and not isinstance(what, Learnt)]
    assert all(0 < after - before <= 3 for before, after in zip(steps, steps[1:], strict=False))
    assert ends[0][1].returns.shape == (3, 20) and ends[0][1].q.shape == (3, 48, 4)


def test_the_behaviour_explores_as_it_would_next() -> None:
    """ε falls to 0 with the last episode, so that what follows behaves greedily."""
    falling = Settings(exploration=EpsilonGreedy(Linear(0.5, 0.0, 300)))
    got = outcomes(cliff().model, ("q_learning",), range(3), 300, falling)["q_learning"]
    np.testing.assert_array_equal(got.behaviour, got.greedy)
    assert (got.online < -13).all()


def test_means_leave_out_what_has_none() -> None:
    assert Mean.of([1.0, np.nan, 3.0]) == (2.0, 1.0, 2)
    assert np.isnan(Mean.of([np.nan]).mean) and np.isnan(Mean.of([1.0]).error)


def test_questions_without_an_answer_are_refused() -> None:
    model = cliff().model
    with pytest.raises(BadSetting, match="seed by seed"):
        Lockstep(model, "double_q", range(2), 5)  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match="greedily"):
        Lockstep(model, "sarsa", range(2), 5, Settings(exploration=Softmax(Constant(1.0))))
    with pytest.raises(BadSetting, match="at least one seed"):
        Lockstep(model, "sarsa", (), 5)
    with pytest.raises(BadSetting, match="has finished 0"):
        learnt(Lockstep(model, "sarsa", range(2), 5), 5)


def test_agents_are_fast_enough_to_be_slowed_down() -> None:
    """The floors are far below what is measured (0.4 million updates a second, 0.8 million in step)."""
    agent = QLearning(Walk(cliff().model))
    began = time.process_time()
    for _ in range(20_000):
        agent.step()
    assert 20_000 / (time.process_time() - began) > 60_000
    run = Lockstep(cliff().model, "sarsa", range(100), 40)
    began = time.process_time()
    for _ in run:
        pass
    assert run.steps / (time.process_time() - began) > 80_000


def test_walled_in_seeds_finish_by_the_limit() -> None:
    run = Lockstep(GridWorld.drawn("S#G").model, "sarsa", range(4), 3, Settings(limit=7))
    assert list(run)[-1].running == 0 and (run.lengths == 7).all() and (run.returns == -7).all()
