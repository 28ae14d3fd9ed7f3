"""What the jobs give back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.ml.linear.clouds import Labels
from studio.ml.linear.fourier import GramErrors
from studio.ml.linear.kernels import Kernel, Monomial
from studio.ml.linear.problem import Array
from studio_plugins.kernel_trick.request import KernelTrickRequest

if TYPE_CHECKING:
    from studio.ml.linear.machines import Boundary


@dataclass(frozen=True, eq=False)
class Grams:
    """The Gram matrix by the kernel and by features, [n, n] each, and how many features those were."""

    exact: Array
    featured: Array
    count: int

    @property
    def difference(self) -> Array:
        found: Array = self.featured - self.exact
        return found


@dataclass(frozen=True, eq=False)
class Lifted:
    """points: [n, 3]. mesh: [m, m, 3], a grid of the plane lifted alike. plane: the separating plane (w, b), None where
    one class is missing. wrong: points on the wrong side of it. field: [g, g], w·lift(x) + b over the plot."""

    points: Array
    mesh: Array
    plane: tuple[Array, float] | None
    wrong: int
    field: Array | None


@dataclass(frozen=True, eq=False)
class Look:
    """Everything that is shown of one request. field: f over the plot, [g, g] with x first; None without a boundary,
    then `problem` says why. errors: how the Gaussian's approximation gets better with more features."""

    request: KernelTrickRequest
    kernel: Kernel
    points: Array
    labels: Labels
    boundary: Boundary | None
    field: Array | None
    problem: str
    monomials: tuple[Monomial, ...]
    grams: Grams
    lifted: Lifted | None = None
    errors: GramErrors | None = None


@dataclass(frozen=True)
class Kept:
    """Where a look was kept."""

    record_id: str
