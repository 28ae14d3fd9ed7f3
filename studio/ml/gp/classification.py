"""Two classes: p(y = 1 | f) = 1 / (1 + exp(-f)), by Laplace's approximation (Rasmussen & Williams, section 3.4).

The posterior of f is no Gaussian here; it is replaced by one at its mode, with the curvature found there. Labels are
0 and 1 in `Data.y`; the model's noise stays 0, because uncertain labels are the likelihood's.

    fitted = completed(fit(model, data, condition=Classifier.of))
    Classifier.of(fitted.model, data).probability(x)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit

from studio.ml.gp.errors import BadData, BadKernel, GPError
from studio.ml.gp.exact import Prediction
from studio.ml.gp.factor import Factor
from studio.ml.gp.formula import Gaussian
from studio.ml.gp.jet import Array
from studio.ml.gp.kernel import Pullback
from studio.ml.gp.model import Data, Model

STEPS = 100
"""Newton steps at most; a dozen is usual."""

TOLERANCE = 1e-12
"""Relative gain of the last step."""

NODES = 60
"""Gauss-Hermite nodes for the mean of the logistic function."""


@dataclass(frozen=True)
class LaplaceEvidence:
    """log q(y), the approximate log marginal likelihood, in its terms (R&W, eq. 3.32)."""

    fit: float
    """log p(y | f) at the mode."""

    complexity: float
    """-(f - m)' K^-1 (f - m) / 2 - log |B| / 2."""

    @property
    def total(self) -> float:
        """Their sum."""
        return self.fit + self.complexity


@dataclass(frozen=True, eq=False)
class Classifier:
    """A model conditioned on labels. mode [n] of f at the data; slope [n]: d log p(y|f) / df = K^-1 (mode - m); root
    [n]: square roots of the likelihood's curvature W; factor of B = I + W^1/2 K W^1/2.
    """

    model: Model
    data: Data
    kernel_matrix: Array
    mode: Array
    slope: Array
    root: Array
    factor: Factor
    pullback: Pullback

    @classmethod
    def of(cls, model: Model, data: Data) -> Classifier:
        """Find the mode by Newton's method (R&W, alg. 3.1).

        Raises BadData for labels other than 0 and 1, BadKernel for noise above 0.
        """
        if not np.isin(data.y, (0, 1)).all():
            raise BadData("Labels must be 0 or 1")
        if model.noise or data.noise is not None:
            raise BadKernel("A classifier takes no noise: set it to 0, uncertain labels are part of the likelihood")
        K, pullback = model.kernel.with_pullback(data.x)
        mean = model.mean(data.x)
        mode, best = mean.copy(), -np.inf
        weights = np.zeros(len(data))
        for _ in range(STEPS):
            slope, root = _slopes(data.y, mode)
            factor = Factor.of(np.eye(len(data)) + root[:, None] * K * root)
            right = root**2 * (mode - mean) + slope
            target = right - root * factor.solve(root * (K @ right))
            weights, value = _climbed(K, mean, data.y, weights, target, best)
            mode = mean + K @ weights
            if value - best <= TOLERANCE * max(1.0, abs(value)):
                slope, root = _slopes(data.y, mode)
                factor = Factor.of(np.eye(len(data)) + root[:, None] * K * root)
                return cls(model, data, K, mode, slope, root, factor, pullback)
            best = value
        raise GPError("Newton's method did not settle: the kernel's variance is far too large for these labels")

    @property
    def evidence(self) -> LaplaceEvidence:
        """The approximate log marginal likelihood."""
        distance = 0.5 * float(self.slope @ (self.mode - self.model.mean(self.data.x)))
        return LaplaceEvidence(_log_likelihood(self.data.y, self.mode), -distance - self.factor.half_log_determinant)

    def latent(self, x: Array) -> Prediction:
        """Mean and variance of f at points [m, d]."""
        K = self.model.kernel(x, self.data.x)
        V = self.factor.half_solve((K * self.root).T)
        variance = self.model.kernel.diagonal(x) - np.einsum("ij,ij->j", V, V)
        return Prediction(self.model.mean(x) + K @ self.slope, np.maximum(variance, 0))

    def at(self, x: Array) -> Gaussian:
        """The joint distribution of f at points [m, d]."""
        K = self.model.kernel(x, self.data.x)
        V = self.factor.half_solve((K * self.root).T)
        return Gaussian(self.model.mean(x) + K @ self.slope, self.model.kernel(x) - V.T @ V)

    def probability(self, x: Array) -> Array:
        """p(y = 1) at points [m, d], f's uncertainty averaged out (by quadrature)."""
        mean, variance = self.latent(x)
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        probability: Array = expit(mean[:, None] + np.sqrt(variance)[:, None] * nodes) @ (weights / weights.sum())
        return probability

    def gradient(self) -> Array:
        """d log q(y) / d theta [p] (R&W, alg. 5.1): the mode moves with theta, too, which the curvature feels."""
        K, root = self.kernel_matrix, self.root
        C = self.factor.half_solve(root[:, None] * K)
        left = K.diagonal() - np.einsum("ij,ij->j", C, C)
        p = expit(self.mode)
        by_mode = -0.5 * left * p * (1 - p) * (1 - 2 * p)
        R = root[:, None] * self.factor.solve(np.diag(root))
        moved = by_mode - R @ (K @ by_mode)
        weights = 0.5 * (np.outer(self.slope, self.slope) - R) + np.outer(moved, self.slope)
        by_mean = (self.slope + moved) @ self.model.mean.design(self.data.x)
        return np.concatenate([self.pullback(weights), by_mean])


def _slopes(y: Array, f: Array) -> tuple[Array, Array]:
    """d log p(y|f) / df, and the square root of minus its derivative."""
    p = expit(f)
    return y - p, np.sqrt(p * (1 - p))


def _log_likelihood(y: Array, f: Array) -> float:
    return float(log_expit(np.where(y > 0, f, -f)).sum())


def _climbed(K: Array, mean: Array, y: Array, old: Array, new: Array, best: float) -> tuple[Array, float]:
    """Weights K^-1 (f - m) on the way from old to new that raise log p(y|f) + log p(f), and the value there.

    The whole step if it does, else half of it, and so on: Newton's method may overshoot.
    """
    share = 1.0
    while True:
        weights = old + share * (new - old)
        offset = K @ weights
        value = _log_likelihood(y, mean + offset) - 0.5 * float(weights @ offset)
        if value >= best or share < 1e-6:
            return weights, value
        share /= 2
