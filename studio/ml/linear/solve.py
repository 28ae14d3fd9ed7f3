"""Minimise loss + penalty: a linear problem at once, the curved losses as a chain of linear ones.

The proximal Newton method, as in glmnet (Friedman, Hastie, Tibshirani 2010, section 3): at the present predictor a
logistic loss is replaced by its second-order expansion, which is weighted least squares of a working response. A step
is halved until the true objective falls, so the chain ends at its minimum. Here all classes of the multinomial family
move together, where glmnet takes one after the other: few steps are needed instead of hundreds.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from studio.ml.linear.loss import Fit, kkt_violation, means, objective
from studio.ml.linear.penalty import Penalty
from studio.ml.linear.problem import Array, Problem
from studio.ml.linear.quadratic import quadratic_path

TOLERANCE: Final = 1e-8
"""Largest KKT violation that counts as solved, in units of the loss's gradient at zero where that is above 1."""
_MAX_NEWTON: Final = 200
_LEAST_SHARE: Final = 1e-5
"""Of a class in a row's curvature: a row that is certain would have weight 0 and an endless working response."""
_LEAST_GAIN: Final = 1e-15


class NotConverged(ArithmeticError):
    """The optimum was not reached; the message says what makes it easier."""


def solve(problem: Problem, penalty: Penalty, start: Fit | None = None) -> Fit:
    """The minimiser of the objective, from `start` (an earlier solution makes it quick). Raises NotConverged."""
    if problem.family == "linear":
        first = start.coef[0] if start is not None else None
        coef = quadratic_path(problem.X, problem.y, np.array([penalty.strength]), penalty.mix, first)
        return Fit(coef, np.zeros(1))
    fit = start or Fit.zero(problem)
    for _ in range(_MAX_NEWTON):
        if kkt_violation(problem, fit, penalty) < TOLERANCE:
            return fit
        before = objective(problem, fit, penalty)
        fit = _step(problem, penalty, fit, before)
        if before - objective(problem, fit, penalty) <= _LEAST_GAIN * before:
            break
    violation = kkt_violation(problem, fit, penalty)
    if violation > 100 * TOLERANCE:
        raise NotConverged(
            f"The fit stopped {violation:.1e} away from the optimum at λ = {penalty.strength:.3g}. "
            "Use a stronger penalty, or fewer features."
        )
    return fit


def _step(problem: Problem, penalty: Penalty, fit: Fit, before: float) -> Fit:
    """One Newton step, shortened until the objective is no larger than `before`."""
    newton = _quadratic_minimum(problem, penalty, fit)
    length = 1.0
    while length > _LEAST_GAIN:
        moved = Fit(
            fit.coef + length * (newton.coef - fit.coef),
            fit.intercept + length * (newton.intercept - fit.intercept),
        )
        if objective(problem, moved, penalty) <= before:
            return moved
        length /= 2
    return fit


def _quadratic_minimum(problem: Problem, penalty: Penalty, fit: Fit) -> Fit:
    """The minimiser of (1/2n) Σ ‖R (η' − η) − u‖² + penalty over all coefficients and intercepts at once."""
    n, K, p = problem.n, problem.outputs, problem.p
    eta = fit.predictor(problem.X)
    root, response = _expansion(problem, eta)
    target = (np.einsum("ikl,il->ik", root, eta) + response).reshape(n * K)
    levels = root.reshape(n * K, K)
    design = np.einsum("ikl,ij->iklj", root, problem.X).reshape(n * K, K * p)
    # The intercepts are free, so what they explain is taken out of everything else.
    inverse = np.linalg.pinv(levels.T @ levels, hermitian=True)  # the softmax does not feel equal shifts: rank K − 1
    share = inverse @ (levels.T @ np.column_stack([design, target]))
    rows, values = design - levels @ share[:, :-1], target - levels @ share[:, -1]
    grow = np.sqrt(K)  # scikit-learn divides by the number of rows, which are n K here
    start = fit.coef.reshape(K * p)
    coef = quadratic_path(rows * grow, values * grow, np.array([penalty.strength]), penalty.mix, start)[0]
    return Fit(coef.reshape(K, p), share[:, -1] - share[:, :-1] @ coef)


def _expansion(problem: Problem, eta: Array) -> tuple[Array, Array]:
    """R [n, K, K] and u [n, K] with RᵀR the curvature of each row's loss in η, and Rᵀu = y − mean its slope.

    Logistic: R = √(p(1 − p)). Multinomial: diag(p) − ppᵀ = RᵀR with R = (I − vvᵀ) diag(v), v = √p, as |v| = 1.
    """
    mean = means(problem.family, eta)
    slope = problem.onehot() - mean
    if problem.family == "logistic":
        root = np.sqrt(np.maximum(mean * (1 - mean), _LEAST_SHARE))
        return root[:, :, None], slope / root
    v = np.sqrt(np.maximum(mean, _LEAST_SHARE))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    projection = np.eye(v.shape[1]) - v[:, :, None] * v[:, None, :]
    return projection * v[:, None, :], np.einsum("ikl,il->ik", projection, slope / v)
