"""Honest curves over seeds: on one axis, with a centre and an interval.

The interquartile mean and its bootstrap are those of Agarwal et al. (2021), "Deep reinforcement learning at the edge of
the statistical precipice" (rliable): the mean of the middle half of the runs, resampled with replacement, whole curves
at a time. Nothing here draws from any stream but one of its own that always begins alike, so equal data give equal
bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studio.ml.rl.errors import BadSetting
from studio.ml.rl.learner import Floats
from studio.ml.rl.record import Curve

Axis = Literal["steps", "episodes", "seconds"]
Centre = Literal["iqm", "mean", "median"]
Spread = Literal["bootstrap", "range"]

BINS = 300
_WORK = 1_000_000
"""Numbers that a band's resamples come to at most, unless their number is given: some tens of milliseconds."""
_FEWEST, _MOST = 200, 1000


class Band(NamedTuple):
    """Over seeds at each x, [n]: the centre, what it lies between, and how many seeds reach this far."""

    x: Floats
    centre: Floats
    low: Floats
    high: Floats
    seeds: NDArray[np.int64]


class Interval(NamedTuple):
    value: float
    low: float
    high: float


def iqm(values: ArrayLike, axis: int = 0) -> Floats:
    """Mean of the middle half along an axis: a quarter of the values, rounded down, is left out at either end."""
    x = np.sort(np.asarray(values, dtype=np.float64), axis=axis)
    n = x.shape[axis]
    middle: Floats = np.take(x, np.arange(n // 4, n - n // 4), axis=axis).mean(axis=axis)
    return middle


def interval(
    scores: ArrayLike, centre: Centre = "iqm", *, confidence: float = 0.95, resamples: int = 2000
) -> Interval:
    """Of final scores: runs [N], or runs [N, M] of M worlds, each resampled by itself (stratified) and then pooled.

    Raises BadSetting where there are none.
    """
    x = np.asarray(scores, dtype=np.float64)
    if not x.size:
        raise BadSetting("An interval needs at least one run.")
    x = x.reshape(len(x), -1)
    n, m = x.shape
    drawn = _stream().integers(n, size=(resamples, n, m))
    pooled = x[drawn, np.arange(m)].reshape(resamples, n * m)
    low, high = np.quantile(_centre(pooled, centre, 1), _ends(confidence))
    return Interval(float(_centre(x.reshape(-1), centre, 0)), float(low), float(high))


def align(curves: Sequence[Curve], axis: Axis = "steps", bins: int = BINS) -> tuple[Floats, Floats]:
    """x [n] and values [seeds, n] on one axis: means of equal bins, each at its right end.

    Where a seed has no sample in a bin, the straight line between its neighbours; nan before its first and after its
    last one. With fewer samples than bins there are as many bins as the longest curve has samples.
    """
    filled = [(getattr(curve, axis).astype(np.float64), curve.values) for curve in curves]
    ends = [x[-1] for x, _ in filled if len(x)]
    if not ends:
        return np.empty(0), np.empty((len(curves), 0))
    end, n = float(max(ends)), min(bins, max(len(x) for x, _ in filled))
    edges = np.linspace(0.0, end, n + 1)
    return edges[1:], np.array([_binned(x, y, edges) for x, y in filled])


def _binned(x: Floats, y: Floats, edges: Floats) -> Floats:
    n = len(edges) - 1
    whole = np.full(n, np.nan)
    if not len(x):
        return whole
    place = np.clip(np.searchsorted(edges, x, side="left") - 1, 0, n - 1)
    count = np.bincount(place, minlength=n)
    some = np.flatnonzero(count)
    # About the first value, so that what never changes stays exactly as it is.
    means = y[0] + np.bincount(place, y - y[0], minlength=n)[some] / count[some]
    whole[some[0] : some[-1] + 1] = np.interp(np.arange(some[0], some[-1] + 1), some, means)
    return whole


def band(
    x: Floats, values: Floats, centre: Centre = "iqm", spread: Spread = "bootstrap", *,
    confidence: float = 0.95, resamples: int | None = None,
) -> Band:
    """Centre and spread of values [seeds, n] at each x, over the seeds that have one there.

    "bootstrap": percentile interval of the centre; whole curves are drawn, the same ones at every x. "range": from the
    lowest to the highest seed. resamples: as many as are quick, from 200 to 1,000, where not given.
    """
    here = ~np.isnan(values)
    seeds = here.sum(axis=0)
    middle, low, high = (np.full(len(x), np.nan) for _ in range(3))
    kinds, which = np.unique(here, axis=1, return_inverse=True)
    for k, rows in enumerate(kinds.T):
        columns = np.flatnonzero(which == k)
        part = values[np.ix_(np.flatnonzero(rows), columns)]
        if not len(part):
            continue
        middle[columns] = _centre(part, centre, 0)
        if spread == "range":
            low[columns], high[columns] = part.min(axis=0), part.max(axis=0)
        else:
            count = resamples or int(np.clip(_WORK // max(values.size, 1), _FEWEST, _MOST))
            low[columns], high[columns] = _bootstrap(part, centre, confidence, count)
    return Band(x, middle, low, high, seeds)


def _bootstrap(values: Floats, centre: Centre, confidence: float, resamples: int) -> Floats:
    """[2, n]. How often each run is drawn says all: sorting once is enough, and each resample weighs what is sorted."""
    runs, n = values.shape
    drawn = _stream().integers(runs, size=(resamples, runs))
    times = np.zeros((resamples, runs), dtype=np.int16)
    np.add.at(times, (np.arange(resamples)[:, None], drawn), 1)
    if centre == "mean":
        told: Floats = values[0] + times @ (values - values[0]) / runs
        return _quantiles(told, confidence)
    order = np.argsort(values, axis=0)
    ranked = np.take_along_axis(values, order, axis=0)
    cut = (runs - 1) // 2 if centre == "median" else runs // 4
    told = np.empty((resamples, n))
    for column in range(n):
        sums = np.cumsum(times[:, order[:, column]], axis=1, dtype=np.int16)
        inside = np.clip(sums, cut, runs - cut)
        # Each sorted value counts by how much of the middle it fills.
        step = np.diff(ranked[:, column])
        told[:, column] = ranked[-1, column] - (inside[:, :-1] - cut) @ step / (runs - 2 * cut)
    return _quantiles(told, confidence)


def _quantiles(told: Floats, confidence: float) -> Floats:
    ends: Floats = np.quantile(told, _ends(confidence), axis=0)
    return ends


def _ends(confidence: float) -> list[float]:
    if not 0 < confidence < 1:
        raise BadSetting(f"A confidence lies between 0 and 1, not {confidence}.")
    return [(1 - confidence) / 2, (1 + confidence) / 2]


def _centre(values: Floats, centre: Centre, axis: int) -> Floats:
    if centre == "iqm":
        return iqm(values, axis)
    told: Floats = values.mean(axis=axis) if centre == "mean" else np.median(values, axis=axis)
    return told


def _stream() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(2021))
