"""Which λ predicts best: K-fold cross-validation, and the simplest model within one standard error of the best.

The error of a held-out row is twice its loss: the squared error in the linear family, the deviance in the others. Every
fold is centred and scaled by its own training rows, over the λ grid of the whole data, as glmnet does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.ml.linear.loss import losses
from studio.ml.linear.path import walk
from studio.ml.linear.problem import Array, Problem, UnfitData

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """strengths: λ [L]. errors: [folds, L], mean over the held-out rows. sizes: [folds], how many rows those are."""

    strengths: Array
    errors: Array
    sizes: Array

    @property
    def mean(self) -> Array:
        """[L]: mean over all rows."""
        averaged: Array = np.average(self.errors, axis=0, weights=self.sizes)
        return averaged

    @property
    def standard_error(self) -> Array:
        """[L]: of that mean, from the spread between folds; 0 of a single fold."""
        variance = np.average(np.square(self.errors - self.mean), axis=0, weights=self.sizes)
        spread: Array = np.sqrt(variance / max(1, len(self.errors) - 1))
        return spread

    @property
    def best(self) -> int:
        """Where the mean error is least."""
        return int(np.argmin(self.mean))

    @property
    def simplest(self) -> int:
        """The largest λ whose mean error is within one standard error of the least (Breiman et al. 1984, 3.4.3)."""
        limit = self.mean[self.best] + self.standard_error[self.best]
        return int(np.argmax(self.mean <= limit))


def held_out_rows(problem: Problem, folds: int, seed: int) -> list[Rows]:
    """The rows held out in each fold, [n / folds] each, shuffled; classes are spread evenly. Raises UnfitData."""
    if problem.n < folds:
        raise UnfitData(f"{problem.n} rows cannot be split into {folds} folds. Use at most {problem.n} folds.")
    order = np.random.default_rng(seed).permutation(problem.n)
    if problem.family != "linear":
        counts = np.bincount(problem.y.astype(int), minlength=len(problem.classes))
        if counts.min() < 2:
            alone = problem.classes[int(counts.argmin())]
            raise UnfitData(f"The class “{alone}” has {counts.min()} row, too few to hold one out. Leave it out.")
        order = order[np.argsort(problem.y[order], kind="stable")]
    return [np.sort(order[fold::folds]) for fold in range(folds)]


def held_out_errors(problem: Problem, mix: float, grid: Array, held_out: Rows) -> Array:
    """[L]: the mean error on the rows held out of models fitted to the others. Raises UnfitData, NotConverged."""
    rest = np.setdiff1d(np.arange(problem.n), held_out)
    training = problem.rows(rest)
    if problem.family != "linear" and len(np.unique(training.y)) < len(problem.classes):
        raise UnfitData("A fold holds all rows of one class. Use fewer folds.")
    raw = problem.X[held_out] * problem.scale + problem.mean
    X = np.where(training.X.any(axis=0), (raw - training.mean) / training.scale, 0.0)
    y = problem.y[held_out] + problem.target_mean - training.target_mean
    fits = walk(training, mix, grid)
    return np.array([2.0 * losses(problem.family, y, fit.predictor(X)).mean() for fit in fits])
