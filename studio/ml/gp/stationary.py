"""Kernels of the distance alone: k(s) of s = sum_d (x_d - x'_d)^2 / l_d^2, with 1 at distance 0.

One length-scale for all input dimensions, or a tuple with one for each (automatic relevance determination, ARD).
Formulas and spectral densities: Rasmussen & Williams 2006, section 4.2.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.spatial.distance import cdist

from studio.ml.gp.errors import BadKernel, NotDifferentiable
from studio.ml.gp.jet import Array, Jet
from studio.ml.gp.kernel import Features, Hyper, Kernel, Pullback, inner_product

LENGTH = Hyper("length", many=True)


@dataclass(frozen=True)
class Stationary(Kernel):
    """k(s) with s the squared scaled distance. Subclasses give the curve and its derivatives."""

    length: float | tuple[float, ...] = 1.0
    hyper: ClassVar[tuple[Hyper, ...]] = (LENGTH,)

    @abstractmethod
    def value(self, s: Array) -> Array:
        """k(s)."""

    @abstractmethod
    def sensitivity(self, s: Array, k: Array) -> Array:
        """dk/dlog l = -2 s k'(s), for one length-scale."""

    @abstractmethod
    def slopes(self, s: Array) -> tuple[Array, Array]:
        """k'(s) and s k''(s); the second stays finite at s = 0. Raises NotDifferentiable."""

    @abstractmethod
    def frequencies(self, rng: np.random.Generator, count: int, dimensions: int) -> Array:
        """Draws [count, dimensions] from the spectral density of l = 1, in radians per unit."""

    def shape_gradients(self, s: Array, k: Array) -> tuple[Array, ...]:
        """dk/dtheta of the kernel's own hyper-parameters after the length-scales."""
        return ()

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        s = self._squared_distance(a, a if b is None else b)
        k = self.value(s)

        def pull(weights: Array) -> list[float]:
            of_length = self.sensitivity(s, k)
            of_length *= weights
            if isinstance(self.length, tuple):
                lengths = self._by_dimension(of_length, s, a, a if b is None else b)
            else:
                lengths = [float(of_length.sum())]
            return [*lengths, *(inner_product(weights, shape) for shape in self.shape_gradients(s, k))]

        return k, pull

    def diagonal(self, a: Array) -> Array:
        return np.ones(len(a))

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        return [0.0] * len(self.theta)

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        s = self._squared_distance(a, b)
        squared_length = float(self._lengths(a.shape[1])[axis]) ** 2
        slope, s_curvature = self.slopes(s)
        difference = (a[:, None, axis] - b[None, :, axis]) / squared_length
        first = 2 * difference * slope
        share = np.divide(difference**2, s, out=np.zeros_like(s), where=s > 0)
        both = -4 * share * s_curvature - 2 * slope / squared_length
        return Jet(self.value(s), first, -first, both)

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        frequencies = self.frequencies(rng, count, dimensions) / self._lengths(dimensions)
        return waves(frequencies, rng)

    def _lengths(self, dimensions: int) -> Array:
        if isinstance(self.length, tuple) and len(self.length) != dimensions:
            raise BadKernel(
                f"{self} has {len(self.length)} length-scales, but the inputs have {dimensions} "
                f"dimension{'s' if dimensions > 1 else ''}: give one length-scale, or one for each dimension"
            )
        return np.broadcast_to(np.asarray(self.length, dtype=float), (dimensions,))

    def _squared_distance(self, a: Array, b: Array) -> Array:
        lengths = self._lengths(a.shape[1])
        if a.shape[1] == 1:
            difference: Array = np.subtract.outer(a[:, 0] / lengths[0], b[:, 0] / lengths[0])
            difference *= difference
            return difference
        distance: Array = cdist(a / lengths, b / lengths, "sqeuclidean")
        return distance

    def _by_dimension(self, of_length: Array, s: Array, a: Array, b: Array) -> list[float]:
        """Each dimension's share of the gradient by a common length-scale: that of s which it makes up."""
        per_s = np.divide(of_length, s, out=np.zeros_like(s), where=s > 0)
        lengths = enumerate(self._lengths(a.shape[1]))
        squares = (np.square(np.subtract.outer(a[:, d], b[:, d]) / length) for d, length in lengths)
        return [inner_product(per_s, square) for square in squares]


