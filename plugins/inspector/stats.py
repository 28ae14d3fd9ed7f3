"""Statistics of a stream of values, each chunk seen once: moments in float64, extremes, special values, a histogram.

Moments are merged as Chan, Golub and LeVeque (1979) do, M2 = M2a + M2b + d^2 na nb / n, on values shifted by the mean of the first chunk:
a variance of 1e-6 around a mean of 1e9 keeps twelve digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from studio_plugins.inspector.dtypes import Array

BINS = 256


@dataclass(frozen=True)
class Histogram:
    """Exact counts: bin i covers [start + i * width, start + (i + 1) * width)."""

    start: float
    width: float
    counts: tuple[int, ...]

    def edges(self) -> Array:
        return self.start + self.width * np.arange(len(self.counts) + 1)


@dataclass(frozen=True)
class Statistics:
    """What is known of a tensor. All but the counts are over finite values; None where there is none.

    `variance` is the population variance. Complex values count with their magnitude (`of_magnitudes`).
    """

    count: int
    finite: int
    nan: int
    infinite: int
    zeros: int
    minimum: float | int | None
    maximum: float | int | None
    mean: float | None
    variance: float | None
    std: float | None
    l2: float | None
    histogram: Histogram | None
    of_magnitudes: bool = False
    complete: bool = True


class DyadicHistogram:
    """A histogram that needs no range beforehand: bin edges are multiples of 2^k, and k grows when values fall outside.

    Widening merges whole bins, so the counts stay exact. At most `bins` bins. (A negative value 10^300 times smaller than the bins
    vanishes when scaled, and counts as zero.)
    """

    def __init__(self, bins: int = BINS, whole: bool = False) -> None:
        self.bins = bins
        self.smallest = 0 if whole else -1074
        self.k: int | None = None
        self.first = 0
        self.counts = np.zeros(0, np.int64)

    def add(self, values: Array) -> None:
        """Count finite float64 values (at least one)."""
        low, high = float(values.min()), float(values.max())
        # No finer than the spacing of the numbers themselves, or a constant would have bins of no width.
        k = max(self.smallest, math.frexp(max(abs(low), abs(high)))[1] - 53)
        if self.k is not None:
            k = max(k, self.k)
            low = min(low, math.ldexp(float(self.first), self.k))
            high = max(high, math.ldexp(float(self.first + len(self.counts) - 1), self.k))
        # Start where the range nearly fits; halves, because the range of two huge numbers would overflow.
        k = max(k, math.frexp(high / 2 - low / 2)[1] - math.frexp(self.bins)[1])
        while _bin(high, k) - _bin(low, k) >= self.bins:
            k += 1
        self._widen(k, _bin(low, k), _bin(high, k))
        places = np.floor(np.ldexp(values, -k)).astype(np.int64) - self.first
        self.counts += np.bincount(places, minlength=len(self.counts))

    def _widen(self, k: int, first: int, last: int) -> None:
        counts = np.zeros(last - first + 1, np.int64)
        if self.k is not None:
            places = ((self.first + np.arange(len(self.counts))) >> (k - self.k)) - first
            np.add.at(counts, places, self.counts)
        self.k, self.first, self.counts = k, first, counts

    def result(self) -> Histogram | None:
        """What was counted so far; None before the first value."""
        if self.k is None:
            return None
        width = math.ldexp(1.0, self.k)
        return Histogram(self.first * width, width, tuple(int(count) for count in self.counts))


def _bin(value: float, k: int) -> int:
    return math.floor(math.ldexp(value, -k))


class Accumulator:
    """Feed chunks with `add`; `result()` at any time."""

    def __init__(self) -> None:
        self.count = self.finite = self.nan = self.zeros = 0
        self.pivot: float | None = None
        self.mean = self.m2 = 0.0  # of the values minus the pivot
        self.minimum: float | int | None = None
        self.maximum: float | int | None = None
        self.of_magnitudes = False
        self._histogram: DyadicHistogram | None = None

    def add(self, values: Array) -> None:
        """Take in a chunk of any numeric type and shape."""
        if values.dtype.kind == "c":
            self.of_magnitudes = True
            values = np.abs(values.astype(np.complex128))
        self.count += values.size
        if values.dtype.kind == "f":
            finite = np.isfinite(values)
            if not finite.all():
                self.nan += int(np.isnan(values).sum())
                values = values[finite]
        if not values.size:
            return
        low, high = values.min().item(), values.max().item()
        self.minimum = low if self.minimum is None else min(self.minimum, low)
        self.maximum = high if self.maximum is None else max(self.maximum, high)
        self.zeros += int(values.size - np.count_nonzero(values))
        if self._histogram is None:
            self._histogram = DyadicHistogram(whole=values.dtype.kind in "biu")
        exact = values.astype(np.float64).reshape(-1)
        self._histogram.add(exact)
        with np.errstate(over="ignore", invalid="ignore"):
            self._merge(exact)

    def _merge(self, values: Array) -> None:
        n = values.size
        if self.pivot is None:
            self.pivot = float(values.mean())
            if not math.isfinite(self.pivot):
                self.pivot = 0.0
        shifted = values - self.pivot
        mean = float(shifted.mean())
        rest = shifted - mean
        # The second term takes out what rounding left in the mean.
        m2 = float(np.square(rest).sum()) - float(rest.sum()) ** 2 / n
        total = self.finite + n
        delta = mean - self.mean
        self.m2 += m2 + delta * delta * self.finite * n / total
        self.mean += delta * n / total
        self.finite = total

    def result(self, *, complete: bool = True) -> Statistics:
        """The statistics of everything taken in so far."""
        n = self.finite
        some = n > 0
        mean = (self.pivot or 0.0) + self.mean
        variance = max(self.m2, 0.0) / n if some else None
        return Statistics(
            count=self.count, finite=n, nan=self.nan, infinite=self.count - n - self.nan, zeros=self.zeros,
            minimum=self.minimum, maximum=self.maximum, mean=mean if some else None, variance=variance,
            std=math.sqrt(variance) if variance is not None else None,
            # Sum of squares from the moments: both terms are positive, so nothing cancels.
            l2=math.sqrt(max(self.m2, 0.0) + n * mean * mean) if some else None,
            histogram=self._histogram.result() if self._histogram is not None else None,
            of_magnitudes=self.of_magnitudes, complete=complete,
        )  # fmt: skip
