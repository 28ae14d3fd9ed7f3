"""What is drawn on the function plot, from back to front, in the theme's colours.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from studio.ui.theme import theme
from studio_plugins.gp.points import Points
from studio_plugins.gp.shapes import Band, Bars

Array = npt.NDArray[np.float64]

BAND_SHARES = (0.17, 0.33)
"""How much of the colour the outer and the inner band have, the rest is background. Mixed here and drawn opaque: blending
half the window's pixels at each step of a drag takes longer than everything else together."""
POINT_PX, CHOSEN_PX = 9, 12
MANY = 400
"""From here on the points are drawn small, and bars only where a point is chosen."""
CROWD, MOST_DRAWN = 2000, 6000
"""From where they are drawn muted; and of more than the second number only every second, third, … is drawn, though all
of them count."""


class Belief:
    """Mean, bands and samples of one Gaussian over functions: the posterior, or (muted) the prior."""

    def __init__(self, plot: pg.PlotItem, token: str, *, depth: int = 0, dashed: bool = False) -> None:
        self._plot, self._token, self._dashed = plot, token, dashed
        self._bands = [Band(), Band()]
        self._mean = pg.PlotCurveItem(name="mean", antialias=True)
        if not dashed:  # one line after another: a path two pixels wide takes Qt longer (dashes need the path)
            self._mean.setSegmentedLineMode("on")
        self._samples: list[pg.PlotCurveItem] = []
        for band in self._bands:
            band.setZValue(-30 + depth)  # the second one, inside the first, is added later and so lies above it
            plot.addItem(band, ignoreBounds=True)
        self._mean.setZValue(-10 + depth)
        self._depth = depth
        plot.addItem(self._mean)
        self.restyle()

    def show(self, x: Array, mean: Array, sd: Array, multiples: Sequence[float]) -> None:
        """Mean and standard deviation at x, all [m]; one band for each multiple of the standard deviation (two at most)."""
        self.show_edges(x, mean, [(mean - k * sd, mean + k * sd) for k in multiples])

    def show_edges(self, x: Array, mean: Array, edges: Sequence[tuple[Array, Array]]) -> None:
        """The same with bands of any shape: lower and upper edge [m] of each, the outer one first."""
        self._mean.setData(x, mean)
        for i, band in enumerate(self._bands):
            if i < len(edges):
                band.set_curves(x, *edges[i])
            band.setVisible(i < len(edges))

    def show_samples(self, x: Array, samples: Array) -> None:
        """Functions [m, count] at x [m]."""
        while len(self._samples) < samples.shape[1]:
            curve = pg.PlotCurveItem(name=f"sample {len(self._samples) + 1}", antialias=True)
            curve.setZValue(-20 + self._depth)
            self._plot.addItem(curve, ignoreBounds=True)
            self._samples.append(curve)
            self._paint_sample(len(self._samples) - 1)
        for k, curve in enumerate(self._samples):
            curve.setVisible(k < samples.shape[1])
            if k < samples.shape[1]:
                curve.setData(x, samples[:, k])

    @property
    def mean_curve(self) -> pg.PlotCurveItem:
        """The mean as it is drawn."""
        return self._mean

    def set_visible(self, visible: bool) -> None:
        for item in (self._mean, *self._bands):
            item.setVisible(visible)
        for curve in self._samples:
            curve.setVisible(visible)

    def restyle(self) -> None:
        colour = theme().color(self._token)
        self._mean.setPen(_pen(colour, 2.0, self._dashed))
        ground = theme().color("plot.background")
        for band, share in zip(self._bands, BAND_SHARES, strict=True):
            band.set_brush(_mixed(colour, ground, share))
        for k in range(len(self._samples)):
            self._paint_sample(k)

    def _paint_sample(self, k: int) -> None:
        # Opaque and one pixel wide: anything else is far slower in Qt's raster engine (pyqtgraph#533).
        token = self._token if self._dashed else f"series.{1 + k % 7}"
        self._samples[k].setPen(_pen(theme().color(token), 1.0, self._dashed))


class LeftOut:
    """What all other points predict of each: a mark with a bar of so many standard deviations, and a line from the mark
    to the point. Points that lie outside their bar are told by its colour."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._lines = pg.PlotCurveItem(connect="pairs", antialias=True)
        self._bars, self._misses = Bars(), Bars()
        self._marks = pg.ScatterPlotItem(name="leave-one-out means", symbol="d", size=7, pxMode=True, antialias=True)
        for z, item in ((2, self._lines), (3, self._bars), (3, self._misses), (4, self._marks)):
            item.setZValue(z)
            plot.addItem(item, ignoreBounds=True)
        self.restyle()
        self.hide()

    def show(self, points: Points, mean: Array, sd: Array, multiple: float = 2.0) -> None:
        """Mean and standard deviation (noise included) of each point [n] from the others."""
        x, y, reach = points.x[:, 0], points.y, multiple * sd
        miss = np.abs(y - mean) > reach
        for bars, these in ((self._bars, ~miss), (self._misses, miss)):
            bars.set_bars(x[these], (mean - reach)[these], (mean + reach)[these])
        self._marks.setData(x, mean)
        self._lines.setData(np.repeat(x, 2), np.stack([y, mean], axis=1).ravel())
        self._set_visible(True)

    def hide(self) -> None:
        """Draw nothing."""
        self._set_visible(False)

    def restyle(self) -> None:
        colours = theme()
        self._lines.setPen(_pen(colours.color("series.2"), 1.0))
        self._bars.set_pen(_pen(colours.color("series.2"), 1.0))
        self._misses.set_pen(_pen(colours.color("error"), 2.0))
        self._marks.setBrush(colours.color("series.2"))
        self._marks.setPen(_pen(colours.color("plot.background"), 1.0))

    def _set_visible(self, visible: bool) -> None:
        for item in (self._lines, self._bars, self._misses, self._marks):
            item.setVisible(visible)


class Averaged:
    """The edges of a band averaged over hyper-parameters, as dashed lines."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._curves = [
            pg.PlotCurveItem(name=f"averaged over hyper-parameters, {side}", antialias=True) for side in ("low", "high")
        ]
        for curve in self._curves:
            curve.setZValue(-8)
            plot.addItem(curve, ignoreBounds=True)
        self.restyle()
        self.hide()

    def show(self, x: Array, mean: Array, reach: Array) -> None:
        """mean ± reach at x, all [m]."""
        for curve, sign in zip(self._curves, (-1, 1), strict=True):
            curve.setData(x, mean + sign * reach)
            curve.setVisible(True)

    def hide(self) -> None:
        """Draw nothing."""
        for curve in self._curves:
            curve.setVisible(False)

    def restyle(self) -> None:
        for curve in self._curves:
            curve.setPen(_pen(theme().color("accent"), 1.5, dashed=True))


