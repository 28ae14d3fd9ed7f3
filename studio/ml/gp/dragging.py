"""The posterior while one point is dragged: the others are factored once, each move costs O(n m) instead of O(n^3).

With the dragged point last, K = [[K_o, k], [k', c]] has the factor [[L, 0], [l', p]], l = L^-1 k, p^2 = c - l'l. So one
triangular solve gives l, and the new row of L^-1 K(x, grid) is one matrix-vector product: mean, variance and evidence
change by a single term. `Dragging.of` is the full factorisation (begin it when the pointer hovers over the point).

    dragging = Dragging.of(model, data, index, grid)
    moved = dragging.move(x, y)         .mean, .variance, .evidence, .leave_one_out()
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import blas

from studio.ml.gp.errors import BadData
from studio.ml.gp.exact import LOG_2PI, Evidence, LeaveOneOut, Posterior, left_out
from studio.ml.gp.factor import JITTERS, Factor
from studio.ml.gp.jet import Array
from studio.ml.gp.model import Data, Model


@dataclass(frozen=True, eq=False)
class Moved:
    """The posterior after a move: mean [m] and variance [m] of f on the grid, and the evidence.

    jitter: what was added to the dragged point's variance to keep the covariance positive definite; mostly 0.
    """

    mean: Array
    variance: Array
    evidence: Evidence
    jitter: float
    whitened: float
    """The dragged point's entry of L^-1 (y - m)."""
    pivot: float
    """Its diagonal entry of the factor: the standard deviation that the others leave it."""
    row: Array
    """The others' entries of its row of the factor [n - 1]."""


@dataclass(frozen=True, eq=False)
class Dragging:
    """Data less the point at `index`, factored, ready for that point to come back anywhere. grid [m, d]."""

    others: Posterior
    index: int
    grid: Array
    own_noise: float
    prior_mean: Array
    solved: Array
    """L^-1 K(others, grid) [n - 1, m], in column order."""
    mean: Array
    variance: Array

    @classmethod
    def of(cls, model: Model, data: Data, index: int, grid: Array) -> Dragging:
        """Take the point at `index` out and factor the others. Raises BadData where there is no such point."""
        if not 0 <= index < len(data):
            raise BadData(f"There is no point {index + 1}: there are {len(data)}")
        others = Posterior.of(model, data.without(index))
        V = others.factor.half_solve(others.cross_covariance(grid).T)
        mean = model.mean(grid) + V.T @ others.whitened
        variance = model.kernel.diagonal(grid) - np.einsum("ij,ij->j", V, V)
        own_noise = 0.0 if data.noise is None else float(data.noise[index])
        return cls(others, index, grid, own_noise, model.mean(grid), V, mean, variance)

    def move(self, x: ArrayLike, y: float, noise: float | None = None) -> Moved:
        """The dragged point at x (a number or [d]), y, with its own noise variance (as it was where None)."""
        place = np.asarray(x, dtype=float).reshape(1, -1)
        if place.shape[1] != self.grid.shape[1] or not (np.isfinite(place).all() and math.isfinite(y)):
            raise BadData(f"A point needs {self.grid.shape[1]} finite coordinates and a finite value")
        others, model = self.others, self.others.model
        total = float(model.kernel.diagonal(place)[0]) + model.noise + (self.own_noise if noise is None else noise)
        row = others.factor.half_solve(others.cross_covariance(place)[0])
        pivot, jitter = _pivot(total, total - float(row @ row), len(row) + 1)
        residual = y - float(model.mean(place)[0])
        whitened = (residual - float(row @ others.whitened)) / pivot
        solved = (model.kernel(place, self.grid)[0] - self._projected(row)) / pivot
        before = others.evidence
        evidence = Evidence(
            before.fit - 0.5 * whitened**2, before.complexity - math.log(pivot), before.constant - 0.5 * LOG_2PI
        )
        variance = np.maximum(self.variance - solved**2, 0)
        return Moved(self.mean + whitened * solved, variance, evidence, jitter, whitened, pivot, row)

    def leave_one_out(self, moved: Moved, y: float) -> LeaveOneOut:
        """Leave-one-out predictions of all points in the data's own order, by the inverse of a block matrix."""
        last = moved.whitened / moved.pivot
        u = self._back_solve(moved.row)
        alpha = np.insert(self.others.alpha - u * last, self.index, last)
        diagonal = np.insert(self._inverse_diagonal + (u / moved.pivot) ** 2, self.index, moved.pivot**-2)
        return left_out(np.insert(self.others.data.y, self.index, y), alpha, diagonal)

    @cached_property
    def _inverse_diagonal(self) -> Array:
        return self.others.factor.inverse_diagonal()

    def _projected(self, row: Array) -> Array:
        """row @ solved: a BLAS call on the matrix as it lies."""
        if len(row) == 0:
            return np.zeros(len(self.grid))
        product: Array = blas.dgemv(1.0, self.solved, row, trans=1)
        return product

    def _back_solve(self, row: Array) -> Array:
        """L'^-1 row [n - 1]."""
        if len(row) == 0:
            return row
        solved: Array = blas.dtrsv(self.others.factor.lower, row, lower=1, trans=1)
        return solved


def _pivot(total: float, left: float, n: int) -> tuple[float, float]:
    """The last diagonal entry of the factor and the jitter it took, by the rule of `Factor.of`."""
    smallest = n * np.finfo(float).eps * total
    if left > smallest:
        return math.sqrt(left), 0.0
    jitter = next(share * total for share in JITTERS[1:] if left + share * total > smallest)
    return math.sqrt(left + jitter), jitter
