"""Soft-thresholding step by step: one coefficient's turn after another, with its true numbers."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from studio.ml.linear.penalty import soft_threshold
from studio.ui.plot import Legend, Plot
from studio.ui.theme import theme
from studio.ui.timeline import Timeline
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.elastic_net.results import Answer
from studio_plugins.elastic_net.words import number

MAX_BARS = 40
_LEGEND = (
    ("■", "accent", "whose turn it is"),
    ("■", "series.7", "the others"),
    ("━", "series.1", "the solution"),
    ("▒", "series.1", "|ρ| ≤ λα: becomes zero"),
    ("╌", "faint", "without a penalty"),
)


class CoefficientBars(Plot):
    """Coefficients after a turn as bars, the solution as ticks; the one whose turn it was in colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", "coefficient", parent)
        self._answer: Answer | None = None
        self._at = 0
        self._features: list[int] = []
        self.view.setMouseEnabled(x=False, y=False)

    def show_answer(self, answer: Answer) -> None:
        """Choose which features have a bar: all, or the largest of the solution."""
        self._answer = answer
        size = np.abs(answer.fit.coef).max(axis=0) + 1e-9 * np.abs(answer.known.path.coef[-1]).max(axis=0)
        self._features = sorted(int(j) for j in np.argsort(-size, kind="stable")[:MAX_BARS])
        self.item.getAxis("bottom").setTicks(
            [[(i, _short(answer.problem.names[j])) for i, j in enumerate(self._features)]]
        )
        reach = max((abs(u.after) for u in answer.updates), default=1.0)
        self.view.setRange(xRange=(-0.7, len(self._features) - 0.3), yRange=(-1.1 * reach, 1.1 * reach), padding=0)

    def show_step(self, index: int) -> None:
        self._at = index
        self.redraw()

    def redraw(self) -> None:
        self.item.clear()
        if self._answer is None or not self._answer.updates:
            return
        update = self._answer.updates[self._at]
        x, k = np.arange(len(self._features)), update.output
        turn = [j == update.feature for j in self._features]
        brushes = [self.brush("accent" if own else "series.7", 255 if own else 120) for own in turn]
        bars = self.pg.BarGraphItem(x=x, height=update.coef[k, self._features], width=0.7, brushes=brushes, pen=None)
        self.item.addItem(bars)
        solution = self._answer.fit.coef[k, self._features]
        ticks = self.pg.ErrorBarItem(
            x=x, y=solution, left=np.full(len(x), 0.42), right=np.full(len(x), 0.42), pen=self.pen("series.1", 2)
        )
        self.item.addItem(ticks)


