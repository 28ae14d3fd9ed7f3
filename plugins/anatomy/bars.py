"""Bars with their arithmetic on show: a heading, and under it a line for each value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QPen
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from studio.ui.theme import theme
from studio_plugins.anatomy.sheet import Sheet, tinted

ROW, HEAD, NOTE, MARGIN, LABEL, VALUE = 44.0, 30.0, 18.0, 16.0, 190.0, 110.0


@dataclass(frozen=True)
class Bar:
    """label; value, which gives the length; what is written beside it; the arithmetic under it; guessed: hatched, for
    what is no measurement and no exact count. segments: (value, colour token) in place of one bar.
    """

    label: str
    value: float
    text: str
    arithmetic: str = ""
    colour: str = "series.0"
    guessed: bool = False
    segments: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Group:
    """Bars that share a scale, under a heading; notes below them."""

    heading: str
    bars: tuple[Bar, ...]
    notes: tuple[str, ...] = ()


class Bars(Sheet):
    """Groups of bars from top to bottom."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._groups: tuple[Group, ...] = ()
        self.setAccessibleName(name)

    def show_groups(self, groups: Sequence[Group]) -> None:
        """Other bars."""
        if tuple(groups) != self._groups:
            self._groups = tuple(groups)
            self.redraw()

    def words(self) -> str:
        """Everything written, for tests and readers."""
        lines = []
        for group in self._groups:
            lines += [group.heading, *(f"{bar.label}: {bar.text} = {bar.arithmetic}" for bar in group.bars), *group.notes]
        return "\n".join(lines)

    def draw(self, width: float) -> tuple[float, float]:
        used = max(width - 2, 460.0)
        y = MARGIN
        for group in self._groups:
            self.text(group.heading, MARGIN, y, size="title", bold=True, width=used - 2 * MARGIN)
            y += HEAD
            longest = max((bar.value for bar in group.bars), default=0.0)
            for bar in group.bars:
                self._draw_bar(bar, y, used, longest)
                y += ROW
            for note in group.notes:
                for line in self._lines(note, used - 2 * MARGIN):
                    self.text(line, MARGIN, y, token="faint", size="small")
                    y += NOTE
            y += MARGIN
        return used, y

    def _draw_bar(self, bar: Bar, y: float, width: float, longest: float) -> None:
        left = MARGIN + LABEL
        room = width - left - VALUE - MARGIN
        self.text(bar.label, MARGIN, y + 2, width=LABEL - 10)
        track = QRectF(left, y + 2, room, 16)
        self.box(track, theme().color("sunken"), None, radius=3)
        x = left
        for value, token in bar.segments or ((bar.value, bar.colour),):
            length = room * value / longest if longest else 0.0
            item = QGraphicsRectItem(QRectF(x, y + 2, max(length, 1.0 if value else 0.0), 16), self.root)
            item.setPen(QPen(Qt.PenStyle.NoPen))
            item.setBrush(QBrush(tinted(token, 0.45) if bar.guessed else theme().color(token)))
            if bar.guessed:
                hatch = QGraphicsRectItem(item.rect(), self.root)
                hatch.setPen(QPen(Qt.PenStyle.NoPen))
                hatch.setBrush(QBrush(theme().color(token), Qt.BrushStyle.BDiagPattern))
            x += length
        self.text(bar.text, width - MARGIN, y + 2, bold=True, align="right", width=VALUE)
        if bar.arithmetic:
            self.text(bar.arithmetic, left, y + 21, token="muted", size="small", width=width - left - MARGIN)

    def _lines(self, note: str, width: float) -> list[str]:
        """A note in as many lines as it needs."""
        from PySide6.QtGui import QFontMetricsF

        from studio_plugins.anatomy.sheet import font_of

        metrics = QFontMetricsF(font_of("small"))
        lines, line = [], ""
        for word in note.split():
            longer = f"{line} {word}".strip()
            if line and metrics.horizontalAdvance(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        return [*lines, line]
