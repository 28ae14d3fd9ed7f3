"""Mean functions: what is expected before any point is seen; their parameters are fitted with the kernel's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.ml.gp.errors import BadKernel
from studio.ml.gp.jet import Array


class Mean(ABC):
    """m(x) = design(x) @ theta: linear in its parameters theta [p]."""

    @property
    @abstractmethod
    def theta(self) -> Array:
        """The parameters [p]."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """A name for each parameter."""

    @abstractmethod
    def with_theta(self, theta: Sequence[float] | Array) -> Mean:
        """The same mean at other parameters [p]."""

    @abstractmethod
    def design(self, x: Array) -> Array:
        """dm/dtheta at points [n, d] -> [n, p]."""

    @abstractmethod
    def slope(self, axis: int) -> float:
        """dm/dx along one input dimension, the same everywhere."""

    def __call__(self, x: Array) -> Array:
        value: Array = self.design(x) @ self.theta
        return value


@dataclass(frozen=True)
class ZeroMean(Mean):
    """m(x) = 0."""

    @property
    def theta(self) -> Array:
        return np.empty(0)

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def with_theta(self, theta: Sequence[float] | Array) -> ZeroMean:
        return self

    def design(self, x: Array) -> Array:
        return np.empty((len(x), 0))

    def slope(self, axis: int) -> float:
        return 0.0

    def __call__(self, x: Array) -> Array:
        return np.zeros(len(x))


@dataclass(frozen=True)
class ConstantMean(Mean):
    """m(x) = value."""

    value: float = 0.0

    @property
    def theta(self) -> Array:
        return np.array([self.value])

    @property
    def names(self) -> tuple[str, ...]:
        return ("mean",)

    def with_theta(self, theta: Sequence[float] | Array) -> ConstantMean:
        return ConstantMean(float(theta[0]))

    def design(self, x: Array) -> Array:
        return np.ones((len(x), 1))

    def slope(self, axis: int) -> float:
        return 0.0


@dataclass(frozen=True)
class LinearMean(Mean):
    """m(x) = intercept + slopes . x, one slope for each input dimension."""

    intercept: float = 0.0
    slopes: tuple[float, ...] = (0.0,)

    @property
    def theta(self) -> Array:
        return np.array([self.intercept, *self.slopes])

    @property
    def names(self) -> tuple[str, ...]:
        return ("mean intercept", *(f"mean slope {d + 1}" for d in range(len(self.slopes))))

    def with_theta(self, theta: Sequence[float] | Array) -> LinearMean:
        intercept, *slopes = (float(value) for value in theta)
        return LinearMean(intercept, tuple(slopes))

    def design(self, x: Array) -> Array:
        if x.shape[1] != len(self.slopes):
            raise BadKernel(f"The mean has {len(self.slopes)} slopes, but the inputs have {x.shape[1]} dimensions")
        return np.hstack([np.ones((len(x), 1)), x])

    def slope(self, axis: int) -> float:
        return self.slopes[axis]
