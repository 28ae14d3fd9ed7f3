"""The covariance of the points as a square of colours: the pointer over a cell names two points, and the other way round."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from studio.ui.theme import theme
from studio_plugins.gp.answers import Glance

Array = npt.NDArray[np.float64]


class MatrixView(QWidget):
    """Signal: `hovered` (the points of the row and of the column; -1, -1 when the pointer has left)."""

    hovered = Signal(int, int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._glance = Glance(np.empty(0, dtype=np.intp), np.empty((0, 0)))
        self._image = QImage()
        self._mark = (-1, -1)
        self.setMouseTracking(True)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setMinimumHeight(160)
        self.setAccessibleName(name)
        theme().changed.connect(self._paint_image)

    def heightForWidth(self, width: int) -> int:
        return min(width, 264)

    def sizeHint(self) -> QSize:
        return QSize(240, 240)

    def show_matrix(self, glance: Glance) -> None:
        """Show these points' covariances."""
        self._glance = glance
        self.setAccessibleDescription(f"{len(glance.shown)} by {len(glance.shown)}")
        self._paint_image()

    def mark(self, row: int, column: int) -> None:
        """Make the row of one point and the column of another stand out; -1 none."""
        if (row, column) != self._mark:
            self._mark = (row, column)
            self.update()

    def cell(self, at: QPointF) -> tuple[int, int]:
        """The row and the column shown under a pixel, (-1, -1) beside the matrix."""
        box, count = self._box(), len(self._glance.shown)
        if not count or not box.contains(at):
            return -1, -1
        row = min(count - 1, int((at.y() - box.top()) / box.height() * count))
        column = min(count - 1, int((at.x() - box.left()) / box.width() * count))
        return row, column

    # --- events ---

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        row, column = self.cell(event.position())
        shown = self._glance.shown
        pair = (int(shown[row]), int(shown[column])) if row >= 0 else (-1, -1)
        self.mark(*pair)
        self.hovered.emit(*pair)
        if row >= 0:
            text = f"points {pair[0] + 1} and {pair[1] + 1}: {self._glance.values[row, column]:.4g}"
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.mark(-1, -1)
        self.hovered.emit(-1, -1)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, box = QPainter(self), self._box()
        painter.fillRect(box, theme().color("sunken"))
        if self._image.isNull():
            return
        painter.drawImage(box, self._image)
        places = [np.flatnonzero(self._glance.shown == index) for index in self._mark]
        side = box.width() / len(self._glance.shown)
        painter.setPen(QPen(theme().color("text"), 1))
        if len(places[0]):
            painter.drawRect(QRectF(box.left(), box.top() + places[0][0] * side, box.width(), max(side, 1.0)))
        if len(places[1]):
            painter.drawRect(QRectF(box.left() + places[1][0] * side, box.top(), max(side, 1.0), box.height()))

    def _box(self) -> QRectF:
        side = min(self.width(), self.height()) - 1
        return QRectF((self.width() - side) / 2, 0, side, side)

    def _paint_image(self) -> None:
        values, colours = self._glance.values, theme()
        if values.size:
            shares = values / (float(np.abs(values).max()) or 1.0)
            self._image = coloured(shares, colours.color("accent"), colours.color("series.1"), colours.color("raised"))
        else:
            self._image = QImage()
        self.update()


def coloured(shares: Array, above: QColor, below: QColor, zero: QColor) -> QImage:
    """A picture [h, w] of values in [-1, 1]: `zero` at 0, towards `above` and `below`."""
    up, down, ground = (np.array(colour.getRgb()[:3], dtype=np.float64) for colour in (above, below, zero))
    share = np.clip(np.abs(shares), 0, 1)[..., None]
    mixed = ground + share * (np.where(shares[..., None] >= 0, up, down) - ground)
    pixels = np.ascontiguousarray(np.round(mixed).astype(np.uint8))
    height, width = shares.shape
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
