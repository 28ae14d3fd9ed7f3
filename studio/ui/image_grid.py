"""A grid of pictures: a batch, or a sweep with headings along rows and columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QMenu, QWidget

from studio.ui.pictures import copy_picture, drag_out, to_qimage
from studio.ui.theme import theme

GAP, EDGE, MIN_CELL, HEADER = 8, 16, 72, 22


class ImageGrid(QAbstractScrollArea):
    """Cells as large as the space allows, scrolling once they would become smaller than `MIN_CELL`.

    `set_count`, then `set_cell` for each as it arrives; headings appear when given, with a title over the columns and
    one over the rows that say what varies. Arrow keys move the selection, Enter or double click opens a cell.
    """

    selected = Signal(int)
    activated = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: list[QImage | None] = []
        self._labels: list[str] = []
        self._rows: list[str] = []
        self._columns: list[str] = []
        self._titles = ("", "")
        self._fixed_columns = 0
        self._current = -1
        self._pressed: tuple[int, QPointF] | None = None
        self.file_source: Callable[[int], Path | None] | None = None
        self.menu_actions: list[tuple[str, Callable[[int], Any]]] = []
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Grid of pictures")
        self.verticalScrollBar().valueChanged.connect(lambda _value: self.viewport().update())
        theme().changed.connect(self.viewport().update)

    def set_count(
        self,
        count: int,
        *,
        columns: int = 0,
        column_labels: Sequence[str] = (),
        row_labels: Sequence[str] = (),
        column_title: str = "",
        row_title: str = "",
    ) -> None:
        """Make `count` empty cells. `columns` = 0 lets the grid choose; labels make headings, titles name the two axes."""
        self._images = [None] * count
        self._labels = [""] * count
        self._fixed_columns = columns or len(column_labels)
        self._columns, self._rows = list(column_labels), list(row_labels)
        self._titles = (column_title if self._columns else "", row_title if self._rows else "")
        self._current = -1 if count == 0 else min(max(self._current, 0), count - 1)
        self._relayout()

    def set_images(self, pictures: Sequence[npt.NDArray[np.uint8]], labels: Sequence[str] = ()) -> None:
        """Show a batch; the cells keep their places when the number is the same."""
        if len(pictures) != len(self._images) or self._columns or self._rows:
            self.set_count(len(pictures))
        for index, picture in enumerate(pictures):
            self.set_cell(index, picture, labels[index] if index < len(labels) else "")

    def set_cell(self, index: int, picture: npt.NDArray[np.uint8] | QImage | None, label: str = "") -> None:
        """Fill one cell. Raises IndexError outside the grid."""
        self._images[index] = None if picture is None else to_qimage(picture)
        self._labels[index] = label
        self.viewport().update()

    def count(self) -> int:
        return len(self._images)

    def image(self, index: int) -> QImage | None:
        return self._images[index]

    @property
    def current(self) -> int:
        """The selected cell, or -1."""
        return self._current

    def select(self, index: int) -> None:
        """Select a cell; -1 selects none."""
        index = index if 0 <= index < len(self._images) else -1
        if index != self._current:
            self._current = index
            self._scroll_to(index)
            self.viewport().update()
            self.selected.emit(index)

    def cell_rect(self, index: int) -> QRect:
        """Where a cell is in the viewport."""
        columns, side, left = self._geometry()
        row, column = divmod(index, columns)
        top = self._offset() + self._top() + row * (side + GAP + self._label_height()) - self.verticalScrollBar().value()
        return QRect(left + column * (side + GAP), top, side, side)

    def index_at(self, place: QPoint) -> int:
        """The cell under a point of the viewport, or -1."""
        return next((i for i in range(len(self._images)) if self.cell_rect(i).contains(place)), -1)

    # -- geometry --

    def _label_height(self) -> int:
        return HEADER if any(self._labels) else 0

    def _top(self) -> int:
        lines = bool(self._columns) + bool(self._titles[0])
        return EDGE + lines * HEADER

    def _height(self) -> int:
        """All cells with their headings and edges, in pixels."""
        columns, side, _left = self._geometry()
        rows = math.ceil(len(self._images) / columns)
        return self._top() + rows * (side + self._label_height()) + max(0, rows - 1) * GAP + EDGE

    def _offset(self) -> int:
        """Free space above a grid that is lower than the viewport: it stands in the middle."""
        return max(0, (self.viewport().height() - self._height()) // 2)

    def _row_width(self) -> int:
        if not self._rows:
            return 0
        texts = (*self._rows, self._titles[1])
        return min(160, max(self.fontMetrics().horizontalAdvance(text) for text in texts) + 16)

    def _geometry(self) -> tuple[int, int, int]:
        """(columns, side of a cell, left edge) in pixels."""
        count = max(1, len(self._images))
        width = self.viewport().width() - 2 * EDGE - self._row_width()
        height = self.viewport().height() - self._top() - EDGE
        choices = [self._fixed_columns] if self._fixed_columns else range(1, count + 1)
        best = (1, 0)
        for columns in choices:
            rows = math.ceil(count / columns)
            wide = (width - (columns - 1) * GAP) // columns
            high = (height - (rows - 1) * GAP) // rows - self._label_height()
            side = max(min(wide, high), min(wide, MIN_CELL))
            if side > best[1]:
                best = (columns, side)
        columns, side = best[0], max(8, best[1])
        used = columns * side + (columns - 1) * GAP
        return columns, side, EDGE + self._row_width() + max(0, (width - used) // 2)

    def _relayout(self) -> None:
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, self._height() - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(self._geometry()[1] + GAP)
        self.viewport().update()

    def _scroll_to(self, index: int) -> None:
        if index < 0:
            return
        rect, bar = self.cell_rect(index), self.verticalScrollBar()
        if rect.top() < 0:
            bar.setValue(bar.value() + rect.top() - GAP)
        elif rect.bottom() > self.viewport().height():
            bar.setValue(bar.value() + rect.bottom() - self.viewport().height() + GAP)

    # -- drawing and input --

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        colours = theme()
        painter.fillRect(self.viewport().rect(), colours.color("sunken"))
        self._draw_headings(painter)
        for index in range(len(self._images)):
            rect = self.cell_rect(index)
            if rect.intersects(self.viewport().rect().adjusted(0, -HEADER, 0, HEADER)):
                self._draw_cell(painter, index, rect)

    def _draw_headings(self, painter: QPainter) -> None:
        if not self._images:
            return
        columns, side, left = self._geometry()
        metrics, middle, centre = painter.fontMetrics(), Qt.TextElideMode.ElideMiddle, Qt.AlignmentFlag.AlignCenter
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        head, used = self.cell_rect(0).top() - HEADER, columns * (side + GAP) - GAP
        painter.setPen(theme().color("muted"))
        for column, text in enumerate(self._columns[:columns]):
            box = QRect(left + column * (side + GAP), head, side, HEADER)
            painter.drawText(box, centre, metrics.elidedText(text, middle, side))
        for row, text in enumerate(self._rows):
            box = QRect(EDGE, self.cell_rect(row * columns).top(), left - EDGE - 8, side)
            painter.drawText(box, right, metrics.elidedText(text, middle, box.width()))
        font = painter.font()
        font.setBold(True)
        painter.save()
        painter.setFont(font)
        painter.drawText(QRect(left, head - HEADER, used, HEADER), centre, painter.fontMetrics().elidedText(self._titles[0], middle, used))
        box = QRect(EDGE, head, left - EDGE - 8, HEADER)
        painter.drawText(box, right, painter.fontMetrics().elidedText(self._titles[1], middle, box.width()))
        painter.restore()

    def _draw_cell(self, painter: QPainter, index: int, rect: QRect) -> None:
        colours, image = theme(), self._images[index]
        if image is None:
            painter.setPen(QPen(colours.color("border"), 1))
            painter.setBrush(colours.color("surface"))
            painter.drawRoundedRect(rect, 4, 4)
        else:
            size = image.size().scaled(rect.size(), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRectF(QPointF(0, 0), size)
            target.moveCenter(QRectF(rect).center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, image.width() > target.width())
            painter.drawImage(target, image, QRectF(image.rect()))
        if index == self._current and len(self._images) > 1:
            painter.setPen(QPen(colours.color("focus" if self.hasFocus() else "accent"), 3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect.adjusted(-3, -3, 3, 3), 4, 4)
        if self._labels[index]:
            painter.setPen(colours.color("muted"))
            box = QRect(rect.left(), rect.bottom() + 2, rect.width(), HEADER)
            shown = painter.fontMetrics().elidedText(self._labels[index], Qt.TextElideMode.ElideRight, rect.width())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, shown)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._relayout()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.index_at(event.position().toPoint())
        self._pressed = (index, event.position()) if index >= 0 else None
        if index >= 0:
            self.select(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None or not event.buttons():
            return
        index, start = self._pressed
        if (event.position() - start).manhattanLength() > QApplication.startDragDistance() and self._images[index]:
            self._pressed = None
            drag_out(self, self.file_source(index) if self.file_source else None, self._images[index])

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.index_at(event.position().toPoint())
        if index >= 0:
            self.activated.emit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        columns = self._geometry()[0]
        steps = {
            Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -columns, Qt.Key.Key_Down: columns,
        }  # fmt: skip
        key = Qt.Key(event.key())
        if key in steps and 0 <= self._current + steps[key] < len(self._images):
            self.select(self._current + steps[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current >= 0:
            self.activated.emit(self._current)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        index = self.index_at(event.pos())
        image = self._images[index] if index >= 0 else None
        if image is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Copy picture", lambda: copy_picture(image))
        for label, callback in self.menu_actions:
            menu.addAction(label, partial(callback, index))
        menu.popup(event.globalPos())

    def sizeHint(self) -> QSize:
        return QSize(480, 480)
