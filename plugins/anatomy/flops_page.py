"""Operations over the length of a sequence: what grows with T and what with T², and where they cross."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio.ml.anatomy.flops import crossing, crossing_words
from studio.ui.plot import Legend, RulerPlot
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.anatomy.results import Look
from studio_plugins.anatomy.words import flops_words, percent, plain

LONGEST, POINTS = 1 << 20, 161
PARTS = (
    ("projections", "series.0", "projections, O(T·D²)"),
    ("ffn", "series.1", "feed-forward, O(T·D²)"),
    ("scores", "series.4", "scores and their mix, O(T²·D)"),
)
_LEGEND = (
    *(("■", token, words) for _, token, words in PARTS),
    ("╌", "text", "where they cross"),
    ("●", "text", "counted"),
)


def drawn(look: Look) -> tuple[object, ...]:
    """What the curves depend on; the length is not among it, so that a drag of the line draws no curve."""
    return look.stack, look.request.batch, look.source_for(1), look.source_for(LONGEST)


def lengths() -> np.ndarray[Any, np.dtype[np.float64]]:
    """The lengths that are drawn."""
    return np.geomspace(16, LONGEST, POINTS)


class CostPlot(RulerPlot):
    """Operations of all layers over T, both axes in powers of ten."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("tokens T", "FLOP of all layers", parent)
        self._look: Look | None = None
        self._dot: Any = None
        self.item.setLogMode(x=True, y=True)
        self.setMinimumHeight(200)

    def show_look(self, look: Look) -> None:
        same = self._look is not None and drawn(self._look) == drawn(look)
        self._look = look
        if same:
            self._mark()
        else:
            self.redraw()

    def redraw(self) -> None:
        self.item.clear()
        look = self._look
        if look is None or look.stack is None:
            return
        x = lengths()
        costs = [look.cost(round(value)) for value in x]
        for name, token, words in PARTS:
            y = np.array([getattr(cost, name) for cost in costs], dtype=np.float64)
            self.item.plot(x, y, pen=self.pen(token, 2), name=words)
        total = np.array([float(cost.total) for cost in costs])
        self.item.plot(x, total, pen=self.pen("muted", 1.5, style=Qt.PenStyle.DashLine), name="all")
        self._upright(crossing(look.stack.block).rest)
        self._dot = self.item.plot(
            [], [], pen=None, symbol="o", symbolSize=9, symbolBrush=self.brush("text"),
            symbolPen=self.pen("plot.background", 1), name="counted",
        )  # fmt: skip
        self.draw_ruler()
        self._mark()
        self.view.setXRange(float(np.log10(x[0])), float(np.log10(x[-1])), padding=0.01)

    def _mark(self) -> None:
        """The line at today's length, and the dot of what was counted."""
        look = self._look
        if look is None or look.stack is None or self._dot is None:
            return
        self.set_ruler(float(np.log10(max(1, look.tokens))))
        metered = look.measured.metered if look.measured is not None else None
        seen = metered.stacks.get(look.stack.path, 0) if metered is not None else 0
        self._dot.setData([look.tokens] if seen else [], [float(seen)] if seen else [])

    def _upright(self, at: float) -> None:
        dashes = self.pen("text", 1.5, style=Qt.PenStyle.DashLine)
        line = self.pg.InfiniteLine(pos=np.log10(max(at, 1.0)), angle=90, pen=dashes)
        ink, sides = self.pen("text").color(), [(1, 0.5), (0, 0.5)]
        label = self.pg.InfLineLabel(line, text=f"T = {at:,.0f}", position=0.06, color=ink, anchors=sides)
        label.setParentItem(line)
        self.item.addItem(line, ignoreBounds=True)


class SharePlot(RulerPlot):
    """The same as shares of all operations, one above another."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("tokens T", "share of operations, %", parent)
        self._look: Look | None = None
        self.item.setLogMode(x=True, y=False)
        self.setMinimumHeight(150)

    def show_look(self, look: Look) -> None:
        same = self._look is not None and drawn(self._look) == drawn(look)
        self._look = look
        if same:
            self.set_ruler(float(np.log10(max(1, look.tokens))))
        else:
            self.redraw()

    def redraw(self) -> None:
        self.item.clear()
        look = self._look
        if look is None or look.stack is None:
            return
        x = lengths()
        costs = [look.cost(round(value)) for value in x]
        below = self.item.plot(x, np.zeros(len(x)), pen=self.pen("plot.background", 1))
        stacked = np.zeros(len(x))
        for name, token, words in PARTS:
            stacked = stacked + np.array([100 * getattr(cost, name) / cost.total for cost in costs])
            above = self.item.plot(x, stacked, pen=self.pen("plot.background", 1), name=words)
            self.item.addItem(self.pg.FillBetweenItem(below, above, brush=self.brush(token, 170)))
            below = above
        half = self.pg.InfiniteLine(pos=50, angle=0, pen=self.pen("text", 1, style=Qt.PenStyle.DotLine))
        self.item.addItem(half, ignoreBounds=True)
        at = crossing(look.stack.block).rest
        dashes = self.pen("text", 1.5, style=Qt.PenStyle.DashLine)
        line = self.pg.InfiniteLine(pos=np.log10(max(at, 1.0)), angle=90, pen=dashes)
        self.item.addItem(line, ignoreBounds=True)
        self.draw_ruler()
        self.set_ruler(float(np.log10(max(1, look.tokens))))
        self.view.setXRange(float(np.log10(x[0])), float(np.log10(x[-1])), padding=0.01)
        self.view.setYRange(0, 100, padding=0)


class FlopsPage(QWidget):
    """Signal: `tokens` (T), while the line in a plot is dragged."""

    tokens = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cost, self.share = CostPlot(self), SharePlot(self)
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_S)
        for widget, stretch in ((Legend(_LEGEND, self), 0), (self.cost, 3), (self.share, 2), (self._words, 0)):
            layout.addWidget(widget, stretch)
        for plot in (self.cost, self.share):
            plot.ruled.connect(lambda x: self.tokens.emit(int(min(LONGEST, max(1, round(10**x))))))

    def show_look(self, look: Look) -> None:
        self.cost.show_look(look)
        self.share.show_look(look)
        self._words.setText(sentence(look))

    def words(self) -> str:
        return self._words.text()


def sentence(look: Look) -> str:
    """What the plots show at this length."""
    if look.stack is None:
        return "No layers that the formulas know were found, so there is nothing to draw."
    cost, at = look.cost(), crossing(look.stack.block)
    measured = look.measured
    told = (
        f"At T = {look.tokens:,} all {look.stack.layers} layers take {flops_words(cost.total)}, "
        f"{percent(cost.scores / cost.total)} of it grows with T². The T² part costs more than everything else from "
        f"{plain(crossing_words(look.stack.block))} = {at.rest:,.0f} tokens on, more than the feed-forward network "
        f"alone from {at.ffn:,.0f}. "
    )
    if measured is not None and measured.metered is not None:
        seen = measured.metered.stacks.get(look.stack.path, 0)
        told += f"Counted by torch: {seen:,}; by the formula: {cost.total:,}; ratio {seen / cost.total:.6f}."
    elif measured is not None:
        told += measured.problem
    elif look.anatomy.blueprint.own:
        told += "By the formula alone: torch counts models of transformers only."
    else:
        told += "Torch is counting…"
    training = flops_words(3 * cost.total)
    return f"{told} Training takes about three times as much, {training}: the way back costs two ways forwards."
