"""log p(y) as the sum of its three terms, as bars and as numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ui.cards import FormulaCard
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX, SPACE_S

_EXACT_NOTE = (
    "Fit: how well the points agree with the model. Complexity: the price of flexibility. Fit maximises the sum, so a "
    "model that explains less with less wins."
)
_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "exact": (
            "log <i>p</i>(<b>y</b>) = −½ <b>r</b>ᵀ<i>K</i>⁻¹<b>r</b> − ½ log |<i>K</i>| − <i>n</i>/2 log 2π", _EXACT_NOTE
        ),
        "sparse": (
            "log <i>p</i>(<b>y</b>) ≥ log N(<b>r</b> | 0, <i>Q</i> + σ²<i>I</i>) − Σ (<i>k<sub>ii</sub></i> − <i>q<sub>ii</sub></i>) / 2σ²",
            "Q = K_nm K_mm⁻¹ K_mn is what the inducing points say. Slack: what they leave undetermined at the points; 0 where "
            "they determine f.",
        ),
        "stochastic": (
            "log <i>p</i>(<b>y</b>) ≥ Σ E<sub><i>q</i></sub>[log N(<i>y</i> | <i>f</i>, σ²)] − KL(<i>q</i>(<b>u</b>) | <i>p</i>(<b>u</b>))",
            "q(u): a Gaussian of its own over the values at the inducing points, learned from batches. On the way the bound is "
            "estimated from one batch.",
        ),
        "student": (
            "log <i>p</i>(<b>y</b>) ≥ Σ log <i>t</i><sub>ν</sub>(√E[(<i>y</i> − <i>f</i>)²] / σ) − KL(<i>q</i>(<i>f</i>) | <i>p</i>(<i>f</i>))",
            "A lower bound: f and the weights of the points are taken as independent.",
        ),
        "classes": (
            "log <i>q</i>(<b>y</b>) = log <i>p</i>(<b>y</b> | <b>f̂</b>) − ½ <b>f̂</b>ᵀ<i>K</i>⁻¹<b>f̂</b> − ½ log |<i>B</i>|",
            "Laplace: the posterior of f as a Gaussian around its mode f̂. Fit: how well the labels agree with f̂; complexity: "
            "the price of f̂ and of the room around it.",
        ),
    }
)
_TITLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "fit": ("data fit", "series.0"), "complexity": ("complexity", "series.1"), "constant": ("constant", "muted"),
        "slack": ("slack", "series.3"),
    }
)  # fmt: skip
_ROW_PX, _NAME_PX, _NUMBER_PX = 22, 74, 66


class LikelihoodCard(QWidget):
    """Formula and bars of log p(y), or of what stands for it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._formula = FormulaCard(*_words("exact", ("fit", "complexity", "constant")), self)
        self._bars = _Bars(self)
        self._shown: tuple[str, ...] = ("exact", "fit", "complexity", "constant")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self._bars)
        layout.addWidget(self._formula)

    def show_bars(self, terms: Mapping[str, float]) -> None:
        """Show these terms as bars; the formula follows when the hand rests (text is laid out anew at each change)."""
        self._bars.show_terms(_without_signed_zeros(terms))

    def show_terms(self, way: str, terms: Mapping[str, float]) -> None:
        """Show the terms that a way to the posterior has; they add up to log p(y), or to what stands for it."""
        self.show_bars(terms)
        terms = _without_signed_zeros(terms)
        if (way, *terms) != self._shown:
            self._shown = (way, *terms)
            symbols, numbers, note = _words(way, tuple(terms))
            self._formula.set_formula(symbols, numbers)
            self._formula.set_note(note)
        parts = {name: f"{value:.2f}" if value >= 0 else f"(−{-value:.2f})" for name, value in terms.items()}
        self._formula.set_numbers({"sum": f"{math.fsum(terms.values()) + 0.0:.2f}".replace("-", "−"), **parts})

    def text(self) -> str:
        """The numbers, as rich text."""
        return self._formula.text()


class _Bars(QWidget):
    """One bar for each term, from a common zero, and the sum below."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._terms: dict[str, float] = {}
        self.setAccessibleName("Terms of the log marginal likelihood")
        theme().changed.connect(self.update)
        self.setFixedHeight(_ROW_PX * 4 + 4)

    def show_terms(self, terms: Mapping[str, float]) -> None:
        if len(terms) != len(self._terms):
            rows = len(terms) + 1 if len(terms) > 1 else 1
            self.setFixedHeight(_ROW_PX * rows + 4)
        self._terms = dict(terms)
        self.setAccessibleDescription(f"sum {math.fsum(terms.values()):.3f}")
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = self.font()
        font.setPixelSize(FONT_PX["small"])
        painter.setFont(font)
        total = math.fsum(self._terms.values())
        rows = [(*_TITLES.get(name, (name, "series.0")), value) for name, value in self._terms.items()] if len(self._terms) > 1 else []
        rows.append(("sum" if rows else "bound", "text", total))
        values = [value for _title, _token, value in rows]
        low, high = min(0.0, *values), max(0.0, *values)
        room = self.width() - _NAME_PX - _NUMBER_PX - 8
        scale = room / ((high - low) or 1.0)
        zero = _NAME_PX - low * scale
        for row, (title, token, value) in enumerate(rows):
            self._row(painter, row * _ROW_PX + (4 if row and row == len(rows) - 1 else 0), title, token, value, zero, scale)
        painter.setPen(theme().color("border_strong"))
        painter.drawLine(int(zero), 0, int(zero), self.height())

    def _row(self, painter: QPainter, top: int, title: str, token: str, value: float, zero: float, scale: float) -> None:
        colours = theme()
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(colours.color("muted"))
        painter.drawText(QRectF(0, top, _NAME_PX - 8, _ROW_PX), middle | Qt.AlignmentFlag.AlignLeft, title)
        painter.fillRect(QRectF(min(zero, zero + value * scale), top + 5, abs(value) * scale, _ROW_PX - 10), colours.color(token))
        painter.setPen(colours.color("text"))
        shown = f"{value:.2f}".replace("-", "−") if self._terms else "–"
        box = QRectF(self.width() - _NUMBER_PX, top, _NUMBER_PX, _ROW_PX)
        painter.drawText(box, middle | Qt.AlignmentFlag.AlignRight, shown)


def _words(way: str, names: tuple[str, ...]) -> tuple[str, str, str]:
    """Formula, the line for its numbers, and a note."""
    symbols, note = _WORDS[way]
    numbers = f"$sum = {' + '.join(f'${name}' for name in names)}" if len(names) > 1 else "$sum"
    return symbols, numbers, note


def _without_signed_zeros(terms: Mapping[str, float]) -> dict[str, float]:
    """Without points the terms are −0.0, which would be written with its sign."""
    return {name: value + 0.0 for name, value in terms.items()}
