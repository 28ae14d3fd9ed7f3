"""Pictures laid over the document for looking only: what is being drawn, a version that may be applied."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QImage, QPainter

from studio.ui.canvas.layer_levels import PREMULTIPLIED
from studio.ui.canvas.tiles import Raster
from studio.ui.canvas.viewport import Viewport
from studio.ui.pictures import to_qimage

_HARD_FROM = 2.0  # screen pixels per pixel of the preview: from here on they keep hard edges


@dataclass(frozen=True, eq=False)
class Preview:
    """`image` over the rectangle `place` of the picture, in picture pixels; it may reach beyond the picture."""

    image: QImage
    place: QRectF

    @classmethod
    def of(cls, pixels: Raster, left: float, top: float, factor: float = 1.0) -> Preview:
        """Pixels [h, w], [h, w, 3] or [h, w, 4] (straight alpha), each `factor` pixels of the picture wide."""
        image = to_qimage(pixels)
        place = QRectF(left, top, image.width() * factor, image.height() * factor)
        return cls(image.convertToFormat(PREMULTIPLIED), place)

    def draw(self, painter: QPainter, viewport: Viewport, picture: QRect, within: QRect) -> None:
        """Paint what of it lies on the picture and inside `within`, pixels of the widget."""
        painter.save()
        painter.setClipRect(within, Qt.ClipOperation.IntersectClip)
        painter.setTransform(viewport.transform(), True)
        painter.setClipRect(picture, Qt.ClipOperation.IntersectClip)
        grown = viewport.scale * self.place.width() / max(1, self.image.width())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, grown < _HARD_FROM or viewport.angle != 0)
        painter.drawImage(self.place, self.image)
        painter.restore()
