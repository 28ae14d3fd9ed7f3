"""What is drawn over the picture while one works: outlines, the brush, a label. In pixels of the widget."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen

from studio.ui.theme import theme


def draw_outline(painter: QPainter, path: QPainterPath) -> None:
    """A line that is seen on any picture: the text colour, dashed with the surface's."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme().color("surface"), 1.6))
    painter.drawPath(path)
    painter.setPen(QPen(theme().color("text"), 1.6, Qt.PenStyle.DashLine))
    painter.drawPath(path)


def draw_brush(painter: QPainter, circle: QRectF) -> None:
    """How large the brush is, in two rings of opposite lightness."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for token, grown in (("surface", 0.0), ("text", 1.0)):
        painter.setPen(QPen(theme().color(token), 1))
        painter.drawEllipse(circle.adjusted(-grown, -grown, grown, grown))


def draw_label(painter: QPainter, around: QRect, text: str) -> None:
    """A few words at the lower edge."""
    box = QRectF(painter.fontMetrics().boundingRect(text)).adjusted(-10, -5, 10, 5)
    box.moveCenter(QPointF(around.center().x(), around.bottom() - 22))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme().color("border_strong"), 1))
    painter.setBrush(theme().color("raised"))
    painter.drawRoundedRect(box, 5, 5)
    painter.setPen(theme().color("text"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def draw_focus(painter: QPainter, around: QRect) -> None:
    """The ring of what has the keyboard."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(QPen(theme().color("focus"), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(around.adjusted(1, 1, -1, -1))
