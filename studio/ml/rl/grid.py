"""Grid worlds as values: every edit gives a new one, and its numbers of states and actions never change.

A cell is (row, column) from the top left; its state is row * columns + column, so that any vector of values is a map
by `reshape(rows, columns)`. Rewards are for entering a cell.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import isfinite

from studio.ml.rl.errors import BadWorld
from studio.ml.rl.model import Model, Outcome

Cell = tuple[int, int]

STEPS = {"U": (-1, 0), "R": (0, 1), "D": (1, 0), "L": (0, -1)}
_ASIDE = {"U": ("L", "R"), "D": ("L", "R"), "L": ("U", "D"), "R": ("U", "D")}
_MARKS = {"#": "walls", "C": "cliffs", "H": "holes", "G": "goals"}


@dataclass(frozen=True)
class GridWorld:
    """What stands where, and what it does.

    walls: cells nobody enters. cliffs: entering costs `cliff_reward` and puts the agent back at the start. holes and
    goals: the episode ends. rewards: (cell, reward) pairs in place of `step_reward`. wind: cells pushed upwards in each
    column (negative: downwards), added to the move made from there as in Sutton and Barto, example 6.5; only the cell
    where a move comes to rest counts. slip: probability of going sideways, half to each side. moves: what action k
    does.
    """

    rows: int
    columns: int
    start: Cell = (0, 0)
    goals: frozenset[Cell] = frozenset()
    walls: frozenset[Cell] = frozenset()
    cliffs: frozenset[Cell] = frozenset()
    holes: frozenset[Cell] = frozenset()
    rewards: tuple[tuple[Cell, float], ...] = ()
    wind: tuple[int, ...] = ()
    slip: float = 0.0
    step_reward: float = -1.0
    cliff_reward: float = -100.0
    moves: str = "URDL"

    def __getstate__(self) -> dict[str, object]:
        """The drawing alone: what is worked out from it is worked out again."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise BadWorld("A grid needs at least one row and one column.")
        kinds = {"goal": self.goals, "wall": self.walls, "cliff": self.cliffs, "hole": self.holes}
        kinds["start"] = frozenset({self.start})
        taken: dict[Cell, str] = {}
        for kind, cells in kinds.items():
            for cell in cells:
                self._inside(cell)
                if cell in taken:
                    raise BadWorld(f"Cell {cell} cannot be a {taken[cell]} and a {kind} at once; clear it first.")
                taken[cell] = kind
        for cell, reward in self.rewards:
            self._inside(cell)
            self._finite(reward, f"The reward of cell {cell}")
        self._finite(self.step_reward, "The reward of a step")
        self._finite(self.cliff_reward, "The reward of the cliff")
        if len(self.wind) not in (0, self.columns):
            raise BadWorld(f"Wind is a number for each of the {self.columns} columns, or none, not {len(self.wind)}.")
        if not 0 <= self.slip <= 1:
            raise BadWorld(f"Slip is a probability from 0 to 1, not {self.slip}.")
        if sorted(self.moves) != sorted(STEPS):
            raise BadWorld(f"The moves are an order of U, R, D and L, not {self.moves!r}.")

    def _inside(self, cell: Cell) -> None:
        if not (0 <= cell[0] < self.rows and 0 <= cell[1] < self.columns):
            raise BadWorld(f"Cell {cell} lies outside the grid of {self.rows} by {self.columns}.")

    @staticmethod
    def _finite(value: float, what: str) -> None:
        if not isfinite(value):
            raise BadWorld(f"{what} must be a finite number, not {value}.")

    @classmethod
    def drawn(cls, text: str, **fields: object) -> GridWorld:
        """From lines of S start, G goal, # wall, C cliff, H hole and . floor; other fields by name. Raises BadWorld."""
        lines = text.split()
        if not lines or len({len(line) for line in lines}) > 1:
            raise BadWorld("Draw at least one line, and all of the same length.")
        cells = {(r, c): mark for r, line in enumerate(lines) for c, mark in enumerate(line)}
        if unknown := set(cells.values()) - {*_MARKS, "S", "."}:
            raise BadWorld(f"Cells are drawn with S G # C H and a full stop, not {' '.join(sorted(unknown))}.")
        starts = [cell for cell, mark in cells.items() if mark == "S"]
        if len(starts) != 1:
            raise BadWorld(f"A world has one start (S); this one has {len(starts)}.")
        kinds = {kind: frozenset(cell for cell, m in cells.items() if m == mark) for mark, kind in _MARKS.items()}
        return cls(len(lines), len(lines[0]), starts[0], **kinds, **fields)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return "\n".join("".join(self.mark((r, c)) for c in range(self.columns)) for r in range(self.rows))

    def mark(self, cell: Cell) -> str:
        """What stands on a cell, as `drawn` reads it."""
        if cell == self.start:
            return "S"
        return next((mark for mark, kind in _MARKS.items() if cell in getattr(self, kind)), ".")

    def put(self, cell: Cell, mark: str) -> GridWorld:
        """The same world with S, G, #, C, H or . on a cell. Raises BadWorld where it would take the start away."""
        self._inside(cell)
        if mark not in {*_MARKS, "S", "."}:
            raise BadWorld(f"Cells hold S G # C H or a full stop, not {mark!r}.")
        if cell == self.start and mark != "S":
            raise BadWorld("The start stands here; put it elsewhere first.")
        kinds = {kind: getattr(self, kind) - {cell} | ({cell} if m == mark else set()) for m, kind in _MARKS.items()}
        return replace(self, start=cell if mark == "S" else self.start, **kinds)

    def reward(self, cell: Cell, value: float | None) -> GridWorld:
        """The same world with another reward for entering a cell; None takes it away."""
        others = tuple(pair for pair in self.rewards if pair[0] != cell)
        return replace(self, rewards=others if value is None else tuple(sorted((*others, (cell, value)))))

    def blow(self, column: int, strength: int) -> GridWorld:
        """The same world with another wind in one column."""
        self._inside((0, column))
        wind = list(self.wind or (0,) * self.columns)
        wind[column] = strength
        return replace(self, wind=tuple(wind))

    def state(self, cell: Cell) -> int:
        return cell[0] * self.columns + cell[1]

    def cell(self, state: int) -> Cell:
        return divmod(state, self.columns)

    @cached_property
    def model(self) -> Model:
        """The exact transition table. Goals and holes only lead to themselves; what they hold is never used."""
        cells = [(r, c) for r in range(self.rows) for c in range(self.columns)]
        rewards = dict(self.rewards)
        table = tuple(tuple(self._outcomes(cell, move, rewards) for move in self.moves) for cell in cells)
        return Model(table, ((1.0, self.state(self.start)),))

    def _outcomes(self, cell: Cell, move: str, rewards: dict[Cell, float]) -> tuple[Outcome, ...]:
        if cell in self.goals or cell in self.holes:
            return (Outcome(1.0, self.state(cell), 0.0, True),)
        left, right = _ASIDE[move]
        ways = [(1 - self.slip, move), (self.slip / 2, left), (self.slip / 2, right)]
        return tuple(self._entered(p, self._rest(cell, way), rewards) for p, way in ways if p > 0)

    def _entered(self, probability: float, cell: Cell, rewards: dict[Cell, float]) -> Outcome:
        if cell in self.cliffs:
            return Outcome(probability, self.state(self.start), rewards.get(cell, self.cliff_reward), False)
        ends = cell in self.goals or cell in self.holes
        return Outcome(probability, self.state(cell), rewards.get(cell, self.step_reward), ends)

    def _rest(self, cell: Cell, move: str) -> Cell:
        """Where a move and the wind come to rest: sideways first, then up or down cell by cell."""
        down, right = STEPS[move]
        down -= self.wind[cell[1]] if self.wind else 0
        r, c = self._pushed(cell, (0, right))
        for _ in range(abs(down)):
            r, c = self._pushed((r, c), (1 if down > 0 else -1, 0))
        return r, c

    def _pushed(self, cell: Cell, step: Cell) -> Cell:
        to = (cell[0] + step[0], cell[1] + step[1])
        free = 0 <= to[0] < self.rows and 0 <= to[1] < self.columns and to not in self.walls
        return to if free else cell


