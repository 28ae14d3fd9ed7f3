"""The text as its tokens, coloured by where the token pointed at looks; pointing at one points at it everywhere."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QLabel, QScrollArea, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from studio.ml.attention.values import Reading
from studio.ui.theme import theme
from studio_plugins.attention.results import Array
from studio_plugins.attention.sight import Sight
from studio_plugins.attention.words import visible_word

LINE, PAD, GAP, MOST = 24, 5, 3, 4000
"""Height of a line; room inside and between tokens, pixels; tokens that are laid out at most."""


class TokenStrip(QWidget):
    """Tokens of the rows (asks) or of the columns (looked at) of the map."""

    def __init__(self, sight: Sight, *, columns: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sight, self._of_columns = sight, columns
        self._boxes: list[QRectF] = []
        self._words: list[str] = []
        self._hover = -1
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Tokens looked at" if columns else "Tokens that look")
        for signal in (sight.pointed, sight.lined, sight.mapped, sight.shaded, sight.grew):
            signal.connect(self.update)
        sight.chose.connect(self._lay_out)
        theme().changed.connect(self.update)

    @property
    def reading(self) -> Reading | None:
        """What is laid out."""
        return self._sight.columns if self._of_columns else self._sight.rows

    def box(self, index: int) -> QRectF:
        """Where a token is."""
        return self._boxes[index]

    def _lay_out(self) -> None:
        reading = self.reading
        self._words = [visible_word(word) for word in reading.words[:MOST]] if reading is not None and reading.grid is None else []
        self._boxes, x, y = [], 0.0, 0.0
        metrics = self.fontMetrics()
        for word in self._words:
            width = metrics.horizontalAdvance(word) + 2 * PAD
            if x and x + width > self.width():
                x, y = 0.0, y + LINE
            self._boxes.append(QRectF(x, y, width, LINE - GAP))
            x += width + GAP
        self.setFixedHeight(int(y) + LINE if self._boxes else 0)
        self.updateGeometry()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._lay_out()

    def sizeHint(self) -> QSize:
        return QSize(300, LINE)

    def _weights(self) -> Array | None:
        return self._sight.along_row() if self._of_columns else self._sight.along_column()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colours = QPainter(self), theme()
        weights = self._weights()
        # One strip for a text that looks at itself: it is coloured by what is pointed at, a row or a column.
        if weights is None and self._sight.square:
            weights = self._sight.along_column() if self._of_columns else self._sight.along_row()
        top = float(np.nanmax(weights)) if weights is not None and len(weights) and not np.isnan(weights).all() else 1.0
        accent, text = colours.color("accent"), colours.color("text")
        mine = self._sight.column if self._of_columns else self._sight.row
        other = self._sight.row if self._of_columns and self._sight.square else -1
        for i, (box, word) in enumerate(zip(self._boxes, self._words, strict=True)):
            if not box.intersects(QRectF(event.rect())):
                continue
            share = 0.0
            if weights is not None and i < len(weights) and not np.isnan(weights[i]):
                share = float(weights[i]) / max(top, 1e-12)
            fill = QColor(accent)
            fill.setAlphaF(0.85 * share**0.5)
            painter.setPen(QPen(accent if i == mine else text if i == other else colours.color("border"), 2 if i in (mine, other) else 1))
            painter.setBrush(fill)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
            painter.setPen(colours.color("on_accent") if share > 0.55 else text)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, word)

    def token_at(self, at: QPointF) -> int:
        """The token under a point, -1 for none."""
        return next((i for i, box in enumerate(self._boxes) if box.contains(at)), -1)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        token = self.token_at(event.position())
        if token != self._hover:
            self._hover = token
            self._point(token, pin=False)
        weights = self._weights()
        if token >= 0 and weights is not None and token < len(weights):
            text = f"{self._words[token]}  {'masked' if np.isnan(weights[token]) else f'{weights[token]:.4f}'}"
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        token = self.token_at(event.position())
        self._sight.point(-1, -1, pin=True)
        if token >= 0:
            self._point(token, pin=True)

    def _point(self, token: int, *, pin: bool) -> None:
        if self._sight.square:  # the token that looks
            self._sight.point(token, -1, pin=pin)
        elif self._of_columns:
            self._sight.point(-1, token, pin=pin)
        else:
            self._sight.point(token, -1, pin=pin)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover = -1
        self._sight.point(-1, -1)


class Strips(QScrollArea):
    """One strip where a text looks at itself, two where it looks across; hidden for pictures."""

    def __init__(self, sight: Sight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sight = sight
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        body = QWidget(self)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.setSpacing(4)
        self.asks, self.looked = TokenStrip(sight, columns=False, parent=body), TokenStrip(sight, columns=True, parent=body)
        self._asks_title, self._looked_title = QLabel("Looks", body), QLabel("Is looked at", body)
        for title in (self._asks_title, self._looked_title):
            title.setProperty("tone", "faint")
        for widget in (self._asks_title, self.asks, self._looked_title, self.looked):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.setWidget(body)
        sight.chose.connect(self._show)

    def _show(self) -> None:
        across = not self._sight.square
        rows, columns = self._sight.rows, self._sight.columns
        for widget in (self._asks_title, self._looked_title):
            widget.setVisible(across)
        self.asks.setVisible(across and rows is not None and rows.grid is None)
        self.looked.setVisible(columns is not None and columns.grid is None)
        self.setVisible(bool(rows is not None and columns is not None and (rows.grid is None or columns.grid is None)))
        self.setFixedHeight(118 if across else 66)
