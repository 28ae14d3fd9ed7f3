"""What is drawn on a plot over two inputs: a surface as colours with level lines and a colour bar, and the points.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtGui import QBrush, QColor, QFont, QPainter

from studio.ui.heat import colours
from studio.ui.plot_axis import keep_menu
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX
from studio_plugins.gp.points import Points

Array = npt.NDArray[np.float64]
Table = npt.NDArray[np.uint8]

LEVELS = 9
"""At most so many level lines' heights; round numbers, so often fewer."""
SHADES = 64
"""Different colours of points: each one costs a picture of its symbol."""
BAR_PX = 14
TINY_PX, SMALL_PX, POINT_PX, CHOSEN_PX = 3, 5, 10, 15
MANY, CROWD = 400, 2000
"""From the first on the points are drawn small, from the second on tiny and without a ring."""
MOST = 4000
"""So many are drawn at most: more could not be told apart, and would take longer than the surface."""


@dataclass(frozen=True)
class Scale:
    """From values to colours: `low` to `high`, both round, with a level line each `step` between them."""

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, low: float, high: float) -> Scale:
        """The narrowest round scale that holds both; it stays while they change a little, and so do the colours."""
        if high - low <= 1e-9 * max(abs(low), abs(high)):
            room = 0.5 * max(abs(low), abs(high)) or 0.5
            low, high = low - room, high + room
        rough = (high - low) / LEVELS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
        return cls(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step)

    @property
    def levels(self) -> Array:
        """Heights of the level lines, the ends left out."""
        return self.low + self.step * np.arange(1, round((self.high - self.low) / self.step))

    def shares(self, values: Array) -> Array:
        """0 at `low`, 1 at `high`."""
        found: Array = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        return found

    def written(self, value: float) -> str:
        """A value with as many digits as a hundredth of a step needs; powers of ten where it is tiny or huge."""
        if not 1e-4 < self.step < 1e5:
            return f"{value:.4g}"
        return f"{value:.{max(0, 2 - math.floor(math.log10(self.step)))}f}"

    def ticks(self) -> list[tuple[float, str]]:
        """Where the colour bar has its numbers: at the level lines and the ends."""
        places = 0 if self.step >= 1 else -math.floor(math.log10(self.step) + 1e-9)
        heights = [self.low, *self.levels.tolist(), self.high]
        plain = self.step >= 1e-4 and max(map(abs, heights)) < 1e5
        return [(h, f"{h + 0.0:.{places}f}" if plain else f"{h:.3g}") for h in np.round(heights, 12 + places).tolist()]


class Lines(NamedTuple):
    """Level lines in short straight pieces: x and y [k, 2] of both ends of each, and which level it belongs to [k]."""

    x: Array
    y: Array
    level: npt.NDArray[np.intp]


# Corners of a cell as (row, column) from its first one, against the clock; edge e runs from corner e to the next.
_ROWS, _COLUMNS = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0])
# For each set of corners above the level (bit c for corner c): two edges that the line crosses.
_PAIRS = np.array([
    (0, 0), (3, 0), (0, 1), (3, 1), (1, 2), (0, 0), (0, 2), (3, 2),
    (2, 3), (2, 0), (0, 0), (2, 1), (1, 3), (1, 0), (0, 3), (0, 0),
])  # fmt: skip


def contours(x1: Array, x2: Array, heights: Array, levels: Array) -> Lines:
    """The lines where a surface [b, a] over x1 [a] and x2 [b] has these heights [l]: marching squares, all at once.

    Between grid points the surface is linear along the edges; a saddle is decided by the mean of its corners. Lorensen
    & Cline 1987 for the idea. Where a height is not finite there is no line.
    """
    above = heights[None] > np.asarray(levels)[:, None, None]
    cases = above[:, :-1, :-1] + 2 * above[:, :-1, 1:] + 4 * above[:, 1:, 1:] + np.uint8(8) * above[:, 1:, :-1]
    finite = np.isfinite(heights)
    whole = finite[:-1, :-1] & finite[:-1, 1:] & finite[1:, 1:] & finite[1:, :-1]
    level, row, column = np.nonzero((cases > 0) & (cases < 15) & whole)
    case = cases[level, row, column]
    pairs = _PAIRS[case]
    saddle = np.flatnonzero((case == 5) | (case == 10))
    if len(saddle):
        r, c = row[saddle], column[saddle]
        middle = (heights[r, c] + heights[r, c + 1] + heights[r + 1, c + 1] + heights[r + 1, c]) / 4
        around_odd = (case[saddle] == 5) == (middle > np.asarray(levels)[level[saddle]])
        pairs[saddle] = np.where(around_odd[:, None], (0, 1), (3, 0))
        pairs = np.concatenate([pairs, np.where(around_odd[:, None], (2, 3), (1, 2))])
        level, row, column = (np.concatenate([index, index[saddle]]) for index in (level, row, column))
    row_a, column_a = row[:, None] + _ROWS[pairs], column[:, None] + _COLUMNS[pairs]
    after = (pairs + 1) % 4
    row_b, column_b = row[:, None] + _ROWS[after], column[:, None] + _COLUMNS[after]
    start, end = heights[row_a, column_a], heights[row_b, column_b]
    share = (np.asarray(levels)[level][:, None] - start) / (end - start)
    x = x1[column_a] + share * (x1[column_b] - x1[column_a])
    y = x2[row_a] + share * (x2[row_b] - x2[row_a])
    return Lines(x, y, level)


