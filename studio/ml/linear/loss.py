"""The loss of each family, its gradient, and how far coefficients are from the optimum.

Coefficients are W [K, p] with intercepts b [K], predictors η = X Wᵀ + b [n, K] (K = 1 but for the multinomial family).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studio.ml.linear.penalty import Penalty
from studio.ml.linear.problem import Array, Family, Problem


@dataclass(frozen=True, eq=False)
class Fit:
    """Coefficients [K, p] of the standardised features, and intercepts [K], which are never penalised."""

    coef: Array
    intercept: Array

    @classmethod
    def zero(cls, problem: Problem) -> Fit:
        """No feature counts; the intercepts explain what can be explained without any."""
        return cls(np.zeros((problem.outputs, problem.p)), null_intercept(problem))

    def predictor(self, X: Array) -> Array:
        """η [n, K] of standardised features [n, p]."""
        eta: Array = X @ self.coef.T + self.intercept
        return eta

    def raw(self, problem: Problem) -> tuple[Array, Array]:
        """Coefficients [K, p] and intercepts [K] for the features (and the response) as they came."""
        coef = self.coef / problem.scale
        return coef, self.intercept + problem.target_mean - coef @ problem.mean


def null_intercept(problem: Problem) -> Array:
    """b [K] of the best model without features: 0 of a centred response, else the log odds of the classes."""
    if problem.family == "linear":
        return np.zeros(1)
    counts = np.bincount(problem.y.astype(int), minlength=len(problem.classes)) / problem.n
    if problem.family == "logistic":
        return np.array([np.log(counts[1] / counts[0])])
    centred: Array = np.log(counts) - np.log(counts).mean()
    return centred


def means(family: Family, eta: Array) -> Array:
    """The model's mean [n, K]: η, σ(η) or softmax(η), without overflow."""
    if family == "linear":
        return eta
    if family == "logistic":
        return np.exp(-np.logaddexp(0.0, -eta))
    shifted = np.exp(eta - eta.max(axis=1, keepdims=True))
    softmax: Array = shifted / shifted.sum(axis=1, keepdims=True)
    return softmax


def losses(family: Family, y: Array, eta: Array) -> Array:
    """The loss of each row, [..., n]: ½(y − η)², log(1 + e^η) − yη, or log Σ e^η − η_y.

    y: [n]. eta: [..., n, K].
    """
    if family == "linear":
        squares: Array = 0.5 * np.square(y - eta[..., 0])
        return squares
    if family == "logistic":
        logistic: Array = np.logaddexp(0.0, eta[..., 0]) - y * eta[..., 0]
        return logistic
    top = eta.max(axis=-1)
    total = top + np.log(np.exp(eta - top[..., None]).sum(axis=-1))
    own = np.take_along_axis(eta, np.broadcast_to(y.astype(int)[:, None], (*eta.shape[:-1], 1)), axis=-1)
    multinomial: Array = total - own[..., 0]
    return multinomial


def mean_loss(problem: Problem, fit: Fit) -> float:
    """(1/n) Σ loss, the part of the objective that the data decide."""
    return float(losses(problem.family, problem.y, fit.predictor(problem.X)).mean())


def objective(problem: Problem, fit: Fit, penalty: Penalty) -> float:
    """(1/n) Σ loss + λ (α ‖w‖₁ + (1 − α)/2 ‖w‖²)."""
    return mean_loss(problem, fit) + penalty.value(fit.coef)


def gradient(problem: Problem, fit: Fit) -> tuple[Array, Array]:
    """∂/∂W [K, p] and ∂/∂b [K] of the mean loss: (1/n) (mean − y)ᵀ X and its row sums."""
    residual = means(problem.family, fit.predictor(problem.X)) - problem.onehot()
    return residual.T @ problem.X / problem.n, residual.mean(axis=0)


def kkt_violation(problem: Problem, fit: Fit, penalty: Penalty) -> float:
    """How far from optimal, in units of the gradient: 0 exactly where W, b minimise the objective.

    Karush, Kuhn and Tucker: with g = ∂loss/∂w + λ(1 − α) w, a coefficient that is not zero has g = −λα sign(w), one
    that is zero has |g| ≤ λα; an intercept has gradient 0. The largest failure of these is returned.
    """
    slope, level = gradient(problem, fit)
    g = slope + penalty.l2 * fit.coef
    active = np.abs(g + penalty.l1 * np.sign(fit.coef))
    idle = np.maximum(np.abs(g) - penalty.l1, 0.0)
    return float(max(np.where(fit.coef != 0, active, idle).max(initial=0.0), np.abs(level).max(initial=0.0)))


def explained(problem: Problem, fit: Fit) -> float:
    """The share of the null model's loss that is explained: R² in the linear family, else the deviance ratio."""
    return 1.0 - mean_loss(problem, fit) / mean_loss(problem, Fit.zero(problem))
