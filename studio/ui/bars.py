"""Shares as bars: one line each with a name, a bar of one or several parts, and the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.ui.theme import theme
from studio.ui.tokens import SPACE_S

LINE, BAR, NAME_MOST = 22, 10, 110


@dataclass(frozen=True)
class Bar:
    """A line: name, parts of the bar as (share of its full width, colour of the theme), and what stands behind it."""

    name: str
    parts: tuple[tuple[float, str], ...]
    text: str


class Bars(QWidget):
    """`set_bars` shows them; `clicked` gives the line a person clicked, where `clickable`."""

    clicked = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None, *, clickable: bool = False) -> None:
        super().__init__(parent)
        self._bars: tuple[Bar, ...] = ()
        self._current = -1
        self._clickable = clickable
        if clickable:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        theme().changed.connect(self.update)
        self.set_bars(())

    def set_bars(self, bars: Sequence[Bar], current: int = -1) -> None:
        """Show these and no others; `current` is set apart."""
        self._bars, self._current = tuple(bars), current
        self.setFixedHeight(LINE * len(bars))
        self.setAccessibleDescription("; ".join(f"{bar.name} {bar.text}" for bar in bars))
        self.update()

    def bars(self) -> tuple[Bar, ...]:
        return self._bars

    def sizeHint(self) -> QSize:
        return QSize(240, LINE * len(self._bars))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colours, metrics = QPainter(self), theme(), self.fontMetrics()
        names = min(NAME_MOST, max((metrics.horizontalAdvance(bar.name) for bar in self._bars), default=0) + 2)
        texts = max((metrics.horizontalAdvance(bar.text) for bar in self._bars), default=0) + 2
        middle = Qt.AlignmentFlag.AlignVCenter
        for i, bar in enumerate(self._bars):
            line = QRect(0, i * LINE, self.width(), LINE)
            if i == self._current:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colours.color("accent_soft"))
                painter.drawRoundedRect(line.adjusted(0, 1, 0, -1), 4, 4)
            painter.setPen(colours.color("text" if i == self._current else "muted"))
            name = metrics.elidedText(bar.name, Qt.TextElideMode.ElideRight, names)
            painter.drawText(line.adjusted(4, 0, 0, 0), Qt.AlignmentFlag.AlignLeft | middle, name)
            painter.drawText(line.adjusted(0, 0, -4, 0), Qt.AlignmentFlag.AlignRight | middle, bar.text)
            left, width = names + 4 + SPACE_S, self.width() - names - texts - 8 - 2 * SPACE_S
            self._draw_parts(painter, QRectF(left, line.center().y() - BAR / 2, max(4, width), BAR), bar.parts)

    def _draw_parts(self, painter: QPainter, box: QRectF, parts: Sequence[tuple[float, str]]) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillRect(box, theme().color("pressed"))
        x = box.left()
        for share, token in parts:
            width = box.width() * min(1.0, max(0.0, share))
            painter.fillRect(QRectF(x, box.top(), width, box.height()), theme().color(token))
            x += width

    def mousePressEvent(self, event: QMouseEvent) -> None:
        line = int(event.position().y()) // LINE
        if self._clickable and 0 <= line < len(self._bars):
            self.clicked.emit(line)
