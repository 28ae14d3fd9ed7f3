"""Kernels that are not functions of distance or dot product: White noise, Brownian motion, and a change of kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from studio.ml.gp.errors import BadKernel, NotDifferentiable
from studio.ml.gp.jet import Array, Jet
from studio.ml.gp.kernel import Features, Hyper, Kernel, Pullback


@dataclass(frozen=True)
class White(Kernel):
    """Independent noise of this variance on each observation: variance * I on one set of points, 0 between two sets."""

    variance: float = 1.0
    hyper = (Hyper("variance"),)

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        if b is not None:
            return np.zeros((len(a), len(b))), lambda weights: [0.0]
        return self.variance * np.eye(len(a)), lambda weights: [self.variance * float(np.trace(weights))]

    def diagonal(self, a: Array) -> Array:
        return np.full(len(a), self.variance)

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        return [self.variance * float(weights.sum())]

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        raise NotDifferentiable(self.name)

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        raise BadKernel("White noise is no function of x: take it as the model's noise, not as a part of the function")


@dataclass(frozen=True)
class Brownian(Kernel):
    """Brownian motion from 0 at `start`, to both sides: (|x| + |x'| - |x - x'|) / 2, x counted from `start`.

    For x, x' >= start it is min(x, x') - start. One input dimension.
    """

    start: float = 0.0
    hyper = (Hyper("start", positive=False, low=-1e5, high=1e5),)

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        u = self._from_start(a)
        v = u if b is None else self._from_start(b)
        k = 0.5 * (np.abs(u)[:, None] + np.abs(v) - np.abs(np.subtract.outer(u, v)))

        def pull(weights: Array) -> list[float]:
            return [-0.5 * float(weights.sum(axis=1) @ np.sign(u) + weights.sum(axis=0) @ np.sign(v))]

        return k, pull

    def diagonal(self, a: Array) -> Array:
        return np.abs(self._from_start(a))

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        return [-float(weights @ np.sign(self._from_start(a)))]

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        raise NotDifferentiable(self.name)

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        raise BadKernel(
            "Brownian motion has no random features that serve everywhere: draw exact samples, or use Matern12"
        )

    def _from_start(self, a: Array) -> Array:
        return _one_dimension(self.name, a) - self.start


@dataclass(frozen=True)
class ChangePoint(Kernel):
    """One kernel `before` a location and another `after` it, with a smooth change: (1-w)(1-w') before + w w' after,

    w = 1 / (1 + exp(-steepness (x - location))) along one input dimension (Saatci, Turner & Rasmussen 2010).
    """

    before: Kernel
    after: Kernel
    location: float = 0.0
    steepness: float = 1.0
    hyper = (Hyper("location", positive=False, low=-1e5, high=1e5), Hyper("steepness"))

    @property
    def parts(self) -> tuple[Kernel, ...]:
        return self.before, self.after

    def with_parts(self, parts: Sequence[Kernel]) -> ChangePoint:
        return ChangePoint(parts[0], parts[1], self.location, self.steepness)

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        before, pull_before = self.before.with_pullback(a, b)
        after, pull_after = self.after.with_pullback(a, b)
        u = self._weight(a)
        v = u if b is None else self._weight(b)
        both_before, both_after = np.outer(1 - u, 1 - v), np.outer(u, v)

        def pull(weights: Array) -> list[float]:
            old, new = weights * before, weights * after
            by_u = u * (1 - u) * (new @ v - old @ (1 - v))
            by_v = v * (1 - v) * (u @ new - (1 - u) @ old)
            x = self._from_location(a)
            y = x if b is None else self._from_location(b)
            location = -self.steepness * float(by_u.sum() + by_v.sum())
            steepness = self.steepness * float(by_u @ x + by_v @ y)
            return [location, steepness, *pull_before(weights * both_before), *pull_after(weights * both_after)]

        return both_before * before + both_after * after, pull

    def diagonal(self, a: Array) -> Array:
        u = self._weight(a)
        return (1 - u) ** 2 * self.before.diagonal(a) + u**2 * self.after.diagonal(a)

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        u = self._weight(a)
        by_logit = 2 * weights * u * (1 - u) * (u * self.after.diagonal(a) - (1 - u) * self.before.diagonal(a))
        return [
            -self.steepness * float(by_logit.sum()),
            self.steepness * float(by_logit @ self._from_location(a)),
            *self.before.diagonal_pullback(a, weights * (1 - u) ** 2),
            *self.after.diagonal_pullback(a, weights * u**2),
        ]

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        u, v = self._weight(a), self._weight(b)
        du, dv = self.steepness * u * (1 - u), self.steepness * v * (1 - v)
        early = Jet(np.outer(1 - u, 1 - v), np.outer(-du, 1 - v), np.outer(1 - u, -dv), np.outer(du, dv))
        late = Jet(np.outer(u, v), np.outer(du, v), np.outer(u, dv), np.outer(du, dv))
        return early * self.before.jet(a, b, axis) + late * self.after.jet(a, b, axis)

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        early = (count + 1) // 2
        late = max(1, count - early)
        before, after = self.before.features(rng, early, dimensions), self.after.features(rng, late, dimensions)

        def phi(x: Array) -> Array:
            u = self._weight(x)[:, None]
            total = early + late
            return np.hstack(
                [math.sqrt(total / early) * (1 - u) * before(x), math.sqrt(total / late) * u * after(x)]
            )

        return phi

    def _from_location(self, a: Array) -> Array:
        return _one_dimension(self.name, a) - self.location

    def _weight(self, a: Array) -> Array:
        weight: Array = expit(self.steepness * self._from_location(a))
        return weight


def _one_dimension(name: str, a: Array) -> Array:
    if a.shape[1] != 1:
        raise BadKernel(f"{name} takes one input dimension, but the inputs have {a.shape[1]}")
    return a[:, 0]
