"""One map exactly: tokens on both axes, zoom down to numbers in the cells, and a pair of tokens under the pointer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent,
)  # fmt: skip
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from studio.ui.theme import theme
from studio_plugins.attention import painting
from studio_plugins.attention.axes import Axis, paint_columns, paint_rows
from studio_plugins.attention.painting import Shading
from studio_plugins.attention.pyramid import Pyramid
from studio_plugins.attention.results import Level, Patch
from studio_plugins.attention.words import short

LABELLED, GRIDDED, NUMBERED, BIGGEST, LEFT, TOP, EDGE = 8.0, 12.0, 30.0, 56.0, 84, 70, 8
SMALL, PATCH = 380, 1024
"""Pixels a side of a view that is small; cells a side of a rectangle that is fetched exactly, at most."""


class MapView(QWidget):
    """Signals: `hovered` (row, column; -1, -1 when the pointer has left), `picked` (the same, on a click), `wanted` (rows
    and columns of the map that are seen larger than its finest level)."""

    hovered = Signal(int, int)
    picked = Signal(int, int)
    wanted = Signal(object, object)

    def __init__(self, name: str, parent: QWidget | None = None, *, labels: bool = True) -> None:
        super().__init__(parent)
        self._name, self._labels = name, labels
        self._levels: tuple[Level, ...] = ()
        self._shape = (0, 0)
        self._words: tuple[Sequence[str], Sequence[str]] = ((), ())
        self._square, self._shading = True, Shading()
        self._pyramid: Pyramid | None = None
        self._patch: Patch | None = None
        self._scale, self._origin, self._fitted = 1.0, QPointF(), True
        self._mark = (-1, -1)
        self._pinned = False
        self._limit: int | None = None
        self._text = ""
        self._pressed: QPointF | None = None
        self._from = QPointF()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(140, 120)
        self.setAccessibleName(name)
        self._idle = QTimer(self)
        self._idle.timeout.connect(self._work)
        self._fetch = QTimer(self)
        self._fetch.setSingleShot(True)
        self._fetch.setInterval(60)
        self._fetch.timeout.connect(self._ask_patch)
        theme().changed.connect(self._colour)

    def sizeHint(self) -> QSize:
        return QSize(420, 420)

    # --- what is shown ---

    def show_map(
        self, levels: tuple[Level, ...], shape: tuple[int, int], rows: Sequence[str], columns: Sequence[str], *, square: bool
    ) -> None:
        """Another map; the part looked at stays where the new one has the same shape."""
        same = shape == self._shape
        self._levels, self._shape, self._words, self._square = levels, shape, (rows, columns), square
        self._patch, self._text = None, ""
        self.setAccessibleDescription(f"{shape[0]} by {shape[1]}")
        if not same:
            self._limit = None
            self._fitted = True
        if self._fitted:
            self.fit()
        self._colour()

    def show_text(self, text: str) -> None:
        """Words instead of a map."""
        self._levels, self._pyramid, self._shape, self._text = (), None, (0, 0), text
        self.update()

    def set_shading(self, shading: Shading) -> None:
        if shading != self._shading:
            self._shading = shading
            self._colour()

    def take_patch(self, patch: Patch) -> None:
        """A rectangle came that was wanted."""
        self._patch = patch
        self.update()

    def mark(self, row: int, column: int, pinned: bool = False) -> None:
        """Make a row and a column stand out; -1 none."""
        if (row, column, pinned) != (*self._mark, self._pinned):
            self._mark, self._pinned = (row, column), pinned
            self.update()

    def set_limit(self, rows: int | None) -> None:
        """Show so many rows only, and as many columns of a map of one text."""
        if rows != self._limit:
            self._limit = rows
            self.update()

    @property
    def ready(self) -> bool:
        """Whether all colours are there."""
        return self._pyramid is not None and self._pyramid.ready

    def value(self, row: int, column: int) -> float | None:
        """The exact number in a cell, where it is known here."""
        if not (0 <= row < self._shape[0] and 0 <= column < self._shape[1]) or not self._levels:
            return None
        if self._levels[0].factor == 1:
            return float(self._levels[0].values[row, column])
        patch = self._patch
        if patch is not None and row in patch.rows and column in patch.columns:
            return float(patch.values[row - patch.rows.start, column - patch.columns.start])
        return None

    # --- view ---

    def plot(self) -> QRectF:
        """Where cells are drawn."""
        left, top = (LEFT, TOP) if self._named() else (EDGE, EDGE)
        return QRectF(left, top, max(1, self.width() - left - EDGE), max(1, self.height() - top - EDGE))

    def _named(self) -> bool:
        """Whether there are tokens on the axes; a small view of many of them uses its room for the map."""
        if not self._labels or not any(self._words):
            return False
        room = min((self.width() - LEFT - EDGE) / max(1, self._shape[1]), (self.height() - TOP - EDGE) / max(1, self._shape[0]))
        return room >= LABELLED or min(self.width(), self.height()) >= SMALL

    def fit(self) -> None:
        """The whole map."""
        box, (rows, columns) = self.plot(), self._shape
        self._fitted = True
        if rows and columns:
            self._scale = min(box.width() / columns, box.height() / rows, BIGGEST)
            self._origin = QPointF()
        self.update()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Closer, or farther, around a point of the widget."""
        box = self.plot()
        at = box.center() if at is None else at
        cell = self._cell_at(at)
        least = min(box.width() / max(1, self._shape[1]), box.height() / max(1, self._shape[0]), BIGGEST)
        scale = min(BIGGEST, max(least, self._scale * factor))
        self._fitted = scale <= least * 1.0001
        self._scale = scale
        self._origin = QPointF(cell.x() - (at.x() - box.left()) / scale, cell.y() - (at.y() - box.top()) / scale)
        self._keep_inside()

    def pan(self, by: QPointF) -> None:
        """Move what is seen, in pixels."""
        self._origin -= by / self._scale
        self._keep_inside()

    def _keep_inside(self) -> None:
        box, (rows, columns) = self.plot(), self._shape
        most_x, most_y = columns - box.width() / self._scale, rows - box.height() / self._scale
        self._origin = QPointF(min(max(0.0, self._origin.x()), max(0.0, most_x)), min(max(0.0, self._origin.y()), max(0.0, most_y)))
        self._fetch.start()
        self.update()

    def _cell_at(self, at: QPointF) -> QPointF:
        box = self.plot()
        return QPointF(self._origin.x() + (at.x() - box.left()) / self._scale, self._origin.y() + (at.y() - box.top()) / self._scale)

    def cell(self, at: QPointF) -> tuple[int, int]:
        """Row and column under a point of the widget; a label counts as its row or column alone; -1 for none."""
        box, place = self.plot(), self._cell_at(at)
        row, column = int(np.floor(place.y())), int(np.floor(place.x()))
        rows, columns = self._seen_shape()
        in_row = box.top() <= at.y() < box.bottom() and 0 <= row < rows
        in_column = box.left() <= at.x() < box.right() and 0 <= column < columns
        beside = at.x() < box.left() or at.y() < box.top()
        if not (in_row and in_column or beside):
            return -1, -1
        return row if in_row else -1, column if in_column else -1

    def _seen_shape(self) -> tuple[int, int]:
        rows, columns = self._shape
        if self._limit is None:
            return rows, columns
        return min(rows, self._limit), min(columns, self._limit) if self._square else columns

    def visible(self) -> tuple[range, range]:
        """Rows and columns that are on the screen."""
        box, (rows, columns) = self.plot(), self._shape
        top, left = int(self._origin.y()), int(self._origin.x())
        down, across = int(np.ceil(box.height() / self._scale)) + 1, int(np.ceil(box.width() / self._scale)) + 1
        return range(top, min(rows, top + down)), range(left, min(columns, left + across))

    def _ask_patch(self) -> None:
        if not self._levels or self._levels[0].factor == 1 or self._levels[0].factor * self._scale < 2:
            return
        rows, columns = self.visible()
        if len(rows) <= PATCH and len(columns) <= PATCH:
            self.wanted.emit(rows, columns)

    # --- colours ---

    def _colour(self) -> None:
        self._pyramid = Pyramid(self._levels, self._shading, square=self._square) if self._levels else None
        self._idle.stop()
        if self._pyramid is not None and not self._pyramid.ready:
            self._idle.start(0)
        self.update()

    def _work(self) -> None:
        if self._pyramid is None or not self._pyramid.work():
            self._idle.stop()
            self.update()

    # --- painting ---

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, colours = QPainter(self), theme()
        painter.fillRect(self.rect(), colours.color("sunken"))
        if self._pyramid is None:
            if self._text:
                painter.setPen(colours.color("muted"))
                flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
                painter.drawText(QRectF(self.rect()).adjusted(16, 8, -16, -8), flags, self._text)
            return
        box, (rows, columns) = self.plot(), self._seen_shape()
        painter.save()
        painter.setClipRect(box)
        self._paint_cells(painter, box, rows, columns)
        painter.restore()
        if self._named():
            self._paint_labels(painter, box, rows, columns)

    def _target(self, left: float, top: float, width: float, height: float) -> QRectF:
        """Cells as a place on the widget."""
        box = self.plot()
        return QRectF(
            box.left() + (left - self._origin.x()) * self._scale, box.top() + (top - self._origin.y()) * self._scale,
            width * self._scale, height * self._scale,
        )  # fmt: skip

    def _paint_cells(self, painter: QPainter, box: QRectF, rows: int, columns: int) -> None:
        assert self._pyramid is not None
        seen_rows, seen_columns = self.visible()
        cells = QRectF(
            seen_columns.start, seen_rows.start, min(columns, seen_columns.stop) - seen_columns.start,
            min(rows, seen_rows.stop) - seen_rows.start,
        )  # fmt: skip
        if cells.width() <= 0 or cells.height() <= 0:
            return
        index = self._pyramid.level_for(self._scale * self.devicePixelRatioF())
        target = self._target(cells.x(), cells.y(), cells.width(), cells.height())
        painter.drawImage(target, self._pyramid.image(index), self._pyramid.source(index, cells))
        if self._patch is not None and self._levels[0].factor > 1 and self._scale >= 1:
            self._paint_patch(painter, self._patch)
        if self._scale >= GRIDDED:
            self._paint_grid(painter, target)
        if self._scale >= NUMBERED:
            self._paint_numbers(painter, seen_rows, seen_columns, rows, columns)
        self._paint_mark(painter, target)

    def _paint_patch(self, painter: QPainter, patch: Patch) -> None:
        seen = painting.shown(patch.values, self._shading, top=patch.rows.start, left=patch.columns.start, square=self._square)
        assert self._pyramid is not None
        top = self._pyramid.brightest() if self._shading.scale == "map" else None
        image = painting.image_of(painting.table(painting.ground())[painting.indices(seen, self._shading, top)])
        painter.drawImage(self._target(patch.columns.start, patch.rows.start, len(patch.columns), len(patch.rows)), image)

    def _paint_grid(self, painter: QPainter, target: QRectF) -> None:
        line = QColor(theme().color("sunken"))
        painter.setPen(QPen(line, 1))
        x = target.left()
        while x <= target.right() + 0.5:
            painter.drawLine(QPointF(x, target.top()), QPointF(x, target.bottom()))
            x += self._scale
        y = target.top()
        while y <= target.bottom() + 0.5:
            painter.drawLine(QPointF(target.left(), y), QPointF(target.right(), y))
            y += self._scale

    def _paint_numbers(self, painter: QPainter, seen: range, across: range, rows: int, columns: int) -> None:
        font = painter.font()
        font.setPixelSize(9 if self._scale < 36 else 11)
        painter.setFont(font)
        assert self._pyramid is not None
        top = float(self._pyramid.brightest()[0, 0])
        for row in range(seen.start, min(rows, seen.stop)):
            for column in range(across.start, min(columns, across.stop)):
                number = self.value(row, column)
                if number is None or np.isnan(number):
                    continue
                bright = number / top > (0.45 if self._shading.curve != "linear" else 0.65)
                painter.setPen(QColor("#000000") if bright else QColor("#ffffff"))
                painter.drawText(self._target(column, row, 1, 1), Qt.AlignmentFlag.AlignCenter, short(number))

    def _paint_mark(self, painter: QPainter, target: QRectF) -> None:
        row, column = self._mark
        colour = theme().color("accent")
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 2 if self._pinned else 1.5))
        if 0 <= row < self._shape[0]:
            painter.drawRect(QRectF(target.left(), self._target(0, row, 1, 1).top(), target.width(), max(2.0, self._scale)))
        if 0 <= column < self._shape[1]:
            painter.drawRect(QRectF(self._target(column, 0, 1, 1).left(), target.top(), max(2.0, self._scale), target.height()))

    def _paint_labels(self, painter: QPainter, box: QRectF, rows: int, columns: int) -> None:
        font = painter.font()
        font.setPixelSize(int(min(11, max(8, self._scale))) if self._scale >= LABELLED else 11)
        painter.setFont(font)
        seen_rows, seen_columns = self.visible()
        asks, looks = self._words
        all_shown = self._scale >= LABELLED  # otherwise those pointed at
        row_axis = Axis(asks[:rows], seen_rows if all_shown else (self._mark[0],), self._mark[0])
        column_axis = Axis(looks[:columns], seen_columns if all_shown else (self._mark[1],), self._mark[1])
        paint_rows(painter, row_axis, LEFT - 6, box, lambda row: self._target(0, row, 1, 1).center().y())
        paint_columns(painter, column_axis, TOP - 6, box, lambda column: self._target(column, 0, 1, 1).center().x(), steep=self._scale < 24)

    # --- events ---

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._fitted:
            self.fit()
        else:
            self._keep_inside()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom(1.25 ** (event.angleDelta().y() / 120), event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._from = event.position(), event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None:
            if (event.position() - self._from).manhattanLength() > QApplication.startDragDistance() and not self._fitted:
                self.pan(event.position() - self._pressed)
            self._pressed = event.position()
            return
        self.hovered.emit(*self.cell(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        if pressed is not None and (event.position() - self._from).manhattanLength() <= QApplication.startDragDistance():
            self.picked.emit(*self.cell(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hovered.emit(-1, -1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {
            Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0),
        }  # fmt: skip
        key, (rows, columns) = Qt.Key(event.key()), self._shape
        if key in moves and rows and columns:
            row, column = (max(0, place) for place in self._mark)
            down, across = moves[key] if self._mark != (-1, -1) else (0, 0)
            self.picked.emit(min(max(0, row + down), rows - 1), min(max(0, column + across), columns - 1))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(1.25)
        elif key == Qt.Key.Key_Minus:
            self.zoom(0.8)
        elif key == Qt.Key.Key_0:
            self.fit()
        else:
            super().keyPressEvent(event)
