"""Final scores over one swept setting, with their intervals and every seed; and the curves of cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, Signal
from PySide6.QtWidgets import QWidget

from studio.ui.plot import Plot, RulerPlot
from studio_plugins.rl.sweep_plan import Sweep, shown
from studio_plugins.rl.sweep_score import CellScore

_SEEDS_AT = 0.12
"""Where the dots of the seeds stand, right of their interval."""


class ScorePlot(RulerPlot):
    """Interquartile means at each value, evenly spaced as they were written. Signal: `placed` (which cell)."""

    placed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", "final return", parent)
        self._sweep: Sweep | None = None
        self._scores: Mapping[int, CellScore] = {}
        self._items: list[Any] = []
        self.view.disableAutoRange()
        self.item.getAxis("left").setWidth(56)
        self.ruled.connect(self._put)

    def show_scores(self, sweep: Sweep, scores: Mapping[int, CellScore]) -> None:
        """Of a sweep over one setting."""
        self._sweep, self._scores = sweep, scores
        axis = sweep.axes[0]
        self.set_labels(axis.label, "final return")
        self.item.getAxis("bottom").setTicks([[(k, shown(value)) for k, value in enumerate(axis.values)]])
        self.redraw()

    def click(self, place: QPointF) -> None:
        if self.view.sceneBoundingRect().contains(place):
            self._put(float(self.view.mapSceneToView(place).x()))

    def _put(self, x: float) -> None:
        if self._sweep is not None:
            self.placed.emit(int(np.clip(round(x), 0, len(self._sweep.axes[0].values) - 1)))

    def redraw(self) -> None:
        for item in self._items:
            self.item.removeItem(item)
        self._items = []
        found = sorted((k, score.final, score) for k, score in self._scores.items() if score.final is not None)
        values = [low for _, final, _ in found for low in (final.low, final.high)]
        if found:
            x = np.array([k for k, _, _ in found], dtype=float)
            y, low, high = np.array([tuple(final) for _, final, _ in found]).T
            pen = self.pen("series.0", 1.5)
            self._add(self.pg.ErrorBarItem(x=x, y=y, top=high - y, bottom=y - low, beam=0.12, pen=pen))
            self._add(self.pg.PlotDataItem(
                x, y, pen=self.pen("series.0", 2), symbol="o", symbolSize=8, symbolBrush=self.brush("series.0"),
                symbolPen=None,
            ))  # fmt: skip
            dots = [(k + _SEEDS_AT, o.score) for k, _, score in found for o in score.outcomes if o.score == o.score]
            values += [score for _, score in dots]
            seeds = np.array(dots).T
            self._add(self.pg.ScatterPlotItem(seeds[0], seeds[1], size=5, brush=self.brush("muted", 150), pen=None))
        self.item.removeItem(self.ruler)
        self.draw_ruler()
        low_end, high_end = (min(values), max(values)) if values else (-1.0, 0.0)
        room = 0.06 * (high_end - low_end or 1.0)
        last = len(self._sweep.axes[0].values) - 1 if self._sweep is not None else 1
        self.view.setRange(xRange=(-0.4, last + 0.4), yRange=(low_end - room, high_end + room), padding=0.0)

    def _add(self, item: Any) -> None:
        self.item.addItem(item, ignoreBounds=True)
        self._items.append(item)


class CellCurves(Plot):
    """The return of the chosen cell while it learnt, with its band and seeds; the other cells' centres behind it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("steps", "return", parent)
        self._scores: Mapping[int, CellScore] = {}
        self._chosen = 0
        self.item.getAxis("left").setWidth(56)

    def show_cell(self, scores: Mapping[int, CellScore], chosen: int) -> None:
        """Of these cells, that one."""
        self._scores, self._chosen = scores, chosen
        self.redraw()

    def redraw(self) -> None:
        self.item.clear()
        for number, score in self._scores.items():
            if number != self._chosen and score.band is not None:
                self.item.plot(score.band.x, score.band.centre, pen=self.pen("muted", 1, 90))
        chosen = self._scores.get(self._chosen)
        if chosen is None:
            return
        for outcome in chosen.outcomes:
            if len(outcome.curve):
                self.item.plot(outcome.curve.steps, outcome.curve.values, pen=self.pen("series.0", 1, 70))
        if chosen.band is not None:
            x, centre, low, high, _ = chosen.band
            ends = [self.pg.PlotDataItem(x, edge, pen=None) for edge in (low, high)]
            for end in ends:
                self.item.addItem(end)
            self.item.addItem(self.pg.FillBetweenItem(*ends, brush=self.brush("series.0", 50)))
            self.item.plot(x, centre, pen=self.pen("series.0", 2.5))
