"""Cross-validation: the held-out error of every λ, the best one, and the simplest within one standard error."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.ui.plot import Legend, RulerPlot
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.elastic_net.results import Answer, Validated
from studio_plugins.elastic_net.words import ERROR, number

_LEGEND = (
    ("━", "series.0", "mean over the folds"), ("▒", "series.0", "± one standard error"), ("─", "faint", "single folds"),
    ("┈", "series.1", "least error + one standard error"), ("┃", "accent", "today's λ: drag it"),
)  # fmt: skip


class ErrorPlot(RulerPlot):
    """Mean and standard error over log λ; the single folds faintly behind."""

    strength = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("log₁₀ λ   (weak penalty ← → strong penalty)", "held-out error", parent)
        self._validated: Validated | None = None
        self.ruled.connect(lambda x: self.strength.emit(10.0**x))

    def show_curve(self, validated: Validated | None) -> None:
        self._validated = validated
        if validated is not None:
            self.set_labels(self._labels[0], f"held-out {ERROR[validated.problem.family]}")
        self.redraw()
        self.view.autoRange()

    def show_strength(self, strength: float) -> None:
        """Where today's λ is."""
        self.set_ruler(float(np.log10(strength)))

    def redraw(self) -> None:
        self.item.clear()
        if self._validated is None:
            return
        curve = self._validated.curve
        x, mean, error = np.log10(curve.strengths), curve.mean, curve.standard_error
        for i, fold in enumerate(curve.errors):
            self.item.plot(x, fold, pen=self.pen("faint", 1, 60), name=f"fold {i + 1}")
        band = [self.item.plot(x, mean + sign * error, pen=self.pen("series.0", 1, 90), name=name)
                for sign, name in ((1, "mean + standard error"), (-1, "mean − standard error"))]  # fmt: skip
        self.item.addItem(self.pg.FillBetweenItem(*band, brush=self.brush("series.0", 45)))
        self.item.plot(x, mean, pen=self.pen("series.0", 2), name="mean")
        limit = float(mean[curve.best] + error[curve.best])
        dotted = {"style": Qt.PenStyle.DotLine}
        self.item.addItem(
            self.pg.InfiniteLine(limit, angle=0, pen=self.pen("series.1", 1, **dotted)), ignoreBounds=True
        )
        for at, label, place in ((curve.best, "best", 0.96), (curve.simplest, "1 SE", 0.88)):
            pen = self.pen("series.1", 1, **dotted)
            options = {"position": place, "color": pen.color(), "anchors": [(0.5, 0.5), (0.5, 0.5)]}
            line = self.pg.InfiniteLine(float(x[at]), angle=90, pen=pen, label=label, labelOpts=options)
            self.item.addItem(line, ignoreBounds=True)
        found = [curve.best, curve.simplest]
        edge = self.pen("plot.background", 1)
        dots = self.pg.ScatterPlotItem(x=x[found], y=mean[found], size=9, brush=self.brush("series.1"), pen=edge)
        self.item.addItem(dots)
        self.draw_ruler()


class ValidationPage(QWidget):
    """The plot, what it says, and two buttons that take over what it found. Signals: `taken` (λ), `strength` (λ)."""

    taken = Signal(float)
    strength = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = ErrorPlot(self)
        self.plot.strength.connect(self.strength)
        self._sentence = QLabel(self)
        self._sentence.setWordWrap(True)
        self._best, self._simplest = QPushButton("Take the best λ", self), QPushButton("Take the 1-SE λ", self)
        self._simplest.setToolTip("The strongest penalty whose error is within one standard error of the least")
        self._best.clicked.connect(lambda _checked=False: self._take("best"))
        self._simplest.clicked.connect(lambda _checked=False: self._take("simplest"))
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        row.addWidget(self._sentence, 1)
        row.addWidget(self._best)
        row.addWidget(self._simplest)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addWidget(Legend(_LEGEND, self))
        layout.addWidget(self.plot, 1)
        layout.addLayout(row)
        self._shown: Validated | None = None
        self.show_curve(None)

    def show_curve(self, validated: Validated | None) -> None:
        """A finished cross-validation; None while one is still to come."""
        self._shown = validated
        self.plot.show_curve(validated)
        for button in (self._best, self._simplest):
            button.setEnabled(validated is not None)
        self._sentence.setText(sentence(validated) if validated is not None else "Cross-validation is on its way.")

    def show_problem(self, why: str) -> None:
        """There is no curve, and why."""
        self.show_curve(None)
        self._sentence.setText(why)

    def show_answer(self, answer: Answer) -> None:
        """Today's λ."""
        self.plot.show_strength(answer.penalty.strength)

    def text(self) -> str:
        return self._sentence.text()

    def _take(self, which: str) -> None:
        if self._shown is not None:
            self.taken.emit(float(self._shown.curve.strengths[getattr(self._shown.curve, which)]))


def sentence(validated: Validated) -> str:
    """What the curve says."""
    curve, used = validated.curve, validated.nonzero
    best, simple = curve.best, curve.simplest
    word = ERROR[validated.problem.family]
    text = (
        f"Least {word} {number(curve.mean[best])} ± {number(curve.standard_error[best])} at λ = "
        f"{number(curve.strengths[best])} with {used[best]:.0f} features. "
    )
    if best == len(curve.strengths) - 1:
        text += "The path ends there: let it go on (Advanced) to see whether less penalty is better still. "
    if simple == best:
        return text + "No stronger penalty is within one standard error of it."
    return text + (
        f"Within one standard error of it, λ = {number(curve.strengths[simple])} needs only {used[simple]:.0f}."
        if used[simple] < used[best]
        else f"Within one standard error of it, λ may grow to {number(curve.strengths[simple])}."
    )
