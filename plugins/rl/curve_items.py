"""What is drawn of one run on a plot of curves: its band, its line, every seed, and the raw data behind.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPolygonF
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from studio.ui.theme import theme
from studio_plugins.rl.bands import Drawn, Floats

BAND_SHARE, RAW_SHARE, SEED_SHARE = 0.20, 0.45, 0.6
"""How much of the run's colour band, raw data and single seeds have; the rest is background. Mixed, not blended: opaque
colours are by far the fastest that Qt draws (pyqtgraph#533)."""
DOT = 2
"""Pixels of a raw value."""


def polygon(x: Floats, y: Floats) -> QPolygonF:
    """Points [n] as Qt takes them, without a Python object for each."""
    made = pg.functions.create_qpolygonf(len(x))
    if len(x):
        corners = pg.functions.ndarray_from_qpolygonf(made)
        corners[:, 0], corners[:, 1] = x, y
    return made


class Band(pg.GraphicsObject):  # type: ignore[misc]
    """The area between two curves over the same x."""

    def __init__(self) -> None:
        super().__init__()
        self._polygon, self._box = QPolygonF(), QRectF()
        self._brush: Any = pg.mkBrush(None)

    def set_edges(self, x: Floats, low: Floats, high: Floats) -> None:
        self.prepareGeometryChange()
        self._polygon = polygon(np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]]))
        self._box = self._polygon.boundingRect()
        self.update()

    def set_brush(self, brush: Any) -> None:
        self._brush = brush
        self.update()

    def boundingRect(self) -> QRectF:
        return self._box

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        # Its rim lies below the raw data's and the line's colours: smoothing it would double the time and not be seen.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._brush)
        painter.drawPolygon(self._polygon)


class Cloud(pg.GraphicsObject):  # type: ignore[misc]
    """Values as they were measured, a dot each: lines between returns that jump would cover everything else."""

    def __init__(self) -> None:
        super().__init__()
        self._x = self._y = np.empty(0)
        self._box = QRectF()
        self._colour = QColor()

    def set_points(self, x: Floats, y: Floats) -> None:
        self.prepareGeometryChange()
        self._x, self._y = x, y
        self._box = QRectF(x.min(), y.min(), np.ptp(x), np.ptp(y)) if len(x) else QRectF()
        self.update()

    def set_colour(self, colour: QColor) -> None:
        self._colour = colour
        self.update()

    def boundingRect(self) -> QRectF:
        return self._box

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, _widget: QWidget | None = None) -> None:
        # Mapped here, because Qt takes ten times as long for points under a transform.
        to = painter.worldTransform()
        width = DOT * abs(to.m11()) * self.pixelWidth() if len(self._x) else DOT  # as wide on paper as on the screen
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setPen(pg.mkPen(self._colour, width=width))
        painter.drawPoints(polygon(to.m11() * self._x + to.dx(), to.m22() * self._y + to.dy()))
        painter.restore()


class RunItems:
    """The items of one run; a band that is left out of a drawing stays as it was until another choice is drawn."""

    def __init__(self, plot: pg.PlotItem, title: str, colour: str, *, kept: bool) -> None:
        self._plot, self._colour, self._kept, self._title = plot, colour, kept, title
        self.drawn: Drawn | None = None
        self._banded, self._fine = False, True
        self._band = Band()
        self._raw = Cloud()
        self._line = pg.PlotCurveItem(name=title, antialias=True)
        self._dot = pg.ScatterPlotItem(size=7, symbol="o")
        self._seeds: list[pg.PlotCurveItem] = []
        if not kept:
            self._line.setSegmentedLineMode("on")
        for z, item in ((-30, self._raw), (-40, self._band), (-10, self._line), (-9, self._dot)):
            item.setZValue(z + (-1 if kept else 0))
            plot.addItem(item, ignoreBounds=True)
        self.restyle()

    def show(self, drawn: Drawn) -> None:
        same = self.drawn is not None and self.drawn.choice == drawn.choice
        self.drawn = drawn
        alone = len(drawn.x) == 1
        self._line.setData(drawn.x, drawn.centre)
        if alone or len(self._dot.data):
            self._dot.setData(drawn.x if alone else [], drawn.centre if alone else [])
        self._raw.set_points(*drawn.raw)
        if drawn.low is not None and drawn.high is not None:
            self._band.set_edges(drawn.x, drawn.low, drawn.high)
            self._banded = True
        elif self._banded and (not same or drawn.seeds < 2):
            self._band.set_edges(np.empty(0), np.empty(0), np.empty(0))
            self._banded = False
        self._show_seeds(drawn if not len(drawn.x) else None)

    def set_visible(self, visible: bool) -> None:
        for item in (self._band, self._raw, self._line, self._dot, *self._seeds):
            item.setVisible(visible)

    def set_fine(self, fine: bool) -> None:
        """Whether lines are wide and smooth; while they move, thin ones are drawn in half the time."""
        if fine != self._fine:
            self._fine = fine
            self.restyle()

    def restyle(self) -> None:
        for line in (self._line, *self._seeds):
            line.opts["antialias"] = self._fine
        self._line.setPen(self.pen(1.0, 2.0 if self._fine else 1.0))
        self._dot.setBrush(pg.mkBrush(self.colour()))
        self._dot.setPen(pg.mkPen(None))
        self._raw.set_colour(self.colour(RAW_SHARE))
        self._band.set_brush(pg.mkBrush(self.colour(BAND_SHARE)))
        for seed in self._seeds:
            seed.setPen(self.pen(SEED_SHARE, 1.0))

    def remove(self) -> None:
        for item in (self._band, self._raw, self._line, self._dot, *self._seeds):
            self._plot.removeItem(item)

    def colour(self, share: float = 1.0) -> QColor:
        """The run's colour, mixed with the background."""
        ours, ground = theme().color(self._colour), theme().color("plot.background")
        parts = zip(ours.getRgb()[:3], ground.getRgb()[:3], strict=True)
        return QColor(*(round(share * a + (1 - share) * b) for a, b in parts))

    def pen(self, share: float, width: float) -> Any:
        style = Qt.PenStyle.DashLine if self._kept else Qt.PenStyle.SolidLine
        return pg.mkPen(self.colour(share), width=width, style=style)

    def _show_seeds(self, drawn: Drawn | None) -> None:
        lines = drawn.lines if drawn is not None else ()
        while len(self._seeds) < len(lines):
            seed = pg.PlotCurveItem(name=f"{self._title}, seed {len(self._seeds) + 1}", antialias=True)
            seed.setZValue(-20)
            seed.setVisible(self._line.isVisible())
            self._plot.addItem(seed, ignoreBounds=True)
            self._seeds.append(seed)
            self.restyle()
        for place, seed in enumerate(self._seeds):
            seed.setData(*(lines[place] if place < len(lines) else (np.empty(0), np.empty(0))))
