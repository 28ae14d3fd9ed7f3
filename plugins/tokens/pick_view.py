"""The picture with a map over it, on which a cell can be picked."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QWidget

from studio.ui.image_view import ImageView
from studio.ui.theme import theme

Cell = tuple[int, int]
"""Column and row of a cell."""


class PickView(ImageView):
    """An ImageView divided into `cells` columns and rows: a click picks one, a second click on it none.

    Arrow keys move the picked cell while the whole picture is in view. `picked` gives the cell, or None. `describe`
    says in words what is in a cell.
    """

    picked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cells: Cell = (1, 1)
        self._cell: Cell | None = None
        self._down: QPointF | None = None
        self.describe: Callable[[Cell], str] = lambda _cell: ""
        self.setToolTip("Click a place to see how its attention divides; click it again for the whole picture")

    @property
    def cell(self) -> Cell | None:
        """The cell picked."""
        return self._cell

    def set_cells(self, columns: int, rows: int) -> None:
        """How finely the map divides the picture; a picked cell stays at its place."""
        if self._cell is not None and (columns, rows) != self._cells:
            across, down = self._cells
            x, y = self._cell
            self._cell = ((2 * x + 1) * columns // (2 * across), (2 * y + 1) * rows // (2 * down))
        self._cells = (columns, rows)
        self.update()

    def pick(self, cell: Cell | None) -> None:
        """Pick a cell; `picked` fires when that changes something."""
        if cell is not None:
            cell = (min(max(cell[0], 0), self._cells[0] - 1), min(max(cell[1], 0), self._cells[1] - 1))
        if cell != self._cell:
            self._cell = cell
            self.update()
            self.picked.emit(cell)

    def cell_at(self, position: QPointF) -> Cell | None:
        """The cell under a point of the widget."""
        place, image = self.pixel_at(position), self.image()
        if place is None or image is None:
            return None
        return place[0] * self._cells[0] // image.width(), place[1] * self._cells[1] // image.height()

    def cell_rect(self, cell: Cell) -> QRectF:
        """Where a cell is on the widget."""
        target = self._target()
        width, height = target.width() / self._cells[0], target.height() / self._cells[1]
        return QRectF(target.left() + cell[0] * width, target.top() + cell[1] * height, width, height)

    def read_out(self, x: int, y: int) -> str:
        image = self.image()
        assert image is not None
        return self.describe((x * self._cells[0] // image.width(), y * self._cells[1] // image.height()))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._cell is None or self.image() is None:
            return
        painter, box = QPainter(self), self.cell_rect(self._cell)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in (("raised", 4), ("accent", 2)):  # seen on any picture
            painter.setPen(QPen(theme().color(colour), width))
            painter.drawRect(box)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self._down = event.position() if event.button() == Qt.MouseButton.LeftButton else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        down, self._down = self._down, None
        if down is None or (event.position() - down).manhattanLength() > QApplication.startDragDistance():
            return
        cell = self.cell_at(event.position())
        self.pick(None if cell == self._cell else cell)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {
            Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1),
        }  # fmt: skip
        move = moves.get(Qt.Key(event.key()))
        if move is None or self.scale() > self._fitted() or self.image() is None:
            super().keyPressEvent(event)
            return
        x, y = self._cell if self._cell is not None else (self._cells[0] // 2, self._cells[1] // 2)
        self.pick((x + move[0], y + move[1]) if self._cell is not None else (x, y))
