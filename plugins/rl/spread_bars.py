"""Means with their deviations along one axis: what a Gaussian policy would do, one line for each part of the action."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.ui.theme import theme
from studio.ui.tokens import SPACE_S
from studio_plugins.rl.score_words import number

LINE, BAR = 24, 8


class SpreadBars(QWidget):
    """`set_spreads` with (name, mean, deviation): the mean is a tick, one deviation to each side a bar."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spreads: tuple[tuple[str, float, float], ...] = ()
        self._low, self._high = -1.0, 1.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)
        theme().changed.connect(self.update)
        self.set_spreads(())

    def set_spreads(self, spreads: Sequence[tuple[str, float, float]]) -> None:
        self._spreads = tuple(spreads)
        reach = max((abs(mean) + deviation for _, mean, deviation in spreads), default=1.0)
        if reach > self._high or reach < 0.4 * self._high:  # steady while the numbers move a little
            self._low, self._high = -1.25 * reach or -1.0, 1.25 * reach or 1.0
        self.setFixedHeight(LINE * len(spreads))
        told = (f"{name} {_words(mean, deviation)}" for name, mean, deviation in spreads)
        self.setAccessibleDescription("; ".join(told))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colours, metrics = QPainter(self), theme(), self.fontMetrics()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        names = max((metrics.horizontalAdvance(name) for name, *_ in self._spreads), default=0) + SPACE_S
        texts = metrics.horizontalAdvance("−0.0000 ± 0.0000") + SPACE_S
        width = max(10, self.width() - names - texts)
        for i, (name, mean, deviation) in enumerate(self._spreads):
            line = QRectF(0, i * LINE, self.width(), LINE)
            middle = line.center().y()
            painter.setPen(colours.color("muted"))
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
            painter.setPen(colours.color("text"))
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, _words(mean, deviation))
            scale = width / (self._high - self._low)
            zero, at = (names + (x - self._low) * scale for x in (0.0, mean))
            painter.fillRect(QRectF(names, middle - BAR / 2, width, BAR), colours.color("pressed"))
            spread = QRectF(at - deviation * scale, middle - BAR / 2, 2 * deviation * scale, BAR)
            painter.setOpacity(0.45)
            painter.fillRect(spread.intersected(QRectF(names, 0, width, self.height())), colours.color("series.0"))
            painter.setOpacity(1.0)
            painter.setPen(QPen(colours.color("border_strong"), 1))
            painter.drawLine(QPointF(zero, middle - BAR), QPointF(zero, middle + BAR))
            painter.setPen(QPen(colours.color("accent"), 2.5))
            painter.drawLine(QPointF(at, middle - BAR / 2 - 2), QPointF(at, middle + BAR / 2 + 2))


def _words(mean: float, deviation: float) -> str:
    return f"{number(mean, 3)} ± {number(deviation, 3)}"