class _Smooth(pg.ImageItem):  # type: ignore[misc]
    """A picture whose pixels are the knots of a smooth surface, not squares."""

    def paint(self, painter: QPainter, *args: object) -> None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        super().paint(painter, *args)


class Surface:
    """One function of two inputs: colours, level lines and the colour bar beside the axes."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self.scale = Scale.around(0.0, 1.0)
        self._table: Table = colours()
        self._lines: Lines | None = None
        self._image = _Smooth(axisOrder="row-major")
        self._image.setZValue(-20)
        plot.addItem(self._image, ignoreBounds=True)
        names = "level lines where it is light", "level lines where it is dark"
        self._curves = [pg.PlotCurveItem(name=name, connect="pairs", antialias=True) for name in names]
        for curve in self._curves:
            curve.setZValue(-10)
            plot.addItem(curve, ignoreBounds=True)
        self._bar = pg.ColorBarItem(width=BAR_PX, interactive=False, colorMapMenu=False)
        self._bar.setImageItem([], insert_in=plot)
        keep_menu(self._bar, plot.getViewWidget())

    def show(self, x1: Array, x2: Array, values: Array, scale: Scale) -> None:
        """Values [b, a] over x1 [a] and x2 [b], both evenly spaced and two or more."""
        rescaled = scale != self.scale
        self.scale = scale
        self._image.setImage(self._table[_steps(scale.shares(values), 255)], autoLevels=False, levels=(0, 255))
        wide, high = x1[-1] - x1[0], x2[-1] - x2[0]
        half = 0.5 * wide / (len(x1) - 1), 0.5 * high / (len(x2) - 1)  # a pixel's value is that of its middle
        self._image.setRect(x1[0] - half[0], x2[0] - half[1], wide + 2 * half[0], high + 2 * half[1])
        self._lines = contours(x1, x2, values, scale.levels)
        self._draw_lines()
        if rescaled:
            self._draw_bar()

    def clear(self) -> None:
        """Show no surface."""
        self._image.clear()
        self._lines = None
        for curve in self._curves:
            curve.clear()

    def restyle(self, table: Table) -> None:
        """Other colours [256, 3]; the surface takes them when it is shown the next time."""
        self._table = table
        for curve, ink in zip(self._curves, _INKS, strict=True):
            curve.setPen(pg.mkPen(ink, width=1))
        small = QFont()
        small.setPixelSize(FONT_PX["small"])
        axis = self._bar.axis
        axis.setStyle(tickLength=0, tickFont=small, hideOverlappingLabels=True, tickTextOffset=4)
        axis.setTextPen(theme().color("plot.axis"))
        for side in ("left", "right", "top", "bottom"):
            self._bar.getAxis(side).setPen(theme().color("plot.grid"))
        self._bar.setColorMap(pg.ColorMap(None, table))
        self._draw_bar()

    def _draw_bar(self) -> None:
        self._bar.setLevels((self.scale.low, self.scale.high))
        self._bar.axis.setTicks([self.scale.ticks()])

    def _draw_lines(self) -> None:
        """Light lines where the colours are dark, dark ones where they are light."""
        if self._lines is None:
            return
        ground = self._table[_steps(self.scale.shares(self.scale.levels), 255)].astype(np.float64)
        bright = ground @ (0.299, 0.587, 0.114) > 128
        for curve, wanted in zip(self._curves, (bright, ~bright), strict=True):
            here = wanted[self._lines.level]
            curve.setData(self._lines.x[here].ravel(), self._lines.y[here].ravel())


class Places:
    """The points where they lie, in the colours of their y; those chosen and the one under the pointer stand out.

    Each has a dark ring in a light one, so that it shows on every colour and in both themes.
    """

    def __init__(self, plot: pg.PlotItem) -> None:
        self._points, self._chosen, self._hover = Points(), frozenset[int](), -1
        self._lifted = -1
        self._hand: tuple[float, float] | None = None
        self._scale: Scale | None = None
        self._halo, self._marked_halo, self._marked = (pg.ScatterPlotItem(antialias=True) for _ in range(3))
        self._dots = pg.ScatterPlotItem(name="observations", antialias=True)
        for z, item in enumerate((self._halo, self._dots, self._marked_halo, self._marked)):
            item.setZValue(5 + z)
            plot.addItem(item, ignoreBounds=True)
        self._cross = pg.ScatterPlotItem(symbol="+", size=15, antialias=True)
        self._cross.setZValue(4)
        plot.addItem(self._cross, ignoreBounds=True)
        self.restyle()

    @property
    def drawn(self) -> int:
        """How many of the points are drawn where they are too many."""
        return len(self._dots.data) + (self._lifted >= 0)

    def show(self, points: Points, chosen: Collection[int]) -> None:
        """These points, all at rest."""
        self._points, self._chosen, self._lifted, self._hand = points, frozenset(chosen), -1, None
        self._draw()

    def set_scale(self, scale: Scale) -> None:
        """The colours of the surface that they are compared with."""
        if scale != self._scale:
            self._scale = scale
            self._draw()

    def hover(self, index: int) -> None:
        """Make one point stand out, -1 none."""
        if index != self._hover:
            self._hover = index
            self._draw_marked()

    def lift(self, index: int) -> None:
        """Draw this point with the marked ones alone: what moves is drawn anew at each step, the rest not."""
        self._lifted = index
        self._draw_dots()

    def move(self, x1: float, x2: float) -> None:
        """Draw the lifted point here."""
        self._hand = x1, x2
        self._draw_marked()

    def point_at(self, place: tuple[float, float] | None) -> None:
        """A small cross where the pointer is in the other view, or none."""
        self._cross.setData([] if place is None else [place[0]], [] if place is None else [place[1]])

    def restyle(self) -> None:
        for halo in (self._halo, self._marked_halo):
            halo.setBrush(_INKS[1])
            halo.setPen(pg.mkPen(_INKS[1], width=1))
        self._marked.setPen(pg.mkPen(theme().color("accent"), width=3))
        self._cross.setBrush(theme().color("text"))
        self._cross.setPen(pg.mkPen(theme().color("plot.background"), width=1))
        self._draw()

    def _draw(self) -> None:
        self._draw_dots()
        self._draw_marked()

    def _draw_dots(self) -> None:
        if self._points.inputs != 2:
            return
        count = len(self._points)
        keep = np.arange(0, count, max(1, math.ceil(count / MOST)))
        keep = keep[keep != self._lifted]
        size = TINY_PX if count >= CROWD else SMALL_PX if count >= MANY else POINT_PX
        x, y = self._points.x[keep, 0], self._points.x[keep, 1]
        self._halo.setData(x, y, size=size + 3)
        self._halo.setVisible(count < MANY)
        self._dots.setPen(None if count >= CROWD else pg.mkPen(_INKS[0], width=0.6 if count >= MANY else 1.2))
        self._dots.setData(x, y, size=size, brush=self._brushes(keep))

    def _draw_marked(self) -> None:
        if self._points.inputs != 2:
            return
        if self._hand is not None and 0 <= self._lifted < len(self._points):
            at, places = np.array([self._lifted]), np.array([self._hand])
        else:
            standing_out = sorted(i for i in self._chosen | {self._hover} if 0 <= i < len(self._points))
            at = np.array(standing_out, dtype=np.intp)
            places = self._points.x[at]
        self._marked_halo.setData(places[:, 0], places[:, 1], size=CHOSEN_PX + 5)
        self._marked.setData(places[:, 0], places[:, 1], size=CHOSEN_PX, brush=self._brushes(at))

    def _brushes(self, at: npt.NDArray[np.intp]) -> list[QBrush]:
        """The colours of these points' y, in SHADES steps."""
        scale, y = self._scale, self._points.y
        if scale is None:
            scale = Scale.around(float(y.min(initial=0.0)), float(y.max(initial=0.0)))
        steps = _steps(scale.shares(y[at]), SHADES - 1)
        places = {step: round(step * 255 / (SHADES - 1)) for step in set(steps.tolist())}
        known = {step: QBrush(QColor(*colours()[place].tolist())) for step, place in places.items()}
        return [known[step] for step in steps.tolist()]


_INKS = (QColor(15, 15, 20), QColor(255, 255, 255))
"""Dark and light of lines and rings, whatever the theme: the surface's colours are not the theme's."""


def fog() -> Table:
    """The colours [256, 3] of a standard deviation: from nothing, the plot's ground, into fog. Of this theme."""
    ends = [theme().color(token).getRgb()[:3] for token in ("plot.background", "muted")]
    ground, thick = np.array(ends, dtype=np.float64)
    mixed: Table = np.rint(ground + np.linspace(0, 1, 256)[:, None] * (thick - ground)).astype(np.uint8)
    return mixed


def _steps(shares: Array, most: int) -> npt.NDArray[np.uint8]:
    """Shares from 0 to 1 as whole numbers from 0 to `most`; what is not a number counts as 0."""
    found: npt.NDArray[np.uint8] = np.rint(np.nan_to_num(shares) * most).astype(np.uint8)
    return found
