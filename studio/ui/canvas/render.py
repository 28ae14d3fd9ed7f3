"""Draws the document: checkerboard, layers, colour hints, the mask over them. Costs what the exposed rectangle costs."""

from __future__ import annotations

import math

from PySide6.QtCore import QObject, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPixmap, QTransform

from studio.ui.canvas.document import CanvasDocument, Target
from studio.ui.canvas.layer_levels import PREMULTIPLIED, LayerLevels, image_over
from studio.ui.canvas.pyramid import Pyramid, level_for
from studio.ui.canvas.settings import CanvasSettings
from studio.ui.canvas.tiles import Raster
from studio.ui.canvas.viewport import Viewport
from studio.ui.canvas.warming import Warmer
from studio.ui.theme import theme

SQUARE = 8  # pixels of the screen: the checkerboard under transparent parts
_SMOOTH_BELOW = 1.0  # screen pixels per picture pixel; above, pixels keep hard edges
_TURNED_SMOOTH_BELOW = 3.0


class Renderer(QObject):
    """`painted(rect)`: what is shown of the picture changed inside a rectangle of it; `all_changed`: everything."""

    painted = Signal(QRect)
    all_changed = Signal()

    def __init__(self, document: CanvasDocument, settings: CanvasSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document, self._settings = document, settings
        self._layers = LayerLevels(document, self)
        self._layers.made.connect(self.all_changed)
        self._rasters: dict[Target, Pyramid] = {}
        self._warmer = Warmer(self)
        self._target: Target | None = None
        self._checker: tuple[object, QPixmap] | None = None
        document.painted.connect(self._on_painted)
        document.resized.connect(self._on_resized)
        document.layers_changed.connect(self.all_changed)
        settings.changed.connect(self._on_settings)
        self._on_resized()

    def stop(self) -> None:
        """Do nothing more in the background."""
        self._layers.stop()
        self._warmer.stop()

    @property
    def prepared(self) -> bool:
        """Whether nothing is left to do before the first stroke."""
        return self._warmer.done and self._document.prepared

    def paint(self, painter: QPainter, viewport: Viewport, exposed: QRect, ratio: float) -> None:
        """Draw what lies under `exposed` (pixels of the widget); `ratio`: device pixels per pixel."""
        choices, document = self._settings.values, self._document
        picture = QRect(0, 0, document.width, document.height)
        painter.save()
        painter.setClipRect(exposed)
        painter.fillRect(exposed, theme().color("sunken"))
        painter.setTransform(viewport.transform(), True)
        painter.setClipRect(picture, Qt.ClipOperation.IntersectClip)
        scale = viewport.scale * ratio
        smooth = scale < (_TURNED_SMOOTH_BELOW if viewport.angle else _SMOOTH_BELOW)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        level, around = level_for(scale), viewport.picture_rect(exposed)
        if choices.mask_alone:
            painter.fillRect(around, Qt.GlobalColor.black)
            self._draw_mask(painter, around, level, QColor(Qt.GlobalColor.white), 1.0)
        else:
            self._draw_checkerboard(painter, viewport, around)
            self._draw_layers(painter, around, level)
            if choices.show_hints and document.is_painted(Target.HINTS):
                self._draw_hints(painter, around, level)
            if choices.show_mask and document.is_painted(Target.MASK):
                self._draw_mask(painter, around, level, choices.overlay_colour(), choices.overlay_opacity)
        painter.restore()

    def _draw_checkerboard(self, painter: QPainter, viewport: Viewport, around: QRectF) -> None:
        """Squares of one size on the screen, whatever the zoom; they move and turn with the picture."""
        brush = QBrush(self._checkerboard())
        brush.setTransform(QTransform.fromScale(1 / viewport.scale, 1 / viewport.scale))
        painter.fillRect(around, brush)

    def _draw_layers(self, painter: QPainter, around: QRectF, level: int) -> None:
        small = self._layers.level(level) if level else None
        if small is not None:
            pixels, size = small
            _draw(painter, image_over(pixels, PREMULTIPLIED), around, size)
            return
        painter.save()
        if level:  # the levels are being made: quick and coarse for a moment
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        for layer in self._document.layers:
            if layer.visible:
                painter.setOpacity(layer.opacity)
                _draw(painter, image_over(layer.pixels, QImage.Format.Format_RGBA8888), around, 1)
        painter.restore()

    def _draw_hints(self, painter: QPainter, around: QRectF, level: int) -> None:
        pixels, size = self._at(Target.HINTS, level)
        kind = QImage.Format.Format_RGBA8888 if size == 1 else QImage.Format.Format_RGBA8888_Premultiplied
        _draw(painter, image_over(pixels, kind), around, size)

    def _draw_mask(self, painter: QPainter, around: QRectF, level: int, colour: QColor, opacity: float) -> None:
        pixels, size = self._at(Target.MASK, level)
        image = image_over(pixels, QImage.Format.Format_Indexed8)
        rgb = colour.rgb() & 0xFFFFFF
        image.setColorTable([rgb | round(value * opacity) << 24 for value in range(256)])
        _draw(painter, image, around, size)

    def _at(self, target: Target, level: int) -> tuple[Raster, int]:
        """The raster at a level, and how many picture pixels wide its pixels are."""
        levels = self._rasters[target].levels
        level = min(level, len(levels) - 1)
        return levels[level], 1 << level

    def _checkerboard(self) -> QPixmap:
        key = theme().tokens
        if self._checker is None or self._checker[0] is not key:
            tile = QPixmap(2 * SQUARE, 2 * SQUARE)
            tile.fill(theme().color("raised"))
            painter = QPainter(tile)
            for x, y in ((0, 0), (SQUARE, SQUARE)):
                painter.fillRect(x, y, SQUARE, SQUARE, theme().color("pressed"))
            painter.end()
            self._checker = (key, tile)
        return self._checker[1]

    def _on_painted(self, target: Target, rect: QRect) -> None:
        self._rasters[target].update((rect.left(), rect.top(), rect.right() + 1, rect.bottom() + 1))
        self.painted.emit(rect)

    def _on_resized(self) -> None:
        for target in Target:
            self._rasters[target] = Pyramid(self._document.raster(target))
            if self._document.is_painted(target):
                self._rasters[target].update((0, 0, self._document.width, self._document.height))
        self._target = None
        self._on_settings()

    def _on_settings(self) -> None:
        target = self._settings.values.target
        if target is not self._target:
            self._target = target
            self._document.prepare(target)
            self._warmer.warm(self._rasters[target].levels[1:])
        self.all_changed.emit()


def _draw(painter: QPainter, image: QImage, around: QRectF, size: int) -> None:
    """Draw the part of an image whose pixels are `size` picture pixels wide that lies around a rectangle of the picture.

    Two pixels more on each side, since smoothing looks at neighbours.
    """
    left, top = math.floor(around.left() / size) - 2, math.floor(around.top() / size) - 2
    right, bottom = math.ceil(around.right() / size) + 2, math.ceil(around.bottom() / size) + 2
    source = QRect(left, top, right - left, bottom - top) & image.rect()
    if not source.isEmpty():
        target = QRectF(source.left() * size, source.top() * size, source.width() * size, source.height() * size)
        painter.drawImage(target, image, QRectF(source))
