"""What a posterior says beyond its mean and band, for the pages that ask: its terms, its slope, its integral."""

from __future__ import annotations

from dataclasses import dataclass

from studio.ml.gp.calculus import running_integral, slope
from studio.ml.gp.components import Component, decomposed
from studio.ml.gp.errors import NotDifferentiable
from studio.ml.gp.exact import Posterior, Prediction
from studio.ml.gp.jet import Array
from studio.ml.gp.threads import one_blas_thread

AREA_EVERY = 4
"""Every fourth place of the grid is an edge of the integral: between them it is a polynomial of degree 7."""


@dataclass(frozen=True, eq=False)
class Look:
    """A posterior over one input, and the places [m, 1] where more is wanted of it."""

    posterior: Posterior
    grid: Array


@dataclass(frozen=True, eq=False)
class Slopes:
    """`slope` at the grid [m], None where f has none, with `why`; `area`: the integral of f from the first place of
    `edges` [k] to each of them."""

    slope: Prediction | None
    why: str
    edges: Array
    area: Prediction


def parts(look: Look) -> list[Component]:
    """The posterior of each term of the kernel's sum. Raises GPError."""
    one_blas_thread()
    return decomposed(look.posterior, look.grid)


def slopes(look: Look) -> Slopes:
    """Slope and running integral of f. Raises GPError."""
    one_blas_thread()
    edges = look.grid[::AREA_EVERY, 0]
    area = running_integral(look.posterior, edges)
    try:
        return Slopes(slope(look.posterior, look.grid), "", edges, area)
    except NotDifferentiable as error:
        return Slopes(None, str(error), edges, area)
