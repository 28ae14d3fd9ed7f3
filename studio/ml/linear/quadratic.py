"""Penalised least squares over a range of λ: scikit-learn's coordinate descent, finished exactly.

Coordinate descent finds quickly which coefficients are zero and the signs of the others, but crawls towards the exact
values where features are nearly equal. With zeros and signs known the minimum is a linear system, so the last stretch
is feature-sign search (Lee, Battle, Raina, Ng 2007): solve it, drop what crosses zero, add what the conditions of
optimality miss, until they hold.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from studio.ml.linear.penalty import Penalty
from studio.ml.linear.problem import Array
from studio.ml.linear.scikit import enet_path, ridge_regression

_ROUGH: Final = 1e-4
"""Of coordinate descent: duality gap in units of ‖y‖², and last step in units of the largest coefficient."""
_MAX_SWEEPS: Final = 100_000
_OPTIMAL: Final = 1e-10
"""Largest KKT violation that counts as exact, in units of max |Xᵀy|/n."""


def quadratic_path(X: Array, y: Array, strengths: Array, mix: float, start: Array | None = None) -> Array:
    """Minimisers [L, p] of 1/(2n) ‖y − Xw‖² + λ(α‖w‖₁ + (1 − α)/2‖w‖²), for each of the falling `strengths` [L].

    X: [n, p] and y: [n], centred. `start` [p] is where the first one begins.
    """
    if mix == 0:  # without L1 the minimum has a closed form, and the duality gap is no criterion
        return _ridges(X, y, strengths)
    pull = X.T @ y / len(X)
    rough = _descended(X, y, strengths, mix, start)
    pairs = zip(strengths, rough, strict=True)
    return np.array([_finished(X, pull, w, Penalty(float(strength), mix)) for strength, w in pairs])


def _descended(X: Array, y: Array, strengths: Array, mix: float, start: Array | None) -> Array:
    """What coordinate descent gives, [L, p]."""
    _, coefficients, _ = enet_path(
        np.asfortranarray(X), y, alphas=strengths, l1_ratio=mix,
        coef_init=None if start is None else start.copy(),  # scikit-learn writes the solution into it
        tol=_ROUGH, max_iter=_MAX_SWEEPS,
    )  # fmt: skip
    paths: Array = np.ascontiguousarray(coefficients.T)
    return paths


def _finished(X: Array, pull: Array, w: Array, penalty: Penalty) -> Array:
    """The minimum [p], from coefficients w near it. `pull` is Xᵀy/n."""
    limit = _OPTIMAL * np.abs(pull).max(initial=0.0)
    signs = np.sign(w)
    for _ in range(3 * len(w) + 10):
        goal = _exact(X, pull, signs, penalty)
        rest = np.where(signs != 0, pull - penalty.l1 * signs - penalty.l2 * goal - (X @ goal) @ X / len(X), 0.0)
        falling = rest * w < 0
        if np.abs(rest).max(initial=0.0) > limit and falling.any():
            # Dependent columns: with these signs the objective falls along `rest` for ever, so one of them has to change.
            goal = w + 2 * np.abs(w[falling] / rest[falling]).min() * rest
        crossing = (goal * signs < 0) & (signs != 0)
        if crossing.any():
            reach = np.where(crossing, w / np.where(crossing, w - goal, 1.0), 1.0)
            w = w + reach.min() * (goal - w)
            w[reach == reach.min()] = 0.0
            signs = np.sign(w)
            continue
        w = goal
        slope = (X @ w) @ X / len(X) - pull
        excess = np.where(w == 0, np.abs(slope) - penalty.l1, 0.0)
        if excess.max(initial=0.0) <= limit:
            break
        added = int(excess.argmax())
        signs = np.sign(w)
        signs[added] = -np.sign(slope[added])
    return w


def _exact(X: Array, pull: Array, signs: Array, penalty: Penalty) -> Array:
    """The minimum [p] if the coefficients had these signs: on the support (XᵀX/n + λ(1 − α) I) w = Xᵀy/n − λα sign."""
    support = np.flatnonzero(signs)
    part = X[:, support]
    system = part.T @ part / len(X) + penalty.l2 * np.eye(len(support))
    exact = np.zeros_like(signs)
    exact[support] = np.linalg.lstsq(system, pull[support] - penalty.l1 * signs[support], rcond=None)[0]
    return exact


def _ridges(X: Array, y: Array, strengths: Array) -> Array:
    """w = V diag(s / (s² + nλ)) Uᵀ y for every λ, from one decomposition X = U diag(s) Vᵀ."""
    if len(strengths) == 1:
        single: Array = np.asarray(ridge_regression(X, y, len(X) * float(strengths[0]), solver="cholesky"))[None]
        return single
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    solutions: Array = (s * (U.T @ y) / (s**2 + len(X) * strengths[:, None])) @ Vt
    return solutions
