"""Coefficients over the whole range of λ, from the λ at which all are zero downwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from studio.ml.linear.loss import Fit, explained, gradient, kkt_violation
from studio.ml.linear.penalty import Penalty
from studio.ml.linear.problem import Array, Problem
from studio.ml.linear.quadratic import quadratic_path
from studio.ml.linear.solve import solve

_RIDGE_MIX = 1e-3
"""A ridge has no λ at which all is zero; as in glmnet its grid begins where that of this mix does."""


@dataclass(frozen=True, eq=False)
class Path:
    """Solutions for falling λ.

    strengths: [L]. coef: [L, K, p] of the standardised features. intercept: [L, K]. explained: [L], R² or deviance
    ratio. violation: [L], of the KKT conditions, in units of the loss's gradient.
    """

    mix: float
    strengths: Array
    coef: Array
    intercept: Array
    explained: Array
    violation: Array

    def fit(self, index: int) -> Fit:
        """The solution at one λ."""
        return Fit(self.coef[index], self.intercept[index])

    def nonzero(self) -> Array:
        """[L]: features with a coefficient other than zero (in any class)."""
        counted: Array = np.count_nonzero(np.any(self.coef != 0, axis=1), axis=1).astype(np.float64)
        return counted

    def nearest(self, strength: float) -> int:
        """The index whose λ is nearest to this one on a logarithmic scale."""
        return int(np.argmin(np.abs(np.log(self.strengths) - np.log(max(strength, np.finfo(float).tiny)))))


def largest_strength(problem: Problem, mix: float) -> float:
    """λ_max: the smallest λ at which every coefficient is zero, max |∂loss/∂w| at w = 0 over α."""
    slope, _ = gradient(problem, Fit.zero(problem))
    return float(np.abs(slope).max() / max(mix, _RIDGE_MIX))


def strengths(problem: Problem, mix: float, *, count: int = 100, least: float = 1e-3) -> Array:
    """λ_max down to `least` · λ_max in `count` equal steps of log λ."""
    grid: Array = largest_strength(problem, mix) * np.geomspace(1.0, least, count)
    return grid


def solve_path(problem: Problem, mix: float, grid: Array) -> Path:
    """The whole path at once."""
    return collect(problem, mix, grid, list(walk(problem, mix, grid)))


def walk(problem: Problem, mix: float, grid: Array) -> Iterator[Fit]:
    """One solution after another, each the start of the next. Raises NotConverged."""
    if problem.family == "linear":
        for coef in quadratic_path(problem.X, problem.y, grid, mix):
            yield Fit(coef[None], np.zeros(1))
        return
    fit = Fit.zero(problem)
    for strength in grid:
        fit = solve(problem, Penalty(float(strength), mix), fit)
        yield fit


def collect(problem: Problem, mix: float, grid: Array, fits: list[Fit]) -> Path:
    """The solutions as arrays, with what they explain and how well they satisfy the KKT conditions."""
    pairs = list(zip(grid[: len(fits)], fits, strict=True))
    return Path(
        mix,
        np.asarray(grid[: len(fits)], dtype=np.float64),
        np.array([fit.coef for fit in fits]),
        np.array([fit.intercept for fit in fits]),
        np.array([explained(problem, fit) for fit in fits]),
        np.array([kkt_violation(problem, fit, Penalty(float(strength), mix)) for strength, fit in pairs]),
    )
