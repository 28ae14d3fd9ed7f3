"""A world seen as pictures or as text, with what its agent looks at laid over it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontDatabase, QFontMetricsF, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.ml.rl.learner import Look
from studio.ui.heat import colours as heat_colours
from studio.ui.pictures import to_qimage
from studio.ui.theme import theme
from studio_plugins.rl.grid_paint import font
from studio_plugins.rl.overlays import short

NOTHING = "There is nothing to see yet. Press Train."
_SMALL_WORLD = 3.0
"""From this enlargement on pixels are drawn as squares."""
_MOST_BARS, _BAR_HEIGHT, _BAR_WIDTH = 16, 14, 132


class FrameView(QWidget):
    """`show_look` shows its frame, or its text; else a sentence says why there is nothing to see."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._array: NDArray[np.uint8] | None = None
        self._image = QImage()
        self._scaled: QImage | None = None
        self._text = ""
        self._sentence = NOTHING
        self._saliency: NDArray[np.float64] | None = None
        self._names: tuple[str, ...] = ()
        self._veil: QImage | None = None
        self._looking = True
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 60)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("World")
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(480, 360)

    @property
    def image(self) -> QImage:
        """The frame on show; null where there is none."""
        return self._image

    def show_look(self, look: Look) -> None:
        """The newest frame or text. A look that was taken without a frame leaves the one on show."""
        if look.frame is not None:
            self.show_frame(look.frame)
        elif look.text:
            self._drop_frame()
            self._text = look.text
        self.update()

    def show_frame(self, frame: NDArray[np.uint8]) -> None:
        """uint8 [H, W, 3]."""
        array = np.ascontiguousarray(frame)
        height, width = array.shape[:2]
        # The picture lies over the array's own memory, so both are kept, and go in this order.
        self._image = QImage(array.data, width, height, array.strides[0], QImage.Format.Format_RGB888)
        self._array, self._scaled, self._text = array, None, ""
        self.update()

    def show_sentence(self, sentence: str) -> None:
        """Nothing but a sentence: why there is nothing to see, and what to do."""
        self._drop_frame()
        self._text, self._sentence = "", sentence
        self.setAccessibleDescription(sentence)
        self.update()

    def set_saliency(self, saliency: NDArray[np.floating] | None, names: Sequence[str] = ()) -> None:
        """How much the agent's choice depends on each pixel [H, W], or on each number [n] it observes (with names)."""
        self._saliency = None if saliency is None else np.asarray(saliency, np.float64)
        self._names, self._veil = tuple(names), None
        self.update()

    def set_saliency_shown(self, shown: bool) -> None:
        self._looking = shown
        self.update()

    def _drop_frame(self) -> None:
        self._image, self._scaled = QImage(), None
        self._array = None

    def target(self) -> QRect:
        """Where the frame is drawn: as large as fits, in the middle, in its own proportions."""
        if self._image.isNull():
            return QRect()
        size = self._image.size().scaled(self.size() - QSize(8, 8), Qt.AspectRatioMode.KeepAspectRatio)
        enlarged = size.width() / self._image.width()
        if enlarged >= _SMALL_WORLD:  # whole multiples, so that all pixels are equal squares
            size = self._image.size() * int(enlarged)
        return QRect((self.width() - size.width()) // 2, (self.height() - size.height()) // 2, size.width(), size.height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("sunken"))
        if not self._image.isNull():
            self._paint_frame(painter)
        elif self._text:
            self._paint_text(painter)
        else:
            painter.setFont(font("body"))
            painter.setPen(theme().color("muted"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(QRectF(self.rect()).adjusted(16, 8, -16, -8), flags, self._sentence)
        if self._looking and self._saliency is not None and self._saliency.ndim == 1:
            self._paint_bars(painter, self._saliency)

    def _paint_frame(self, painter: QPainter) -> None:
        target = self.target()
        enlarged = target.width() / self._image.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, enlarged < _SMALL_WORLD)
        if enlarged < 0.6:  # bilinear sampling alone would leave out lines of the picture
            ratio = self.devicePixelRatioF()
            if self._scaled is None or self._scaled.width() != round(target.width() * ratio):
                wanted = QSize(round(target.width() * ratio), round(target.height() * ratio))
                mode = Qt.TransformationMode.SmoothTransformation
                self._scaled = self._image.scaled(wanted, Qt.AspectRatioMode.IgnoreAspectRatio, mode)
            painter.drawImage(target, self._scaled)
        else:
            painter.drawImage(target, self._image)
        if self._looking and self._saliency is not None and self._saliency.ndim == 2:
            if self._veil is None:
                self._veil = _veil(self._saliency)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(target, self._veil)

    def _paint_text(self, painter: QPainter) -> None:
        """In letters of one width, as large as fits."""
        lines = self._text.splitlines()
        letters = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        letters.setPixelSize(20)
        metrics = QFontMetricsF(letters)
        widest = max((metrics.horizontalAdvance(line) for line in lines), default=1.0) or 1.0
        shrink = min(1.0, (self.width() - 16) / widest, (self.height() - 16) / max(1.0, metrics.lineSpacing() * len(lines)))
        letters.setPixelSize(max(7, int(20 * shrink)))
        painter.setFont(letters)
        painter.setPen(theme().color("text"))
        block = painter.boundingRect(self.rect(), Qt.AlignmentFlag.AlignLeft, self._text)
        block.moveCenter(self.rect().center())
        painter.drawText(block, Qt.AlignmentFlag.AlignLeft, self._text)

    def _paint_bars(self, painter: QPainter, saliency: NDArray[np.float64]) -> None:
        """The observed numbers that matter most, a bar each, in the lower left corner."""
        colours = theme()
        size = np.abs(np.nan_to_num(saliency))
        top = max(float(size.max(initial=0.0)), 1e-12)
        chosen = sorted(np.argsort(-size, kind="stable")[:_MOST_BARS].tolist())
        card = QRectF(6, 0, _BAR_WIDTH + 92, _BAR_HEIGHT * len(chosen) + 8)
        card.moveBottom(self.height() - 6)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(colours.color("border"))
        painter.setBrush(colours.color("raised"))
        painter.drawRoundedRect(card, 6, 6)
        painter.setFont(font("small"))
        for place, index in enumerate(chosen):
            line = QRectF(card.left() + 6, card.top() + 4 + place * _BAR_HEIGHT, 84, _BAR_HEIGHT)
            name = self._names[index] if index < len(self._names) else f"number {index + 1}"
            painter.setPen(colours.color("muted"))
            shown = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, int(line.width()))
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, shown)
            long = (_BAR_WIDTH - 44) * float(size[index]) / top
            painter.fillRect(QRectF(line.right(), line.top() + 3, max(1.0, long), _BAR_HEIGHT - 6), colours.color("series.1"))
            number = QRectF(line.right() + long + 4, line.top(), 42, _BAR_HEIGHT)
            painter.drawText(number, Qt.AlignmentFlag.AlignVCenter, short(float(saliency[index])))


def _veil(saliency: NDArray[np.float64]) -> QImage:
    """Colours of heat that are the denser the larger |saliency| is."""
    size = np.abs(np.nan_to_num(saliency))
    share = size / max(float(size.max(initial=0.0)), 1e-12)
    index = np.rint(share * 255).astype(np.uint8)
    density = np.rint(np.sqrt(share) * 200).astype(np.uint8)
    return to_qimage(np.concatenate([heat_colours()[index], density[..., None]], axis=-1))
