"""Outlines turned into coverage: how much of each pixel lies inside."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPolygonF

from studio.ui.canvas.tiles import Raster


def rectangle(start: QPointF, end: QPointF) -> QPainterPath:
    """Between two corners, on whole pixels: its edges are hard."""
    path = QPainterPath()
    path.addRect(QRectF(QPointF(round(start.x()), round(start.y())), QPointF(round(end.x()), round(end.y()))).normalized())
    return path


def ellipse(start: QPointF, end: QPointF) -> QPainterPath:
    """In the rectangle between two corners."""
    path = QPainterPath()
    path.addEllipse(QRectF(start, end).normalized())
    return path


def polygon(points: list[QPointF]) -> QPainterPath:
    """Through all points and back to the first; everything it goes around is inside."""
    path = QPainterPath()
    path.addPolygon(QPolygonF(points))
    path.closeSubpath()
    path.setFillRule(Qt.FillRule.WindingFill)
    return path


def squared(start: QPointF, end: QPointF) -> QPointF:
    """The corner opposite `start` that makes the rectangle a square, as large as the longer side."""
    across = end - start
    side = max(abs(across.x()), abs(across.y()))
    return start + QPointF(side if across.x() >= 0 else -side, side if across.y() >= 0 else -side)


def coverage_of(path: QPainterPath, width: int, height: int) -> tuple[int, int, Raster] | None:
    """(left, top, coverage [h, w] uint8) of what lies inside a picture of this size; None where nothing does."""
    box = path.boundingRect().toAlignedRect().intersected(QRect(0, 0, width, height))
    if box.isEmpty():
        return None
    image = QImage(box.size(), QImage.Format.Format_Grayscale8)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(-box.left(), -box.top())
    painter.fillPath(path, Qt.GlobalColor.white)
    painter.end()
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(box.height(), image.bytesPerLine())
    return box.left(), box.top(), rows[:, : box.width()].copy()
