"""Two handles on the plot: a lying ruler as long as the length-scale, a standing one as high as the noise.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF
from PySide6.QtGui import QFont

from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX
from studio_plugins.gp.canvas import Canvas

LENGTH, NOISE = "length", "noise"
GRIP_PX = 9.0
_FEET_PX = {LENGTH: (18.0, 20.0), NOISE: (18.0, 44.0)}  # where each begins, from the lower left of the axes
_SHARE = 0.7  # of the axes: how far a ruler is drawn that is longer than they are


class Rulers:
    """Shows both values; `at` says which grip lies under a pixel. A value of None has no ruler."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._values: dict[str, float | None] = {LENGTH: None, NOISE: None}
        self._lines = {name: pg.PlotCurveItem(antialias=True) for name in self._values}
        self._grips = {name: pg.ScatterPlotItem(size=GRIP_PX, symbol="s", pxMode=True) for name in self._values}
        self._labels = {name: pg.TextItem(anchor=(0.0, 0.5)) for name in self._values}
        small = QFont(canvas.font())
        small.setPixelSize(FONT_PX["small"])
        for name in self._values:
            self._labels[name].setFont(small)
            for item in (self._lines[name], self._grips[name], self._labels[name]):
                item.setZValue(8)
                canvas.getPlotItem().addItem(item, ignoreBounds=True)
        canvas.getViewBox().sigRangeChanged.connect(lambda *_: self._place())
        canvas.getViewBox().sigResized.connect(lambda *_: self._place())
        self.restyle()

    def show(self, length: float | None, noise: float | None) -> None:
        """The length-scale in units of x, and the standard deviation of the noise in units of y."""
        self._values = {LENGTH: length, NOISE: noise}
        self._place()

    def value(self, name: str) -> float | None:
        return self._values[name]

    def at(self, pixel: QPointF) -> str:
        """The name of the grip under a pixel, empty where there is none."""
        for name, value in self._values.items():
            if value is not None:
                end = self._end(name, value)
                if math.hypot(pixel.x() - end.x(), pixel.y() - end.y()) <= GRIP_PX:
                    return name
        return ""

    def pulled(self, name: str, before: float, dx: float, dy: float) -> float:
        """The value of a ruler whose grip was taken at `before` and moved by (dx, dy) in units of the axes.

        A ruler that fits into the plot follows the pointer; one too long for it grows by a factor.
        """
        way, pixel, room = (dx, self._canvas.unit()[0], self._room()[0]) if name == LENGTH else (
            dy, self._canvas.unit()[1], self._room()[1]
        )  # fmt: skip
        if before > room:
            return before * math.exp(2.0 * way / room)
        return max(before + way, 1.5 * pixel)

    def restyle(self) -> None:
        for name, token in ((LENGTH, "series.1"), (NOISE, "series.4")):
            colour = theme().color(token)
            self._lines[name].setPen(pg.mkPen(colour, width=2))
            self._grips[name].setBrush(colour)
            self._grips[name].setPen(pg.mkPen(theme().color("plot.background"), width=1))
            self._labels[name].setColor(colour)

    def _room(self) -> tuple[float, float]:
        """How much of the axes a ruler may cover."""
        (left, right), (low, high) = self._canvas.getViewBox().viewRange()
        return _SHARE * (right - left), _SHARE * (high - low)

    def _foot(self, name: str) -> tuple[float, float]:
        (left, _), (low, _) = self._canvas.getViewBox().viewRange()
        wide, high = self._canvas.unit()
        return left + _FEET_PX[name][0] * wide, low + _FEET_PX[name][1] * high

    def _tip(self, name: str, value: float) -> tuple[float, float]:
        x, y = self._foot(name)
        room = self._room()
        return (x + min(value, room[0]), y) if name == LENGTH else (x, y + min(value, room[1]))

    def _end(self, name: str, value: float) -> QPointF:
        x, y = self._tip(name, value)
        wide, high = self._canvas.pixels(np.array([x]), np.array([y]))
        return QPointF(float(wide[0]), float(high[0]))

    def _place(self) -> None:
        wide = self._canvas.unit()[0]
        for name, value in self._values.items():
            for item in (self._lines[name], self._grips[name], self._labels[name]):
                item.setVisible(value is not None)
            if value is None:
                continue
            (x, y), tip = self._foot(name), self._tip(name, value)
            self._lines[name].setData([x, tip[0]], [y, tip[1]])
            self._grips[name].setData([tip[0]], [tip[1]])
            self._labels[name].setText(f"{'ℓ' if name == LENGTH else 'σ'} = {value:.3g}")
            self._labels[name].setPos(tip[0] + 8 * wide, tip[1])
