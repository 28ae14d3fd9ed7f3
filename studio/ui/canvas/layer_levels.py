"""The layers composed and halved for small scales, in slices between events: the window never waits for it."""

from __future__ import annotations

import time

import numpy as np
from PySide6.QtCore import QObject, QPoint, QTimer, Signal
from PySide6.QtGui import QImage, QPainter

from studio.ui.canvas.compositing import Layer
from studio.ui.canvas.document import CanvasDocument
from studio.ui.canvas.pyramid import SMALLEST, halved
from studio.ui.canvas.tiles import Raster

_BAND = 128  # rows composed at once
_SLICE_MS = 6.0
PREMULTIPLIED = QImage.Format.Format_ARGB32_Premultiplied


class LayerLevels(QObject):
    """`level(k)` is the composed picture at 1/2^k of its size, k ≥ 1, premultiplied; None until it is made. `made` comes
    once all levels are there.
    """

    made = Signal()

    def __init__(self, document: CanvasDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._levels: list[Raster] = []
        self._rows_done = 0
        self._ready = False
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._work)
        document.layers_changed.connect(self.restart)
        self.restart()

    def restart(self) -> None:
        """The layers changed; the old levels are shown until the new ones are made, unless the size is another."""
        shape = ((self._document.height + 1) // 2, (self._document.width + 1) // 2, 4)
        if not self._levels or self._levels[0].shape != shape:
            self._levels, self._ready = [np.zeros(shape, np.uint8)], False
        self._rows_done = 0
        if min(self._document.width, self._document.height) > SMALLEST:
            self._timer.start(0)
        else:
            self._timer.stop()

    def stop(self) -> None:
        """Work no more."""
        self._timer.stop()

    def level(self, index: int) -> tuple[Raster, int] | None:
        """One level or the smallest there is, and how many picture pixels wide its pixels are."""
        index = min(index, len(self._levels))
        return (self._levels[index - 1], 1 << index) if self._ready else None

    def _work(self) -> None:
        end = time.perf_counter() + _SLICE_MS / 1000
        while self._rows_done < self._document.height:
            top = self._rows_done
            band = halved(compose_band(self._document.layers, self._document.width, top, min(top + _BAND, self._document.height)))
            self._levels[0][top // 2 : top // 2 + band.shape[0]] = band
            self._rows_done = top + _BAND
            if time.perf_counter() > end:
                return
        del self._levels[1:]
        while min(self._levels[-1].shape[:2]) > SMALLEST:
            self._levels.append(halved(self._levels[-1]))
        self._timer.stop()
        self._ready = True
        self.made.emit()


def compose_band(layers: tuple[Layer, ...] | list[Layer], width: int, top: int, bottom: int) -> Raster:
    """Rows [top, bottom) of the visible layers over each other, premultiplied, in Qt's order of bytes."""
    image = QImage(width, bottom - top, PREMULTIPLIED)
    image.fill(0)
    painter = QPainter(image)
    for layer in layers:
        if layer.visible:
            rows = layer.pixels[top:bottom]
            painter.setOpacity(layer.opacity)
            painter.drawImage(QPoint(0, 0), image_over(rows, QImage.Format.Format_RGBA8888))
    painter.end()
    return np.frombuffer(image.constBits(), np.uint8).reshape(bottom - top, width, 4).copy()


def image_over(pixels: Raster, kind: QImage.Format) -> QImage:
    """A QImage that reads the memory of a contiguous array; the array must outlive it."""
    return QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], kind)
