"""log p(y) as the sum of its three terms, as bars and as numbers."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ml.gp.exact import Evidence
from studio.ui.cards import FormulaCard
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX, SPACE_S

_FORMULA = "log <i>p</i>(<b>y</b>) = −½ <b>r</b>ᵀ<i>K</i>⁻¹<b>r</b> − ½ log |<i>K</i>| − <i>n</i>/2 log 2π"
_NUMBERS = "$total = $fit + $complexity + $constant"
_NOTE = (
    "Fit: how well the points agree with the model. Complexity: the price of flexibility. Fit maximises the sum, so a "
    "model that explains less with less wins."
)
_ROWS = (("fit", "data fit", "series.0"), ("complexity", "complexity", "series.1"), ("constant", "constant", "muted"))
_ROW_PX, _NAME_PX, _NUMBER_PX = 22, 74, 66


class LikelihoodCard(QWidget):
    """Formula and bars; a second evidence, of before, is drawn as thin lines to compare with."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._formula = FormulaCard(_FORMULA, _NUMBERS, _NOTE, self)
        self._bars = _Bars(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self._bars)
        layout.addWidget(self._formula)

    def show_bars(self, evidence: Evidence) -> None:
        """Show these terms as bars; the formula follows when the hand rests (text is laid out anew at each change)."""
        self._bars.show_evidence(evidence)

    def show_evidence(self, evidence: Evidence) -> None:
        """Show these terms."""
        self.show_bars(evidence)
        evidence = _unsigned_zeros(evidence)
        self._formula.set_numbers(
            {
                "total": f"{evidence.total + 0.0:.2f}",
                **{name: f"{value:.2f}" if value >= 0 else f"(−{-value:.2f})" for name, value in evidence._asdict().items()},
            }
        )

    def text(self) -> str:
        """The numbers, as rich text."""
        return self._formula.text()


class _Bars(QWidget):
    """One bar for each term, from a common zero, and the sum below."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._evidence: Evidence | None = None
        self.setFixedHeight(_ROW_PX * (len(_ROWS) + 1) + 4)
        self.setAccessibleName("Terms of the log marginal likelihood")
        theme().changed.connect(self.update)

    def show_evidence(self, evidence: Evidence) -> None:
        self._evidence = _unsigned_zeros(evidence)
        self.setAccessibleDescription(f"log marginal likelihood {evidence.total:.3f}")
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = self.font()
        font.setPixelSize(FONT_PX["small"])
        painter.setFont(font)
        terms = self._evidence._asdict() if self._evidence is not None else dict.fromkeys(("fit", "complexity", "constant"), 0.0)
        total = sum(terms.values())
        low, high = min(0.0, *terms.values(), total), max(0.0, *terms.values(), total)
        room = self.width() - _NAME_PX - _NUMBER_PX - 8
        scale = room / ((high - low) or 1.0)
        zero = _NAME_PX - low * scale
        for row, (name, title, token) in enumerate((*_ROWS, ("", "sum", "text"))):
            value = terms[name] if name else total
            self._row(painter, row, title, token, value, zero, scale)
        painter.setPen(theme().color("border_strong"))
        painter.drawLine(int(zero), 0, int(zero), self.height())

    def _row(self, painter: QPainter, row: int, title: str, token: str, value: float, zero: float, scale: float) -> None:
        top, colours = row * _ROW_PX + (4 if row == len(_ROWS) else 0), theme()
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(colours.color("muted"))
        painter.drawText(QRectF(0, top, _NAME_PX - 8, _ROW_PX), middle | Qt.AlignmentFlag.AlignLeft, title)
        painter.fillRect(QRectF(min(zero, zero + value * scale), top + 5, abs(value) * scale, _ROW_PX - 10), colours.color(token))
        painter.setPen(colours.color("text"))
        shown = f"{value:.2f}".replace("-", "−") if self._evidence is not None else "–"
        box = QRectF(self.width() - _NUMBER_PX, top, _NUMBER_PX, _ROW_PX)
        painter.drawText(box, middle | Qt.AlignmentFlag.AlignRight, shown)


def _unsigned_zeros(evidence: Evidence) -> Evidence:
    """Without points the terms are −0.0, which would be written with its sign."""
    return Evidence(*(term + 0.0 for term in evidence))
