"""pyqtgraph's plot as the studio uses it, with axes whose numbers never touch: one level of round ticks, as many as there
is room for.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyqtgraph as pg
from PySide6.QtGui import QFont, QFontMetricsF
from PySide6.QtWidgets import QGraphicsItem, QWidget

from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX

_GAP = 14  # pixels between two numbers side by side
_ROUND = (1, 2, 5, 10)


class PlotAxis(pg.AxisItem):  # type: ignore[misc]
    """pyqtgraph labels two levels of ticks at once, which collide in a narrow column and mix numbers of digits.

    Kept as a picture between changes of its range: drawing its grid anew takes longer than all curves together.
    """

    def __init__(self, side: str) -> None:
        super().__init__(side)
        self.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self.enableAutoSIPrefix(False)  # "step (x1e+03)" says less than 2000

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """The smallest round distance, in units of the axis, at which the numbers stay apart over `size` pixels."""
        span = abs(maxVal - minVal)
        if self.logMode or not math.isfinite(span) or span == 0 or size <= 0:
            return list(super().tickSpacing(minVal, maxVal, size))
        font = self.style["tickFont"]
        metrics = QFontMetricsF(font if font is not None else QFont())
        spacing = 10.0 ** math.floor(math.log10(span / max(size, 1)))
        while True:
            for factor in _ROUND:
                step = factor * spacing
                if step / span * size >= self._room(metrics, minVal, maxVal, step):
                    return [(step, 0)]
            spacing *= 10

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """All numbers with the same digits after the point; very large and very small ones as powers of ten."""
        if self.logMode or not abs(spacing * scale) > 0:  # a logarithmic axis has no spacing
            return list(super().tickStrings(values, scale, spacing))
        step = abs(spacing * scale)
        shown = [value * scale + 0.0 for value in values]
        if step < 1e-5 or max((abs(value) for value in shown), default=0.0) >= 1e7:
            return [f"{value:.6g}" for value in shown]
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        return [f"{0.0 if abs(value) < step / 2 else value:.{places}f}" for value in shown]

    def _room(self, metrics: QFontMetricsF, low: float, high: float, step: float) -> float:
        """Pixels that one number of this axis takes with the gap to the next."""
        if self.orientation in ("left", "right"):
            return 2.0 * metrics.height()
        ends = [math.floor(low / step) * step, math.ceil(high / step) * step]
        return max(metrics.horizontalAdvance(text) for text in self.tickStrings(ends, 1.0, step)) + _GAP


class BarePlot(pg.PlotWidget):  # type: ignore[misc]
    """A plot without menus. axes: others than `PlotAxis`, by their side."""

    def __init__(self, parent: QWidget | None = None, *, axes: Mapping[str, pg.AxisItem] | None = None, view_box: Any = None) -> None:
        sides = {side: PlotAxis(side) for side in ("bottom", "left") if side not in (axes or {})}
        super().__init__(parent, axisItems={**sides, **(axes or {})}, viewBox=view_box, enableMenu=False)
        self.setMenuEnabled(False)  # of a view box that was given, too
        keep_menu(self.getPlotItem(), self)


def keep_menu(item: pg.PlotItem, owner: QWidget) -> None:
    """Let the menu of a plot, which pyqtgraph makes in any case and gives no parent, go with its owner.

    Else Python destroys it whenever its garbage collector comes by, in the midst of any call of Qt; one that held the very
    lock which a widget's end needs was seen to wait for ever.
    """
    item.ctrlMenu.setParent(owner, item.ctrlMenu.windowFlags())


def style_axes(plot: pg.PlotWidget, labels: tuple[str, str]) -> None:
    """Give a plot the theme's background, grid, axes and the labels (x, y); call it again when the theme changes."""
    colours, item = theme(), plot.getPlotItem()
    small = QFont(plot.font())
    small.setPixelSize(FONT_PX["small"])
    plot.setBackground(colours.color("plot.background"))
    item.showGrid(x=True, y=True, alpha=0.12)
    for side, text in (("bottom", labels[0]), ("left", labels[1])):
        axis = item.getAxis(side)
        axis.setPen(colours.color("plot.grid"))
        axis.setTextPen(colours.color("plot.axis"))
        axis.setStyle(tickLength=0, tickFont=small, hideOverlappingLabels=True)
        if text:
            axis.setLabel(text, **{"color": colours.tokens.plot["axis"], "font-size": f"{FONT_PX['small']}px"})
