"""Bars with their arithmetic on show: a heading, and under it a line for each value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QFontMetricsF, QPen
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from studio.ui.theme import theme
from studio_plugins.anatomy.sheet import Sheet, font_of, tinted

ROW, HEAD, NOTE, MARGIN, LABEL, VALUE = 44.0, 30.0, 18.0, 16.0, 190.0, 110.0


@dataclass(frozen=True)
class Bar:
    """label; value, which gives the length; what is written beside it; the arithmetic under it; guessed: hatched, for
    what is no measurement and no exact count. segments: (value, colour token, arithmetic) in place of one bar.
    """

    label: str
    value: float
    text: str
    arithmetic: str = ""
    colour: str = "series.0"
    guessed: bool = False
    segments: tuple[tuple[float, str, str], ...] = ()


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
        lines: list[str] = []
        for group in self._groups:
            lines.append(group.heading)
            for bar in group.bars:
                terms = (words for _, _, words in bar.segments)
                lines.append(" ".join((f"{bar.label}: {bar.text} =", *terms, bar.arithmetic)))
            lines += group.notes
        return "\n".join(lines)

    def draw(self, width: float) -> tuple[float, float]:
        used = max(width - 2, 460.0)
        y = MARGIN
        for group in self._groups:
            self.text(group.heading, MARGIN, y, size="title", bold=True, width=used - 2 * MARGIN)
            y += HEAD
            longest = max((bar.value for bar in group.bars), default=0.0)
            for bar in group.bars:
                y += self._draw_bar(bar, y, used, longest)
            for note in group.notes:
                for line in self._lines(note, used - 2 * MARGIN):
                    self.text(line, MARGIN, y, token="faint", size="small")
                    y += NOTE
            y += MARGIN
        return used, y

    def _draw_bar(self, bar: Bar, y: float, width: float, longest: float) -> float:
        """Returns its height."""
        left = MARGIN + LABEL
        room = width - left - VALUE - MARGIN
        self.text(bar.label, MARGIN, y + 2, width=LABEL - 10)
        track = QRectF(left, y + 2, room, 16)
        self.box(track, theme().color("sunken"), None, radius=3)
        x = left
        for value, token, _words in bar.segments or ((bar.value, bar.colour, ""),):
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
        below = y + 21
        if bar.segments:
            below = self._draw_terms(bar, left, below, width - MARGIN)
        for line in self._lines(bar.arithmetic, width - left - MARGIN) if bar.arithmetic else ():
            self.text(line, left, below, token="muted", size="small")
            below += NOTE - 3
        return max(ROW, below - y + 10)

    def _draw_terms(self, bar: Bar, left: float, y: float, right: float) -> float:
        """What each colour of a bar is, in as many lines as that needs; returns where the next line begins."""
        metrics = QFontMetricsF(font_of("small"))
        x = left
        for _value, token, words in bar.segments:
            wide = metrics.horizontalAdvance(words) + 26
            if x > left and x + wide > right:
                x, y = left, y + NOTE - 3
            self.box(QRectF(x, y + 3, 8, 8), theme().color(token), None, radius=2)
            self.text(words, x + 12, y, token="muted", size="small", width=right - x - 12)
            x += wide
        return y + NOTE - 3

    def _lines(self, note: str, width: float) -> list[str]:
        """A note in as many lines as it needs."""
        metrics = QFontMetricsF(font_of("small"))
        lines, line = [], ""
        for word in note.split():
            longer = f"{line} {word}".strip()
            if line and metrics.horizontalAdvance(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        return [*lines, line]
