"""Edits of a grid world as a person makes them: pure values, every edit a new world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from studio.ml.rl.errors import BadWorld
from studio.ml.rl.grid import Cell, GridWorld

Tool = Literal["look", "wall", "floor", "cliff", "hole", "goal", "start", "reward", "wind"]
MARKS: Mapping[Tool, str] = {"wall": "#", "floor": ".", "cliff": "C", "hole": "H", "goal": "G", "start": "S"}
MOST_SIDE = 40
"""Rows or columns of a world that is drawn by hand."""
MOST_WIND = 4


@dataclass(frozen=True)
class Pen:
    """A tool and the number it draws with: a reward, or a strength of wind."""

    tool: Tool = "look"
    number: float = 0.0


def drawn(grid: GridWorld, pen: Pen, cells: Iterable[Cell]) -> GridWorld:
    """The world with a tool applied to each cell in order. Raises BadWorld as the world's own methods do."""
    for cell in cells:
        if pen.tool == "reward":
            if cell in grid.walls:
                raise BadWorld("Nobody enters a wall, so it has no reward; draw floor there first.")
            grid = grid.reward(cell, pen.number)
        elif pen.tool == "wind":
            grid = grid.blow(cell[1], round(pen.number))
        elif pen.tool == "start":
            grid = grid.put(cell, "S")
        elif pen.tool == "floor":
            grid = cleared(grid, cell)
        elif pen.tool in MARKS:
            grid = grid.put(cell, MARKS[pen.tool])
    return grid


def cleared(grid: GridWorld, cell: Cell) -> GridWorld:
    """A cell with nothing on it, its reward gone too; the start stays."""
    return (grid if cell == grid.start else grid.put(cell, ".")).reward(cell, None)


def nudged(grid: GridWorld, pen: Pen, cell: Cell, by: int) -> GridWorld:
    """One turn of the wheel over a cell: its reward, or the wind of its column, by so much more."""
    if pen.tool == "wind":
        now = grid.wind[cell[1]] if grid.wind else 0
        return grid.blow(cell[1], max(-MOST_WIND, min(MOST_WIND, now + by)))
    now = dict(grid.rewards).get(cell, grid.cliff_reward if cell in grid.cliffs else grid.step_reward)
    return drawn(grid, Pen("reward", now + by), [cell])


def without_walls(grid: GridWorld) -> GridWorld:
    return replace(grid, walls=frozenset())


def resized(grid: GridWorld, rows: int, columns: int) -> GridWorld:
    """The world with rows and columns more or fewer at the bottom and on the right. Raises BadWorld where that would
    take the start away."""
    if not (grid.start[0] < rows and grid.start[1] < columns):
        raise BadWorld("The start stands where the grid would be cut; put it elsewhere first.")

    def kept(cells: frozenset[Cell]) -> frozenset[Cell]:
        return frozenset(cell for cell in cells if cell[0] < rows and cell[1] < columns)

    wind = (grid.wind + (0,) * columns)[:columns] if any(grid.wind) else ()
    rewards = tuple(pair for pair in grid.rewards if kept(frozenset({pair[0]})))
    return replace(
        grid, rows=rows, columns=columns, goals=kept(grid.goals), walls=kept(grid.walls), cliffs=kept(grid.cliffs),
        holes=kept(grid.holes), rewards=rewards, wind=wind,
    )  # fmt: skip


def between(first: Cell, last: Cell) -> list[Cell]:
    """The cells of a stroke from one cell to another, the first left out: a fast hand skips none."""
    steps = max(abs(last[0] - first[0]), abs(last[1] - first[1]))
    return [
        (first[0] + round((last[0] - first[0]) * k / steps), first[1] + round((last[1] - first[1]) * k / steps))
        for k in range(1, steps + 1)
    ]


def description(grid: GridWorld, cell: Cell) -> str:
    """What stands on a cell, in a word."""
    kinds = {"S": "start", "G": "goal", "#": "wall", "C": "cliff", "H": "hole", ".": "floor"}
    return kinds[grid.mark(cell)]
