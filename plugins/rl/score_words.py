"""Numbers, states and actions as people read them. Qt-free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from studio.ml.rl.grid import GridWorld

ARROWS = {"U": "↑", "R": "→", "D": "↓", "L": "←"}


def number(value: float, digits: int = 4) -> str:
    """Short, with a real minus, thousands apart; no trailing zeros."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0 or abs(value) >= 10 ** (digits - 1) and abs(value) < 1e7:
        return f"{round(value):,}".replace("-", "−").replace(",", "\u202f")
    return f"{value:.{digits}g}".replace("e+0", "e").replace("e-0", "e-").replace("-", "−")


def plus_minus(mean: float, error: float) -> str:
    """Mean ± standard error, both to the digit that the error speaks of."""
    if math.isnan(mean):
        return "–"
    if math.isnan(error) or error <= 0:
        return number(mean)
    places = max(0, min(4, 1 - math.floor(math.log10(error))))
    return f"{mean:.{places}f} ± {error:.{places}f}".replace("-", "−")


@dataclass(frozen=True)
class Names:
    """What states and actions of a world are called. columns: of a grid, else 0."""

    actions: tuple[str, ...] = ()
    columns: int = 0

    @classmethod
    def of(cls, grid: GridWorld | None, actions: Sequence[str] = ()) -> Names:
        """Of a grid world (cells and arrows), or of another with these actions."""
        if grid is None:
            return cls(tuple(actions))
        return cls(tuple(ARROWS[move] for move in grid.moves), grid.columns)

    def state(self, state: int) -> str:
        """Row and column, counted from 1, or the state's number."""
        return f"({state // self.columns + 1}, {state % self.columns + 1})" if self.columns else str(state)

    def action(self, action: int) -> str:
        return self.actions[action] if action < len(self.actions) else str(action)
