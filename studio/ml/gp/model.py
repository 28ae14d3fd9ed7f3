"""What is believed before the data (Model) and what was seen (Data), as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from studio.ml.gp.errors import BadData, BadKernel
from studio.ml.gp.jet import Array
from studio.ml.gp.kernel import Kernel, Parameter, at_theta
from studio.ml.gp.mean import Mean, ZeroMean

NOISE = Parameter("noise", 0.0, True, 1e-10, 1e5)
"""The noise variance as a hyper-parameter, with its usual bounds."""


@dataclass(frozen=True)
class Model:
    """y = f(x) + e with f ~ GP(mean, kernel), e ~ N(0, noise). noise is a variance; 0 means perfect observations.

    Hyper-parameters theta [p]: the kernel's, log noise unless the noise is 0, the mean's.
    """

    kernel: Kernel
    noise: float = 0.0
    mean: Mean = field(default_factory=ZeroMean)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.noise) and self.noise >= 0):
            raise BadKernel(f"The noise variance must be 0 or more, not {self.noise}")

    @property
    def theta(self) -> Array:
        """The hyper-parameters [p]: logarithms of the positive ones."""
        noise = [math.log(self.noise)] if self.noise else []
        return np.concatenate([self.kernel.theta, noise, self.mean.theta])

    def with_theta(self, theta: Sequence[float] | Array) -> Model:
        """The same model at other hyper-parameters [p]."""
        first = len(theta) - len(self.mean.theta)
        last = first - (self.noise > 0)
        noise = at_theta(self.noise, float(theta[last])) if self.noise else 0.0
        return Model(self.kernel.with_theta(theta[:last]), noise, self.mean.with_theta(theta[first:]))

    def parameters(self) -> tuple[Parameter, ...]:
        """The hyper-parameters in the order of theta."""
        noise = (NOISE._replace(value=self.noise),) if self.noise else ()
        mean = (
            Parameter(name, value, False, -math.inf, math.inf)
            for name, value in zip(self.mean.names, self.mean.theta.tolist(), strict=True)
        )
        return (*self.kernel.parameters(), *noise, *mean)


@dataclass(frozen=True, eq=False)
class Data:
    """Observed points: x [n, d], y [n], float64. noise [n]: extra noise variance of each point, on top of the model's.

    Make it with `of`, which checks. Repeated x are allowed; so are no points at all.
    """

    x: Array
    y: Array
    noise: Array | None = None

    @classmethod
    def of(cls, x: ArrayLike, y: ArrayLike, noise: ArrayLike | None = None) -> Data:
        """Points from anything like an array; x [n] counts as one input dimension. Raises BadData."""
        places, values = points(x), _vector(y, "y")
        if len(places) != len(values):
            raise BadData(f"There are {len(places)} x but {len(values)} y: each point needs both")
        if noise is None:
            return cls(places, values)
        variances = _vector(noise, "the noise of the points")
        if len(variances) != len(values):
            raise BadData(f"There are {len(values)} points but {len(variances)} noise variances: give one for each")
        if (variances < 0).any():
            raise BadData("The noise of a point is a variance: give 0 or more")
        return cls(places, values, variances)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def dimensions(self) -> int:
        """Number of input dimensions."""
        return int(self.x.shape[1])

    def noise_of(self, model: Model) -> Array:
        """Noise variance of each observation [n]: the model's and the point's own."""
        own = np.zeros(len(self)) if self.noise is None else self.noise
        return own + model.noise

    def without(self, index: int) -> Data:
        """The data less one point."""
        noise = None if self.noise is None else np.delete(self.noise, index)
        return Data(np.delete(self.x, index, axis=0), np.delete(self.y, index), noise)


def points(x: ArrayLike) -> Array:
    """Input points [n, d] from [n] or [n, d]. Raises BadData unless they are finite numbers."""
    places = _numbers(x, "x")
    if places.ndim == 1:
        places = places[:, None]
    if places.ndim != 2 or places.shape[1] == 0:
        raise BadData(f"x must be a list of numbers or a table [points, dimensions], not of shape {places.shape}")
    return places


def _vector(values: ArrayLike, what: str) -> Array:
    vector = _numbers(values, what)
    if vector.ndim != 1:
        raise BadData(f"{what} must be a list of numbers, not an array of shape {vector.shape}")
    return vector


def _numbers(values: ArrayLike, what: str) -> Array:
    try:
        numbers = np.ascontiguousarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise BadData(f"{what} must be numbers: {error}") from error
    finite = np.isfinite(numbers)
    if not finite.all():
        where = np.argwhere(~finite)
        raise BadData(
            f"{what} has {len(where)} value{'s' if len(where) > 1 else ''} that are not finite numbers, the first at "
            f"position {int(where[0][0]) + 1}: leave these rows out or fill them in"
        )
    return numbers
