"""Covariance functions k(x, x') as small frozen values, and their sum, product and multiple.

A kernel is called on points x [n, d], x' [m, d] (float64) and gives [n, m]; on x alone it gives [n, n], which for White
is not the same as k(x, x): noise belongs to an observation, not to a place. Hyper-parameters are seen as one vector
theta: the logarithm of each positive one, the others as they are, a kernel's own before those of its parts.

Gradients run backwards, as in automatic differentiation: `with_pullback` gives K together with the function that takes
weights W [n, m] to sum_ij W_ij dK_ij/dtheta [p]. No [n, n, p] array is ever made, and any loss of K costs one pass.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import numpy as np

from studio.ml.gp.errors import BadKernel
from studio.ml.gp.jet import Array, Jet

Pullback = Callable[[Array], list[float]]
"""Weights W [n, m] -> sum_ij W_ij dK_ij/dtheta, one number for each hyper-parameter."""

Features = Callable[[Array], Array]
"""Points [n, d] -> random features phi [n, c] with E[phi phi'^T] / c = K."""


class Hyper(NamedTuple):
    """A hyper-parameter as a kernel's class declares it. positive: seen as its logarithm; low, high: usual bounds;
    many: whether a tuple is allowed, one value for each input dimension or component.
    """

    name: str
    positive: bool = True
    low: float = 1e-5
    high: float = 1e5
    many: bool = False


class Parameter(NamedTuple):
    """One hyper-parameter of one kernel in a tree. name: unique in the tree, such as "RBF.length" or "RBF#2.length";
    value, low, high: in the kernel's own unit, not logarithms.
    """

    name: str
    value: float
    positive: bool
    low: float
    high: float


@dataclass(frozen=True)
class Kernel(ABC):
    """A positive semi-definite function of two points. Subclasses are frozen dataclasses: their fields are what kernel
    text reads and writes, in this order; `hyper` names those that are fitted.
    """

    hyper: ClassVar[tuple[Hyper, ...]] = ()

    def __post_init__(self) -> None:
        for hyper in self.hyper:
            for value in _each(getattr(self, hyper.name)):
                if not math.isfinite(value) or (hyper.positive and value <= 0):
                    wanted = "a number above 0" if hyper.positive else "a finite number"
                    raise BadKernel(f"{self.name}: {hyper.name} must be {wanted}, not {value}")

    @abstractmethod
    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        """K(a, b) [n, m], or K(a) [n, n] without b, and its pullback to theta."""

    @abstractmethod
    def diagonal(self, a: Array) -> Array:
        """k(x, x) of each point [n], as on the diagonal of K(a)."""

    @abstractmethod
    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        """sum_i weights_i dk(x_i, x_i)/dtheta for weights [n]."""

    @abstractmethod
    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        """K(a, b) with its derivatives along input dimension `axis`. Raises NotDifferentiable."""

    @abstractmethod
    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        """Random features of this kernel, `count` of them; raises BadKernel where there are none (White)."""

    def __call__(self, a: Array, b: Array | None = None) -> Array:
        return self.with_pullback(a, b)[0]

    def __add__(self, other: Kernel) -> Sum:
        return Sum((*_terms(self, Sum), *_terms(other, Sum)))

    def __mul__(self, other: Kernel) -> Product:
        return Product((*_terms(self, Product), *_terms(other, Product)))

    def __rmul__(self, variance: float) -> Scale:
        return Scale(variance, self)

    @property
    def name(self) -> str:
        """The word that stands for it in kernel text."""
        return type(self).__name__

    @property
    def parts(self) -> tuple[Kernel, ...]:
        """The kernels this one is made of."""
        return ()

    def with_parts(self, parts: Sequence[Kernel]) -> Self:
        """This kernel made of other parts, as many as it has."""
        return self

    @property
    def theta(self) -> Array:
        """The hyper-parameters [p] as the optimiser sees them: logarithms of the positive ones."""
        return np.array(list(self._thetas()))

    def with_theta(self, theta: Sequence[float] | Array) -> Self:
        """The same kernel at other hyper-parameters [p]."""
        rest = iter(np.asarray(theta, dtype=float).tolist())
        kernel = self._taking(rest)
        if next(rest, None) is not None:
            raise BadKernel(f"{self} has {len(self.theta)} hyper-parameters, not {len(theta)}")
        return kernel

    def parameters(self) -> tuple[Parameter, ...]:
        """The hyper-parameters in the order of theta, each with a name of its own."""
        seen: dict[str, int] = {}
        return tuple(self._parameters(seen))

    def _thetas(self) -> Iterator[float]:
        for hyper in self.hyper:
            values = _each(getattr(self, hyper.name))
            yield from map(math.log, values) if hyper.positive else values
        for part in self.parts:
            yield from part._thetas()

    def _taking(self, rest: Iterator[float]) -> Self:
        changes = {}
        for hyper in self.hyper:
            old = getattr(self, hyper.name)
            new = tuple(at_theta(value, next(rest)) if hyper.positive else next(rest) for value in _each(old))
            changes[hyper.name] = new if isinstance(old, tuple) else new[0]
        kernel = dataclasses.replace(self, **changes) if changes else self
        parts = self.parts
        return kernel.with_parts([part._taking(rest) for part in parts]) if parts else kernel

    def _parameters(self, seen: dict[str, int]) -> Iterator[Parameter]:
        seen[self.name] = seen.get(self.name, 0) + 1
        label = self.name if seen[self.name] == 1 else f"{self.name}#{seen[self.name]}"
        for hyper in self.hyper:
            values = getattr(self, hyper.name)
            for i, value in enumerate(_each(values)):
                index = f"[{i}]" if isinstance(values, tuple) else ""
                yield Parameter(f"{label}.{hyper.name}{index}", value, hyper.positive, hyper.low, hyper.high)
        for part in self.parts:
            yield from part._parameters(seen)

    def __str__(self) -> str:
        values = [getattr(self, field.name) for field in dataclasses.fields(self)]
        return f"{self.name}({', '.join(map(written, values))})" if values else self.name


@dataclass(frozen=True)
class Sum(Kernel):
    """k1 + k2 + ...: the covariance of a sum of independent functions."""

    kernels: tuple[Kernel, ...]

    @property
    def parts(self) -> tuple[Kernel, ...]:
        return self.kernels

    def with_parts(self, parts: Sequence[Kernel]) -> Sum:
        return Sum(tuple(parts))

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        traced = [kernel.with_pullback(a, b) for kernel in self.kernels]
        total = traced[0][0] + traced[1][0] if len(traced) > 1 else traced[0][0]
        for K, _ in traced[2:]:
            total += K
        return total, lambda weights: [value for _, pull in traced for value in pull(weights)]

    def diagonal(self, a: Array) -> Array:
        total: Array = np.sum([kernel.diagonal(a) for kernel in self.kernels], axis=0)
        return total

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        return [value for kernel in self.kernels for value in kernel.diagonal_pullback(a, weights)]

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        first, *others = (kernel.jet(a, b, axis) for kernel in self.kernels)
        return sum(others, start=first)

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        kinds = len(self.kernels)
        shares = [count // kinds + (i < count % kinds) for i in range(kinds)]
        drawn = [(k.features(rng, share, dimensions), share) for k, share in zip(self.kernels, shares, strict=True)]
        return lambda x: np.hstack([math.sqrt(count / share) * phi(x) for phi, share in drawn if share])

    def __str__(self) -> str:
        return " + ".join(f"({kernel})" if isinstance(kernel, Sum) else str(kernel) for kernel in self.kernels)


@dataclass(frozen=True)
class Product(Kernel):
    """k1 * k2 * ..."""

    kernels: tuple[Kernel, ...]

    @property
    def parts(self) -> tuple[Kernel, ...]:
        return self.kernels

    def with_parts(self, parts: Sequence[Kernel]) -> Product:
        return Product(tuple(parts))

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        traced = [kernel.with_pullback(a, b) for kernel in self.kernels]
        total = math.prod((K for K, _ in traced[1:]), start=traced[0][0])

        def pull(weights: Array) -> list[float]:
            gradient: list[float] = []
            for i, (_, inner) in enumerate(traced):
                others = (K for j, (K, _) in enumerate(traced) if j != i)
                gradient += inner(math.prod(others, start=weights))
            return gradient

        return total, pull

    def diagonal(self, a: Array) -> Array:
        return math.prod((kernel.diagonal(a) for kernel in self.kernels[1:]), start=self.kernels[0].diagonal(a))

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        diagonals = [kernel.diagonal(a) for kernel in self.kernels]
        gradient: list[float] = []
        for i, kernel in enumerate(self.kernels):
            others = (d for j, d in enumerate(diagonals) if j != i)
            gradient += kernel.diagonal_pullback(a, math.prod(others, start=weights))
        return gradient

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        first, *others = (kernel.jet(a, b, axis) for kernel in self.kernels)
        return math.prod(others, start=first)

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        drawn = [kernel.features(rng, count, dimensions) for kernel in self.kernels]
        return lambda x: math.prod((phi(x) for phi in drawn[1:]), start=drawn[0](x))

    def __str__(self) -> str:
        texts = [
            f"({kernel})" if isinstance(kernel, Sum | Product) or (i and isinstance(kernel, Scale)) else str(kernel)
            for i, kernel in enumerate(self.kernels)
        ]
        return "*".join(texts)


@dataclass(frozen=True)
class Scale(Kernel):
    """variance * k: the functions are sqrt(variance) times as tall. Written `1.2*RBF(0.4)`."""

    variance: float
    kernel: Kernel
    hyper = (Hyper("variance"),)

    @property
    def parts(self) -> tuple[Kernel, ...]:
        return (self.kernel,)

    def with_parts(self, parts: Sequence[Kernel]) -> Scale:
        return Scale(self.variance, parts[0])

    def with_pullback(self, a: Array, b: Array | None = None) -> tuple[Array, Pullback]:
        K, inner = self.kernel.with_pullback(a, b)
        c = self.variance

        def pull(weights: Array) -> list[float]:
            return [c * inner_product(weights, K), *(c * value for value in inner(weights))]

        return c * K, pull

    def diagonal(self, a: Array) -> Array:
        return self.variance * self.kernel.diagonal(a)

    def diagonal_pullback(self, a: Array, weights: Array) -> list[float]:
        own = float(weights @ self.diagonal(a))
        return [own, *(self.variance * value for value in self.kernel.diagonal_pullback(a, weights))]

    def jet(self, a: Array, b: Array, axis: int) -> Jet:
        return self.kernel.jet(a, b, axis).scaled(self.variance)

    def features(self, rng: np.random.Generator, count: int, dimensions: int) -> Features:
        phi = self.kernel.features(rng, count, dimensions)
        return lambda x: math.sqrt(self.variance) * phi(x)

    def __str__(self) -> str:
        inner = f"({self.kernel})" if isinstance(self.kernel, Sum | Product) else str(self.kernel)
        return f"{written(self.variance)}*{inner}"


def at_theta(value: float, theta: float) -> float:
    """exp(theta), or the value itself where that is its logarithm: a hyper-parameter that rests does not drift."""
    return value if theta == math.log(value) else math.exp(theta)


def inner_product(weights: Array, matrix: Array) -> float:
    """sum_ij weights_ij matrix_ij."""
    return float(np.vdot(weights, matrix))


def written(value: object) -> str:
    """A value as kernel text that reads back to exactly the same value."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def _each(values: float | tuple[float, ...]) -> tuple[float, ...]:
    return values if isinstance(values, tuple) else (values,)


def _terms(kernel: Kernel, kind: type[Sum | Product]) -> tuple[Kernel, ...]:
    return kernel.parts if isinstance(kernel, kind) else (kernel,)
