"""Sparse Gaussian process regression by the collapsed variational bound (SGPR; Titsias 2009), to about 10^5 points.

The function is summarised by its values at m inducing points Z; O(n m^2) instead of O(n^3). With r = y - m(x), noise
variances v, K_mm = L L', A = L^-1 K_mn diag(v)^-1/2, B = I + A A', the bound on log p(y) is

    log N(r | 0, Q + diag(v)) - 1/2 sum_i (k_ii - q_ii) / v_i,    Q = K_nm K_mm^-1 K_mn,

and equals log p(y) where the inducing points determine f at every point. Its gradient is analytic, in the whitened
coordinates of L, so that inducing points that lie close together do no harm.

    sparse = SparsePosterior.of(model, data, spread(model, data, 100))
    sparse.evidence.total <= log p(y) <= sparse.upper()
    fit(model, data, condition=partial(SparsePosterior.of, inducing=sparse.inducing))
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas

from studio.ml.gp.components import terms, white_variance
from studio.ml.gp.errors import BadData, BadKernel
from studio.ml.gp.exact import LOG_2PI, Prediction
from studio.ml.gp.factor import Factor
from studio.ml.gp.formula import Gaussian
from studio.ml.gp.jet import Array
from studio.ml.gp.model import Data, Model

STEADY = 1e-10
"""Share of the mean variance added to the diagonal of K_mm: the bound of inducing values seen through this noise."""

BLOCK = 8192
"""Points taken together: their kernel matrix stays in the cache and small in memory."""


@dataclass(frozen=True)
class Bound:
    """The lower bound of log p(y) in its terms; `total` is comparable with `Evidence.total`."""

    fit: float
    complexity: float
    constant: float
    slack: float
    """-1/2 sum_i (k_ii - q_ii) / v_i: what the inducing points leave undetermined, 0 where nothing."""

    @property
    def total(self) -> float:
        """The bound itself."""
        return self.fit + self.complexity + self.constant + self.slack


@dataclass(frozen=True, eq=False)
class SparsePosterior:
    """A model conditioned on data through inducing points. inducing Z [m, d]; prior: factor of K_mm (L); whitened A
    [m, n]; inner: factor of B; weights c [m] = B^-1 A r v^-1/2; left [n]: k_ii - q_ii.
    """

    model: Model
    data: Data
    inducing: Array
    prior: Factor
    whitened: Array
    inner: Factor
    weights: Array
    left: Array

    @classmethod
    def of(cls, model: Model, data: Data, inducing: Array) -> SparsePosterior:
        """Condition on the data. Raises BadKernel for a model without noise, or with noise in its kernel."""
        if any(white_variance(term) is not None for term in terms(model.kernel)):
            raise BadKernel("Take White out of the kernel and into the model's noise first (noise_apart)")
        if inducing.ndim != 2 or inducing.shape[1] != data.dimensions or len(inducing) == 0:
            raise BadData(f"Inducing points must be a table [points, {data.dimensions}] with one row or more")
        noise = data.noise_of(model)
        if not (noise > 0).all():
            raise BadKernel("The sparse bound needs noise above 0 on every point")
        K = model.kernel(inducing)
        prior = Factor.of(K, np.full(len(K), STEADY * float(K.diagonal().mean())))
        A = np.empty((len(inducing), len(data)), order="F")
        for here in _blocks(len(data)):
            A[:, here] = prior.half_solve(model.kernel(data.x[here], inducing).T)
        left = model.kernel.diagonal(data.x) - np.einsum("ij,ij->j", A, A)
        A /= np.sqrt(noise)
        inner = Factor.of(np.eye(len(A)) + A @ A.T)
        r = (data.y - model.mean(data.x)) / np.sqrt(noise)
        return cls(model, data, inducing, prior, A, inner, inner.solve(A @ r), np.maximum(left, 0))

    @property
    def evidence(self) -> Bound:
        """The lower bound of the log marginal likelihood."""
        noise = self.data.noise_of(self.model)
        r = self._residual / np.sqrt(noise)
        fit = -0.5 * float(r @ r - (self.whitened @ r) @ self.weights)
        complexity = -self.inner.half_log_determinant - 0.5 * float(np.log(noise).sum())
        return Bound(fit, complexity, -0.5 * len(r) * LOG_2PI, -0.5 * float((self.left / noise).sum()))

    def upper(self) -> float:
        """An upper bound of log p(y) (Titsias 2014): with `evidence.total` it brackets the exact value.

        It takes the noise as larger by the trace of what the inducing points leave undetermined.
        """
        noise = self.data.noise_of(self.model)
        wide = noise + float(self.left.sum())
        A = self.whitened * np.sqrt(noise / wide)
        r = self._residual / np.sqrt(wide)
        Ar = A @ r
        fit = -0.5 * float(r @ r - Ar @ Factor.of(np.eye(len(A)) + A @ A.T).solve(Ar))
        bound = self.evidence
        return fit + bound.complexity + bound.constant

    def predict(self, x: Array) -> Prediction:
        """Mean and variance of f at points [m, d]."""
        V = self.prior.half_solve(self.model.kernel(x, self.inducing).T)
        mean = self.model.mean(x) + V.T @ self.weights
        W = self.inner.half_solve(V)
        variance = self.model.kernel.diagonal(x) - np.einsum("ij,ij->j", V, V) + np.einsum("ij,ij->j", W, W)
        return Prediction(mean, np.maximum(variance, 0))

    def at(self, x: Array) -> Gaussian:
        """The joint distribution of f at points [m, d]."""
        V = self.prior.half_solve(self.model.kernel(x, self.inducing).T)
        W = self.inner.half_solve(V)
        return Gaussian(self.model.mean(x) + V.T @ self.weights, self.model.kernel(x) - V.T @ V + W.T @ W)

    def gradient(self) -> Array:
        """d bound / d theta [p], in the order of the model's theta.

        dF/dK_mn = L'^-1 (S A + c r') v^-1/2 with S = I - B^-1 - c c', dF/dK_mm = L'^-1 (S - A A') L^-1 / 2,
        dF/dk_ii = -1 / (2 v_i), dF/dv_i = ((r_i - f_i)^2 + k_ii - q_ii + s_i - v_i) / (2 v_i^2), where f is the mean
        at the data and s its variance under the bound.
        """
        kernel, noise, x = self.model.kernel, self.data.noise_of(self.model), self.data.x
        total = np.array(kernel.with_pullback(self.inducing)[1](self._by_inner_covariance()))
        total += kernel.diagonal_pullback(x, -0.5 / noise)
        for here in _blocks(len(x)):
            total += kernel.with_pullback(self.inducing, x[here])[1](self._by_cross_covariance(here))
        root = np.sqrt(noise)
        error = self._residual - root * (self.weights @ self.whitened)
        W = self.inner.half_solve(self.whitened)
        by_noise = (error**2 + self.left + noise * np.einsum("ij,ij->j", W, W) - noise) / (2 * noise**2)
        own = [self.model.noise * float(by_noise.sum())] if self.model.noise else []
        return np.concatenate([total, own, (error / noise) @ self.model.mean.design(x)])

    def gradient_by_inducing(self) -> Array:
        """d bound / d Z [m, d]: where each inducing point is drawn to. Raises NotDifferentiable."""
        kernel, Z = self.model.kernel, self.inducing
        inner = self._by_inner_covariance()
        total = np.empty_like(Z)
        for axis in range(Z.shape[1]):
            total[:, axis] = 2 * np.einsum("ij,ij->i", inner, kernel.jet(Z, Z, axis).first)
            for here in _blocks(len(self.data)):
                rise = kernel.jet(Z, self.data.x[here], axis).first
                total[:, axis] += np.einsum("ij,ij->i", self._by_cross_covariance(here), rise)
        return total

    @property
    def _residual(self) -> Array:
        return self.data.y - self.model.mean(self.data.x)

    def _shape(self) -> Array:
        """S = I - B^-1 - c c' [m, m]."""
        identity = np.eye(len(self.inducing))
        return identity - self.inner.solve(identity) - np.outer(self.weights, self.weights)

    def _by_inner_covariance(self) -> Array:
        middle = self._shape() - self.whitened @ self.whitened.T
        return 0.5 * self._unwhitened(self._unwhitened(middle).T)

    def _by_cross_covariance(self, here: slice) -> Array:
        root = np.sqrt(self.data.noise_of(self.model)[here])
        r = self._residual[here] / root
        slopes = self._unwhitened(self._shape()) @ self.whitened[:, here]
        slopes += np.outer(self._unwhitened(self.weights[:, None])[:, 0], r)
        slopes /= root
        return slopes

    def _unwhitened(self, right: Array) -> Array:
        """L'^-1 right [m, k]."""
        solved: Array = blas.dtrsm(1.0, self.prior.lower, right, lower=1, trans_a=1)
        return solved


def spread(model: Model, data: Data, count: int) -> Array:
    """`count` of the data's places [m, d], each the one that those before leave most uncertain (Burt et al. 2020).

    Fewer where the rest is determined already. This is a Cholesky factorisation with pivoting, stopped early.
    """
    left = model.kernel.diagonal(data.x).copy()
    enough = STEADY * float(left.max(initial=0.0))
    chosen: list[int] = []
    rows = np.empty((min(count, len(data)), len(data)))
    for i in range(len(rows)):
        pivot = int(left.argmax())
        if left[pivot] <= enough:
            break
        row = model.kernel(data.x[pivot : pivot + 1], data.x)[0] - rows[:i, pivot] @ rows[:i]
        rows[i] = row / math.sqrt(left[pivot])
        left = np.maximum(left - rows[i] ** 2, 0)
        left[pivot] = 0
        chosen.append(pivot)
    return data.x[chosen]


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))
