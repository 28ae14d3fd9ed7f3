"""A strip of small pictures over the steps of a run, to scrub through."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QWidget

from studio.ui.icons import IconButton
from studio.ui.pictures import to_qimage
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_M, SPACE_S

THUMB = 44
_PLAY_SECONDS = 2.5


class Timeline(QFrame):
    """`set_count(n)`, optionally `set_thumbnail(i, picture)` and `set_labels`; `moved` says where the person is.

    Left/Right step, Home/End jump, Space plays.
    """

    moved = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("edge", "top")
        self._labels: list[str] = []
        self._play = IconButton("play", "Play the steps (Space)", self, size=18)
        self._play.clicked.connect(self.toggle_play)
        self._strip = _Strip(self)
        self._strip.moved.connect(self._on_moved)
        self._strip.play_pressed.connect(self.toggle_play)
        self._label = QLabel(self)
        self._label.setProperty("tone", "muted")
        self._label.setMinimumWidth(96)
        self._label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._advance)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        row.setSpacing(SPACE_S)
        row.addWidget(self._play)
        row.addWidget(self._strip, 1)
        row.addWidget(self._label)
        self.set_count(0)

    def set_count(self, count: int) -> None:
        """Number of steps; forgets the thumbnails and goes to the last."""
        self.stop()
        self._strip.set_count(count)
        self._labels = []
        self.setEnabled(count > 1)
        self._show_label()

    def set_labels(self, labels: Sequence[str]) -> None:
        """What to write beside each step, e.g. "t = 500"."""
        self._labels = list(labels)
        self._show_label()

    def set_breaks(self, positions: Sequence[int]) -> None:
        """Steps before which something new begins (another network draws); a line is drawn there."""
        self._strip.set_breaks(positions)

    def set_thumbnail(self, index: int, picture: npt.NDArray[np.uint8] | QImage) -> None:
        """The small picture of a step. Raises IndexError outside the timeline."""
        self._strip.set_thumbnail(index, to_qimage(picture))

    def count(self) -> int:
        return self._strip.count()

    @property
    def value(self) -> int:
        """The current step, 0-based; -1 while there is none."""
        return self._strip.value

    def set_value(self, index: int) -> None:
        """Go to a step; `moved` fires when that changes something."""
        self._strip.set_value(index)

    def toggle_play(self) -> None:
        """Play through all steps in a few seconds, or stop."""
        if self._timer.isActive():
            self.stop()
        elif self.count() > 1:
            if self.value >= self.count() - 1:
                self.set_value(0)
            self._timer.start(max(16, round(1000 * _PLAY_SECONDS / self.count())))
            self._play.set_icon("pause")

    def stop(self) -> None:
        """Stop playing."""
        self._timer.stop()
        self._play.set_icon("play")

    def _advance(self) -> None:
        if not self.isVisible() or self.value >= self.count() - 1:
            self.stop()
        else:
            self.set_value(self.value + 1)

    def _on_moved(self, index: int) -> None:
        self._show_label()
        self.moved.emit(index)

    def _show_label(self) -> None:
        index = self.value
        if index < 0:
            self._label.setText("")
            return
        extra = self._labels[index] if index < len(self._labels) else ""
        self._label.setText(f"{index + 1} / {self.count()}" + (f"\n{extra}" if extra else ""))
        self._strip.setAccessibleDescription(f"step {index + 1} of {self.count()} {extra}")


class _Strip(QWidget):
    moved = Signal(int)
    play_pressed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._thumbs: list[QImage | None] = []
        self._breaks: tuple[int, ...] = ()
        self.value = -1
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Timeline")
        self.setToolTip("Drag, or use Left and Right, to go through the steps")
        theme().changed.connect(self.update)

    def count(self) -> int:
        return len(self._thumbs)

    def set_count(self, count: int) -> None:
        self._thumbs = [None] * count
        self._breaks = ()
        self.value = count - 1
        self.update()

    def set_breaks(self, positions: Sequence[int]) -> None:
        self._breaks = tuple(positions)
        self.update()

    def set_thumbnail(self, index: int, picture: QImage) -> None:
        mode = Qt.TransformationMode.SmoothTransformation
        larger = max(picture.width(), picture.height()) > 2 * THUMB
        self._thumbs[index] = picture.scaledToHeight(2 * THUMB, mode) if larger else picture
        self.update()

    def set_value(self, index: int) -> None:
        index = min(max(index, 0), self.count() - 1)
        if index != self.value and self.count():
            self.value = index
            self.update()
            self.moved.emit(index)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours = theme()
        count = self.count()
        top, width = 2, self.width()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.color("sunken"))
        painter.drawRoundedRect(0, top, width, THUMB, 4, 4)
        if not count:
            return
        # As many thumbnails as fit, evenly taken from the steps.
        cells = max(1, min(count, width // THUMB))
        for cell in range(cells):
            image = self._thumbs[round(cell * (count - 1) / max(1, cells - 1))]
            if image is not None:
                side = min(THUMB, width / cells)
                target = QRectF(cell * width / cells + (width / cells - side) / 2, top + (THUMB - side) / 2, side, side)
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, image.width() > side)
                painter.drawImage(target, image, QRectF(image.rect()))
        x = self._x_of(self.value)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = top + THUMB + 7
        painter.setPen(QPen(colours.color("pressed"), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(4, track, width - 4, track)
        for step in self._breaks:
            between = round((self._x_of(step - 1) + self._x_of(step)) / 2)
            painter.fillRect(between - 3, top, 6, THUMB, colours.color("window"))
            painter.fillRect(between - 1, top, 2, track + 5 - top, colours.color("text"))
        accent = colours.color("accent" if self.isEnabled() else "disabled")
        painter.setPen(QPen(accent, 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(4, track, round(x), track)
        painter.setPen(QPen(accent, 2))
        painter.drawLine(round(x), top, round(x), track)
        painter.setBrush(colours.color("raised") if not self.hasFocus() else accent)
        painter.drawEllipse(QRectF(x - 6, track - 6, 12, 12))

    def _x_of(self, index: int) -> float:
        room = self.width() - 16
        return 8 + room * index / max(1, self.count() - 1)

    def _from_x(self, x: float) -> None:
        self.set_value(round((x - 8) / max(1, self.width() - 16) * (self.count() - 1)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._from_x(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._from_x(event.position().x())

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.set_value(self.value + (-1 if event.angleDelta().y() > 0 else 1))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: self.value - 1, Qt.Key.Key_Right: self.value + 1, Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: self.count() - 1, Qt.Key.Key_PageUp: self.value - 10, Qt.Key.Key_PageDown: self.value + 10,
        }  # fmt: skip
        key = Qt.Key(event.key())
        if key in steps:
            self.set_value(steps[key])
        elif key == Qt.Key.Key_Space:
            self.play_pressed.emit()
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(400, THUMB + 18)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, THUMB + 18)
