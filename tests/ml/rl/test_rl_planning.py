"""The ground truth against published values, a linear programme, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from studio.ml.rl.errors import BadPolicy, BadSetting
from studio.ml.rl.grid import GridWorld, cliff, frozen_lake, windy
from studio.ml.rl.model import Model, Outcome
from studio.ml.rl.offpolicy import episodes
from studio.ml.rl.planning import (
    action_values,
    evaluate,
    greedy_policy,
    optimum,
    policy_iteration,
    start_value,
    value_iteration,
)


def best_values_by_linear_programme(model: Model, gamma: float) -> np.ndarray:
    """min Σ V with V(s) ≥ r(s, a) + γ Σ p V(s') for every action: solved by its vertices, not by iteration."""
    rows, bounds = [], []
    for s, row in enumerate(model.table):
        for outcomes in row:
            line = np.zeros(model.states)
            line[s] -= 1
            for o in outcomes:
                line[o.state] += gamma * o.probability * (not o.terminal)
            rows.append(line)
            bounds.append(-sum(o.probability * o.reward for o in outcomes))
    return np.asarray(linprog(np.ones(model.states), A_ub=np.array(rows), b_ub=bounds, bounds=(None, None)).x)


@pytest.mark.parametrize(
    ("world", "gamma"),
    [
        (cliff(), 0.95),
        (cliff(slip=0.3), 0.9),
        (frozen_lake(), 0.99),
        (windy(), 0.9),
        (GridWorld.drawn("S.#G ..C.", slip=0.1), 0.8),
    ],
)
def test_all_three_ways_to_the_best_values_agree(world: GridWorld, gamma: float) -> None:
    V, Q = optimum(world.model, gamma, tolerance=1e-13)
    np.testing.assert_allclose(V, best_values_by_linear_programme(world.model, gamma), atol=1e-8)
    *_, last = policy_iteration(world.model, gamma)
    np.testing.assert_allclose(last.V, V, atol=1e-9)
    np.testing.assert_allclose(evaluate(world.model, np.eye(4)[last.policy], gamma), V, atol=1e-9)
    np.testing.assert_allclose(Q.max(axis=1), V, atol=1e-9)


def test_published_optima() -> None:
    assert start_value(cliff().model, optimum(cliff().model)[0]) == -13
    assert start_value(windy().model, optimum(windy().model)[0]) == -15
    lake = optimum(frozen_lake().model)[0]
    assert lake[0] == pytest.approx(14 / 17, abs=1e-6), "the lake can be crossed 14 times in 17"
    *_, last = policy_iteration(frozen_lake().model)
    np.testing.assert_allclose(last.V, lake, atol=1e-6)


def test_the_books_random_policy() -> None:
    """Sutton and Barto, figure 4.1: the equiprobable policy on the 4 x 4 grid with two ends."""
    model = GridWorld(4, 4, start=(0, 1), goals=frozenset({(0, 0), (3, 3)})).model
    V = evaluate(model, np.full((16, 4), 0.25))
    expected = [0, -14, -20, -22, -14, -18, -20, -20, -20, -20, -18, -14, -22, -20, -14, 0]
    np.testing.assert_allclose(V, expected, atol=1e-9)


def test_evaluation_is_what_episodes_return() -> None:
    model = cliff(slip=0.2).model
    policy = 0.6 * greedy_policy(optimum(model)[1]) + 0.1
    returns = []
    for path in episodes(model, policy, seed=5):
        returns.append(sum(reward for _, _, reward in path))
        if len(returns) == 1500:
            break
    error = np.std(returns) / np.sqrt(len(returns))
    assert abs(np.mean(returns) - start_value(model, evaluate(model, policy))) < 4 * error


def test_values_without_an_end_are_not_numbers() -> None:
    world = GridWorld.drawn("S.#. ..#G")
    V, Q = optimum(world.model)
    assert np.isnan(V[[0, 1, 4, 5]]).all() and V[3] == -1
    assert np.isnan(Q[0]).all()
    *_, last = policy_iteration(world.model)
    np.testing.assert_array_equal(last.V, V)
    right = np.eye(4)[np.full(48, 1)]
    assert np.isnan(evaluate(cliff().model, right)[36]), "over the cliff for ever"
    assert evaluate(cliff().model, right, 0.5)[36] == pytest.approx(-200)


def test_a_way_that_may_never_end_has_no_value() -> None:
    """From 0 one action ends, the other falls half the time into 1, from which nothing ends; 2 has only the fall."""
    end, stay = Outcome(1.0, 0, -5.0, True), Outcome(1.0, 1, -1.0, False)
    risky = (Outcome(0.5, 1, -1.0, False), Outcome(0.5, 0, -1.0, True))
    for safe, actions in ((0, ((end,), risky)), (1, (risky, (end,)))):
        model = Model((actions, ((stay,), (stay,)), (risky, risky)))
        V, _ = optimum(model)
        assert V[0] == -5 and np.isnan(V[1:]).all()
        *_, last = policy_iteration(model)
        assert last.policy[0] == safe and last.V[0] == -5


def test_sweeps_shrink_by_the_discount() -> None:
    changes = [told.change for told in value_iteration(frozen_lake().model, 0.9)]
    assert all(after <= 0.9 * before + 1e-12 for before, after in zip(changes, changes[1:], strict=False))


def test_policies_improve_every_round() -> None:
    rounds = list(policy_iteration(cliff(slip=0.1).model))
    assert len(rounds) > 2 and rounds[-1].changed == 0
    for before, after in zip(rounds, rounds[1:], strict=False):
        assert (after.V >= before.V - 1e-9).all()


def test_equal_actions_share_alike() -> None:
    np.testing.assert_array_equal(greedy_policy([[1, 1, 0], [0, 2, 1]]), [[0.5, 0.5, 0], [0, 1, 0]])
    model = cliff().model
    np.testing.assert_allclose(action_values(model, np.zeros(48), 1.0), model.arrays.reward)


def test_bad_questions_are_refused() -> None:
    with pytest.raises(BadPolicy, match="48 rows of 4"):
        evaluate(cliff().model, np.ones((48, 3)) / 3)
    with pytest.raises(BadPolicy):
        evaluate(cliff().model, np.full((48, 4), 0.3))
    with pytest.raises(BadSetting, match="discount"):
        evaluate(cliff().model, np.full((48, 4), 0.25), 1.1)
