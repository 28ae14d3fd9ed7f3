"""How old the experience is that an agent learns from: a replay buffer's ages, against what an on-policy agent has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX, SPACE_S
from studio_plugins.rl.score_words import number

BINS, HEIGHT, FOOT = 24, 84, 16


class BufferCard(QWidget):
    """`show_ages` with the ages in steps of what was last learnt from, [n]."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bars = AgeBars(self)
        self.words = QLabel(self)
        self.words.setProperty("tone", "muted")
        self.words.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self.bars)
        layout.addWidget(self.words)

    def show_ages(self, ages: NDArray[np.int64] | None, *, on_policy: bool) -> None:
        """None or empty: nothing learnt yet, or an agent that keeps no experience."""
        some = ages is not None and len(ages) > 0
        self.bars.setVisible(some)
        self.bars.set_ages(ages if some and ages is not None else np.empty(0, dtype=np.int64))
        self.words.setText(age_words(ages if some else None, on_policy=on_policy))


def age_words(ages: NDArray[np.int64] | None, *, on_policy: bool) -> str:
    """What the ages mean."""
    if ages is None and on_policy:
        return "Always fresh: it learns only from what the present policy has just done, and then throws it away."
    if ages is None:
        return "Nothing has been learnt from memory yet."
    middle, oldest = float(np.median(ages)), int(ages.max())
    if on_policy:
        return (
            f"Fresh: made at most {number(oldest)} steps ago, by the policy that is being improved; after the update "
            "it is thrown away."
        )
    return (
        f"Half of what it learns from is older than {number(middle)} steps, the oldest {number(oldest)}: made by "
        "policies that it no longer follows. Only off-policy learning may do that."
    )


class AgeBars(QWidget):
    """A histogram from now (left) into the past."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.counts: NDArray[np.int64] = np.zeros(BINS, dtype=np.int64)
        self._oldest = 0
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Ages of the experience last learnt from")
        theme().changed.connect(self.update)

    def set_ages(self, ages: NDArray[np.int64]) -> None:
        self._oldest = int(ages.max(initial=0))
        self.counts = np.histogram(ages, BINS, (0, max(1, self._oldest)))[0]
        self.setAccessibleDescription(f"{len(ages)} samples, the oldest {self._oldest} steps old")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colours = QPainter(self), theme()
        font = self.font()
        font.setPixelSize(FONT_PX["small"])
        painter.setFont(font)
        floor, most = self.height() - FOOT, max(1, int(self.counts.max()))
        wide = self.width() / BINS
        for place, count in enumerate(self.counts.tolist()):
            high = (floor - 4) * count / most
            painter.fillRect(QRectF(place * wide + 0.5, floor - high, wide - 1, high), colours.color("series.0"))
        painter.setPen(colours.color("border_strong"))
        painter.drawLine(0, floor, self.width(), floor)
        painter.setPen(colours.color("faint"))
        foot = QRectF(0, floor, self.width(), FOOT)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft | middle, "now")
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight | middle, f"{number(self._oldest)} steps ago")
