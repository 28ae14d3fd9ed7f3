"""Tokens written along the rows and columns of a map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter

from studio.ui.theme import theme
from studio_plugins.attention.words import visible_word

HALF = 8
"""Half the height of a line, pixels."""


@dataclass(frozen=True)
class Axis:
    """Tokens, the places of those that are written, and the place of the one that stands out."""

    words: Sequence[str]
    places: Iterable[int]
    marked: int

    def written(self) -> Iterable[tuple[str, int]]:
        """Each with its place."""
        return ((visible_word(self.words[place]), place) for place in self.places if 0 <= place < len(self.words))


def paint_rows(painter: QPainter, axis: Axis, right: float, box: QRectF, middle: Callable[[int], float]) -> None:
    """Beside the map, ending at `right`; `middle` gives the height of a row."""
    for word, place in axis.written():
        y = middle(place)
        if box.top() - 1 <= y <= box.bottom():
            painter.setPen(theme().color("accent" if place == axis.marked else "muted"))
            text = painter.fontMetrics().elidedText(word, Qt.TextElideMode.ElideRight, int(right) - 4)
            painter.drawText(QRectF(0, y - HALF, right, 2 * HALF), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)


def paint_columns(
    painter: QPainter, axis: Axis, bottom: float, box: QRectF, middle: Callable[[int], float], *, steep: bool
) -> None:  # fmt: skip
    """Above the map, beginning at `bottom` and rising; upright where columns are narrow."""
    for word, place in axis.written():
        x = middle(place)
        if box.left() - 1 <= x <= box.right():
            painter.save()
            painter.translate(x, bottom)
            painter.rotate(-90 if steep else -50)
            painter.setPen(theme().color("accent" if place == axis.marked else "muted"))
            text = painter.fontMetrics().elidedText(word, Qt.TextElideMode.ElideRight, int(bottom) - 2)
            painter.drawText(QRectF(0, -HALF, bottom + 6, 2 * HALF), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
            painter.restore()
