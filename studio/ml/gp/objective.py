"""What fitting climbs: log p(y | theta) + log p(theta) over the hyper-parameters that are free, with its gradient.

theta holds the logarithms of positive hyper-parameters. Priors are densities over theta, too, so that the same target
serves maximisation (type-II maximum likelihood, or maximum a posteriori with priors), Laplace and sampling.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from studio.ml.gp.errors import BadKernel, GPError, NotPositiveDefinite
from studio.ml.gp.exact import Posterior
from studio.ml.gp.jet import Array
from studio.ml.gp.kernel import Parameter
from studio.ml.gp.model import Data, Model
from studio.ml.gp.starting import plausible

WIDENED = 1e3
"""A parameter may move this many times away from its start, whatever its usual bounds: units may be anything."""


class Prior(ABC):
    """Belief about one hyper-parameter before the data."""

    @abstractmethod
    def log_density(self, theta: float) -> tuple[float, float]:
        """log p(theta) and its derivative; theta is the logarithm of a positive hyper-parameter."""


@dataclass(frozen=True)
class LogNormal(Prior):
    """theta ~ N(log median, spread^2): within a factor exp(spread) of the median with a chance of 68 %."""

    median: float
    spread: float = 1.0

    def __post_init__(self) -> None:
        if not (self.median > 0 and self.spread > 0):
            raise BadKernel("A log-normal prior needs a median and a spread above 0")

    def log_density(self, theta: float) -> tuple[float, float]:
        z = (theta - math.log(self.median)) / self.spread
        return -0.5 * z**2 - math.log(self.spread) - 0.5 * math.log(2 * math.pi), -z / self.spread


@dataclass(frozen=True)
class Gamma(Prior):
    """value ~ Gamma(shape, rate), of mean shape / rate; its density over theta = log value."""

    shape: float
    rate: float

    def __post_init__(self) -> None:
        if not (self.shape > 0 and self.rate > 0):
            raise BadKernel("A gamma prior needs a shape and a rate above 0")

    def log_density(self, theta: float) -> tuple[float, float]:
        value = math.exp(theta)
        log = self.shape * (math.log(self.rate) + theta) - self.rate * value - math.lgamma(self.shape)
        return log, self.shape - self.rate * value


@dataclass(frozen=True)
class Freedom:
    """Which hyper-parameters may move, and how far; by their names as `Model.parameters` gives them.

    bounds: in the parameter's own unit; fixed: keep their values; priors: densities, flat where none is given.
    """

    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    priors: Mapping[str, Prior] = field(default_factory=dict)


class Terms(Protocol):
    """A log marginal likelihood, or a bound of it, in its terms."""

    @property
    def total(self) -> float:
        """Their sum."""


class Conditioned(Protocol):
    """What fitting needs of a posterior, exact or sparse."""

    @property
    def evidence(self) -> Terms:
        """log p(y), or a bound."""

    def gradient(self) -> Array:
        """Its gradient by the model's theta [p]."""


Condition = Callable[[Model, Data], Conditioned]
"""`Posterior.of`, or SGPR with its inducing points given."""


class Objective:
    """log p(y, theta) as a function of the free part of theta. Raises GPError for names the model does not have."""

    def __init__(
        self, model: Model, data: Data, freedom: Freedom | None = None, condition: Condition = Posterior.of
    ) -> None:
        self.model, self.data, self.freedom, self._condition = model, data, freedom or Freedom(), condition
        everything = model.parameters()
        _check_names(everything, self.freedom)
        self._free = np.array([p.name not in self.freedom.fixed for p in everything], dtype=bool)
        self.parameters = tuple(p for p in everything if p.name not in self.freedom.fixed)
        self.bounds = np.array([_bounds(p, self.freedom) for p in self.parameters]).reshape(-1, 2)

    @property
    def start(self) -> Array:
        """The free hyper-parameters [p] of the model as it was given, moved into their bounds."""
        start: Array = np.clip(self.model.theta[self._free], self.bounds[:, 0], self.bounds[:, 1])
        return start

    def model_at(self, free: Array) -> Model:
        """The model with its free hyper-parameters [p] set."""
        theta = self.model.theta
        theta[self._free] = free
        return self.model.with_theta(theta)

    def evidence(self, free: Array) -> Terms:
        """The log marginal likelihood alone, in its parts."""
        return self._condition(self.model_at(free), self.data).evidence

    def __call__(self, free: Array) -> tuple[float, Array]:
        """log p(y, theta) and its gradient [p]; -inf and 0 where the covariance is not positive definite."""
        try:
            posterior = self._condition(self.model_at(free), self.data)
        except (NotPositiveDefinite, BadKernel):
            return -math.inf, np.zeros_like(free)
        prior, slope = self.prior(free)
        return posterior.evidence.total + prior, posterior.gradient()[self._free] + slope

    def prior(self, free: Array) -> tuple[float, Array]:
        """log p(theta) and its gradient [p]."""
        priors = [self.freedom.priors.get(p.name) for p in self.parameters]
        terms = [(0.0, 0.0) if q is None else q.log_density(t) for q, t in zip(priors, free.tolist(), strict=True)]
        return sum(value for value, _ in terms), np.array([slope for _, slope in terms])

    def random_start(self, rng: np.random.Generator) -> Array:
        """A start within the bounds, drawn from what the data make plausible (`starting.plausible`)."""
        ranges = [plausible(parameter, self.data) for parameter in self.parameters]
        low, high = np.array([
            (math.log(low), math.log(high)) if p.positive else (low, high)
            for p, (low, high) in zip(self.parameters, ranges, strict=True)
        ]).T  # fmt: skip
        start: Array = np.clip(rng.uniform(low, high), self.bounds[:, 0], self.bounds[:, 1])
        return start


def _check_names(parameters: tuple[Parameter, ...], freedom: Freedom) -> None:
    names = {p.name for p in parameters}
    unknown = sorted({*freedom.bounds, *freedom.fixed, *freedom.priors} - names)
    if unknown:
        raise GPError(f"There is no hyper-parameter {', '.join(unknown)}; there are {', '.join(sorted(names))}")


def _bounds(parameter: Parameter, freedom: Freedom) -> tuple[float, float]:
    """Bounds of theta."""
    name, value, positive, low, high = parameter
    if name in freedom.bounds:
        low, high = freedom.bounds[name]
        if not low < high or (positive and low <= 0):
            raise GPError(f"The bounds of {name} must be two numbers, the smaller first{', above 0' * positive}")
    elif positive:
        low, high = min(low, value / WIDENED), max(high, value * WIDENED)
    else:
        low, high = min(low, value - WIDENED * abs(value)), max(high, value + WIDENED * abs(value))
    return (math.log(low), math.log(high)) if positive else (low, high)
