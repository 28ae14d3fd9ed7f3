"""scipy's L-BFGS-B one evaluation at a time, as a generator and without a thread.

scipy runs its optimiser to the end and asks for values through a callback. Here a point whose value is not known yet
leaves the optimiser by an exception; the generator computes and yields it, then runs the optimiser again from the start
with all known values at hand. L-BFGS-B is deterministic, so it asks for the same points again and gets one further. The
k-th evaluation repeats k look-ups of some 30 us: little beside an evaluation, and nothing but public API is used.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from studio.ml.gp.jet import Array

Loss = Callable[[Array], tuple[float, Array]]
"""x [p] -> value and gradient [p]."""


class Evaluation(NamedTuple):
    """One point that the optimiser asked for. iteration: how many steps it had accepted before."""

    x: Array
    value: float
    gradient: Array
    iteration: int


@dataclass(frozen=True, eq=False)
class Descended:
    """Where the optimiser ended: the accepted points path [i, p], the last of them x [p], and why it stopped."""

    x: Array
    value: float
    path: Array
    evaluations: int
    converged: bool
    reason: str


class _Asked(Exception):
    """The optimiser needs the loss at a point that is not known yet."""

    def __init__(self, x: Array) -> None:
        super().__init__()
        self.x = x


def descend(
    loss: Loss, start: Array, bounds: Array, iterations: int = 200
) -> Generator[Evaluation, None, Descended]:
    """Minimise a loss within bounds [p, 2]; one `next()` is one evaluation."""
    start = np.clip(start, bounds[:, 0], bounds[:, 1])
    if len(start) == 0:
        return Descended(start, loss(start)[0], start[None], 1, True, "there is nothing to fit")
    known: dict[bytes, tuple[float, Array]] = {}

    def recalled(x: Array) -> tuple[float, Array]:
        if x.tobytes() not in known:
            raise _Asked(x.copy())
        return known[x.tobytes()]

    while True:
        path = [start]
        try:
            result = _minimised(recalled, start, bounds, iterations, path)
        except _Asked as asked:
            value, gradient = known[asked.x.tobytes()] = loss(asked.x)
            yield Evaluation(asked.x, value, gradient, len(path) - 1)
        else:
            return Descended(
                result.x, float(result.fun), np.array(path), len(known), bool(result.success), str(result.message)
            )


def _minimised(loss: Loss, start: Array, bounds: Array, iterations: int, path: list[Array]) -> OptimizeResult:
    def accept(intermediate_result: OptimizeResult) -> None:
        path.append(intermediate_result.x.copy())

    return minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, callback=accept, options={"maxiter": iterations}
    )
