"""Measured online returns over ε with their errors, and below them the gap between on-policy and off-policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ml.rl.experiment import Mean
from studio.ml.rl.lockstep import Rule
from studio.ui.plot import Legend, RulerPlot
from studio.ui.tokens import SPACE_S
from studio_plugins.rl.measurement import RULES, Point

TITLES: Mapping[Rule, str] = MappingProxyType(
    {"sarsa": "Sarsa", "expected_sarsa": "Expected Sarsa", "q_learning": "Q-learning"}
)
COLOURS: Mapping[Rule, str] = MappingProxyType(
    {"sarsa": "series.0", "expected_sarsa": "series.3", "q_learning": "series.1"}
)
GAP_COLOUR = "series.2"


class OverEpsilon(RulerPlot):
    """Means with error bars at each ε, evenly spaced from the most exploration to none. Signal: `placed` (which ε)."""

    placed = Signal(int)

    def __init__(self, y_label: str, parent: QWidget | None = None, *, zero: bool = False) -> None:
        super().__init__("exploration ε", y_label, parent)
        self._epsilons: tuple[float, ...] = ()
        self._lines: tuple[tuple[str, str, Mapping[float, Mean]], ...] = ()
        self._zero = zero
        self._items: list[Any] = []
        self.view.disableAutoRange()
        self.item.getAxis("left").setWidth(56)
        self.ruled.connect(lambda x: self._put(x))

    def set_epsilons(self, epsilons: Sequence[float]) -> None:
        """What stands along the axis."""
        self._epsilons = tuple(epsilons)
        self.item.getAxis("bottom").setTicks([[(k, f"{epsilon:g}") for k, epsilon in enumerate(epsilons)]])
        self.redraw()

    def set_lines(self, lines: Sequence[tuple[str, str, Mapping[float, Mean]]]) -> None:
        """(name, colour, mean by ε) for each line."""
        self._lines = tuple(lines)
        self.redraw()

    def click(self, place: QPointF) -> None:
        if self.view.sceneBoundingRect().contains(place):
            self._put(float(self.view.mapSceneToView(place).x()))

    def _put(self, x: float) -> None:
        if self._epsilons:
            self.placed.emit(int(np.clip(round(x), 0, len(self._epsilons) - 1)))

    def redraw(self) -> None:
        for item in self._items:
            self.item.removeItem(item)
        self._items = []
        lows, highs = ([0.0], [0.0]) if self._zero else ([], [])
        if self._zero:
            self._add(self.pg.InfiniteLine(0.0, angle=0, pen=self.pen("muted", 1, style=Qt.PenStyle.DashLine)))
        for k, (name, colour, means) in enumerate(self._lines):
            places = [place for place, epsilon in enumerate(self._epsilons) if epsilon in means]
            told = [means[self._epsilons[place]] for place in places]
            x = np.array(places, dtype=float) + 0.05 * (k - (len(self._lines) - 1) / 2)
            y = np.array([mean.mean for mean in told])
            error = np.nan_to_num(np.array([mean.error for mean in told]))
            self._add(self.pg.ErrorBarItem(x=x, y=y, height=2 * error, beam=0.12, pen=self.pen(colour, 1.5)))
            self._add(self.pg.PlotDataItem(
                x, y, name=name, pen=self.pen(colour, 2), symbol="o", symbolSize=7, symbolPen=None,
                symbolBrush=self.brush(colour),
            ))  # fmt: skip
            lows += (y - error).tolist()
            highs += (y + error).tolist()
        self.item.removeItem(self.ruler)
        self.draw_ruler()
        low, high = (min(lows), max(highs)) if lows else (-1.0, 0.0)
        room = (high - low) or 1.0
        xs = (-0.4, max(1, len(self._epsilons) - 1) + 0.4)
        self.view.setRange(xRange=xs, yRange=(low - 0.06 * room, high + 0.06 * room), padding=0.0)
        self.item.getAxis("left").setStyle(showValues=len(lows) > self._zero)

    def _add(self, item: Any) -> None:
        self.item.addItem(item, ignoreBounds=True)
        self._items.append(item)


class ExperimentPlots(QWidget):
    """Returns above, the gap below. Signal: `placed` (which ε a hand put the ruler on)."""

    placed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.returns, self.gap = OverEpsilon("online return", self), OverEpsilon("Sarsa − Q-learning", self, zero=True)
        self.legend = Legend([*(("━", COLOURS[rule], TITLES[rule]) for rule in RULES)], self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self.legend)
        for plot, stretch in ((self.returns, 3), (self.gap, 2)):
            layout.addWidget(plot, stretch)
            plot.placed.connect(self.placed)

    def set_epsilons(self, epsilons: Sequence[float]) -> None:
        for plot in (self.returns, self.gap):
            plot.set_epsilons(epsilons)

    def show_points(self, points: Mapping[float, Point]) -> None:
        """All that has been measured, by ε."""
        lines = [
            (TITLES[rule], COLOURS[rule], {epsilon: point.scores[rule].online for epsilon, point in points.items()})
            for rule in RULES
        ]
        self.returns.set_lines(lines)
        gaps = {epsilon: point.difference for epsilon, point in points.items()}
        self.gap.set_lines([("Sarsa − Q-learning", GAP_COLOUR, gaps)])

    def place(self, at: int) -> None:
        """The ruler on one ε."""
        for plot in (self.returns, self.gap):
            plot.set_ruler(at)
            plot.ruler.setValue(at)
