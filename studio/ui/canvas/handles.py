"""Grips outside the picture's edges: dragging one makes the canvas larger on that side."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from studio.ui.canvas.document import CanvasDocument
from studio.ui.canvas.steps import Margins
from studio.ui.canvas.viewport import Viewport
from studio.ui.theme import theme

REACH = 14.0  # pixels of the screen between the picture's edge and the middle of a grip
_HIT = 11.0
_LONG, _THICK = 34.0, 7.0
SNAP = 8  # picture pixels: what networks like their sizes to be multiples of

Side = tuple[int, int]  # (-1, 0) is the left edge, (1, 1) the lower right corner
SIDES: tuple[Side, ...] = ((-1, -1), (0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0))


class Handles:
    """`at` finds the grip under a point of the widget; `press`, `drag` (which moves `margins`), `release` extend."""

    def __init__(self, document: CanvasDocument) -> None:
        self._document = document
        self._side: Side | None = None
        self._start = QPointF()
        self.margins: Margins = (0, 0, 0, 0)

    @property
    def active(self) -> bool:
        return self._side is not None

    def place(self, side: Side, viewport: Viewport) -> QPointF:
        """The middle of a grip, in pixels of the widget."""
        width, height, away = self._document.width, self._document.height, REACH / viewport.scale
        x = width * (side[0] + 1) / 2 + side[0] * away
        y = height * (side[1] + 1) / 2 + side[1] * away
        return viewport.to_widget(QPointF(x, y))

    def at(self, point: QPointF, viewport: Viewport) -> Side | None:
        """The grip under a point of the widget, or None."""
        if self._document.is_empty:
            return None
        offsets = {side: self.place(side, viewport) - point for side in SIDES}
        side = min(SIDES, key=lambda each: offsets[each].manhattanLength())
        near = max(abs(offsets[side].x()), abs(offsets[side].y())) <= _HIT
        return side if near else None

    def press(self, side: Side, place: QPointF) -> None:
        """Begin at a place in the picture."""
        self._side, self._start = side, place

    def drag(self, place: QPointF, free: bool) -> None:
        """Move the edges as far as the pointer went; to multiples of 8 pixels unless `free`."""
        if self._side is None:
            return
        away = place - self._start
        step = 1 if free else SNAP
        out = [max(0, round(value / step) * step) for value in (-away.x(), -away.y(), away.x(), away.y())]
        horizontal, vertical = self._side
        wanted = (horizontal < 0, vertical < 0, horizontal > 0, vertical > 0)
        left, top, right, bottom = (value if asked else 0 for value, asked in zip(out, wanted, strict=True))
        self.margins = (left, top, right, bottom)

    def release(self) -> Margins:
        """What to extend by."""
        margins, self.margins, self._side = self.margins, (0, 0, 0, 0), None
        return margins

    def cursor(self, side: Side, viewport: Viewport) -> Qt.CursorShape:
        """The double arrow that points along the way a grip is dragged, as the picture is turned."""
        middle = viewport.to_widget(QPointF(self._document.width / 2, self._document.height / 2))
        away = self.place(side, viewport) - middle
        if side[0] == 0 or side[1] == 0:
            upright = abs(away.y()) > abs(away.x())
            return Qt.CursorShape.SizeVerCursor if upright else Qt.CursorShape.SizeHorCursor
        return Qt.CursorShape.SizeFDiagCursor if away.x() * away.y() > 0 else Qt.CursorShape.SizeBDiagCursor

    def draw(self, painter: QPainter, viewport: Viewport, hovered: Side | None) -> None:
        """The grips, and while one is dragged what will be new."""
        if self._document.is_empty:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for side in SIDES:
            self._draw_grip(painter, viewport, side, side in (hovered, self._side))
        if self.active and any(self.margins):
            self._draw_new_area(painter, viewport)

    def _draw_grip(self, painter: QPainter, viewport: Viewport, side: Side, lit: bool) -> None:
        long = (_THICK if side[0] else _LONG, _THICK if side[1] else _LONG)
        size = (_LONG / 3, _LONG / 3) if side[0] and side[1] else long
        painter.save()
        painter.translate(self.place(side, viewport))
        painter.rotate(viewport.angle)
        painter.setPen(QPen(theme().color("surface"), 1))
        painter.setBrush(theme().color("accent" if lit else "faint"))
        painter.drawRoundedRect(QRectF(-size[0] / 2, -size[1] / 2, *size), 3, 3)
        painter.restore()

    def _draw_new_area(self, painter: QPainter, viewport: Viewport) -> None:
        left, top, right, bottom = self.margins
        width, height = self._document.width, self._document.height
        old = QPolygonF(QRectF(0, 0, width, height))
        new = QPolygonF(QRectF(-left, -top, width + left + right, height + top + bottom))
        path = QPainterPath()
        path.addPolygon(viewport.transform().map(new))
        path.addPolygon(viewport.transform().map(old))
        fill = QColor(theme().color("accent"))
        fill.setAlphaF(0.25)
        painter.setPen(QPen(theme().color("accent"), 1.5, Qt.PenStyle.DashLine))
        painter.setBrush(fill)
        painter.drawPath(path)

    def words(self) -> str:
        """The size there will be."""
        left, top, right, bottom = self.margins
        return f"{self._document.width + left + right} × {self._document.height + top + bottom}"
