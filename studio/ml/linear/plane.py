"""The loss over two coefficients, and where it touches the ball of the penalty.

All other coefficients and the intercepts are held. At the penalised optimum the level line of the loss and the border
of the ball {penalty ≤ t} through it have one tangent: a larger ball would allow a smaller loss, a smaller would not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studio.ml.linear.descent import coordinate_descent
from studio.ml.linear.loss import Fit, gradient, losses
from studio.ml.linear.penalty import Penalty, ball
from studio.ml.linear.problem import Array, Problem

_CELLS = 40_000_000
"""Predictors worked out for one picture at most; larger data get a coarser one."""
_MARGIN = 0.6
"""How far the plane goes on beyond the balls, in their widths."""
_ANGLES = 361
_SWEEPS = 500


@dataclass(frozen=True, eq=False)
class Touching:
    """One penalty's optimum in the plane.

    mix: α. point: (u, v). level: the penalty there without λ, α(|u| + |v|) + (1 − α)/2 (u² + v²). ball: its border,
    [361, 2]. loss: the loss at the point. slope: the loss's gradient there, (∂u, ∂v).
    """

    mix: float
    point: tuple[float, float]
    level: float
    ball: Array
    loss: float
    slope: tuple[float, float]


@dataclass(frozen=True, eq=False)
class LossPlane:
    """u, v: values of the two coefficients, [m] each. loss: [m, m], loss[i, j] at (u[i], v[j]). bottom: where the loss
    alone is least, or how far it was followed."""

    u: Array
    v: Array
    loss: Array
    bottom: tuple[float, float]
    touching: tuple[Touching, ...]


def loss_plane(
    problem: Problem,
    fit: Fit,
    strength: float,
    mixes: tuple[float, ...],
    pair: tuple[int, int],
    output: int = 0,
    *,
    cells: int = 121,
) -> LossPlane:
    """The plane of the coefficients of features `pair` in class `output`, with one optimum for each α of `mixes`.

    `fit` holds the other coefficients; it is where the search for every optimum starts.
    """
    touching = tuple(_touching(problem, fit, Penalty(strength, mix), pair, output) for mix in mixes)
    bottom = _lowest(problem, fit, Penalty(0.0, 1.0), pair, output)
    corner = np.array([[0.0, 0.0], bottom.coef[output, list(pair)], *np.concatenate([t.ball for t in touching])])
    low, high = corner.min(axis=0), corner.max(axis=0)
    room = _MARGIN * np.maximum(high - low, 1e-9 + 1e-3 * np.abs(corner).max())
    count = int(np.clip(np.sqrt(_CELLS / (problem.n * problem.outputs)), 15, cells))
    u, v = (np.linspace(low[axis] - room[axis], high[axis] + room[axis], count) for axis in (0, 1))
    lowest = bottom.coef[output, list(pair)]
    return LossPlane(u, v, _losses(problem, fit, pair, output, u, v), (float(lowest[0]), float(lowest[1])), touching)


def _touching(problem: Problem, fit: Fit, penalty: Penalty, pair: tuple[int, int], output: int) -> Touching:
    found = _lowest(problem, fit, penalty, pair, output)
    u, v = (float(value) for value in found.coef[output, list(pair)])
    level = Penalty(1.0, penalty.mix).value([u, v])
    slope = gradient(problem, found)[0][output, list(pair)]
    loss = float(losses(problem.family, problem.y, found.predictor(problem.X)).mean())
    border = ball(penalty.mix, level, np.linspace(0.0, 2 * np.pi, _ANGLES))
    return Touching(penalty.mix, (u, v), level, border, loss, (float(slope[0]), float(slope[1])))


def _lowest(problem: Problem, fit: Fit, penalty: Penalty, pair: tuple[int, int], output: int) -> Fit:
    """The optimum over the two coefficients, all others held."""
    coef = fit.coef
    coordinates = [(output, feature) for feature in pair]
    for update in coordinate_descent(problem, penalty, fit, only=coordinates, sweeps=_SWEEPS, tolerance=1e-9):
        coef = update.coef
    return Fit(coef, fit.intercept)


def _losses(problem: Problem, fit: Fit, pair: tuple[int, int], output: int, u: Array, v: Array) -> Array:
    """The mean loss [len(u), len(v)] with these values of the two coefficients."""
    eta = fit.predictor(problem.X)
    first, second = (problem.X[:, feature] for feature in pair)
    eta[:, output] -= first * fit.coef[output, pair[0]] + second * fit.coef[output, pair[1]]
    if problem.family == "linear":  # a quadratic of u and v, whose six numbers say it all
        residual = problem.y - eta[:, 0]
        a, b, c = (float(x @ y) / problem.n for x, y in ((first, first), (first, second), (second, second)))
        d, e, f = (float(x @ residual) / problem.n for x in (first, second, residual))
        U, V = u[:, None], v[None, :]
        quadratic: Array = 0.5 * (f + a * U**2 + 2 * b * U * V + c * V**2) - d * U - e * V
        return quadratic
    found = np.empty((len(u), len(v)))
    for i, value in enumerate(u):
        moved = np.repeat(eta[None], len(v), axis=0)
        moved[:, :, output] += first * value + v[:, None] * second
        found[i] = losses(problem.family, problem.y, moved).mean(axis=1)
    return found
