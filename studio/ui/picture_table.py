"""Pictures in rows and columns that are looked at together: one zoom, one pan, one pixel under the pointer for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor, QContextMenuEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent,
    QWheelEvent,
)  # fmt: skip
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QToolTip, QWidget

from studio.ui.pictures import to_qimage
from studio.ui.table_cells import (
    EDGE, GAP, LEFT, LINE, Cell, ColumnHeading, RowHeading, paint_cell, paint_column_heading, paint_row_heading,
)  # fmt: skip
from studio.ui.theme import theme

MENU = 20
MIN_CELL, MAX_PITCH = 64, 260
_MAX_ZOOM = 16.0


class PictureTable(QAbstractScrollArea):
    """`set_columns`, `set_rows`, then `set_cell` for each; cells keep their contents while the table keeps its shape.

    Wheel zooms all cells alike around the pointer, drag pans, double click or 0 fits. Dragging a heading moves its
    column, its three dots and the right button ask for a menu. Signals: `hovered` (what is under the pointer, in
    words), `chosen` (column), `moved` (from, to), `menu_asked` (column, QPoint on the screen).
    """

    hovered = Signal(str)
    chosen = Signal(int)
    moved = Signal(int, int)
    menu_asked = Signal(int, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: list[ColumnHeading] = []
        self._rows: list[RowHeading] = []
        self._cells: list[list[Cell]] = []
        self._current = -1
        self._zoom, self._centre = 1.0, QPointF(0.5, 0.5)
        self._pixel: QPoint | None = None
        self._pressed: QPointF | None = None
        self._lifted, self._gap_at = -1, -1
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumSize(200, 160)
        self.setAccessibleName("Table of pictures")
        self.viewport().setMouseTracking(True)
        self.verticalScrollBar().valueChanged.connect(lambda _value: self.viewport().update())
        theme().changed.connect(self.viewport().update)

    # --- contents ---

    def set_columns(self, headings: Sequence[ColumnHeading]) -> None:
        """The columns, from left to right."""
        if len(headings) != len(self._columns):
            self._cells = [[Cell() for _ in headings] for _ in self._rows]
        self._columns = list(headings)
        self._current = min(self._current, len(headings) - 1)
        self._relayout()

    def set_rows(self, headings: Sequence[RowHeading]) -> None:
        """The rows, from top to bottom."""
        if len(headings) != len(self._rows):
            self._cells = [[Cell() for _ in self._columns] for _ in headings]
        self._rows = list(headings)
        self._relayout()

    def set_cell(
        self,
        row: int,
        column: int,
        picture: npt.NDArray[np.uint8] | QImage | None,
        *,
        values: npt.NDArray[Any] | None = None,
        note: str = "",
        faded: bool = False,
    ) -> None:
        """Fill a cell; values [H, W] or [H, W, C] are read out instead of the colour. Raises IndexError."""
        image = None if picture is None else to_qimage(picture)
        self._cells[row][column] = Cell(image, values, note, faded)
        self.viewport().update()

    def image(self, row: int, column: int) -> QImage | None:
        return self._cells[row][column].image

    def note(self, row: int, column: int) -> str:
        return self._cells[row][column].note

    def headings(self) -> list[ColumnHeading]:
        return list(self._columns)

    def row_headings(self) -> list[RowHeading]:
        return list(self._rows)

    @property
    def current(self) -> int:
        """The chosen column, -1 for none."""
        return self._current

    def choose(self, column: int) -> None:
        """Choose a column; -1 chooses none."""
        column = column if 0 <= column < len(self._columns) else -1
        if column != self._current:
            self._current = column
            self.viewport().update()
            self.chosen.emit(column)

    # --- zoom ---

    @property
    def zoom(self) -> float:
        """How many times larger than fitted all pictures are."""
        return self._zoom

    def fit(self) -> None:
        """Show whole pictures."""
        self._zoom, self._centre = 1.0, QPointF(0.5, 0.5)
        self.viewport().update()

    def zoom_by(self, factor: float, around: QPointF | None = None) -> None:
        """Enlarge all pictures, keeping the point `around` (0..1 of a cell; default the middle) where it is."""
        anchor = around if around is not None else QPointF(0.5, 0.5)
        place = self._centre + (anchor - QPointF(0.5, 0.5)) / self._zoom
        self._zoom = min(max(1.0, self._zoom * factor), _MAX_ZOOM)
        self._centre = place - (anchor - QPointF(0.5, 0.5)) / self._zoom
        self._keep_inside()

    def _keep_inside(self) -> None:
        half = 0.5 / self._zoom
        clamped = (min(max(v, half), 1 - half) for v in (self._centre.x(), self._centre.y()))
        self._centre = QPointF(*clamped)
        self.viewport().update()

    def _seen(self, image: QImage) -> QRectF:
        """The part of a picture that its cell shows, in its pixels."""
        share = 1 / self._zoom
        x, y = self._centre.x() - share / 2, self._centre.y() - share / 2
        return QRectF(x * image.width(), y * image.height(), share * image.width(), share * image.height())

    # --- geometry ---

    def _head(self) -> int:
        return EDGE + LINE * (2 + max((len(heading.lines) for heading in self._columns), default=0)) + 6

    def _geometry(self) -> tuple[int, int]:
        """(pitch of the columns, side of a cell) in pixels."""
        width = self.viewport().width() - LEFT - EDGE
        pitch = min(MAX_PITCH, width // max(1, len(self._columns)))
        high = (self.viewport().height() - self._head() - EDGE) // max(1, len(self._rows)) - GAP
        return pitch, max(16, min(pitch - GAP, max(high, MIN_CELL)))

    def cell_rect(self, row: int, column: int) -> QRect:
        """Where a cell is in the viewport."""
        pitch, side = self._geometry()
        top = self._head() + row * (side + GAP) - self.verticalScrollBar().value()
        return QRect(LEFT + column * pitch + (pitch - side) // 2, top, side, side)

    def heading_rect(self, column: int) -> QRect:
        """Where a column's heading is in the viewport."""
        pitch, _ = self._geometry()
        return QRect(LEFT + column * pitch, 0, pitch, self._head())

    def menu_rect(self, column: int) -> QRect:
        """Where a heading's three dots are."""
        box = self.heading_rect(column)
        return QRect(box.right() - MENU - 6, EDGE + 2 * LINE - 1, MENU, MENU)

    def _relayout(self) -> None:
        _, side = self._geometry()
        bar = self.verticalScrollBar()
        high = self._head() + len(self._rows) * (side + GAP) + EDGE
        bar.setRange(0, max(0, high - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(side + GAP)
        self.viewport().update()

    def _column_at(self, place: QPointF) -> int:
        pitch, _ = self._geometry()
        column = int((place.x() - LEFT) // pitch) if pitch else -1
        return column if place.x() >= LEFT and 0 <= column < len(self._columns) else -1

    def _cell_at(self, place: QPointF) -> tuple[int, int] | None:
        column = self._column_at(place)
        if column < 0 or place.y() < self._head():
            return None
        rows = (row for row in range(len(self._rows)) if self.cell_rect(row, column).contains(place.toPoint()))
        row = next(rows, None)
        return None if row is None else (row, column)

    # --- drawing ---

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        colours = theme()
        painter.fillRect(self.viewport().rect(), colours.color("sunken"))
        painter.setClipRect(0, self._head(), self.viewport().width(), self.viewport().height())
        for row, heading in enumerate(self._rows):
            paint_row_heading(painter, heading, self.cell_rect(row, 0))
            for column, cell in enumerate(self._cells[row]):
                seen = QRectF() if cell.image is None else self._seen(cell.image)
                paint_cell(painter, cell, self.cell_rect(row, column), seen, self._pixel)
        painter.setClipping(False)
        for column, column_heading in enumerate(self._columns):
            current = column == self._current
            box, menu = self.heading_rect(column), self.menu_rect(column)
            paint_column_heading(painter, column_heading, box, menu, current=current)
        if self._gap_at >= 0:
            x = LEFT + self._gap_at * self._geometry()[0]
            painter.setPen(QPen(colours.color("accent"), 3))
            painter.drawLine(x, EDGE, x, self.viewport().height() - EDGE)

    # --- input ---

    def _read_out(self, row: int, column: int, x: int, y: int) -> str:
        cell = self._cells[row][column]
        where = f"{self._columns[column].title} · {' '.join(self._rows[row].title.split())} · x {x}  y {y}   "
        if cell.values is not None:
            return where + ", ".join(f"{v:.4g}" for v in np.atleast_1d(cell.values[y, x])[:4])
        assert cell.image is not None
        colour = QColor(cell.image.pixel(x, y))
        return where + f"R {colour.red()}  G {colour.green()}  B {colour.blue()}"

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = event.position()
        if self._lifted >= 0:
            self._drag_heading(place)
            return
        if self._pressed is not None and event.buttons() & Qt.MouseButton.LeftButton and self._zoom > 1:
            moved = place - self._pressed
            self._centre -= moved / (self._geometry()[1] * self._zoom)
            self._pressed = place
            self._keep_inside()
        self._hover(place, event.globalPosition().toPoint())

    def _hover(self, place: QPointF, on_screen: QPoint) -> None:
        found = self._cell_at(place)
        image = None if found is None else self.image(*found)
        self._pixel = None
        if found is not None and image is not None:
            rect, seen = self.cell_rect(*found), self._seen(image)
            x = int(seen.x() + (place.x() - rect.x()) / rect.width() * seen.width())
            y = int(seen.y() + (place.y() - rect.y()) / rect.height() * seen.height())
            self._pixel = QPoint(min(max(x, 0), image.width() - 1), min(max(y, 0), image.height() - 1))
            self.hovered.emit(self._read_out(*found, self._pixel.x(), self._pixel.y()))
        else:
            self.hovered.emit("")
        tip = self._tip_at(place)
        if tip:
            QToolTip.showText(on_screen, f"<qt>{tip}</qt>", self.viewport())
        else:
            QToolTip.hideText()
        self.viewport().update()

    def _tip_at(self, place: QPointF) -> str:
        column = self._column_at(place)
        if column >= 0 and place.y() < self._head():
            return self._columns[column].tip
        if place.x() < LEFT:
            boxes = (self.cell_rect(r, 0) for r in range(len(self._rows)))
            row = next((r for r, box in enumerate(boxes) if box.top() <= place.y() <= box.bottom()), -1)
            return self._rows[row].tip if row >= 0 and place.y() >= self._head() else ""
        return ""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = event.position()
        column = self._column_at(place)
        if event.button() != Qt.MouseButton.LeftButton or column < 0:
            return
        self._pressed = place
        self.choose(column)
        if self.menu_rect(column).contains(place.toPoint()):
            self._pressed = None
            self.menu_asked.emit(column, self.viewport().mapToGlobal(self.menu_rect(column).bottomLeft()))
        elif place.y() < self._head():
            self._lifted = column

    def _drag_heading(self, place: QPointF) -> None:
        if self._pressed is None or abs(place.x() - self._pressed.x()) < QApplication.startDragDistance():
            return
        pitch, _ = self._geometry()
        self._gap_at = min(max(round((place.x() - LEFT) / max(1, pitch)), 0), len(self._columns))
        self.viewport().update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        lifted, gap = self._lifted, self._gap_at
        self._pressed, self._lifted, self._gap_at = None, -1, -1
        self.viewport().update()
        if lifted >= 0 and gap >= 0:
            target = gap - (gap > lifted)
            if target != lifted:
                self.moved.emit(lifted, target)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        found = self._cell_at(event.position())
        if found is None:
            return
        if self._zoom > 1:
            self.fit()
        else:
            self.zoom_by(4.0, self._share(event.position(), found))

    def wheelEvent(self, event: QWheelEvent) -> None:
        found = self._cell_at(event.position())
        if found is None:
            super().wheelEvent(event)
            return
        self.zoom_by(1.2 ** (event.angleDelta().y() / 120), self._share(event.position(), found))
        event.accept()

    def _share(self, place: QPointF, cell: tuple[int, int]) -> QPointF:
        rect = self.cell_rect(*cell)
        return QPointF((place.x() - rect.x()) / rect.width(), (place.y() - rect.y()) / rect.height())

    def leaveEvent(self, event: Any) -> None:
        self._pixel = None
        self.hovered.emit("")
        self.viewport().update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        column = self._column_at(QPointF(event.pos()))
        if column >= 0:
            self.choose(column)
            self.menu_asked.emit(column, event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self._columns:
            self.choose(min(max(self._current + (1 if key == Qt.Key.Key_Right else -1), 0), len(self._columns) - 1))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom_by(1.25)
        elif key == Qt.Key.Key_Minus:
            self.zoom_by(0.8)
        elif key == Qt.Key.Key_0:
            self.fit()
        elif key == Qt.Key.Key_Menu and self._current >= 0:
            self.menu_asked.emit(self._current, self.viewport().mapToGlobal(self.menu_rect(self._current).bottomLeft()))
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._relayout()

    def sizeHint(self) -> QSize:
        return QSize(640, 480)
