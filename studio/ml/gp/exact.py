"""Exact Gaussian process regression, everything from one Cholesky factorisation (Rasmussen & Williams 2006, alg. 2.1).

    posterior = Posterior.of(Model(parse("1.2*RBF(0.4)"), noise=0.01), Data.of(x, y))
    mean, variance = posterior.predict(points(grid))
    posterior.evidence            log p(y), split into data fit, complexity and constant
    posterior.gradient()          its gradient by the model's theta
    posterior.leave_one_out()     what the other points say of each
    posterior.factor.jitter       what had to be added to the diagonal
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from studio.ml.gp.errors import BadData
from studio.ml.gp.factor import Factor
from studio.ml.gp.formula import Gaussian
from studio.ml.gp.jet import Array
from studio.ml.gp.kernel import Pullback
from studio.ml.gp.model import Data, Model

LOG_2PI = math.log(2 * math.pi)


class Prediction(NamedTuple):
    """Of f at each point, noise left out: mean [m], variance [m]."""

    mean: Array
    variance: Array


class Evidence(NamedTuple):
    """log p(y | x, model) as its three terms (Rasmussen & Williams, eq. 2.30)."""

    fit: float
    """-(y - m)' K^-1 (y - m) / 2: how well the data agree with the model."""

    complexity: float
    """-log |K| / 2: the price of a flexible model; positive where the values are nearly determined."""

    constant: float
    """-n log(2 pi) / 2."""

    @property
    def total(self) -> float:
        """The log marginal likelihood."""
        return self.fit + self.complexity + self.constant


class LeaveOneOut(NamedTuple):
    """What the other points predict for each observation, noise included: mean, variance and log density, all [n]."""

    mean: Array
    variance: Array
    log_density: Array


@dataclass(frozen=True, eq=False)
class Posterior:
    """A model conditioned on data. kernel_matrix [n, n]: k(x, x) without the model's noise; factor: L of K = k(x, x) +
    noise; alpha [n] = K^-1 (y - m); whitened [n] = L^-1 (y - m).
    """

    model: Model
    data: Data
    kernel_matrix: Array
    factor: Factor
    whitened: Array
    alpha: Array
    pullback: Pullback

    @classmethod
    def of(cls, model: Model, data: Data) -> Posterior:
        """Factor the covariance of the data. Raises NotPositiveDefinite, BadKernel, BadData."""
        kernel_matrix, pullback = model.kernel.with_pullback(data.x)
        factor = Factor.of(kernel_matrix, data.noise_of(model))
        residual = data.y - model.mean(data.x)
        return cls(
            model, data, kernel_matrix, factor, factor.half_solve(residual), factor.solve(residual), pullback
        )

    def predict(self, x: Array) -> Prediction:
        """Mean and variance of f at points [m, d]; a White part of the kernel counts in the variance."""
        prior_mean, prior_variance = self.model.mean(x), self.model.kernel.diagonal(x)
        if len(self.data) == 0:
            return Prediction(prior_mean, prior_variance)
        K = self.cross_covariance(x)
        V = self.factor.half_solve(K.T)
        variance = prior_variance - np.einsum("ij,ij->j", V, V)
        return Prediction(prior_mean + K @ self.alpha, np.maximum(variance, 0, out=variance))

    def at(self, x: Array) -> Gaussian:
        """The joint distribution of f at points [m, d]."""
        V = self.factor.half_solve(self.cross_covariance(x).T)
        return Gaussian(self.model.mean(x) + V.T @ self.whitened, self.model.kernel(x) - V.T @ V)

    def cross_covariance(self, x: Array) -> Array:
        """k(x, data) [m, n] for points [m, d]. Raises BadData where the dimensions differ."""
        if x.shape[1] != self.data.dimensions:
            raise BadData(f"The points have {x.shape[1]} dimensions, but the data {self.data.dimensions}")
        return self.model.kernel(x, self.data.x)

    @property
    def condition(self) -> float:
        """Estimated condition number of the covariance: relative errors of the data grow by up to this factor."""
        columns = np.abs(self.kernel_matrix).sum(axis=0) + self.data.noise_of(self.model) + self.factor.jitter
        return self.factor.condition(float(columns.max(initial=0.0)))

    @property
    def evidence(self) -> Evidence:
        """The log marginal likelihood of the data in its parts."""
        fit = -0.5 * float(self.whitened @ self.whitened)
        return Evidence(fit, -self.factor.half_log_determinant, -0.5 * len(self.data) * LOG_2PI)

    def gradient(self) -> Array:
        """d log p(y) / d theta [p] = sum_ij W_ij dK_ij/dtheta with W = (alpha alpha' - K^-1) / 2 (R&W, eq. 5.9).

        dK is symmetric, so one triangle of K^-1 serves, its entries off the diagonal counted twice.
        """
        minus_weights = self.factor.inverse_less(self.alpha)
        diagonal = minus_weights.reshape(-1)[:: len(self.data) + 1]
        diagonal *= 0.5
        noise = [self.model.noise * float(diagonal.sum())] if self.model.noise else []
        by_mean = self.alpha @ self.model.mean.design(self.data.x)
        return np.concatenate([-np.array([*self.pullback(minus_weights), *noise]), by_mean])

    def leave_one_out(self) -> LeaveOneOut:
        """Each observation predicted from all the others, in closed form (R&W, eq. 5.10-5.12)."""
        return left_out(self.data.y, self.alpha, self.factor.inverse_diagonal())


def left_out(y: Array, alpha: Array, inverse_diagonal: Array) -> LeaveOneOut:
    """Leave-one-out predictions from alpha = K^-1 (y - m) and diag K^-1, all [n]."""
    variance = 1 / inverse_diagonal
    error = alpha * variance
    return LeaveOneOut(y - error, variance, -0.5 * (np.log(variance) + error**2 / variance + LOG_2PI))
