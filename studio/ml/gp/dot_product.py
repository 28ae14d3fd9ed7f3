"""Kernels of the dot product x . x' : Bayesian linear and polynomial regression, and wide neural networks.

They are not stationary: it matters where zero is. Linear has a `center` for it; move the inputs for the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from studio.ml.gp.errors import BadKernel, NotDifferentiable
from studio.ml.gp.jet import Array, Jet
from studio.ml.gp.kernel import Features, Hyper, Kernel, Pullback, inner_product


@dataclass(frozen=True)
class Constant(Kernel):
    """value: the same unknown height everywhere, of this variance."""

    value: float = 1.0
    hyper = (Hyper("value"),)

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        K = np.full((len(a), len(a if b is None else b)), self.value)
        return K, lambda weights: [self.value * float(weights.sum())]

    def diagonal(self, a: Array) -> Array:
        return np.full(len(a), self.value)

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        return [self.value * float(weights.sum())]

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        return Jet.constant(self(a, b))

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        return lambda x: np.full((len(x), count), math.sqrt(self.value))


@dataclass(frozen=True)
class Linear(Kernel):
    """(x - center) . (x' - center): straight lines through 0 at `center`, slopes of variance 1."""

    center: float = 0.0
    hyper = (Hyper("center", positive=False, low=-1e5, high=1e5),)

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        u = a - self.center
        v = u if b is None else b - self.center

        def pull(weights: Array) -> list[float]:
            return [-float(weights.sum(axis=1) @ u.sum(axis=1) + weights.sum(axis=0) @ v.sum(axis=1))]

        return u @ v.T, pull

    def diagonal(self, a: Array) -> Array:
        return squared_norms(a - self.center)

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        return [-2 * float(weights @ (a - self.center).sum(axis=1))]

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        shape = len(a), len(b)
        first = np.broadcast_to(b[None, :, axis] - self.center, shape)
        second = np.broadcast_to(a[:, None, axis] - self.center, shape)
        return Jet(self(a, b), first, second, np.ones(shape))

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        signs = rng.choice([-1.0, 1.0], (dimensions, count))
        return lambda x: (x - self.center) @ signs


@dataclass(frozen=True)
class Polynomial(Kernel):
    """(x . x' + offset)^degree: all polynomials up to the degree; scikit-learn's DotProduct(sigma)^degree with
    offset = sigma^2.
    """

    degree: int = 2
    offset: float = 1.0
    hyper = (Hyper("offset"),)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.degree != int(self.degree) or not 1 <= self.degree <= 12:
            raise BadKernel(f"{self.name}: degree must be a whole number from 1 to 12, not {self.degree}")

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        base = a @ (a if b is None else b).T + self.offset
        slope = self.offset * self.degree
        return base**self.degree, lambda weights: [slope * inner_product(weights, base ** (self.degree - 1))]

    def diagonal(self, a: Array) -> Array:
        diagonal: Array = (squared_norms(a) + self.offset) ** self.degree
        return diagonal

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        base = squared_norms(a) + self.offset
        return [self.offset * self.degree * float(weights @ base ** (self.degree - 1))]

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        base = a @ b.T + self.offset
        x, y = a[:, None, axis], b[None, :, axis]
        slope = self.degree * base ** (self.degree - 1)
        curvature = self.degree * (self.degree - 1) * base ** max(0, self.degree - 2)
        return Jet(base**self.degree, slope * y, slope * x, slope + curvature * x * y)

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        """Products of `degree` independent features of x . x' + offset."""
        signs = rng.choice([-1.0, 1.0], (self.degree, dimensions + 1, count))
        height = math.sqrt(self.offset)

        def phi(x: Array) -> Array:
            extended = np.hstack([x, np.full((len(x), 1), height)])
            product: Array = math.prod((extended @ sign for sign in signs[1:]), start=extended @ signs[0])
            return product

        return phi


@dataclass(frozen=True)
class ArcCosine(Kernel):
    """|u|^n |u'|^n J_n(angle) / pi with u = (x / length, sqrt(bias)): one infinitely wide layer of units max(0, w.u)^n.

    order n = 0 (steps), 1 (rectified linear) or 2; J_0 = pi - t, J_1 = sin t + (pi - t) cos t, J_2 = 3 sin t cos t +
    (pi - t)(1 + 2 cos^2 t) (Cho & Saul 2009, eq. 3-6).
    """

    order: int = 1
    length: float = 1.0
    bias: float = 1.0
    hyper = (Hyper("length"), Hyper("bias"))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order not in (0, 1, 2):
            raise BadKernel(f"{self.name}: order must be 0, 1 or 2, not {self.order}")

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        dots = a @ (a if b is None else b).T / self.length**2
        left = squared_norms(a)[:, None] / self.length**2
        right = left.T if b is None else squared_norms(b)[None, :] / self.length**2
        norms = (left + self.bias) * (right + self.bias)
        cosine = np.clip((dots + self.bias) / np.sqrt(norms), -1, 1)
        if b is None:
            np.fill_diagonal(cosine, 1)
        k = self._curve(self.order, cosine) * norms ** (self.order / 2)

        def pull(weights: Array) -> list[float]:
            by_dot = self._by_dot(cosine, norms)
            own = self.order * k / 2 - by_dot * (dots + self.bias) / 2

            def along(d_dot: Array | float, d_left: Array | float, d_right: Array | float) -> float:
                norm_part = own * (d_left / (left + self.bias) + d_right / (right + self.bias))
                return inner_product(weights, by_dot * d_dot + norm_part)

            return [along(-2 * dots, -2 * left, -2 * right), along(self.bias, self.bias, self.bias)]

        return k, pull

    def diagonal(self, a: Array) -> Array:
        squared = squared_norms(a) / self.length**2 + self.bias
        diagonal: Array = self._curve(self.order, np.ones(1)) * squared**self.order
        return diagonal

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        squared = squared_norms(a) / self.length**2
        slope = self.order * self.diagonal(a) / (squared + self.bias)
        return [float(weights @ (slope * -2 * squared)), self.bias * float(weights @ slope)]

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        raise NotDifferentiable(self.name)

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        units = rng.standard_normal((dimensions, count)) / self.length
        biases = math.sqrt(self.bias) * rng.standard_normal(count)

        def phi(x: Array) -> Array:
            activation = x @ units + biases
            return math.sqrt(2) * np.where(activation > 0, activation**self.order, 0.0)

        return phi

    @staticmethod
    def _curve(order: int, cosine: Array) -> Array:
        """J_n / pi."""
        sine, rest = np.sqrt((1 - cosine) * (1 + cosine)), math.pi - np.arccos(cosine)
        curves = (
            lambda: rest,
            lambda: sine + rest * cosine,
            lambda: 3 * sine * cosine + rest * (1 + 2 * cosine**2),
        )
        return curves[order]() / math.pi

    def _by_dot(self, cosine: Array, norms: Array) -> Array:
        """dk/d(u . u') at fixed |u|, |u'|: n^2 k_(n-1), by Price's theorem; for steps 1 / (pi |u| |u'| sin t).

        Where x = x' a step's slope is unbounded while its sum with the norms' parts vanishes: taken as 0 there.
        """
        if self.order:
            lower = self.order - 1
            return self.order**2 * self._curve(lower, cosine) * norms ** (lower / 2)
        sine = np.sqrt((1 - cosine) * (1 + cosine))
        slope: Array = np.divide(1 / math.pi, np.sqrt(norms) * sine, out=np.zeros_like(norms), where=sine > 1e-7)
        return slope


def squared_norms(a: Array) -> Array:
    """x . x of each point [n]."""
    norms: Array = np.einsum("ij,ij->i", a, a)
    return norms
