"""Drawn shapes that pyqtgraph has not, or draws too slowly for a drag: a filled band and error bars.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

Array = npt.NDArray[np.float64]


class Band(pg.GraphicsObject):  # type: ignore[misc]
    """The area between two curves over the same x, without an outline."""

    def __init__(self) -> None:
        super().__init__()
        self._polygon = QPolygonF()
        self._bounds = QRectF()
        self._brush = QBrush()

    def set_brush(self, colour: QColor) -> None:
        self._brush = QBrush(colour)
        self.update()

    def set_curves(self, x: Array, low: Array, high: Array) -> None:
        """Fill from `low` to `high`, all [n]; n = 0 draws nothing."""
        self.prepareGeometryChange()
        self._polygon = _polygon(np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]]))
        self._bounds = self._polygon.boundingRect()
        self.update()

    def boundingRect(self) -> QRectF:
        return self._bounds

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._brush)
        painter.drawPolygon(self._polygon)


class Bars(pg.GraphicsObject):  # type: ignore[misc]
    """Vertical error bars with caps of a fixed width on the screen."""

    CAP = 4.0  # pixels on each side

    def __init__(self) -> None:
        super().__init__()
        self._x = self._low = self._high = np.empty(0)
        self._bounds = QRectF()
        self._pen = QPen()

    def set_pen(self, pen: QPen) -> None:
        self._pen = pen
        self.update()

    def set_bars(self, x: Array, low: Array, high: Array) -> None:
        """One bar per entry, all [n]."""
        self.prepareGeometryChange()
        self._x, self._low, self._high = x, low, high
        if len(x):
            self._bounds = QRectF(x.min(), low.min(), np.ptp(x) or 1e-9, (high.max() - low.min()) or 1e-9)
        else:
            self._bounds = QRectF()
        self.update()

    def boundingRect(self) -> QRectF:
        wide = self.CAP * self._pixel() if len(self._x) else 0.0
        return self._bounds.adjusted(-wide, 0, wide, 0)

    def viewTransformChanged(self) -> None:
        self.prepareGeometryChange()

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        painter.setPen(self._pen)
        wide = self.CAP * self._pixel()
        for x, low, high in zip(self._x.tolist(), self._low.tolist(), self._high.tolist(), strict=True):
            painter.drawLine(QLineF(x, low, x, high))
            painter.drawLine(QLineF(x - wide, low, x + wide, low))
            painter.drawLine(QLineF(x - wide, high, x + wide, high))

    def _pixel(self) -> float:
        """Width of a pixel in units of x."""
        size: Any = self.pixelVectors()
        return float(size[0].x()) if size[0] is not None else 0.0


def _polygon(x: Array, y: Array) -> QPolygonF:
    polygon: QPolygonF = pg.functions.create_qpolygonf(len(x))
    if len(x):
        memory = pg.functions.ndarray_from_qpolygonf(polygon)
        memory[:, 0], memory[:, 1] = x, y
    return polygon
