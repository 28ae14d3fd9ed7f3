"""Triangles at the foot of the plot, one for each inducing point: drag one, and the posterior is made of other places.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF

from studio.ml.gp.jet import Array
from studio.ui.theme import theme
from studio_plugins.gp.canvas import Canvas

SIZE_PX, FOOT_PX, REACH_PX = 11.0, 8.0, 9.0


class InducingMarks:
    """Shows places along x; `at` says which lies under a pixel."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._places: Array = np.empty(0)
        self._marks = pg.ScatterPlotItem(symbol="t1", size=SIZE_PX, pxMode=True, antialias=True)
        self._marks.setZValue(7.5)
        canvas.getPlotItem().addItem(self._marks, ignoreBounds=True)
        canvas.getViewBox().sigRangeChanged.connect(lambda *_: self._draw())
        canvas.getViewBox().sigResized.connect(lambda *_: self._draw())
        self.restyle()

    @property
    def places(self) -> Array:
        """Where they lie [m]."""
        return self._places

    def show(self, places: Array | None) -> None:
        """Places along x [m]; None shows none."""
        self._places = np.empty(0) if places is None else places
        self._draw()

    def at(self, pixel: QPointF) -> int:
        """The mark under a pixel, -1 where there is none."""
        if not len(self._places):
            return -1
        x, y = self._canvas.pixels(self._places, np.full(len(self._places), self._foot()))
        far = np.hypot(x - pixel.x(), y - pixel.y())
        index = int(np.argmin(far))
        return index if far[index] <= REACH_PX else -1

    def restyle(self) -> None:
        self._marks.setBrush(theme().color("series.3"))
        self._marks.setPen(pg.mkPen(theme().color("plot.background"), width=1))

    def _foot(self) -> float:
        low = self._canvas.getViewBox().viewRange()[1][0]
        return float(low + FOOT_PX * self._canvas.unit()[1])

    def _draw(self) -> None:
        self._marks.setVisible(len(self._places) > 0)
        if len(self._places):
            self._marks.setData(self._places, np.full(len(self._places), self._foot()))
