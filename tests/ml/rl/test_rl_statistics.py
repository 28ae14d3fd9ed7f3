"""Bands over seeds against scipy and the plain way of resampling; curves on one axis."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, trim_mean

from studio.ml.rl.errors import BadSetting
from studio.ml.rl.record import Curve
from studio.ml.rl.statistics import Centre, align, band, interval, iqm

RNG = np.random.Generator(np.random.PCG64(3))


@pytest.mark.parametrize("runs", [1, 2, 3, 4, 5, 8, 10, 97])
def test_the_interquartile_mean_is_scipys(runs: int) -> None:
    values = RNG.normal(size=(runs, 7)) ** 3
    np.testing.assert_allclose(iqm(values), trim_mean(values, 0.25, axis=0), rtol=1e-12)
    np.testing.assert_allclose(iqm(values, axis=1), trim_mean(values, 0.25, axis=1), rtol=1e-12)


def plainly(values: np.ndarray, centre: Centre, resamples: int) -> np.ndarray:
    """Draw runs with replacement, take the centre, and the 2.5 and 97.5 percentiles of what comes out."""
    stream = np.random.Generator(np.random.PCG64(2021))
    drawn = values[stream.integers(len(values), size=(resamples, len(values)))]
    told = {
        "iqm": lambda x: trim_mean(x, 0.25, axis=1),
        "mean": lambda x: x.mean(axis=1),
        "median": lambda x: np.median(x, axis=1),
    }[centre](drawn)
    return np.percentile(told, [2.5, 97.5], axis=0)


@pytest.mark.parametrize("centre", ["iqm", "mean", "median"])
@pytest.mark.parametrize("runs", [1, 2, 3, 5, 6, 7, 20])
def test_the_quick_bootstrap_is_the_plain_one(centre: Centre, runs: int) -> None:
    values = RNG.normal(size=(runs, 5)).round(1)  # Rounded, so that some are equal.
    got = band(np.arange(5.0), values, centre, resamples=400)
    np.testing.assert_allclose([got.low, got.high], plainly(values, centre, 400), atol=1e-12)
    assert (got.low <= got.centre + 1e-12).all() and (got.centre <= got.high + 1e-12).all()


def test_the_interval_of_scores_is_the_band_of_one_place() -> None:
    scores = RNG.normal(size=12)
    value, low, high = interval(scores, resamples=500)
    got = band(np.zeros(1), scores[:, None], resamples=500)
    assert (value, low, high) == pytest.approx((got.centre[0], got.low[0], got.high[0]), abs=1e-12)


def test_worlds_are_resampled_apart() -> None:
    """Of two worlds far apart, every resample has as many runs of each: the mean hardly moves."""
    scores = np.stack([RNG.normal(0, 0.1, 10), RNG.normal(100, 0.1, 10)], axis=1)
    value, low, high = interval(scores, "mean")
    assert value == pytest.approx(50, abs=0.1) and high - low < 0.2
    assert interval(scores.ravel(), "mean").high - interval(scores.ravel(), "mean").low > 30


def test_the_interval_covers_what_it_says() -> None:
    """Normal runs, mean: close to the textbook's ± 1.96 σ/√n."""
    scores = RNG.normal(5.0, 2.0, 400)
    value, low, high = interval(scores, "mean", resamples=4000)
    half = norm.ppf(0.975) * scores.std() / 20
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.1 * half)


def test_bands_count_only_who_is_there() -> None:
    values = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, np.nan], [np.nan, np.nan, np.nan]])
    got = band(np.arange(3.0), values, "mean", "range")
    assert got.seeds.tolist() == [2, 2, 1]
    np.testing.assert_array_equal(got.centre, [2, 3, 3])
    np.testing.assert_array_equal(got.low, [1, 2, 3])
    np.testing.assert_array_equal(got.high, [3, 4, 3])
    none = band(np.arange(2.0), np.full((2, 2), np.nan))
    assert np.isnan(none.centre).all() and none.seeds.tolist() == [0, 0]


def curve(x: list[float], y: list[float]) -> Curve:
    return Curve(np.array(x, dtype=np.int64), np.arange(1, len(x) + 1), np.array(x) / 10, np.array(y, dtype=float))


def test_curves_meet_on_one_axis() -> None:
    one, other = curve([10, 20, 30, 40], [1, 2, 3, 4]), curve([40], [7])
    x, values = align((one, other, curve([], [])), "steps")
    assert x.tolist() == [10, 20, 30, 40]
    np.testing.assert_array_equal(values, [[1, 2, 3, 4], [np.nan, np.nan, np.nan, 7], [np.nan] * 4])
    assert align((one, other), "episodes")[0].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(align((one,), "seconds")[0], [1, 2, 3, 4])
    x, values = align((one,), bins=2)
    np.testing.assert_array_equal(values, [[1.5, 3.5]])
    gap = curve([10, 40], [1, 4])
    np.testing.assert_allclose(align((one, gap))[1][1], [1, 2, 3, 4])
    assert align((curve([], []),))[1].shape == (1, 0) and align(())[1].shape == (0, 0)


def test_bins_keep_the_mean() -> None:
    values = RNG.normal(size=1200)
    _, got = align((curve(list(range(1, 1201)), values.tolist()),), bins=300)
    np.testing.assert_allclose(got[0], values.reshape(300, 4).mean(axis=1), atol=1e-12)


def test_questions_without_an_answer_are_refused() -> None:
    with pytest.raises(BadSetting, match="at least one run"):
        interval([])
    with pytest.raises(BadSetting, match="between 0 and 1"):
        interval([1.0, 2.0], confidence=95)
