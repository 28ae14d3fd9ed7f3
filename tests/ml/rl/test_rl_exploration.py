"""Schedules and policies: closed forms, and choices as likely as they say."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from studio.ml.rl.errors import BadSetting
from studio.ml.rl.exploration import Constant, EpsilonGreedy, Exploration, Halving, Harmonic, Linear, Softmax, greedy


def test_schedules() -> None:
    assert [Constant(0.2).at(k) for k in (0, 9)] == [0.2, 0.2]
    assert [Linear(1.0, 0.5, 10).at(k) for k in (0, 5, 10, 99)] == [1.0, 0.75, 0.5, 0.5]
    assert [Halving(1.0, 0.0, 4).at(k) for k in (0, 4, 8)] == [1.0, 0.5, 0.25]
    assert [Harmonic(1.0).at(k) for k in (0, 1, 3)] == [1.0, 0.5, 0.25]


def test_the_shares_of_epsilon_greedy() -> None:
    assert EpsilonGreedy(Constant(0.2)).probabilities([1, 3, 3, 0], 0) == pytest.approx([0.05, 0.45, 0.45, 0.05])
    assert greedy().probabilities([1, 3, 2], 0) == [0, 1, 0]
    assert EpsilonGreedy(Constant(5.0)).probabilities([1, 3], 0) == [0.5, 0.5]


def test_the_shares_of_softmax() -> None:
    q = [1.0, 3.0, -2.0]
    np.testing.assert_allclose(Softmax(Constant(0.7)).probabilities(q, 0), softmax(np.array(q) / 0.7), rtol=1e-12)
    assert Softmax(Constant(0.0)).probabilities([1, 2, 2], 0) == [0, 0.5, 0.5]
    assert Softmax(Constant(1e-3)).probabilities([0.0, -1e6], 0) == [1, 0]


POLICIES = [*(EpsilonGreedy(Constant(e)) for e in (0.0, 0.3, 1.0)), *(Softmax(Constant(t)) for t in (0.0, 0.8))]


@pytest.mark.parametrize("policy", POLICIES)
def test_evenly_spread_draws_choose_by_the_shares(policy: Exploration) -> None:
    q, count = [0.5, 1.0, 1.0, -1.0], 40_000
    seen = Counter(policy.choose(q, 0, (k + 0.5) / count) for k in range(count))
    for action, share in enumerate(policy.probabilities(q, 0)):
        assert abs(seen[action] / count - share) < 3 / count * len(q)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6),
    st.floats(0, 1),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 3),
)
def test_any_values_give_a_policy(q: list[float], epsilon: float, u: float, temperature: float) -> None:
    for policy in (EpsilonGreedy(Constant(epsilon)), Softmax(Constant(temperature))):
        shares = policy.probabilities(q, 0)
        assert math.isclose(sum(shares), 1, abs_tol=1e-9) and min(shares) >= 0
        assert shares[policy.choose(q, 0, u)] > 0
        assert policy.expectation(q, 0) == pytest.approx(np.dot(shares, q), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Constant(-0.1),
        lambda: Constant(math.nan),
        lambda: Linear(1, 0, 0),
        lambda: Halving(1, 0, 0),
        lambda: Harmonic(-1),
    ],
)
def test_bad_schedules_are_refused(make: object) -> None:
    with pytest.raises(BadSetting):
        make()  # type: ignore[operator]
