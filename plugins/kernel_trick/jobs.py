"""The jobs behind the panel: everything that follows from the points (while one is dragged), and keeping it."""

from __future__ import annotations

import sys
from collections.abc import Generator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.engine import Event, JobContext, Offload, Progress
from studio.ml.linear.clouds import Labels
from studio.ml.linear.fourier import FourierFeatures, GramErrors, gram_errors
from studio.ml.linear.kernels import Kernel, features, monomials
from studio.ml.linear.problem import Array
from studio_plugins.kernel_trick import keeping
from studio_plugins.kernel_trick.request import EDGE, KernelTrickRequest
from studio_plugins.kernel_trick.results import Grams, Kept, Lifted, Look

if TYPE_CHECKING:
    from studio.ml.linear.machines import Boundary

SOLVER = "studio.ml.linear.scikit"
FINE, COARSE = 121, 61
"""Values of the boundary across the plot: at rest, and while something is dragged."""
MESH = 21
COUNTS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
DRAWS = 24


@dataclass(frozen=True)
class Order:
    """What to work out. page: the page on show ("lift", "gram" or "fourier"). moving: whether a hand is moving, so
    that a coarser picture now is worth more than a fine one later."""

    request: KernelTrickRequest
    page: str = ""
    moving: bool = False


def look(order: Order, ctx: JobContext) -> Generator[Event | Offload, Any, Look]:
    """The boundary, both Gram matrices, and what the page on show needs."""
    request = order.request
    yield Progress(0, 1, "looking")
    if SOLVER not in sys.modules:  # scikit-learn takes a second to load, which no other task should wait for
        yield Offload(import_module, SOLVER)
    points = np.array([dot[:2] for dot in request.points], dtype=np.float64).reshape(-1, 2)
    labels = np.array([dot[2] for dot in request.points], dtype=np.intp)
    kernel = Kernel(request.kernel, request.degree, request.offset, request.gamma)
    boundary, problem = _boundary(request, kernel, points, labels)
    side = COARSE if order.moving else FINE
    grid = plot_grid(side)
    field = boundary.at(grid).reshape(side, side) if boundary is not None else None
    lifted = _lifted(request, kernel, points, labels, grid, side) if order.page == "lift" and len(points) > 1 else None
    wanted = order.page == "fourier" and request.kernel == "rbf" and len(points)
    errors = (yield from _errors(request, points)) if wanted else None
    own = () if request.kernel == "rbf" else monomials(kernel, 2)
    return Look(
        request, kernel, points, labels, boundary, field, problem, own, _grams(request, kernel, points), lifted, errors
    )


def plot_grid(side: int) -> Array:
    """Points [side², 2] all over the plot, x₁ slowest."""
    axis = np.linspace(-EDGE, EDGE, side)
    grid: Array = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return grid


def _boundary(
    request: KernelTrickRequest, kernel: Kernel, points: Array, labels: Labels
) -> tuple[Boundary | None, str]:
    """The fitted machine, or why there is none."""
    from studio.ml.linear.machines import UnfitPoints, fit

    try:
        softness = request.cost if request.machine == "svm" else request.ridge
        return fit(request.machine, kernel, points, labels, softness=softness), ""
    except UnfitPoints as error:
        return None, str(error)


def _grams(request: KernelTrickRequest, kernel: Kernel, points: Array) -> Grams:
    """The same matrix two ways: by the kernel, and by features."""
    if request.kernel == "rbf":
        phi = FourierFeatures.drawn(request.gamma, 2, request.count, request.seed)(points)
    else:
        phi = features(kernel, points)
    return Grams(kernel.gram(points, points), phi @ phi.T, phi.shape[1])


def _errors(request: KernelTrickRequest, points: Array) -> Generator[Event, Any, GramErrors]:
    """The error of the Gaussian's approximation for every number of features, a draw a step."""
    found = []
    for draw in range(DRAWS):
        yield Progress(draw, DRAWS, "drawing features")
        found.append(gram_errors(points, request.gamma, list(COUNTS), [request.seed + draw]))
    return GramErrors(found[0].counts, np.concatenate([one.errors for one in found]), found[0].expected)


def _lifted(
    request: KernelTrickRequest, kernel: Kernel, points: Array, labels: Labels, grid: Array, side: int
) -> Lifted:
    """The points in space, and the plane of a linear support-vector machine there."""
    from studio.ml.linear.lifts import Lift, plane_between
    from studio.ml.linear.machines import UnfitPoints

    lift = Lift.made(request.lift, kernel, points)
    lifted = lift(points)
    reach = 1.15 * np.abs(points).max()
    mesh = lift(plot_grid(MESH) * min(1.0, reach / EDGE)).reshape(MESH, MESH, 3)
    try:
        flat = plane_between(lifted, labels, request.cost)
    except UnfitPoints:
        return Lifted(lifted, mesh, None, 0, None)
    normal = flat.dual @ lifted
    field = (lift(grid) @ normal + flat.intercept).reshape(side, side)
    return Lifted(lifted, mesh, (normal, flat.intercept), flat.wrong, field)


def keep(shown: Look, ctx: JobContext) -> Generator[Event | Offload, Any, Kept]:
    """Keep what is shown in the store. Raises StoreUnwritable."""
    yield Progress(0, 1, "keeping the boundary")
    record_id: str = yield Offload(keeping.keep, shown, ctx.services["results"])
    return Kept(record_id)


def kernel_trick(request: KernelTrickRequest, ctx: JobContext) -> Generator[Event | Offload, Any, Kept]:
    """Work it all out and keep it."""
    found = yield from look(Order(request), ctx)
    kept: Kept = yield from keep(found, ctx)
    return kept
