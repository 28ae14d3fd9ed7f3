"""What the jobs give back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.ml.linear.loss import Fit
from studio.ml.linear.penalty import Penalty
from studio.ml.linear.problem import Array, Problem
from studio_plugins.elastic_net.request import ElasticNetRequest

if TYPE_CHECKING:
    from studio.ml.linear.crossval import CrossValidation
    from studio.ml.linear.descent import Update
    from studio.ml.linear.path import Path
    from studio.ml.linear.plane import LossPlane


@dataclass(frozen=True, eq=False)
class Known:
    """A problem and its path, kept so that a slider need not work them out again. truth: coefficients [K, p] of the
    standardised features that made the response, None of real data. reading: how pandas reads a person's own table."""

    request: ElasticNetRequest
    problem: Problem
    path: Path
    truth: Array | None
    reading: str = ""

    def holds_path(self, request: ElasticNetRequest) -> bool:
        return self.request.path_key == request.path_key

    def holds_data(self, request: ElasticNetRequest) -> bool:
        return self.request.data_key == request.data_key


@dataclass(frozen=True, eq=False)
class Answer:
    """The fit at one λ, on its path. violation: of the KKT conditions. pair: numbers of the two features of the plane.
    updates: the turns of coordinate descent."""

    request: ElasticNetRequest
    known: Known
    penalty: Penalty
    fit: Fit
    violation: float
    explained: float
    pair: tuple[int, int] | None = None
    plane: LossPlane | None = None
    updates: tuple[Update, ...] = ()

    @property
    def problem(self) -> Problem:
        return self.known.problem

    @property
    def output(self) -> int:
        """The class whose coefficients are shown."""
        return min(self.request.output, self.problem.outputs - 1)


@dataclass(frozen=True, eq=False)
class Validated:
    """The error of every λ of the path on rows held out."""

    request: ElasticNetRequest
    problem: Problem
    curve: CrossValidation
    nonzero: Array

    def fits(self, request: ElasticNetRequest) -> bool:
        """Whether it is of these settings."""
        same = self.request.path_key == request.path_key
        return same and (self.request.folds, self.request.seed) == (request.folds, request.seed)


@dataclass(frozen=True)
class Kept:
    """Where a fit was kept."""

    record_id: str
