"""What is seen of the document, as a picture of the widget's size: only what changed is drawn again."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QImage, QPainter, QRegion

from studio.ui.canvas.render import Renderer
from studio.ui.canvas.viewport import Viewport

_MOST_PIECES = 12  # more rectangles than these are drawn as one around them


class Frame:
    """`spoil` what has changed, `refresh` before showing, `show` on a painter of the widget."""

    def __init__(self) -> None:
        self._image = QImage()
        self._stale = QRegion()

    @property
    def rect(self) -> QRect:
        """The widget's rectangle, in its pixels."""
        return QRect(QPoint(0, 0), self._image.size() / (self._image.devicePixelRatio() or 1.0))

    @property
    def stale(self) -> QRegion:
        """What has changed since the last refresh."""
        return self._stale

    def resize(self, size: QSize, ratio: float) -> None:
        """Take another size, in pixels of the widget, and so many device pixels each."""
        self._image = QImage(size * ratio, QImage.Format.Format_RGB32)
        self._image.setDevicePixelRatio(ratio)
        self._stale = QRegion(QRect(QPoint(0, 0), size))

    def spoil(self, rect: QRect) -> None:
        """What is seen inside a rectangle of the widget has changed."""
        self._stale += rect

    def refresh(self, renderer: Renderer, viewport: Viewport) -> None:
        """Draw what has changed."""
        if self._stale.isEmpty() or self._image.isNull():
            return
        pieces = list(self._stale) if self._stale.rectCount() <= _MOST_PIECES else [self._stale.boundingRect()]
        self._stale = QRegion()
        painter = QPainter(self._image)
        for rect in pieces:
            renderer.paint(painter, viewport, rect, self._image.devicePixelRatio())
        painter.end()

    def show(self, painter: QPainter, rect: QRect) -> None:
        """Copy a rectangle onto the widget."""
        ratio = self._image.devicePixelRatio()
        source = QRect(rect.topLeft() * ratio, rect.size() * ratio)
        painter.drawImage(rect, self._image, source)
