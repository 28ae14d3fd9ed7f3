"""A drawing in pixels that scrolls where it does not fit, and that the export service takes like a plot."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QApplication, QFrame, QGraphicsItem, QGraphicsPathItem, QGraphicsRectItem, QGraphicsScene, QGraphicsSimpleTextItem,
    QGraphicsView, QWidget,
)  # fmt: skip

from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX


class Sheet(QGraphicsView):
    """A subclass draws onto `root` in `draw(width)`, which is called anew when the theme or the width changes, and
    returns its height. Coordinates are pixels.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        self.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._page = QGraphicsScene(self)
        self.setScene(self._page)
        self.root = QGraphicsRectItem()
        self._drawn_width = -1
        self._restarted()
        theme().changed.connect(self.redraw)

    def draw(self, width: float) -> tuple[float, float]:
        """Draw children of `root` for so many pixels of width; returns the width and height that were used."""
        return width, 0.0

    def redraw(self) -> None:
        """Everything anew."""
        self._restarted()
        self._drawn_width = self.viewport().width()
        width, height = self.draw(float(self._drawn_width))
        self.root.setRect(0, 0, width, height)
        self._page.setSceneRect(0, 0, width, height)

    def plot_item(self) -> QGraphicsRectItem:
        """What the export service writes as PNG, SVG or PDF."""
        return self.root

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.viewport().width() != self._drawn_width:
            self.redraw()

    def _restarted(self) -> None:
        self._page.clear()
        self.root = QGraphicsRectItem()
        self.root.setPen(QPen(Qt.PenStyle.NoPen))
        self._page.addItem(self.root)
        self.setBackgroundBrush(QBrush(theme().color("plot.background")))

    # --- pieces ---

    def text(
        self, words: str, x: float, y: float, *, token: str = "text", size: str = "body", bold: bool = False,
        width: float = 0.0, align: str = "left", parent: QGraphicsItem | None = None,
    ) -> QGraphicsSimpleTextItem:  # fmt: skip
        """One line whose top is at y; cut with an ellipsis to `width` where that is given."""
        font = font_of(size, bold=bold)
        metrics = QFontMetricsF(font)
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, width) if width else words
        item = QGraphicsSimpleTextItem(shown, parent or self.root)
        item.setFont(font)
        item.setBrush(QBrush(theme().color(token)))
        if shown != words:
            item.setToolTip(words)
        length = metrics.horizontalAdvance(shown)
        shift = {"left": 0.0, "centre": length / 2, "right": length}[align]
        item.setPos(QPointF(round(x - shift), round(y)))
        return item

    def box(
        self, rect: QRectF, fill: QColor | None, edge: QColor | None, width: float = 1.0, radius: float = 5.0
    ) -> QGraphicsPathItem:
        """A rectangle with round corners."""
        path = QPainterPath()
        path.addRoundedRect(rect, radius, radius)
        item = QGraphicsPathItem(path, self.root)
        item.setBrush(QBrush(fill) if fill is not None else QBrush(Qt.BrushStyle.NoBrush))
        item.setPen(QPen(edge, width) if edge is not None else QPen(Qt.PenStyle.NoPen))
        return item

    def line(self, points: list[QPointF], token: str, width: float = 1.2, *, arrow: bool = True) -> None:
        """A line through points, with an arrow at its end."""
        colour = theme().color(token)
        path = QPainterPath(points[0])
        for point in points[1:]:
            path.lineTo(point)
        item = QGraphicsPathItem(path, self.root)
        item.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        item.setZValue(-1)
        if arrow:
            self._arrow(points[-2], points[-1], colour)

    def _arrow(self, before: QPointF, tip: QPointF, colour: QColor) -> None:
        along = tip - before
        length = max(1e-6, (along.x() ** 2 + along.y() ** 2) ** 0.5)
        unit, size = along / length, 5.0
        across = QPointF(-unit.y(), unit.x())
        head = QPainterPath(tip)
        head.lineTo(tip - unit * size * 1.5 + across * size * 0.7)
        head.lineTo(tip - unit * size * 1.5 - across * size * 0.7)
        head.closeSubpath()
        item = QGraphicsPathItem(head, self.root)
        item.setBrush(QBrush(colour))
        item.setPen(QPen(Qt.PenStyle.NoPen))


def font_of(size: str, *, bold: bool = False) -> QFont:
    """The application's font in a size of the type scale."""
    font = QFont(QApplication.font())
    font.setPixelSize(round(FONT_PX[size] * theme().font_scale))
    font.setBold(bold)
    return font


def tinted(token: str, share: float) -> QColor:
    """A token's colour mixed into the background of plots."""
    ink, paper = theme().color(token), theme().color("plot.background")
    return QColor(*(round(p + share * (i - p)) for i, p in zip(ink.getRgb()[:3], paper.getRgb()[:3], strict=True)))