class ThresholdPlot(Plot):
    """S(ρ, λα)/(a + λ(1 − α)) over ρ, and where this turn's ρ falls on it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("ρ: pull of the data on the coefficient", "new coefficient", parent)
        self.view.setMouseEnabled(x=False, y=False)
        self._answer: Answer | None = None
        self._at = 0

    def show_answer(self, answer: Answer) -> None:
        self._answer = answer
        reach = 1.15 * max([abs(u.rho) for u in answer.updates] + [1.5 * answer.penalty.l1])
        self.view.setXRange(-reach, reach, padding=0)
        top = max([abs(u.after) for u in answer.updates] + [np.finfo(float).tiny])
        self.view.setYRange(-1.15 * top, 1.15 * top, padding=0)

    def show_step(self, index: int) -> None:
        self._at = index
        self.redraw()

    def redraw(self) -> None:
        self.item.clear()
        if self._answer is None or not self._answer.updates:
            return
        update, penalty = self._answer.updates[self._at], self._answer.penalty
        reach = 1.2 * max([abs(u.rho) for u in self._answer.updates] + [1.5 * penalty.l1])
        rho = np.linspace(-reach, reach, 401)
        dead = self.pg.LinearRegionItem(
            [-penalty.l1, penalty.l1], movable=False, brush=self.brush("series.1", 36), pen=self.pen("series.1", 1)
        )
        self.item.addItem(dead, ignoreBounds=True)
        plain = rho / update.curvature if update.curvature > 0 else np.zeros_like(rho)
        self.item.plot(rho, plain, pen=self.pen("faint", 1, style=Qt.PenStyle.DashLine), name="no penalty")
        curved = soft_threshold(rho, penalty.l1) / (update.curvature + penalty.l2)
        self.item.plot(rho, curved, pen=self.pen("series.0", 2), name="soft threshold")
        dashed = self.pen("accent", 1, style=Qt.PenStyle.DotLine)
        self.item.plot([update.rho, update.rho, -2 * reach], [0.0, update.after, update.after], pen=dashed)
        dot = self.pg.ScatterPlotItem(
            x=[update.rho], y=[update.after], size=12, brush=self.brush("accent"), pen=self.pen("plot.background", 1.5)
        )
        self.item.addItem(dot)


class StepsPage(QWidget):
    """Bars, threshold and objective of every turn, with a timeline below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._answer: Answer | None = None
        self.bars, self.threshold = CoefficientBars(self), ThresholdPlot(self)
        self.objective = Plot("turn", "objective", self)
        self.objective.setMaximumHeight(170)
        self.objective.view.setMouseEnabled(x=False, y=False)
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.RichText)
        self.timeline = Timeline(self)
        self.timeline.moved.connect(self._show_step)
        plots = QSplitter(Qt.Orientation.Horizontal, self)
        plots.addWidget(self.bars)
        plots.addWidget(self.threshold)
        plots.setSizes([520, 420])
        row = QHBoxLayout()
        row.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, 0)
        row.addWidget(self._words)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addLayout(row)
        legend = Legend(_LEGEND, self)
        legend.setContentsMargins(SPACE_M, 0, SPACE_M, 0)
        layout.addWidget(legend)
        layout.addWidget(plots, 1)
        layout.addWidget(self.objective)
        layout.addWidget(self.timeline)
        theme().changed.connect(self._redraw)

    def show_answer(self, answer: Answer) -> None:
        """The turns of an answer that has them; the place is kept where that is possible."""
        before, at = self._answer, self.timeline.value
        self._answer = answer
        for plot in (self.bars, self.threshold):
            plot.show_answer(answer)
        self.timeline.set_count(len(answer.updates))
        self.timeline.set_labels([_short(answer.problem.names[update.feature]) for update in answer.updates])
        kept = before is not None and before.known is answer.known and 0 <= at < len(answer.updates)
        self.timeline.set_value(at if kept else 0)
        self._show_step(self.timeline.value)

    def text(self) -> str:
        return self._words.text()

    def _redraw(self) -> None:
        if self._answer is not None:
            self._show_step(self.timeline.value)

    def _show_step(self, index: int) -> None:
        if self._answer is None or not 0 <= index < len(self._answer.updates):
            return
        self.bars.show_step(index)
        self.threshold.show_step(index)
        self._words.setText(sentence(self._answer, index))
        self.objective.item.clear()
        values = [update.objective for update in self._answer.updates]
        self.objective.item.plot(
            np.arange(1, len(values) + 1), values, pen=self.objective.pen("series.0", 2), name="objective"
        )
        self.objective.item.addItem(
            self.objective.pg.InfiniteLine(index + 1, angle=90, pen=self.objective.pen("accent", 1))
        )


def sentence(answer: Answer, index: int) -> str:
    """One turn in numbers: whose it is, what pulls, what is left of it."""
    update, penalty, problem = answer.updates[index], answer.penalty, answer.problem
    accent = theme().tokens["accent"]
    of_class = f" of {problem.classes[update.output]}" if problem.outputs > 1 else ""
    who = f"Sweep {update.sweep}, <b>{problem.names[update.feature]}</b>{of_class}: "
    rule = f"S({number(update.rho)}, {number(penalty.l1)}) / ({number(update.curvature)} + {number(penalty.l2)})"
    left = (
        f"|ρ| ≤ λα = {number(penalty.l1)}, so the coefficient becomes <b>exactly 0</b>"
        if update.after == 0
        else f'w ← {rule} = <span style="color:{accent}; font-weight:600;">{number(update.after)}</span>'
    )
    gap = float(np.abs(update.coef - answer.fit.coef).max())
    before = f"(before: {number(update.before)})"
    return f"{who}ρ = {number(update.rho)}, {left} {before}. Farthest from the solution: {number(gap)}."


def _short(name: str) -> str:
    return name if len(name) <= 9 else f"{name[:8]}…"
