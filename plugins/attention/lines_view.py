"""Tokens on the left look at tokens on the right: a line for every weight that can be seen, as strong as the weight."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from studio.ui.theme import theme
from studio_plugins.attention import painting
from studio_plugins.attention.results import Array
from studio_plugins.attention.sight import Sight
from studio_plugins.attention.words import visible_word

LINE, COLUMN, MOST, LEAST_WEIGHT, MOST_LINES = 20, 130, 600, 0.02, 6000
"""Height of a token and width of a column, pixels; tokens a side; the weight from which a line is drawn; lines at most."""


class LinesView(QWidget):
    """The lines of the head looked at."""

    def __init__(self, sight: Sight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sight = sight
        self._values: Array | None = None
        self._pairs: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._words: tuple[list[str], list[str]] = ([], [])
        self._text = ""
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Lines between tokens")
        for signal in (sight.mapped, sight.chose, sight.shaded, sight.grew):
            signal.connect(self.take)
        sight.pointed.connect(self.update)
        theme().changed.connect(self.update)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._pairs[0]) if self._pairs is not None else 0

    def take(self) -> None:
        """The map of the sight, as lines."""
        sight = self._sight
        values, rows, columns = sight.values(), sight.rows, sight.columns
        self._pairs, self._text = None, ""
        if sight.map is not None and (values is None or max(values.shape) > MOST):
            self._text = f"Lines are drawn up to {MOST} tokens; this map has {max(sight.map.shape):,}. Look at the map."
        elif values is not None and rows is not None and columns is not None:
            self._values = painting.shown(values, sight.shading, square=sight.square)
            if sight.limit is not None:
                self._values = self._values[: sight.limit, : sight.limit if sight.square else None]
            found = np.nan_to_num(self._values)
            where = np.argwhere(found >= LEAST_WEIGHT)
            weights = found[where[:, 0], where[:, 1]]
            order = np.argsort(weights)[-MOST_LINES:]  # strong ones are drawn last
            self._pairs = where[order, 0], where[order, 1], weights[order]
            names = [[visible_word(word) for word in reading.words] for reading in (rows, columns)]
            self._words = names[0][: self._values.shape[0]], names[1][: self._values.shape[1]]
        most = max(len(self._words[0]), len(self._words[1])) if self._pairs is not None else 0
        self.setMinimumHeight(max(200, 24 + LINE * most))
        self.update()

    def _sides(self) -> tuple[float, float]:
        middle, half = self.width() / 2, min(260.0, self.width() / 2 - COLUMN - 8)
        return middle - half, middle + half

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colours = QPainter(self), theme()
        painter.fillRect(event.rect(), colours.color("sunken"))
        if self._pairs is None:
            painter.setPen(colours.color("muted"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(QRectF(self.rect()).adjusted(16, 16, -16, -16), flags, self._text)
            return
        left, right = self._sides()
        row, column = self._sight.row, self._sight.column
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        accent, faint = colours.color("accent"), QColor(colours.color("faint"))
        for i, j, weight in zip(*self._pairs, strict=True):
            told = row in (-1, i) and column in (-1, j)
            colour = QColor(accent if told else faint)
            colour.setAlphaF(min(1.0, float(weight) ** 0.7) if told else 0.05)
            painter.setPen(QPen(colour, 0.8 + 3 * float(weight) if told else 0.8))
            painter.drawLine(QPointF(left + 4, self._middle(i)), QPointF(right - 4, self._middle(j)))
        along_row = self._values[row] if self._values is not None and 0 <= row < len(self._values) else None
        along_column = self._values[:, column] if self._values is not None and 0 <= column < self._values.shape[1] else None
        for words, x, align, mine, weights in (
            (self._words[0], left - COLUMN, Qt.AlignmentFlag.AlignRight, row, along_column),
            (self._words[1], right, Qt.AlignmentFlag.AlignLeft, column, along_row),
        ):
            for k, word in enumerate(words):
                box = QRectF(x, self._middle(k) - LINE / 2, COLUMN, LINE)
                if not box.intersects(QRectF(event.rect())):
                    continue
                if weights is not None and k < len(weights) and weights[k] >= LEAST_WEIGHT:
                    fill = QColor(accent)
                    fill.setAlphaF(0.5 * min(1.0, float(weights[k]) ** 0.7))
                    painter.fillRect(box.adjusted(0, 1, 0, -1), fill)
                painter.setPen(accent if k == mine else colours.color("text"))
                text = painter.fontMetrics().elidedText(word, Qt.TextElideMode.ElideRight, COLUMN - 10)
                painter.drawText(box.adjusted(5, 0, -5, 0), align | Qt.AlignmentFlag.AlignVCenter, text)

    def _middle(self, index: int) -> float:
        return 12 + LINE * (index + 0.5)

    def _token_at(self, at: QPointF) -> tuple[int, int]:
        left, right = self._sides()
        index = int((at.y() - 12) // LINE)
        if at.x() <= left and 0 <= index < len(self._words[0]):
            return index, -1
        if at.x() >= right and 0 <= index < len(self._words[1]):
            return -1, index
        return -1, -1

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._sight.point(*self._token_at(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._sight.point(-1, -1, pin=True)
        self._sight.point(*self._token_at(event.position()), pin=True)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._sight.point(-1, -1)


class LinesPage(QWidget):
    """The view in a scrolling frame."""

    def __init__(self, sight: Sight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        self.view = LinesView(sight, area)
        area.setWidget(self.view)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)
