"""Streamed statistics against numpy over the whole array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio_plugins.inspector.stats import Accumulator, DyadicHistogram, Statistics

Array = np.ndarray[Any, Any]


def streamed(values: Array, pieces: int = 7) -> Statistics:
    accumulator = Accumulator()
    for part in np.array_split(values.reshape(-1), pieces):
        accumulator.add(part)
    return accumulator.result()


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize(
    "values",
    [
        rng().normal(size=(300, 401)),
        rng().normal(1e9, 1e-3, 100_000),
        rng().normal(size=50_000).astype(np.float32) * 1e-20,
        rng().normal(size=50_000).astype(np.float16),
        rng().integers(0, 256, (64, 64, 3), np.uint8),
        rng().integers(-(2**31), 2**31, 10_000, np.int32),
        rng().random(10_000) < 0.3,
        rng().exponential(size=99_999) ** 9,
        np.array([3.5]),
        np.full(1000, -7.25),
    ],
    ids=["normal", "far-from-zero", "tiny", "half", "image", "int32", "bool", "heavy-tail", "one", "constant"],
)
def test_agrees_with_numpy(values: Array) -> None:
    found = streamed(values)
    exact = values.astype(np.longdouble)
    assert found.count == found.finite == values.size
    assert (found.minimum, found.maximum) == (values.min(), values.max())
    assert found.mean == pytest.approx(float(exact.mean()), rel=1e-12)
    assert found.variance == pytest.approx(float(exact.var()), rel=1e-12, abs=0)
    assert found.std == pytest.approx(float(exact.std()), rel=1e-12, abs=0)
    assert found.l2 == pytest.approx(float(np.sqrt(np.square(exact).sum())), rel=1e-12)
    assert found.zeros == (values == 0).sum()


@pytest.mark.parametrize("pieces", [1, 2, 999])
def test_the_cutting_does_not_matter(pieces: int) -> None:
    values = rng().normal(3, 2, 10_007)
    found, whole = streamed(values, pieces), streamed(values, 1)
    assert found.variance == pytest.approx(whole.variance, rel=1e-13)
    assert found.histogram is not None and whole.histogram is not None
    assert sum(found.histogram.counts) == sum(whole.histogram.counts) == values.size


def test_special_values_are_counted_and_left_out() -> None:
    values = np.array([1.0, np.nan, 3.0, np.inf, -np.inf, np.nan, 0.0])
    found = streamed(values, 3)
    assert (found.count, found.finite, found.nan, found.infinite, found.zeros) == (7, 3, 2, 2, 1)
    assert (found.minimum, found.maximum, found.mean) == (0.0, 3.0, pytest.approx(4 / 3))


@pytest.mark.parametrize("values", [np.zeros(0), np.full(5, np.nan), np.array([np.inf])])
def test_nothing_finite_is_none_not_a_number(values: Array) -> None:
    found = streamed(values, 2)
    assert found.finite == 0
    assert found.minimum is found.maximum is found.mean is found.variance is found.l2 is found.histogram is None


def test_large_integers_keep_their_extremes_exactly() -> None:
    values = np.array([2**63 + 1, 2**64 - 1, 2**53 + 1], np.uint64)
    found = streamed(values, 2)
    assert (found.minimum, found.maximum) == (2**53 + 1, 2**64 - 1)


def test_complex_values_count_by_magnitude() -> None:
    found = streamed(np.array([3 + 4j, 0j], np.complex64), 1)
    assert found.of_magnitudes
    assert (found.maximum, found.zeros, found.l2) == (5.0, 1, 5.0)


def test_overflow_is_infinite_not_an_error() -> None:
    found = streamed(np.array([1e200, -1e200, 1e308]), 2)
    assert found.variance == math.inf
    assert found.maximum == 1e308


def test_the_histogram_of_an_image_has_a_bin_for_each_level() -> None:
    values = rng().integers(0, 256, 5000, np.uint8)
    found = streamed(values).histogram
    assert found is not None and found.width == 1.0
    counts = np.bincount(values, minlength=256)
    start = int(found.start)
    assert found.counts == tuple(counts[start : start + len(found.counts)])


MAGNITUDES = st.floats(1e-100, 1e150)


@settings(max_examples=60)
@given(st.lists(st.just(0.0) | MAGNITUDES | MAGNITUDES.map(lambda x: -x), min_size=1, max_size=60).map(np.array), st.integers(1, 5))
def test_every_value_is_in_its_bin(values: Array, pieces: int) -> None:
    histogram = DyadicHistogram(bins=16)
    for part in np.array_split(values, pieces):
        if part.size:
            histogram.add(part)
    found = histogram.result()
    assert found is not None
    assert len(found.counts) <= 16
    assert sum(found.counts) == values.size
    edges = found.edges()
    assert all(edges[i] <= value < edges[i + 1] for value in values for i in [np.searchsorted(edges, value, "right") - 1])
    assert tuple(np.histogram(values, edges)[0]) == found.counts
