"""From a request to the data that are fitted: a sample, or the columns of a person's own table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from studio.ml.linear.problem import Array, Family, Problem, UnfitData, family_of, prepare
from studio.ml.linear.samples import Sample, sample
from studio_plugins.elastic_net.request import ElasticNetRequest
from studio_plugins.elastic_net.table import Column, read_table, reading


@dataclass(frozen=True, eq=False)
class Data:
    """A problem, the true coefficients [K, p] of its features where they are known, and how pandas reads the table of a
    person, as a Python expression."""

    problem: Problem
    truth: Array | None = None
    reading: str = ""


def load(request: ElasticNetRequest) -> Data:
    """Read and prepare the data of a request. Raises UnfitData, TableUnreadable."""
    if request.data == "own":
        return Data(_own(request), None, reading(Path(request.table)))
    family: Family = "linear" if request.family == "auto" else request.family
    found = sample(request.data, family, request.seed)
    problem = prepare(
        found.features, found.target, found.names, family_of(found.target), standardise=request.standardise
    )
    return Data(problem, _standardised_truth(found, problem))


def _standardised_truth(found: Sample, problem: Problem) -> Array | None:
    """The true coefficients of the features as they are fitted: a feature divided by s has s times the coefficient."""
    if found.truth is None:
        return None
    kept = [found.names.index(name) for name in problem.names]
    truth: Array = found.truth[:, kept] * problem.scale
    return truth


def _own(request: ElasticNetRequest) -> Problem:
    columns = {column.name: column for column in read_table(Path(request.table), request.table_sha256)}
    if request.target not in columns:
        raise UnfitData("Choose the column to explain as the response.")
    target = columns.pop(request.target)
    features, notes = _features([column for name, column in columns.items() if name not in request.without])
    if not features:
        raise UnfitData("No other column holds numbers, so there is nothing to explain the response with.")
    family = family_of(target.values) if request.family == "auto" else request.family
    matrix = np.column_stack([column.values.astype(np.float64) for column in features])
    names = [column.name for column in features]
    problem = prepare(matrix, target.values, names, family, standardise=request.standardise)
    return replace(problem, notes=(*notes, *problem.notes))


def _features(columns: list[Column]) -> tuple[list[Column], list[str]]:
    """The columns of numbers, and a note on the others."""
    notes = [f"“{column.name}” holds text and was left out" for column in columns if not column.numeric]
    empty = [column for column in columns if column.numeric and column.missing == len(column.values)]
    notes += [f"“{column.name}” is empty and was left out" for column in empty]
    return [column for column in columns if column.numeric and column not in empty], notes
