"""q, k and their products in every dimension of a head, as bars around nought."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from studio.ui.theme import theme
from studio_plugins.attention.results import PairProducts

BAND, GAP, NAME = 40, 8, 26


class ProductsView(QWidget):
    """Three rows of bars: q, k, and q·k·scale, whose sum is the score."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found: PairProducts | None = None
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("q, k and their products")
        theme().changed.connect(self.update)
        self.clear()

    def sizeHint(self) -> QSize:
        return QSize(240, self.height())

    def clear(self) -> None:
        """Nothing is pointed at."""
        self._found = None
        self.setFixedHeight(0)

    def show_products(self, found: PairProducts) -> None:
        self._found = found
        self.setFixedHeight(3 * BAND + 2 * GAP)
        self.setAccessibleDescription(f"{len(found.products)} dimensions, sum {float(found.products.sum()):.3f}")
        self.update()

    @property
    def found(self) -> PairProducts | None:
        """What is shown."""
        return self._found

    def paintEvent(self, _event: QPaintEvent) -> None:
        found = self._found
        if found is None:
            return
        painter, colours = QPainter(self), theme()
        for i, (name, values) in enumerate((("q", found.query), ("k", found.keys), ("q·k", found.products))):
            top = i * (BAND + GAP)
            painter.setPen(colours.color("muted"))
            painter.drawText(QRectF(0, top, NAME, BAND), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
            largest = float(np.abs(values).max()) or 1.0
            width = (self.width() - NAME) / len(values)
            middle = top + BAND / 2
            painter.setPen(colours.color("border"))
            painter.drawLine(NAME, round(middle), self.width(), round(middle))
            for k, value in enumerate(values):
                height = float(value) / largest * BAND / 2
                box = QRectF(NAME + k * width, middle - max(height, 0), max(1.0, width - (1 if width > 3 else 0)), abs(height))
                painter.fillRect(box, colours.color("accent" if value >= 0 else "series.1"))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        found = self._found
        if found is None:
            return
        place = int((event.position().x() - NAME) / (self.width() - NAME) * len(found.products))
        if 0 <= place < len(found.products):
            q, k, product = (float(values[place]) for values in (found.query, found.keys, found.products))
            text = f"dimension {place + 1}: q {q:.3f}, k {k:.3f}, q·k·scale {product:.3f}"
            QToolTip.showText(event.globalPosition().toPoint(), text, self)
