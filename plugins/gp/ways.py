"""Which way leads to the posterior, and why: by the formula, through inducing points, or by an approximation where the
observations are not Gaussian."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from studio.ml.gp.classification import Classifier
from studio.ml.gp.errors import BadData, GPError
from studio.ml.gp.exact import Posterior, Prediction
from studio.ml.gp.formula import Gaussian
from studio.ml.gp.jet import Array
from studio.ml.gp.model import Data, Model
from studio.ml.gp.sparse import SparsePosterior
from studio.ml.gp.stochastic import StochasticPosterior
from studio.ml.gp.student import StudentPosterior

Likelihood = Literal["gaussian", "student", "classes"]
Method = Literal["auto", "exact", "sparse", "stochastic"]
Name = Literal["exact", "sparse", "stochastic", "student", "classes"]
Found = Posterior | SparsePosterior | StochasticPosterior | StudentPosterior | Classifier

EXACT_LIMIT = 2000
"""Points up to which the formula is worked out as it stands: n³/3 operations, a fifth of a second here."""
SPARSE_LIMIT = 100_000
"""Points up to which inducing points answer at once: n·m² operations over all the data, half a second here."""
DENSE_LIMIT = 5000
"""Points beyond which no n×n matrix is made at all: it would take minutes and hundreds of megabytes."""
USUAL_INDUCING, MOST_INDUCING = 30, 500


UNLEARNED = "The stochastic way learns from small batches of the points: press Fit, and the function takes shape."


@dataclass(frozen=True, eq=False)
class Way:
    """`why`: in words; `inducing` [m, D] for the sparse and the stochastic way; `degrees` of freedom for Student-t
    noise. The stochastic way is learned step by step in a job: there is nothing to condition here."""

    name: Name
    why: str
    inducing: Array | None = None
    degrees: float = 4.0

    def condition(self, model: Model, data: Data) -> Found:
        """The posterior. Raises GPError."""
        if self.name == "stochastic" and len(data):
            raise GPError(UNLEARNED)
        if self.inducing is not None and len(data):
            return SparsePosterior.of(model, data, self.inducing)
        if self.name == "student" and len(data):
            return StudentPosterior.of(model, data, self.degrees)
        if self.name == "classes" and len(data):
            return Classifier.of(model, data)
        if len(data) > DENSE_LIMIT:
            raise BadData(
                f"{len(data):,} points are too many for an n×n matrix (at most {DENSE_LIMIT:,} here). Choose inducing "
                "points as the method, or take fewer points."
            )
        return Posterior.of(model, data)


def way(
    likelihood: Likelihood, method: Method, x: Array, *, inducing: int = USUAL_INDUCING, places: Sequence[float] = (),
    degrees: float = 4.0,
) -> Way:  # fmt: skip
    """The way for points x [n, D]; `places`: inducing points by hand, D numbers each, instead of `inducing` spread ones."""
    n = len(x)
    if likelihood == "student":
        return Way("student", "Student-t noise: variational, f and the weight of each point in turn", degrees=degrees)
    if likelihood == "classes":
        return Way("classes", "two classes: Laplace’s approximation at the mode of f")
    if method == "exact" or (method == "auto" and n <= EXACT_LIMIT):
        why = f"{n:,} points: an n×n matrix is factored" if n else "no points yet: the prior"
        return Way("exact", why)
    if n == 0:
        return Way("exact", "no points yet: the prior")
    stochastic = method == "stochastic" or (method == "auto" and n > SPARSE_LIMIT)
    limit = SPARSE_LIMIT if stochastic else EXACT_LIMIT
    chosen = np.asarray(places, dtype=float).reshape(-1, x.shape[1]) if len(places) else spread_out(x, inducing)
    reason = "chosen by hand" if method != "auto" else f"{n:,} points are more than {limit:,}"
    if stochastic:
        return Way("stochastic", f"{len(chosen)} inducing points, learned from batches (SVGP), {reason}", chosen)
    return Way("sparse", f"{len(chosen)} inducing points, {reason}: n·m² instead of n³", chosen)


def spread_out(x: Array, count: int) -> Array:
    """`count` places [m, D] among points x [n, D], always the same ones: quantiles of one input, a sample of several."""
    count = min(count, len(x))
    if x.shape[1] == 1:
        return np.unique(np.quantile(x[:, 0], (np.arange(count) + 0.5) / count))[:, None]
    return x[np.sort(np.random.default_rng(0).choice(len(x), count, replace=False))]


def predicted(found: Found, x: Array) -> Prediction:
    """Mean and variance of f at x [m, D]; of the latent function for two classes."""
    return found.latent(x) if isinstance(found, Classifier) else found.predict(x)


def jointly(found: Found, x: Array) -> Gaussian:
    """The joint distribution of f at x [m, D]."""
    return found.gaussian.at(x) if isinstance(found, StudentPosterior) else found.at(x)


def gaussian_of(found: Found) -> Posterior | None:
    """The exact posterior inside, where there is one: Student-t noise is Gaussian with a weight for each point."""
    if isinstance(found, StudentPosterior):
        return found.gaussian
    return found if isinstance(found, Posterior) else None
