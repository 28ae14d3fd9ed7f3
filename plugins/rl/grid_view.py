"""A grid world with an agent in it, drawn live, and edited by mouse and keyboard while the agent learns."""

from __future__ import annotations

from time import monotonic

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent,
)  # fmt: skip
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.ml.rl.errors import BadWorld
from studio.ml.rl.grid import STEPS, Cell, GridWorld
from studio.ml.rl.learner import Look, TableLook
from studio.ui.theme import theme
from studio_plugins.rl import grid_edits
from studio_plugins.rl.glide import Glide
from studio_plugins.rl.grid_edits import MARKS, Pen
from studio_plugins.rl.grid_layers import LEGEND_ROOM
from studio_plugins.rl.grid_paint import WIND_ROOM, Board, paint_agent, paint_fall
from studio_plugins.rl.grid_readout import lines, paint_card
from studio_plugins.rl.grid_scene import HEADER_ROOM, TALL, Scene
from studio_plugins.rl.overlays import Overlays, Shades, shades

_PATIENCE = 1.0
"""Seconds that an edit stays on show while looks still come from the world before it."""


class GridView(QWidget):
    """Signals: `edited` (GridWorld after, GridWorld before, what was done; a slot may take the first alone), `refused`
    (why an edit cannot be), `hovered` (Cell, or None when the pointer has left), `picked` (Cell clicked without a tool)."""

    edited = Signal(object, object, str)
    refused = Signal(str)
    hovered = Signal(object)
    picked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid: GridWorld | None = None
        self._draft: GridWorld | None = None  # an edit under the hand, or on its way
        self._origin: GridWorld | None = None  # the world that the edit was made from
        self._sent = 0.0
        self._look: Look | None = None
        self._shades: Shades | None = None
        self._scene, self._pen = Scene(), Pen()
        self._stroke: Cell | None = None
        self._erasing = False
        self._hover: Cell | None = None
        self._cursor: Cell | None = None
        self._glide = Glide(self)
        self._glide.moved.connect(self.update)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 60)
        self.setAccessibleName("Grid world")
        theme().changed.connect(self._forget)

    def sizeHint(self) -> QSize:
        return QSize(640, 360)

    # --- what is shown ---

    @property
    def grid(self) -> GridWorld | None:
        """The world on show, an edit under way included."""
        return self._draft or self._grid

    @property
    def overlays(self) -> Overlays:
        return self._scene.overlays

    @property
    def shades(self) -> Shades | None:
        """The map on show with the ends of its colour scale."""
        return self._shades

    def show_grid(self, grid: GridWorld | None) -> None:
        """A world in which nobody walks yet."""
        self._look, self._shades, self._draft = None, None, None
        self._take(grid)
        self._forget()

    def show_look(self, look: Look) -> None:
        """What an agent does and knows now. A look without a grid leaves the world as it is."""
        before, self._look = self._look, look
        if look.grid is not None:
            arrived = look.grid == self._draft or monotonic() - self._sent > _PATIENCE
            if self._draft is not None and self._stroke is None and arrived:
                self._draft = None
                self._scene.forget()
            self._take(look.grid)
        if look.table is not None and self._grid is not None and len(look.table.q) == self._grid.rows * self._grid.columns:
            self._shades = shades(self._scene.overlays.heat, self._grid, look.table, self._shades)
            one = before is not None and look.episode == before.episode and look.time == before.time + 1
            self._glide.go(self._grid.cell(look.table.state), smooth=one and self.isVisible())
        self._scene.refresh()
        self.update()

    def set_overlays(self, overlays: Overlays) -> None:
        """Choose what lies over the world."""
        if overlays == self._scene.overlays:
            return
        self._scene.overlays = overlays
        table = self._look.table if self._look is not None else None
        self._shades = shades(overlays.heat, self._grid, table) if table is not None and self._grid is not None else None
        self._forget()

    def set_agent(self, colour: str, *, on_policy: bool) -> None:
        """The run's colour, a token of the theme; on_policy: whether the policy it learns about is the one it acts by."""
        self._scene.token, self._scene.off_policy = colour, not on_policy
        self._scene.refresh()
        self.update()

    def set_pen(self, pen: Pen) -> None:
        """What mouse and keyboard draw with."""
        self._pen = pen
        editing = pen.tool != "look"
        self.setCursor(Qt.CursorShape.CrossCursor if editing else Qt.CursorShape.ArrowCursor)
        self._forget()

    def drop_edit(self) -> None:
        """Show the world as the agent has it: an edit was not taken."""
        self._draft, self._stroke = None, None
        self._forget()

    def readout(self, cell: Cell) -> list[str]:
        """What is known of a cell, a line each."""
        return lines(self.grid, self._table(), cell) if self.grid is not None else []

    def board(self) -> Board | None:
        """Where the cells lie."""
        if self.grid is None:
            return None
        top = HEADER_ROOM if self.height() >= TALL else 2
        foot = LEGEND_ROOM + (WIND_ROOM if any(self.grid.wind) or self._pen.tool == "wind" else 0)
        return Board.fitted(self.grid, QRect(4, top, self.width() - 8, self.height() - top - foot))

    def _table(self) -> TableLook | None:
        """The agent's table where it is one of the world on show."""
        table, grid = self._look.table if self._look is not None else None, self.grid
        return table if table is not None and grid is not None and len(table.q) == grid.rows * grid.columns else None

    def _take(self, grid: GridWorld | None) -> None:
        if grid == self._grid:
            return
        reshaped = grid is None or self._grid is None or (grid.rows, grid.columns) != (self._grid.rows, self._grid.columns)
        self._grid = grid
        self._scene.forget()
        if reshaped:
            self._hover, self._cursor, self._draft, self._stroke = None, None, None, None
            self._glide.stop()
            self.setAccessibleDescription(f"{grid.rows} rows and {grid.columns} columns" if grid is not None else "")

    def _forget(self) -> None:
        self._scene.forget()
        self.update()

    # --- painting ---

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, board, grid = QPainter(self), self.board(), self.grid
        if board is None or grid is None:
            painter.fillRect(self.rect(), theme().color("sunken"))
            return
        table = self._table()
        shown = self._shades if table is not None else None
        painter.drawImage(0, 0, self._scene.picture(self.size(), self.devicePixelRatioF(), board, grid, table, shown))
        if table is not None:
            fallen = self._fallen(grid, table)
            if fallen is not None:
                paint_fall(painter, board, fallen)
            paint_agent(painter, board, self._glide.place, theme().color(self._scene.token), self._looking(grid, table))
        self._paint_cursor(painter, board)
        if self._hover is not None and self._stroke is None and self._pen.tool in ("look", "reward"):
            paint_card(painter, self.rect(), board, grid, table, self._hover)

    def _fallen(self, grid: GridWorld, table: TableLook) -> Cell | None:
        """The cliff's cell that the last step surely went into; with slip or wind it is not sure."""
        last = table.transition
        if last is None or grid.slip or any(grid.wind) or last.next != grid.state(grid.start):
            return None
        r, c = grid.cell(last.state)
        down, right = STEPS[grid.moves[last.action]]
        into = (r + down, c + right)
        return into if into in grid.cliffs else None

    def _looking(self, grid: GridWorld, table: TableLook) -> tuple[int, int] | None:
        action = table.transition.action if table.transition is not None else self._look.action if self._look else None
        if not isinstance(action, (int, np.integer)) or not 0 <= action < len(grid.moves):
            return None
        return STEPS[grid.moves[int(action)]]

    def _paint_cursor(self, painter: QPainter, board: Board) -> None:
        """The cell under the pointer, and the one that the keyboard is on."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for cell, wanted, width in ((self._hover, True, 1.5), (self._cursor, self.hasFocus(), 2.5)):
            if cell is not None and wanted:
                painter.setPen(QPen(theme().color("focus"), width))
                painter.drawRoundedRect(board.rect(cell), board.radius, board.radius)

    # --- editing ---

    def _apply(self, cells: list[Cell]) -> None:
        """Draw on the draft; a cell that refuses is left out and the reason told."""
        pen = Pen("floor") if self._erasing else self._pen
        for cell in cells:
            world = self.grid
            assert world is not None
            try:
                if pen.tool in MARKS and pen.tool != "start" and cell == world.start and len(cells) > 1:
                    continue  # a long stroke goes around the start
                self._draft = grid_edits.drawn(world, pen, [cell])
            except BadWorld as error:
                self.refused.emit(str(error))
        self._forget()

    def _finish(self, text: str) -> None:
        """Say what the stroke changed, if it did."""
        after, before = self._draft, self._origin
        self._stroke, self._erasing = None, False
        if after is None or before is None or after == before:
            self._forget()
            return
        self._sent = monotonic()
        self.edited.emit(after, before, text)

    def _draw_at(self, cell: Cell) -> None:
        self._origin = self.grid
        self._apply([cell])
        self._finish(f"Draw {self._pen.tool}")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        board, cell = self.board(), self._at(event.position().toPoint())
        if board is None or cell is None:
            return
        self._cursor = cell
        if self._pen.tool == "look":
            if event.button() == Qt.MouseButton.LeftButton:
                self.picked.emit(cell)
            self.update()
            return
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            self._erasing = event.button() == Qt.MouseButton.RightButton
            self._stroke, self._origin = cell, self.grid
            self._apply([cell])

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        cell = self._at(event.position().toPoint())
        if self._stroke is not None and cell is not None and cell != self._stroke:
            path = grid_edits.between(self._stroke, cell)
            self._stroke = self._cursor = cell
            self._apply([cell] if self._pen.tool == "start" and not self._erasing else path)
        self._set_hover(cell)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._stroke is not None:
            self._finish("Erase" if self._erasing else f"Draw {self._pen.tool}")

    def wheelEvent(self, event: QWheelEvent) -> None:
        cell, world = self._at(event.position().toPoint()), self.grid
        turn = event.angleDelta().y()
        if self._pen.tool not in ("reward", "wind") or cell is None or world is None or not turn:
            event.ignore()
            return
        self.nudge(cell, 1 if turn > 0 else -1)
        event.accept()

    def nudge(self, cell: Cell, by: int) -> None:
        """A reward, or a column's wind, by so much more."""
        world = self._origin = self.grid
        assert world is not None
        try:
            self._draft = grid_edits.nudged(world, self._pen, cell, by)
        except BadWorld as error:
            self.refused.emit(str(error))
            return
        what = f"wind of column {cell[1] + 1}" if self._pen.tool == "wind" else f"reward of row {cell[0] + 1}, column {cell[1] + 1}"
        self._forget()
        self._finish(f"Change {what}")

    def _at(self, point: QPoint) -> Cell | None:
        """The cell under a point; with the wind tool also below the board."""
        board = self.board()
        if board is None:
            return None
        column = board.column_at(point.x())
        if self._pen.tool == "wind" and column is not None and 0 <= point.y() - board.area.bottom() <= WIND_ROOM:
            return (board.rows - 1, column)
        return board.at(point)

    def _set_hover(self, cell: Cell | None) -> None:
        if cell != self._hover:
            self._hover = cell
            self.hovered.emit(cell)
            self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        ways = {Qt.Key.Key_Up: "U", Qt.Key.Key_Right: "R", Qt.Key.Key_Down: "D", Qt.Key.Key_Left: "L"}
        key, world = Qt.Key(event.key()), self.grid
        if world is None:
            super().keyPressEvent(event)
        elif key in ways:
            r, c = self._cursor or (0, 0)
            down, right = STEPS[ways[key]] if self._cursor is not None else (0, 0)
            self._cursor = (min(max(0, r + down), world.rows - 1), min(max(0, c + right), world.columns - 1))
            self.setAccessibleDescription(". ".join(self.readout(self._cursor)))
            self._set_hover(self._cursor)
            self.update()
        elif key in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._cursor is not None:
            if self._pen.tool == "look":
                self.picked.emit(self._cursor)
            else:
                self._draw_at(self._cursor)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Minus) and self._cursor and self._pen.tool in ("reward", "wind"):
            self.nudge(self._cursor, 1 if key == Qt.Key.Key_Plus else -1)
        elif key == Qt.Key.Key_Escape and self._stroke is not None:
            self.drop_edit()
        else:
            super().keyPressEvent(event)

    # --- events ---

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._set_hover(None)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._forget()
