"""Kernels k(x, z), and the feature maps φ with k(x, z) = φ(x)·φ(z) that they stand for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from studio.ml.linear.problem import Array

KernelName = Literal["linear", "polynomial", "rbf"]


@dataclass(frozen=True)
class Kernel:
    """linear: x·z. polynomial: (x·z + c)^d. rbf: exp(−γ ‖x − z‖²), the Gaussian of length scale ℓ = 1/√(2γ)."""

    name: KernelName = "rbf"
    degree: int = 2
    offset: float = 1.0
    gamma: float = 1.0

    def gram(self, A: Array, B: Array) -> Array:
        """k of every pair, [len(A), len(B)]."""
        if self.name == "rbf":
            squares = np.square(A).sum(axis=1)[:, None] + np.square(B).sum(axis=1) - 2 * A @ B.T
            gaussian: Array = np.exp(-self.gamma * np.maximum(squares, 0.0))
            return gaussian
        inner: Array = A @ B.T
        return inner if self.name == "linear" else (inner + self.offset) ** self.degree


@dataclass(frozen=True)
class Monomial:
    """One feature of a polynomial kernel: weight · x₁^a₁ ⋯ x_p^a_p."""

    powers: tuple[int, ...]
    weight: float

    def of(self, X: Array) -> Array:
        """Its values [n] at points [n, p]."""
        values: Array = self.weight * np.prod(X ** np.array(self.powers), axis=1)
        return values


def monomials(kernel: Kernel, inputs: int) -> tuple[Monomial, ...]:
    """The features of a linear or polynomial kernel on `inputs` numbers; those of weight zero are left out.

    By the multinomial theorem (x·z + c)^d = Σ d!/(a₀! a₁! ⋯ a_p!) c^a₀ Π (x_i z_i)^a_i over all a with Σ a = d, so each
    feature has the square root of its coefficient as its weight. Raises ValueError for a kernel without finite map.
    """
    if kernel.name == "rbf":
        raise ValueError(
            "the Gaussian kernel has infinitely many features; approximate it with random Fourier features"
        )
    degree, offset = (1, 0.0) if kernel.name == "linear" else (kernel.degree, kernel.offset)
    found = []
    for powers in _compositions(degree, inputs):
        rest = degree - sum(powers)
        ways = math.factorial(degree) / math.prod(math.factorial(a) for a in (rest, *powers))
        weight = math.sqrt(ways * offset**rest)
        if weight > 0:
            found.append(Monomial(powers, weight))
    return tuple(found)


def features(kernel: Kernel, X: Array) -> Array:
    """φ(X) of a linear or polynomial kernel, [n, number of monomials]."""
    return np.column_stack([monomial.of(X) for monomial in monomials(kernel, X.shape[1])])


def _compositions(most: int, places: int) -> Iterator[tuple[int, ...]]:
    """All exponents (a₁ … a_places) with a sum of at most `most`, the lowest sum first."""
    for total in range(most + 1):
        yield from _sums(total, places)


def _sums(total: int, places: int) -> Iterator[tuple[int, ...]]:
    if places == 1:
        yield (total,)
        return
    for first in range(total, -1, -1):
        for rest in _sums(total - first, places - 1):
            yield (first, *rest)
