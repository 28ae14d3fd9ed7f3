"""log p(y, theta) over two hyper-parameters, the others held: the landscape that a fit climbs, row by row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from studio.ml.gp.errors import GPError, NotPositiveDefinite
from studio.ml.gp.jet import Array
from studio.ml.gp.objective import Objective


@dataclass(frozen=True, eq=False)
class Landscape:
    """values [rows, columns] of log p(y, theta), nan where not yet computed, -inf without a Cholesky factor.

    down [rows], across [columns]: theta of the two hyper-parameters (logarithms of positive ones); done: rows so far.
    """

    names: tuple[str, str]
    down: Array
    across: Array
    values: Array
    done: int


def landscape(
    objective: Objective, names: tuple[str, str], reach: float = 3.0, resolution: int = 40
) -> Iterator[Landscape]:
    """The square of theta +- reach around the model, one row of it computed by each `next()`.

    names: the hyper-parameter that runs down, and the one across. Raises GPError for one that is not free.
    """
    free = [p.name for p in objective.parameters]
    missing = [name for name in names if name not in free]
    if missing or names[0] == names[1]:
        raise GPError(f"Choose two different hyper-parameters of {', '.join(free)}, not {names[0]} and {names[1]}")
    row, column = (free.index(name) for name in names)
    start = objective.start
    down, across = (np.linspace(start[i] - reach, start[i] + reach, resolution) for i in (row, column))
    values = np.full((resolution, resolution), np.nan)
    for i, value in enumerate(down):
        theta = start.copy()
        theta[row] = value
        for j, theta[column] in enumerate(across):
            values[i, j] = _height(objective, theta)
        yield Landscape(names, down, across, values.copy(), i + 1)


def _height(objective: Objective, theta: Array) -> float:
    try:
        return objective.evidence(theta).total + objective.prior(theta)[0]
    except NotPositiveDefinite:
        return -math.inf