def cliff(*, slip: float = 0.0) -> GridWorld:
    """Cliff walking, 4 x 12 (Sutton and Barto, example 6.6; Gymnasium's CliffWalking-v1; its slippery one: 2/3)."""
    return GridWorld.drawn("............\n............\n............\nSCCCCCCCCCCG", slip=slip)


def frozen_lake(size: int = 4, *, success: float = 1 / 3) -> GridWorld:
    """Gymnasium's FrozenLake-v1, 4 x 4 or 8 x 8: a reward of 1 at the goal.

    success: probability that a move goes where it was meant to.
    """
    maps = {
        4: "S... .H.H ...H H..G",
        8: "S....... ........ ...H.... .....H.. ...H.... .HH...H. .H..H.H. ...H...G",
    }
    if size not in maps:
        raise BadWorld(f"The frozen lakes are 4 or 8 cells wide, not {size}; draw your own with GridWorld.drawn.")
    goal = (((size - 1, size - 1), 1.0),)
    return GridWorld.drawn(maps[size], slip=1 - success, step_reward=0.0, rewards=goal, moves="LDRU")


def windy() -> GridWorld:
    """The windy grid world, 7 x 10 (Sutton and Barto, example 6.5); its shortest way has 15 steps."""
    wind = (0, 0, 0, 1, 1, 1, 2, 2, 1, 0)
    return GridWorld(7, 10, start=(3, 0), goals=frozenset({(3, 7)}), wind=wind)
