"""Elo scores against the closed form of two, an independent minimiser, and simulated voters whose scores are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from studio.ml.evaluation.elo import MEAN, PER_POINT, bounded, elo, negative_log_likelihood, probability, wins_matrix


@given(st.integers(1, 500), st.integers(1, 500))
def test_two_contestants_follow_the_closed_form(won, lost):
    """400 log10(won / lost); its variance is 1 / (k^2 n p (1 - p)), and each score moves by half of the difference."""
    found = elo(np.array([[0, won], [lost, 0]]))
    assert found.scores[0] - found.scores[1] == pytest.approx(400 * math.log10(won / lost), abs=1e-6)
    assert found.scores.mean() == pytest.approx(MEAN) and found.virtual_ties == 0
    n, p = won + lost, won / (won + lost)
    assert found.half_widths == pytest.approx([1.96 / 2 / (PER_POINT * math.sqrt(n * p * (1 - p)))] * 2, rel=1e-6)


def test_it_is_the_minimum_of_the_formula_as_written():
    """The formula of the paper, coded as it stands there, must rise in every direction from the scores found."""
    rng = np.random.default_rng(0)
    wins = rng.integers(0, 9, (5, 5)).astype(float)
    scores = elo(wins).scores

    def written(s):
        return sum(
            wins[i, j] * math.log(1 + 10 ** ((s[j] - s[i]) / 400)) for i in range(5) for j in range(5) if i != j
        )

    assert written(scores) == pytest.approx(negative_log_likelihood(scores, wins * (1 - np.eye(5))), rel=1e-12)
    for _ in range(50):
        assert written(scores + rng.normal(0, 0.5, 5)) > written(scores)


def test_an_independent_minimiser_finds_the_same():
    wins = torch.tensor(np.random.default_rng(4).integers(1, 30, (6, 6)), dtype=torch.float64)
    sigma = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([sigma], lr=100, max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-14, line_search_fn="strong_wolfe")

    def loss():
        solver.zero_grad()
        value = (wins * torch.log1p(10 ** ((sigma[None, :] - sigma[:, None]) / 400))).sum()
        value.backward()
        return value

    solver.step(loss)
    found = sigma.detach().numpy()
    assert elo(wins.numpy()).scores == pytest.approx(MEAN + found - found.mean(), abs=0.01)


def test_simulated_voters_give_the_scores_back_and_the_intervals_cover_them():
    rng = np.random.default_rng(1)
    true = np.array([-150.0, -20.0, 40.0, 130.0])
    chance = probability(true)
    inside = []
    for _ in range(200):
        wins = np.zeros((4, 4))
        for i in range(4):
            for j in range(i):
                wins[i, j] = rng.binomial(60, chance[i, j])
                wins[j, i] = 60 - wins[i, j]
        found = elo(wins)
        inside.append(np.abs(found.scores - MEAN - true) < found.half_widths)
    covered = np.mean(inside)
    assert 0.92 < covered < 0.98  # 800 intervals of 95 %: three standard errors, generously


def test_a_tie_is_half_a_win_each():
    votes = [("a", "b", 1), ("b", "a", 0.5), ("a", "b", 0.5), ("b", "a", 1), ("a", "b", 1)]
    wins = wins_matrix(["a", "b"], votes)
    assert wins.tolist() == [[0, 3], [2, 0]]
    with pytest.raises(ValueError, match="1, 0.5 or 0"):
        wins_matrix(["a", "b"], [("a", "b", 2)])


def test_who_never_lost_gets_a_finite_score_that_says_what_was_added():
    wins = np.array([[0, 5], [0, 0]])
    found = elo(wins)
    assert found.virtual_ties == 1
    assert found.scores[0] - found.scores[1] == pytest.approx(400 * math.log10(5.5 / 0.5), abs=1e-6)
    assert np.isfinite(found.half_widths).all()


@pytest.mark.parametrize(
    ("wins", "expected"),
    [
        ([[0, 1], [1, 0]], True),
        ([[0, 1], [0, 0]], False),
        ([[0, 1, 0], [0, 0, 1], [1, 0, 0]], True),
        ([[0, 1, 1], [1, 0, 1], [0, 0, 0]], False),
        ([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], False),
        ([[0]], True),
        (np.eye(12, k=1) + np.eye(12, k=-11), True),
    ],
)
def test_bounded_means_everyone_can_be_reached(wins, expected):
    assert bounded(np.asarray(wins)) is expected


def test_lopsided_counts_converge():
    wins = np.array([[0, 1e6, 1], [1, 0, 1e6], [1e-3, 1, 0]])
    found = elo(wins)
    chance = probability(found.scores)
    games = wins + wins.T
    assert (games * chance).sum(axis=1) == pytest.approx(wins.sum(axis=1), rel=1e-6)  # expected wins equal actual ones


@pytest.mark.parametrize("wins", [np.zeros((2, 3)), np.full((2, 2), np.nan), np.array([[0, -1], [1, 0]]), np.zeros(3)])
def test_what_is_no_table_of_wins_is_refused(wins):
    with pytest.raises(ValueError, match="square matrix of counts"):
        elo(wins)


def test_no_votes_leave_everyone_at_the_mean():
    found = elo(np.zeros((3, 3)))
    assert found.scores == pytest.approx([MEAN] * 3) and found.virtual_ties == 1
    assert elo(np.zeros((0, 0))).scores.shape == (0,)
