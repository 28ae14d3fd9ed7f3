"""One copy of a world whose table is known: it walks through the table, so that edits are live and drawing is free."""

from __future__ import annotations

from typing import Any, Protocol

from studio.ml.rl.errors import BadWorld
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.model import Model
from studio.ml.rl.walk import Walk
from studio.ml.rl.worlds.single import Frame, Moved


class Drawing(Protocol):
    """Draws a state of a world that somebody else wrote, apart from the walk."""

    def frame(self, state: int, action: int | None) -> Frame | None: ...
    def text(self, state: int, action: int | None) -> str: ...
    def close(self) -> None: ...


class GridDrawing:
    """Grid worlds are drawn by whoever shows them; as text, @ is where the agent stands."""

    def __init__(self, grid: GridWorld) -> None:
        self.grid = grid

    def frame(self, state: int, action: int | None) -> None:
        return None

    def text(self, state: int, action: int | None) -> str:
        lines, (row, column) = str(self.grid).splitlines(), self.grid.cell(state)
        lines[row] = f"{lines[row][:column]}@{lines[row][column + 1 :]}"
        return "\n".join(lines)

    def close(self) -> None:
        """Holds nothing."""


class Walking:
    """A `Single` over a `Walk`. Its episodes may be put back by state and random stream, whatever edits came between."""

    def __init__(self, model: Model, drawing: Drawing) -> None:
        self._walk, self._drawing = Walk(model), drawing
        self._cells = (drawing.grid.rows, drawing.grid.columns) if isinstance(drawing, GridDrawing) else None
        self._last: int | None = None

    def reset(self, seed: int) -> int:
        self._last = None
        return self._walk.reset(seed)

    def step(self, action: int) -> Moved:
        self._last = action
        state, reward, ended = self._walk.step(action)
        return state, reward, ended, False

    def change(self, grid: GridWorld) -> None:
        """Goes on in an edited grid. Raises BadWorld where it differs in size."""
        if self._cells != (grid.rows, grid.columns):
            raise BadWorld(
                f"The edited grid has {grid.rows} rows and {grid.columns} columns, not those of this one; start a new run."
            )
        self._walk.change(grid.model)
        self._drawing = GridDrawing(grid)

    def frame(self) -> Frame | None:
        return self._drawing.frame(self._walk.state, self._last)

    def text(self) -> str:
        return self._drawing.text(self._walk.state, self._last)

    def keep(self) -> dict[str, Any]:
        return {"walk": self._walk.keep(), "last": self._last}

    def put_back(self, kept: dict[str, Any]) -> None:
        self._walk.put_back(kept["walk"])
        self._last = kept["last"]

    def close(self) -> None:
        self._drawing.close()
