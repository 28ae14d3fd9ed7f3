"""What the panel asks of the science, and what comes back: plain values, worked out on the quick lane."""

from __future__ import annotations

from collections.abc import Mapping
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
from studio.ml.gp.sparse import SparsePosterior
from studio.ml.gp.stochastic import StochasticPosterior
from studio.ml.gp.threads import one_blas_thread
from studio_plugins.gp.ways import Found, Way, gaussian_of, jointly, predicted

GRID, EVERY = 400, 2
"""Places at which functions are shown, and which of them samples are drawn at: every second."""
SIDES = 56
"""Places along each side of a surface over two inputs."""
LOO_LIMIT = 1000
"""Up to here leave-one-out predictions are worked out with every posterior; they cost a second pass of O(n³)."""
GAP_LIMIT = 1000
"""Up to here the sparse bound is set beside the exact log marginal likelihood."""
SIDE = 256
"""Rows of the covariance matrix that are shown at most."""


@dataclass(frozen=True, eq=False)
class Learned:
    """A posterior learned from batches; `bound`: its lower bound of log p(y), estimated from one batch where it is still
    on its way (None at the end: it is worked out over all the data)."""

    posterior: StochasticPosterior
    bound: float | None = None


@dataclass(frozen=True, eq=False)
class Question:
    """The model, the data, the way to the posterior, and the places [m, D] where it is wanted; `samples`: whether
    functions are to be drawn; `learned`: what the stochastic way knows so far."""

    model: Model
    data: Data
    grid: Array
    way: Way
    samples: bool = False
    prior: bool = False
    learned: Learned | None = None

    @property
    def follows_the_hand(self) -> bool:
        """Whether a dragged point costs no factorisation: the exact formula."""
        return self.way.name == "exact"


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
    """What was found, its prediction on the grid (of f, noise left out), and what else was asked for.

    `terms`: log p(y), or what stands for it, in its parts; `bracket`: for the sparse way, an upper bound and the exact
    value (None where it would take too long); `condition`: the estimated condition number of Σ₁₁, None where no such
    matrix was factored.
    """

    found: Found
    way: Way
    terms: Mapping[str, float]
    prediction: Prediction
    prior: Prediction
    loo: LeaveOneOut | None
    spread: Spread | None
    prior_spread: Spread | None
    glance: Glance
    condition: float | None
    bracket: tuple[float, float | None] | None = None

    @property
    def gaussian(self) -> Posterior | None:
        """The exact posterior inside, where there is one."""
        return gaussian_of(self.found)


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
    """Where the point in the hand is now: its inputs and y; `noise` is its own variance, None as it was."""

    taken: Taken
    place: tuple[float, ...]
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


def surface_grid(spans: tuple[tuple[float, float], tuple[float, float]]) -> Array:
    """Places over a rectangle [SIDES², 2], the first input running fastest."""
    across, up = (np.linspace(*span, SIDES) for span in spans)
    return np.stack([column.ravel() for column in np.meshgrid(across, up)], axis=1)


def answer(question: Question) -> Answer:
    """Condition the model on the data. Raises GPError."""
    one_blas_thread()
    model, x, way = noise_apart(question.model), question.grid, question.way
    found = way.condition(model, question.data) if question.learned is None else question.learned.posterior
    estimate = None if question.learned is None else question.learned.bound
    exact = found if isinstance(found, Posterior) else None
    loo = exact.leave_one_out() if exact is not None and 1 < len(question.data) <= LOO_LIMIT else None
    spread = prior_spread = None
    at = x[::EVERY]
    if question.samples:
        both = jointly(found, at)
        spread = Spread(at[:, 0], both.mean, _root(both.covariance, model.kernel, at))
    if question.prior and question.samples:
        prior_spread = Spread(at[:, 0], model.mean(at), _root(model.kernel(at), model.kernel, at))
    prior = Prediction(model.mean(x), model.kernel.diagonal(x))
    return Answer(
        found, way, terms_of(found) if estimate is None else {"bound": estimate}, predicted(found, x), prior, loo, spread, prior_spread,
        _glance(model, question.data), None if exact is None else exact.condition, _bracket(found),
    )  # fmt: skip


def terms_of(found: Found) -> dict[str, float]:
    """log p(y), or what stands for it, in its parts; their sum is the total."""
    evidence = found.evidence
    parts: dict[str, float] = dict(vars(evidence)) if not isinstance(evidence, tuple) else evidence._asdict()
    return parts


def _bracket(found: Found) -> tuple[float, float | None] | None:
    """What lies above the sparse bound: an upper bound, and the exact value where that is quickly had."""
    if not isinstance(found, SparsePosterior):
        return None
    exact = Posterior.of(found.model, found.data).evidence.total if len(found.data) <= GAP_LIMIT else None
    return found.upper(), exact


def _glance(model: Model, data: Data) -> Glance:
    order = np.argsort(data.x[:, 0], kind="stable")
    shown = order[:: max(1, -(-len(order) // SIDE))]
    return Glance(shown, model.kernel(data.x[shown]) + np.diag(data.noise_of(model)[shown]))


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
    moved = dragging.move(wanted.place, wanted.y, wanted.noise)
    few = len(dragging.others.data) < LOO_LIMIT // 4
    loo = dragging.leave_one_out(moved, wanted.y) if few and len(dragging.others.data) else None
    return Pulled(moved, _pulled_spread(wanted, moved), loo)


def _pulled_spread(wanted: Pull, moved: Moved) -> Spread | None:
    """The others' covariance less what the point in the hand explains, s s' with s its new row of L⁻¹K."""
    taken, at = wanted.taken, wanted.taken.question.grid[::EVERY]
    if taken.covariance is None or taken.solved is None:
        return None
    kernel, place = taken.question.model.kernel, np.array([wanted.place])
    s = (kernel(place, at)[0] - moved.row @ taken.solved) / moved.pivot
    return Spread(at[:, 0], moved.mean[::EVERY], _root(taken.covariance - np.outer(s, s), kernel, at))


def _root(covariance: Array, kernel: Kernel, at: Array) -> Array:
    """A lower triangular root. Where the data leave nothing open, rounding leaves a little: that much is added."""
    rounding = np.full(len(at), STEADY * float(kernel.diagonal(at).max(initial=0.0)))
    return Factor.of(covariance, rounding).lower
