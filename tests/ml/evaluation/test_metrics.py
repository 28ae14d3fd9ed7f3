"""Figures of merit against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from studio.ml.evaluation.metrics import diversity, frechet_distance, wilson_interval


def test_wilson_interval_of_a_published_example():
    # 15 of 20: 0.531 to 0.888 (Newcombe 1998, Statistics in Medicine 17, method 3 gives such values)
    low, high = wilson_interval(15, 20)
    assert (low, high) == (pytest.approx(0.5313, abs=2e-4), pytest.approx(0.8881, abs=2e-4))
    with pytest.raises(ValueError):
        wilson_interval(0, 0)


def test_frechet_distance_of_gaussians_with_diagonal_covariances():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((200_000, 3)) * [1, 2, 3]
    b = rng.standard_normal((200_000, 3)) * [2, 2, 1] + [1, 0, -1]
    expected = 2 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected, rel=0.02)


def test_frechet_distance_is_zero_for_itself_and_unchanged_by_rotation():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((500, 4)) @ rng.standard_normal((4, 4)), rng.standard_normal((400, 4))
    q, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a @ q, b @ q) == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_diversity_is_the_mean_distance_of_pairs():
    groups = np.array([[[0.0, 0], [3, 4]], [[1, 1], [1, 1]]])
    assert diversity(groups) == pytest.approx(2.5)
    with pytest.raises(ValueError):
        diversity(groups[:, :1])
