"""What the panel asks of the science, and what comes back: plain values, worked out on the quick lane."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from studio.ml.gp.components import noise_apart
from studio.ml.gp.dragging import Dragging, Moved
from studio.ml.gp.exact import LeaveOneOut, Posterior, Prediction
from studio.ml.gp.factor import Factor
from studio.ml.gp.jet import Array
from studio.ml.gp.kernel import Kernel
from studio.ml.gp.model import Data, Model
from studio.ml.gp.samples import STEADY
from studio.ml.gp.threads import one_blas_thread

GRID, EVERY = 400, 2
"""Places at which functions are shown, and which of them samples are drawn at: every second."""
LOO_LIMIT = 1000
"""Up to here leave-one-out predictions are worked out with every posterior; they cost a second pass of O(n³)."""
SIDE = 256
"""Rows of the covariance matrix that are shown at most."""


@dataclass(frozen=True, eq=False)
class Question:
    """The model, the data, and the places [GRID, 1] where it is wanted; `samples`: whether functions are to be drawn."""

    model: Model
    data: Data
    grid: Array
    samples: bool = False
    prior: bool = False


@dataclass(frozen=True, eq=False)
class Spread:
    """A Gaussian over functions to draw from: places [m], mean [m], and a root of the covariance [m, m]."""

    x: Array
    mean: Array
    root: Array


@dataclass(frozen=True, eq=False)
class Glance:
    """Σ₁₁ as it is shown: the points in the order of x, at most SIDE of them; `shown` [m] are their indices, `values`
    [m, m] their covariances."""

    shown: npt.NDArray[np.intp]
    values: Array


@dataclass(frozen=True, eq=False)
class Answer:
    """The posterior, its prediction on the grid (of f, noise left out), and what else was asked for. `condition` is the
    estimated condition number of Σ₁₁."""

    posterior: Posterior
    prediction: Prediction
    prior: Prediction
    loo: LeaveOneOut | None
    spread: Spread | None
    prior_spread: Spread | None
    glance: Glance
    condition: float


@dataclass(frozen=True, eq=False)
class Taken:
    """A point in the hand: the others factored. For samples: their covariance at every second place of the grid [m, m],
    and L⁻¹K(others, these places) [n - 1, m]."""

    question: Question
    dragging: Dragging
    covariance: Array | None = None
    solved: Array | None = None


@dataclass(frozen=True, eq=False)
class Pull:
    """Where the point in the hand is now; `noise` is its own variance, None as it was."""

    taken: Taken
    x: float
    y: float
    noise: float | None = None


@dataclass(frozen=True, eq=False)
class Pulled:
    """The posterior there; leave-one-out predictions of all points where there are few enough."""

    moved: Moved
    spread: Spread | None
    loo: LeaveOneOut | None


def grid(span: tuple[float, float]) -> Array:
    """Places over a stretch of x [GRID, 1]."""
    return np.linspace(*span, GRID)[:, None]


def answer(question: Question) -> Answer:
    """Condition the model on the data. Raises GPError."""
    one_blas_thread()
    model, x = noise_apart(question.model), question.grid
    posterior = Posterior.of(model, question.data)
    loo = posterior.leave_one_out() if 1 < len(question.data) <= LOO_LIMIT else None
    spread = prior_spread = None
    at = x[::EVERY]
    if question.samples:
        both = posterior.at(at)
        spread = Spread(at[:, 0], both.mean, _root(both.covariance, model.kernel, at))
    if question.prior and question.samples:
        prior_spread = Spread(at[:, 0], model.mean(at), _root(model.kernel(at), model.kernel, at))
    prior = Prediction(model.mean(x), model.kernel.diagonal(x))
    return Answer(
        posterior, posterior.predict(x), prior, loo, spread, prior_spread, _glance(posterior), posterior.condition
    )


def _glance(posterior: Posterior) -> Glance:
    order = np.argsort(posterior.data.x[:, 0], kind="stable")
    shown = order[:: max(1, -(-len(order) // SIDE))]
    noise = posterior.data.noise_of(posterior.model)[shown]
    return Glance(shown, posterior.kernel_matrix[np.ix_(shown, shown)] + np.diag(noise))


@dataclass(frozen=True)
class Grasp:
    """Take a point out of a question's data."""

    question: Question
    index: int


def take(grasp: Grasp) -> Taken:
    """Factor all points but one, so that it can be moved. Raises GPError."""
    one_blas_thread()
    question = replace(grasp.question, model=noise_apart(grasp.question.model))
    dragging = Dragging.of(question.model, question.data, grasp.index, question.grid)
    if not question.samples:
        return Taken(question, dragging)
    at, solved = question.grid[::EVERY], np.ascontiguousarray(dragging.solved[:, ::EVERY])
    return Taken(question, dragging, question.model.kernel(at) - solved.T @ solved, solved)


def pull(wanted: Pull) -> Pulled:
    """The posterior with the point at its new place: a triangular solve and a change of rank one. Raises GPError."""
    one_blas_thread()
    taken = wanted.taken
    dragging = taken.dragging
    moved = dragging.move(wanted.x, wanted.y, wanted.noise)
    few = len(dragging.others.data) < LOO_LIMIT // 4
    loo = dragging.leave_one_out(moved, wanted.y) if few and len(dragging.others.data) else None
    return Pulled(moved, _pulled_spread(wanted, moved), loo)


def _pulled_spread(wanted: Pull, moved: Moved) -> Spread | None:
    """The others' covariance less what the point in the hand explains, s s' with s its new row of L⁻¹K."""
    taken, at = wanted.taken, wanted.taken.question.grid[::EVERY]
    if taken.covariance is None or taken.solved is None:
        return None
    kernel, place = taken.question.model.kernel, np.array([[wanted.x]])
    s = (kernel(place, at)[0] - moved.row @ taken.solved) / moved.pivot
    return Spread(at[:, 0], moved.mean[::EVERY], _root(taken.covariance - np.outer(s, s), kernel, at))


def _root(covariance: Array, kernel: Kernel, at: Array) -> Array:
    """A lower triangular root. Where the data leave nothing open, rounding leaves a little: that much is added."""
    rounding = np.full(len(at), STEADY * float(kernel.diagonal(at).max(initial=0.0)))
    return Factor.of(covariance, rounding).lower