@dataclass(frozen=True)
class RBF(Stationary):
    """exp(-s / 2): infinitely smooth functions. Also squared exponential, Gaussian."""

    def value(self, s: Array) -> Array:
        k = -0.5 * s
        return np.exp(k, out=k)

    def sensitivity(self, s: Array, k: Array) -> Array:
        return s * k

    def slopes(self, s: Array) -> tuple[Array, Array]:
        k = self.value(s)
        return -0.5 * k, 0.25 * s * k

    def frequencies(self, rng: np.random.Generator, count: int, dimensions: int) -> Array:
        return rng.standard_normal((count, dimensions))


@dataclass(frozen=True)
class Matern12(Stationary):
    """exp(-r): continuous, rough functions (Ornstein-Uhlenbeck)."""

    def value(self, s: Array) -> Array:
        return np.exp(-np.sqrt(s))

    def sensitivity(self, s: Array, k: Array) -> Array:
        return np.sqrt(s) * k

    def slopes(self, s: Array) -> tuple[Array, Array]:
        raise NotDifferentiable(self.name)

    def frequencies(self, rng: np.random.Generator, count: int, dimensions: int) -> Array:
        return _student(rng, count, dimensions, 1)


@dataclass(frozen=True)
class Matern32(Stationary):
    """(1 + sqrt(3) r) exp(-sqrt(3) r): functions with one derivative."""

    def value(self, s: Array) -> Array:
        r = np.sqrt(3 * s)
        return (1 + r) * np.exp(-r)

    def sensitivity(self, s: Array, k: Array) -> Array:
        return 3 * s * np.exp(-np.sqrt(3 * s))

    def slopes(self, s: Array) -> tuple[Array, Array]:
        r = np.sqrt(3 * s)
        return -1.5 * np.exp(-r), 0.75 * r * np.exp(-r)

    def frequencies(self, rng: np.random.Generator, count: int, dimensions: int) -> Array:
        return _student(rng, count, dimensions, 3)


@dataclass(frozen=True)
class Matern52(Stationary):
    """(1 + sqrt(5) r + 5 s / 3) exp(-sqrt(5) r): functions with two derivatives."""

    def value(self, s: Array) -> Array:
        r = np.sqrt(5 * s)
        return (1 + r + r**2 / 3) * np.exp(-r)

    def sensitivity(self, s: Array, k: Array) -> Array:
        r = np.sqrt(5 * s)
        slope: Array = 5 / 3 * s * (1 + r)
        return slope * np.exp(-r)

    def slopes(self, s: Array) -> tuple[Array, Array]:
        r = np.sqrt(5 * s)
        return -5 / 6 * (1 + r) * np.exp(-r), 25 / 12 * s * np.exp(-r)

    def frequencies(self, rng: np.random.Generator, count: int, dimensions: int) -> Array:
        return _student(rng, count, dimensions, 5)


@dataclass(frozen=True)
class RationalQuadratic(Stationary):
    """(1 + s / (2 alpha))^-alpha: a mixture of RBF of all length-scales; alpha to infinity is RBF."""

    alpha: float = 1.0
    hyper = (LENGTH, Hyper("alpha", low=1e-3, high=1e3))

    def value(self, s: Array) -> Array:
        return np.exp(-self.alpha * np.log1p(s / (2 * self.alpha)))

    def sensitivity(self, s: Array, k: Array) -> Array:
        return s * k / (1 + s / (2 * self.alpha))

    def shape_gradients(self, s: Array, k: Array) -> tuple[Array, ...]:
        u = s / (2 * self.alpha)
        return (self.alpha * k * (u / (1 + u) - np.log1p(u)),)

    def slopes(self, s: Array) -> tuple[Array, Array]:
        base = 1 + s / (2 * self.alpha)
        k = self.value(s)
        return -0.5 * k / base, 0.25 * (1 + 1 / self.alpha) * s * k / base**2

    def frequencies(self, rng: np.random.Generator, count: int, dimensions: int) -> Array:
        precision = rng.gamma(self.alpha, 1 / self.alpha, (count, 1))
        return np.sqrt(precision) * rng.standard_normal((count, dimensions))


def waves(frequencies: Array, rng: np.random.Generator) -> Features:
    """sqrt(2) cos(x . w + b) for frequencies w [c, d] and phases b drawn here (Rahimi & Recht 2007)."""
    phases = rng.uniform(0, 2 * math.pi, len(frequencies))
    return lambda x: math.sqrt(2) * np.cos(x @ frequencies.T + phases)


def _student(rng: np.random.Generator, count: int, dimensions: int, degrees: int) -> Array:
    """Multivariate Student-t with `degrees` of freedom, the spectral density of Matern kernels (2 nu = degrees)."""
    scale = np.sqrt(degrees / rng.chisquare(degrees, (count, 1)))
    return scale * rng.standard_normal((count, dimensions))
