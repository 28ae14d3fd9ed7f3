"""One picture: zoom, pan, value under the pointer, copy, drag out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QImage,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QMenu, QSizePolicy, QWidget

from studio.ui.pictures import copy_picture, drag_out, to_qimage
from studio.ui.theme import theme

MARGIN = 16
_MAX_SCALE = 64.0


class ImageView(QWidget):
    """Shows a picture fitted to the space; small pictures keep hard pixel edges.

    Wheel or +/- zoom, drag pans when zoomed in and drags the picture out otherwise, double click or 0 fits again,
    Ctrl+C copies. `set_values` gives the numbers to read out where the colours are not the data (heat maps).
    """

    hovered = Signal(str)  # what is under the pointer, in words; empty outside
    zoomed = Signal(float)  # screen pixels per picture pixel

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._values: npt.NDArray[Any] | None = None
        self._caption = ""
        self._placeholder = ""
        self._scale: float | None = None  # None: fitted
        self._offset = QPointF()
        self._pressed: QPointF | None = None
        self._readout = ""
        self.file_source: Callable[[], Path | None] | None = None
        self.menu_actions: list[tuple[str, Callable[[], Any]]] = []
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Picture")
        theme().changed.connect(self.update)

    def set_image(self, picture: npt.NDArray[np.uint8] | QImage | None, *, caption: str = "") -> None:
        """Show a picture (uint8 [H,W], [H,W,3] or [H,W,4]); the zoom stays when its size is the same. None empties."""
        image = None if picture is None else to_qimage(picture)
        if image is None or self._image is None or image.size() != self._image.size():
            self._scale = None
            self._offset = QPointF()
        self._image = image
        self._values = None
        self._caption = caption
        self.setAccessibleDescription(caption)
        self.update()

    def set_values(self, values: npt.NDArray[Any] | None) -> None:
        """Numbers [H,W] or [H,W,C] to read out under the pointer instead of the colour."""
        self._values = values

    def set_placeholder(self, text: str) -> None:
        """Quiet text in the middle while there is no picture."""
        self._placeholder = text
        self.update()

    def image(self) -> QImage | None:
        return self._image

    def scale(self) -> float:
        """Screen pixels per picture pixel."""
        return self._scale if self._scale is not None else self._fitted()

    def fit(self) -> None:
        """Show the whole picture."""
        self._scale, self._offset = None, QPointF()
        self._view_changed()

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Enlarge by `factor`, keeping the point `around` (widget coordinates; default the centre) where it is."""
        if self._image is None:
            return
        point = around if around is not None else QPointF(self.rect().center())
        old, fitted = self.scale(), self._fitted()
        new = min(max(old * factor, fitted), max(_MAX_SCALE, fitted))
        if new <= fitted * 1.001:
            self.fit()
            return
        anchor = (point - self._target().topLeft()) / old
        self._scale = new
        self._offset += point - (self._target().topLeft() + anchor * new)
        self._view_changed()

    def copy(self) -> None:
        """Put the picture on the clipboard."""
        if self._image is not None:
            copy_picture(self._image)

    def pixel_at(self, position: QPointF) -> tuple[int, int] | None:
        """(x, y) of the picture under a point of the widget, or None outside."""
        if self._image is None:
            return None
        place = (position - self._target().topLeft()) / self.scale()
        x, y = int(np.floor(place.x())), int(np.floor(place.y()))
        return (x, y) if 0 <= x < self._image.width() and 0 <= y < self._image.height() else None

    def read_out(self, x: int, y: int) -> str:
        """What is at pixel (x, y), in words."""
        if self._values is not None:
            value = self._values[y, x]
            shown = ", ".join(f"{v:.6g}" for v in np.atleast_1d(value)[:4])
            return f"x {x}  y {y}   {shown}"
        assert self._image is not None
        colour = QColor(self._image.pixel(x, y))
        return f"x {x}  y {y}   R {colour.red()}  G {colour.green()}  B {colour.blue()}"

    # -- drawing --

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours = theme()
        painter.fillRect(self.rect(), colours.color("sunken"))
        if self._image is None:
            painter.setPen(colours.color("faint"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(24, 24, -24, -24), flags, self._placeholder)
        else:
            target = self._target()
            shrunk = self.scale() * self.devicePixelRatioF() < 1
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, shrunk)
            painter.drawImage(target, self._image, QRectF(self._image.rect()))
            self._draw_text(painter, self._caption, Qt.AlignmentFlag.AlignTop)
            self._draw_text(painter, self._readout, Qt.AlignmentFlag.AlignBottom)
        if self.hasFocus():
            painter.setPen(QPen(colours.color("focus"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)  # the labels left theirs
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def _draw_text(self, painter: QPainter, text: str, edge: Qt.AlignmentFlag) -> None:
        if not text:
            return
        metrics = painter.fontMetrics()
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(40, self.width() - 40))
        box = QRectF(0, 0, metrics.horizontalAdvance(shown) + 16, metrics.height() + 8)
        top = edge == Qt.AlignmentFlag.AlignTop
        box.moveTo(8, 8 if top else self.height() - box.height() - 8)
        back = QColor(theme().color("raised"))
        back.setAlpha(235)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(back)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(theme().color("muted"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, shown)

    def _fitted(self) -> float:
        if self._image is None or self._image.isNull():
            return 1.0
        room = QSize(max(1, self.width() - 2 * MARGIN), max(1, self.height() - 2 * MARGIN))
        scale = min(room.width() / self._image.width(), room.height() / self._image.height())
        return float(np.floor(scale)) if scale >= 2 else scale  # whole factors keep all pixels of equal size

    def _target(self) -> QRectF:
        assert self._image is not None
        scale = self.scale()
        size = QPointF(self._image.width() * scale, self._image.height() * scale)
        corner = (QPointF(self.width(), self.height()) - size) / 2 + self._offset
        return QRectF(corner.x(), corner.y(), size.x(), size.y())

    def _view_changed(self) -> None:
        self.update()
        self.zoomed.emit(self.scale())

    # -- input --

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom(1.2 ** (event.angleDelta().y() / 120), event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = self.pixel_at(event.position())
        self._readout = self.read_out(*place) if place else ""
        self.hovered.emit(self._readout)
        if self._pressed is not None and self._image is not None:
            moved = event.position() - self._pressed
            if self._scale is not None:
                self._offset += moved
                self._pressed = event.position()
            elif moved.manhattanLength() > QApplication.startDragDistance():
                self._pressed = None
                drag_out(self, self.file_source() if self.file_source else None, self._image)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._scale is None:
            self.zoom(4.0, event.position())
        else:
            self.fit()

    def leaveEvent(self, event: Any) -> None:
        self._readout = ""
        self.hovered.emit("")
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        pans = {
            Qt.Key.Key_Left: QPointF(40, 0), Qt.Key.Key_Right: QPointF(-40, 0), Qt.Key.Key_Up: QPointF(0, 40),
            Qt.Key.Key_Down: QPointF(0, -40),
        }  # fmt: skip
        key = Qt.Key(event.key())
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(1.25)
        elif key == Qt.Key.Key_Minus:
            self.zoom(0.8)
        elif key == Qt.Key.Key_0:
            self.fit()
        elif key in pans and self._scale is not None:
            self._offset += pans[key]
            self.update()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self._image is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Copy picture", self.copy)
        menu.addAction("Fit to window", self.fit)
        for label, callback in self.menu_actions:
            menu.addAction(label, callback)
        menu.popup(event.globalPos())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._scale is not None and self._scale < self._fitted():
            self.fit()

    def sizeHint(self) -> QSize:
        return QSize(480, 480)