class Dots:
    """The points, those chosen, the one under the pointer, and their error bars."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._points, self._chosen, self._hover = Points(), frozenset[int](), -1
        self._linked = frozenset[int]()
        self._hidden, self._common, self._multiple = -1, 0.0, 2.0
        self._drawn: tuple[Points | None, int] = (None, -1)
        self._bars = Bars()
        self._scatter = pg.ScatterPlotItem(name="observations", pxMode=True, antialias=True)
        self._marked = pg.ScatterPlotItem(pxMode=True, antialias=True)
        for z, item in ((5, self._bars), (6, self._scatter), (7, self._marked)):
            item.setZValue(z)
            plot.addItem(item, ignoreBounds=True)
        self.restyle()

    def show(self, points: Points, chosen: Collection[int], common: float) -> None:
        """These points; `common` is the noise of all, a standard deviation."""
        self._points, self._chosen, self._common = points, frozenset(chosen), common
        self._hidden = -1
        self._draw()

    def hover(self, index: int) -> None:
        """Make one point stand out, -1 none."""
        if index != self._hover:
            self._hover = index
            self._draw_marked()

    def link(self, indices: Collection[int]) -> None:
        """Make the points stand out that another view points at."""
        if frozenset(indices) != self._linked:
            self._linked = frozenset(indices)
            self._draw_marked()

    def lift(self, index: int) -> None:
        """Draw this point with the marked ones alone from now on: what moves is drawn anew at each step, the rest not."""
        self._hidden = index
        self._draw_scatter()

    def move(self, x: float, y: float, noise: float) -> None:
        """Draw the lifted point here."""
        self._marked.setData([x], [y], size=CHOSEN_PX)
        reach = self._multiple * noise
        self._bars.set_bars(np.array([x]), np.array([y - reach]), np.array([y + reach]))

    def bars(self) -> list[int]:
        """The points whose error bars show, and can be pulled."""
        shown = set(self._chosen) | ({self._hover} if self._hover >= 0 else set())
        if len(self._points) < MANY:
            shown |= set(np.flatnonzero(self._points.own).tolist())
        return sorted(index for index in shown if index < len(self._points))

    def reach(self, index: int) -> float:
        """Half the height of a bar, in units of y."""
        return self._multiple * float(self._points.noise(self._common)[index])

    @property
    def multiple(self) -> float:
        """How many standard deviations of the noise a bar shows."""
        return self._multiple

    def restyle(self) -> None:
        self._scatter.setPen(_pen(theme().color("plot.background"), 1.0))
        self._drawn = (None, -1)
        self._marked.setBrush(theme().color("accent"))
        self._marked.setPen(_pen(theme().color("plot.background"), 1.5))
        self._bars.set_pen(_pen(theme().color("muted"), 1.0))
        self._draw()

    def _draw(self) -> None:
        self._draw_scatter()
        self._draw_marked()

    def _draw_scatter(self) -> None:
        if self._drawn[0] is self._points and self._drawn[1] == self._hidden:
            return  # noise or selection alone is another
        self._drawn = (self._points, self._hidden)
        count = len(self._points)
        keep = np.flatnonzero(np.arange(count) != self._hidden)[:: max(1, -(-count // MOST_DRAWN))]
        many = count >= MANY
        self._scatter.setZValue(-15 if many else 6)  # very many would hide the mean
        self._scatter.setBrush(theme().color("muted" if count > CROWD else "text"))
        small = 3 if count > CROWD else 4 if many else POINT_PX
        self._scatter.setData(self._points.x[keep, 0], self._points.y[keep], size=small)

    def _draw_marked(self) -> None:
        standing_out = self._chosen | self._linked | {self._hover}
        marked = sorted(index for index in standing_out if 0 <= index < len(self._points))
        self._marked.setData(self._points.x[marked, 0], self._points.y[marked], size=CHOSEN_PX)
        at = self.bars()
        y, reach = self._points.y[at], self._multiple * self._points.noise(self._common)[at]
        self._bars.set_bars(self._points.x[at, 0], y - reach, y + reach)


def _pen(colour: QColor, width: float, dashed: bool = False) -> object:
    return pg.mkPen(colour, width=width, style=Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine)


def _mixed(colour: QColor, ground: QColor, share: float) -> QColor:
    """The colour over the ground, as if it let `1 - share` of it through."""
    pairs = zip((colour.red(), colour.green(), colour.blue()), (ground.red(), ground.green(), ground.blue()), strict=True)
    return QColor(*(round(share * over + (1 - share) * under) for over, under in pairs))
