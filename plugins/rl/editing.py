"""The grid world under the person's hand: an edit goes under the feet of all who learn in it, and can be taken back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.ml.rl.grid import GridWorld
from studio.ml.rl.worlds import WorldSpec
from studio.ui.states import States
from studio_plugins.rl.desk import Desk
from studio_plugins.rl.offers import Described
from studio_plugins.rl.stage import Stage

UNDO_STEPS = 200


class Editing(QObject):
    """Between the hand on the grid and the desk. Signal: `edited` (Described), the present world as it is now."""

    edited = Signal(object)

    def __init__(self, stage: Stage, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._described: Described | None = None
        self.states = States(None, UNDO_STEPS, self)
        self.states.turned.connect(self._return_to)
        stage.tools.edited.connect(self.edit)
        stage.tools.reshaped.connect(lambda grid, _before, _text: self._reshape(grid))

    def begin(self, described: Described) -> None:
        """Another world was opened: there is nothing to take back in it."""
        self._described = described
        self.states.begin(described.spec.grid)

    def edit(self, grid: GridWorld, _before: GridWorld, text: str) -> None:
        """A stroke of the hand; `text` says what it did."""
        self.states.record(text, grid)
        self._put(grid, text)

    def _return_to(self, grid: GridWorld | None) -> None:
        if grid is not None:
            self._put(grid, "Edit taken back")

    def _reshape(self, grid: GridWorld) -> None:
        """A grid of another shape: its states are others, so runs begin anew in it."""
        self._desk.describe(WorldSpec("grid", grid=grid))

    def _put(self, grid: GridWorld, text: str) -> None:
        if self._described is None or self._described.spec.grid is None:
            return
        self._described = replace(self._described, spec=WorldSpec("grid", grid=grid))
        self.edited.emit(self._described)
        for seat in self._desk.seats:
            there = seat.now.world.grid
            if there is not None and (there.rows, there.columns) == (grid.rows, grid.columns):
                self._desk.do(seat, partial(_edit, grid=grid, text=text))


def _edit(session: Any, grid: GridWorld, text: str) -> None:
    session.edit(grid, text)
