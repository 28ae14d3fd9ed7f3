"""The Cholesky factor of a covariance, with the jitter it took told, never silently added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, lapack

from studio.ml.gp.errors import NotPositiveDefinite
from studio.ml.gp.jet import Array

JITTERS = (0.0, *(10.0**power for power in range(-13, -3)))
"""Tried in this order, as a share of the mean variance."""


@dataclass(frozen=True, eq=False)
class Factor:
    """covariance + jitter * I = lower @ lower.T; lower [n, n] in column order, zero above its diagonal.

    jitter: what had to be added to the diagonal, 0.0 where nothing was.
    """

    lower: Array
    jitter: float = 0.0

    @classmethod
    def of(cls, covariance: Array, noise: Array | None = None) -> Factor:
        """Factor a symmetric matrix [n, n] with the noise variances [n] on its diagonal, neither of them changed.

        Raises NotPositiveDefinite where no small jitter helps. A pivot below n * eps of the largest variance is
        rounding error, not variance: it counts as a failure, too.
        """
        n = len(covariance)
        if n == 0:
            return cls(np.empty((0, 0)))
        variances = covariance.diagonal() + (0.0 if noise is None else noise)
        smallest = n * np.finfo(float).eps * variances.max()
        jitter = 0.0
        for share in JITTERS:
            jitter = share * float(variances.mean())
            matrix = covariance.T.copy(order="F")
            matrix.reshape(-1, order="F")[:: n + 1] = variances + jitter
            lower, info = lapack.dpotrf(matrix, lower=1, clean=1, overwrite_a=1)
            if info == 0 and np.square(lower.diagonal()).min() > smallest:
                return cls(lower, jitter)
        raise NotPositiveDefinite(n, jitter)

    def __len__(self) -> int:
        return len(self.lower)

    def half_solve(self, right: Array) -> Array:
        """lower^-1 @ right for a vector [n] or a matrix [n, m]; a matrix in column order is not copied twice."""
        if len(self) == 0:
            return right
        if right.ndim == 1:
            solved: Array = blas.dtrsv(self.lower, right, lower=1)
            return solved
        matrix: Array = blas.dtrsm(1.0, self.lower, right, lower=1)
        return matrix

    def solve(self, right: Array) -> Array:
        """(lower @ lower.T)^-1 @ right for a vector [n] or a matrix [n, m]."""
        if len(self) == 0:
            return right
        solved: Array = lapack.dpotrs(self.lower, right, lower=1)[0]
        return solved

    def inverse_less(self, vector: Array) -> Array:
        """covariance^-1 - vector vector' [n, n], its upper triangle alone in row order, zero below."""
        if len(self) == 0:
            return self.lower
        inverse = lapack.dpotri(self.lower, lower=1)[0]
        less: Array = blas.dsyr(-1.0, vector, a=inverse, lower=1, overwrite_a=1)
        return less.T

    def inverse_diagonal(self) -> Array:
        """Diagonal of the inverse [n]: sums of squares of the columns of lower^-1."""
        if len(self) == 0:
            return np.empty(0)
        inverse = lapack.dtrtri(self.lower, lower=1)[0]
        diagonal: Array = np.einsum("ij,ij->j", inverse, inverse)
        return diagonal

    @property
    def half_log_determinant(self) -> float:
        """log |covariance| / 2."""
        return float(np.log(self.lower.diagonal()).sum())

    def condition(self, norm: float) -> float:
        """LAPACK's estimate of the condition number in the 1-norm, given the 1-norm of the covariance; O(n^2)."""
        if len(self) == 0:
            return 1.0
        reciprocal, _ = lapack.dpocon(self.lower, norm, uplo="L")
        return 1 / max(float(reciprocal), np.finfo(float).tiny)
