"""The two lines above a run's world, painted: what changes thirty times a second must not lay anything out anew."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.ui.theme import theme
from studio_plugins.rl.grid_paint import font
from studio_plugins.rl.overlays import short
from studio_plugins.rl.phase import WORDS, PhaseMeter

HEIGHT = 48
COLLECT, UPDATE = "series.3", "series.2"
"""Colours of the two phases."""
_CHIP, _METER, _NARROW = 22, 46, 420


@dataclass(frozen=True)
class Facts:
    """The numbers of a run: steps, episode and its return so far, steps per second where known."""

    steps: int = 0
    episode: int = 0
    total: float = 0.0
    rate: float | None = None

    def parts(self) -> list[str]:
        """The most important first."""
        told = [f"step {self.steps:,}", f"episode {self.episode:,}", f"return {short(self.total)}"]
        return told if self.rate is None else [*told, f"{self.rate:,.0f} steps/s"]


class TileHeader(QWidget):
    """Letter, title, badge and phase; below them the numbers."""

    def __init__(self, letter: str, title: str, colour: str, *, on_policy: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.letter, self.title, self.colour, self.on_policy = letter, title, colour, on_policy
        self.facts = Facts()
        self.phase = PhaseMeter()
        self.mode = ""
        self._still: tuple[object, QPixmap] | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(300, HEIGHT)

    @property
    def badge(self) -> str:
        return "on-policy" if self.on_policy else "off-policy"

    def phase_word(self) -> str:
        """What stands at the right: what is watched if not training, else the phase."""
        word = self.phase.word
        return self.mode or (WORDS[word] if word is not None else "not started")

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        ratio = self.devicePixelRatioF()
        key = (self.size(), ratio, self.title, self.badge, self.mode, theme().tokens, theme().font_scale)
        if self._still is None or self._still[0] != key:
            self._still = (key, self._painted_still(ratio))
        painter.drawPixmap(0, 0, self._still[1])
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_phase(painter, self.width() - 8)
        self._paint_facts(painter)

    def _painted_still(self, ratio: float) -> QPixmap:
        """Letter, title and badge, which stay as they are."""
        picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        picture.setDevicePixelRatio(ratio)
        colours = theme()
        picture.fill(colours.color("raised"))
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        chip = QRectF(8, 5, _CHIP, _CHIP)
        painter.setBrush(colours.color(self.colour))
        painter.drawRoundedRect(chip, 6, 6)
        painter.setPen(colours.color("raised"))
        painter.setFont(font("strong", bold=True))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, self.letter)
        left = int(chip.right()) + 8
        right = self._paint_badge(painter, left, self.width() - 8 - self._phase_room()[0] - 12)
        painter.setFont(font("strong", bold=True))
        painter.setPen(colours.color("text"))
        room = QRect(left, 5, max(0, right - left), _CHIP)
        shown = painter.fontMetrics().elidedText(self.title, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, shown)
        painter.end()
        return picture

    def _phase_room(self) -> tuple[int, bool]:
        """Width of the bar and its word, fixed so that nothing beside it moves; and whether words must be short."""
        metrics = QFontMetrics(font("small"))
        narrow = self.width() < _NARROW
        words = (self.mode,) if narrow else (*WORDS.values(), self.mode)
        return max(_METER, *(metrics.horizontalAdvance(word) for word in words)), narrow

    def _paint_phase(self, painter: QPainter, right: int) -> None:
        """The two-coloured bar and the word above it."""
        colours, word = theme(), self.phase_word()
        wide, narrow = self._phase_room()
        left = right - wide
        share = None if self.mode else self.phase.share
        painter.setFont(font("small"))
        painter.setPen(colours.color("muted"))
        text = word if not narrow or self.mode or word != WORDS["both"] else "both"
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
        painter.drawText(QRect(left - 20, 3, wide + 20, 16), flags, text)
        bar = QRectF(left, 20, wide, 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.color("pressed"))
        painter.drawRoundedRect(bar, 2.5, 2.5)
        if share is not None:
            split = bar.left() + bar.width() * share
            for token, box in ((COLLECT, QRectF(bar.left(), 20, split - bar.left(), 5)), (UPDATE, QRectF(split, 20, bar.right() - split, 5))):
                if box.width() >= 1:
                    painter.setBrush(colours.color(token))
                    painter.drawRoundedRect(box, 2.5, 2.5)

    def _paint_badge(self, painter: QPainter, left: int, right: int) -> int:
        """On or off policy: always shown, the title gives way."""
        colours = theme()
        painter.setFont(font("small"))
        width = painter.fontMetrics().horizontalAdvance(self.badge) + 14
        painter.setFont(font("strong", bold=True))
        title = painter.fontMetrics().horizontalAdvance(self.title) + 8
        x = max(left, min(left + title, right - width))
        tint = QColor(colours.color("success" if self.on_policy else "warning"))
        soft = colours.color("success_soft" if self.on_policy else "warning_soft")
        box = QRectF(x, 8, width, 17)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(soft)
        painter.drawRoundedRect(box, 8.5, 8.5)
        painter.setPen(tint)
        painter.setFont(font("small"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.badge)
        return x - 6

    def _paint_facts(self, painter: QPainter) -> None:
        """As many of the numbers as there is room for."""
        painter.setFont(font("small"))
        painter.setPen(theme().color("muted"))
        room = QRect(9, 29, self.width() - 18, 16)
        parts = self.facts.parts()
        while len(parts) > 1 and painter.fontMetrics().horizontalAdvance("  ·  ".join(parts)) > room.width():
            parts.pop()
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, "  ·  ".join(parts))
