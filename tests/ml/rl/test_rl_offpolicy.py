"""Importance sampling: right on average, known where it is not, and refused where it cannot know."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from studio.ml.rl.errors import BadPolicy, NoEnd
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.model import Model, Outcome
from studio.ml.rl.offpolicy import Judge, episodes, exactly, judged

MODEL = GridWorld.drawn("..G S#. ...", slip=0.1).model
BEHAVIOUR = np.full((9, 4), 0.25)
TARGET = np.full((9, 4), 0.15) + np.eye(4)[[1, 1, 0, 0, 0, 0, 1, 1, 0]] * 0.4


def test_estimates_by_hand() -> None:
    judge = Judge([[0.9, 0.1]], [[0.5, 0.5]], gamma=0.5)
    first = judge.hear([(0, 0, 2.0), (0, 1, 4.0)])
    assert first.ratio == pytest.approx(1.8 * 0.2) and first.value == 4.0
    assert first[3:7] == pytest.approx((1.44, 4.0, 2 * 1.8 + 0.5 * 4 * 0.36, 1.0)) and np.isnan(first.error)
    second = judge.hear([(0, 0, 1.0)])
    assert second.ordinary == pytest.approx((1.44 + 1.8) / 2)
    assert second.weighted == pytest.approx((1.44 + 1.8) / (0.36 + 1.8))
    assert second.effective == pytest.approx((0.36 + 1.8) ** 2 / (0.36**2 + 1.8**2))
    assert second.error == pytest.approx(np.std([1.44, 1.8], ddof=1) / 2**0.5)


def test_estimates_come_to_the_exact_value() -> None:
    """γ = 0.9 over many runs: ordinary and per-decision within their noise, weighted near."""
    model, exact = MODEL, exactly(MODEL, TARGET, 0.9)
    nearer = 0.5 * BEHAVIOUR + 0.5 * TARGET
    short = [list(islice(judged(model, TARGET, nearer, seed, gamma=0.9), 150))[-1] for seed in range(60)]
    for values in ([e.ordinary for e in short], [e.per_decision for e in short]):
        assert abs(np.mean(values) - exact) < 4 * np.std(values) / 60**0.5
    weighted = np.array([e.weighted for e in short])
    assert abs(weighted.mean() - exact) < 0.05 * abs(exact)
    assert weighted.std() < np.std([e.ordinary for e in short])
    assert np.std([e.per_decision for e in short]) < np.std([e.ordinary for e in short])


def test_one_policy_judging_itself_is_the_plain_mean() -> None:
    told = list(islice(judged(MODEL, BEHAVIOUR, BEHAVIOUR, 3), 200))
    returns = [sum(r for _, _, r in path) for path in islice(episodes(MODEL, BEHAVIOUR, 3), 200)]
    assert told[-1].ratio == 1 and told[-1].effective == pytest.approx(200)
    assert told[-1][3:6] == pytest.approx((np.mean(returns),) * 3)
    assert abs(np.mean(returns) - exactly(MODEL, BEHAVIOUR)) < 4 * told[-1].error


def test_the_books_infinite_variance() -> None:
    """Sutton and Barto, example 5.5: the value is 1; the weighted estimate is just that, the ordinary one wanders."""
    left = (Outcome(0.9, 0, 0.0, False), Outcome(0.1, 0, 1.0, True))
    model = Model(((left, (Outcome(1.0, 0, 0.0, True),)),))
    assert exactly(model, [[1.0, 0.0]]) == pytest.approx(1)
    told = [list(islice(judged(model, [[1.0, 0.0]], [[0.5, 0.5]], seed), 1000)) for seed in range(10)]
    assert all(e.weighted == pytest.approx(1) for run in told for e in run if e.effective > 0)
    assert np.std([run[-1].ordinary for run in told]) > 0.05


def test_equal_seeds_are_equal_estimates() -> None:
    runs = [list(islice(judged(MODEL, TARGET, BEHAVIOUR, seed), 50)) for seed in (1, 1, 2)]
    assert str(runs[0]) == str(runs[1]) != str(runs[2])


def test_what_cannot_be_known_is_refused() -> None:
    with pytest.raises(BadPolicy, match="Let the behaviour explore"):
        Judge([[0.5, 0.5]], [[1.0, 0.0]])
    with pytest.raises(BadPolicy, match="same states"):
        Judge([[0.5, 0.5]], [[1.0, 0.0]] * 2)
    stay = np.eye(4)[np.full(9, 3)]
    with pytest.raises(NoEnd, match="after 50 steps"):
        next(episodes(GridWorld.drawn("... S.. ..G").model, stay, limit=50))
    assert np.isnan(exactly(GridWorld.drawn("... S.. ..G").model, stay))
