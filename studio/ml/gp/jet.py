"""A covariance with its derivatives by one input, for the slope of a Gaussian process.

cov(f(x), f'(x')) is d/dx' k(x, x') and cov(f'(x), f'(x')) is d^2/dx dx' k(x, x'), both along one input dimension
(Rasmussen & Williams 2006, section 9.4). Sums and products of kernels follow the sum and product rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Jet:
    """value k [n, m]; first: dk/dx, of the rows; second: dk/dx', of the columns; both: d^2 k/dx dx'; all [n, m]."""

    value: Array
    first: Array
    second: Array
    both: Array

    def __add__(self, other: Jet) -> Jet:
        return Jet(
            self.value + other.value, self.first + other.first, self.second + other.second, self.both + other.both
        )

    def __mul__(self, other: Jet) -> Jet:
        return Jet(
            self.value * other.value,
            self.first * other.value + self.value * other.first,
            self.second * other.value + self.value * other.second,
            self.both * other.value + self.first * other.second + self.second * other.first + self.value * other.both,
        )

    def scaled(self, factor: float) -> Jet:
        """The jet of factor * k."""
        return Jet(factor * self.value, factor * self.first, factor * self.second, factor * self.both)

    @classmethod
    def constant(cls, value: Array) -> Jet:
        """The jet of a value [n, m] that the input does not change."""
        zero = np.zeros_like(value)
        return cls(value, zero, zero, zero)
