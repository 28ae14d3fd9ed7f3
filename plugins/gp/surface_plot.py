"""The stage's plot of functions over two inputs: the mean and its standard deviation side by side, under the same hand.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtWidgets import QGraphicsRectItem, QGridLayout, QLabel, QSizePolicy, QWidget

from studio.ui.heat import colours
from studio.ui.plot_axis import style_axes
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX, SPACE_S, SPACE_XS
from studio_plugins.gp.canvas import Canvas
from studio_plugins.gp.gestures import ClickOrBox, Drag, Gesture
from studio_plugins.gp.points import Points
from studio_plugins.gp.surface_layers import Places, Scale, Surface, fog

Array = npt.NDArray[np.float64]
Span = tuple[float, float]

REACH_PX = 11.0
"""How near to a point the pointer takes hold of it."""
TOGETHER_MS = 24
"""How long a dragged point waits for what follows from its place, so that one painting shows both."""
HOME = QRectF(-5.0, -5.0, 10.0, 10.0)
"""What an empty plot shows."""


class View(QWidget):
    """One of the two: a canvas with a surface, the points on it, and the box that is being drawn."""

    def __init__(self, owner: SurfacePlot, name: str) -> None:
        super().__init__(owner)
        self.canvas = Canvas(lambda at, keys: owner.begin(self, at, keys), self)
        self.canvas.setAccessibleName(name)
        item = self.canvas.getPlotItem()
        self.surface, self.places = Surface(item), Places(item)
        self._box = QGraphicsRectItem()
        self._box.setZValue(9)
        self._box.hide()
        self.canvas.scene().addItem(self._box)
        self.canvas.setRange(HOME, padding=0)
        self.canvas.disableAutoRange()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)

    def draw_box(self, corners: tuple[QPointF, QPointF] | None) -> None:
        self._box.setVisible(corners is not None)
        if corners is not None:
            self._box.setRect(QRectF(*corners).normalized())

    def restyle(self, title: str, labels: tuple[str, str], table: npt.NDArray[np.uint8]) -> None:
        """The theme's colours; `table` [256, 3] those of the surface."""
        style_axes(self.canvas, labels)
        item = self.canvas.getPlotItem()
        item.showGrid(x=False, y=False)  # level lines are enough
        item.setTitle(title, color=theme().color("muted"), size=f"{FONT_PX['body']}px")
        self.surface.restyle(table)
        self.places.restyle()
        colour = theme().color("accent")
        self._box.setPen(pg.mkPen(colour, width=1))
        colour.setAlpha(50)
        self._box.setBrush(colour)


class SurfacePlot(QWidget):
    """Shows what it is told and says what the hand asks for; it changes no point by itself. Both views do the same.

    Signals: `added` (x1, x2); `taken` (index) when a point goes down, `dragged` (index, x1, x2) at each move, `moved`
    (indices, dx1, dx2) at the end, `let_go` instead when it was given up; `chosen` (indices) when the selection
    changes; `hovered` (index, -1 for none); `removed` (indices); `ranged` when another stretch of the axes shows;
    `pointed` (x1, x2 under the pointer).
    """

    added = Signal(float, float)
    taken = Signal(int)
    dragged = Signal(int, float, float)
    moved = Signal(object, float, float)
    chosen = Signal(object)
    hovered = Signal(int)
    removed = Signal(object)
    let_go = Signal()
    ranged = Signal()
    pointed = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points, self._common = Points.of(np.empty((0, 2)), []), 0.0
        self._selection: tuple[int, ...] = ()
        self._labels = ("x1", "x2", "y")
        self._hand: Span | None = None
        self._under = -1
        self._place: Span | None = None
        self._shown: tuple[Array, Array, Array, Array] | None = None
        self.mean = View(self, "Mean over both inputs, with the points")
        self.sd = View(self, "Standard deviation over both inputs, with the points")
        self.views = (self.mean, self.sd)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(TOGETHER_MS)
        self._patience.timeout.connect(self.settle)
        self.readout = QLabel(self)
        self.readout.setProperty("tone", "muted")
        self.readout.setAccessibleName("Value under the pointer")
        self.readout.setContentsMargins(SPACE_S, 0, SPACE_S, SPACE_XS)
        self.readout.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_XS)
        for column, view in enumerate(self.views):
            layout.addWidget(view, 0, column)
            layout.setColumnStretch(column, 1)
            self._connect(view)
        layout.addWidget(self.readout, 1, 0, 1, 2)
        layout.setRowStretch(0, 1)
        self.setFocusProxy(self.mean.canvas)
        theme().changed.connect(self._restyle)
        self._restyle()
        self._read(None)

    def _connect(self, view: View) -> None:
        canvas = view.canvas
        canvas.hovered.connect(lambda at: self._hover(view, at))
        canvas.deleted.connect(lambda: self._selection and self.removed.emit(self._selection))
        canvas.escaped.connect(lambda: self.choose(()))
        canvas.all_wanted.connect(lambda: self.choose(range(len(self._points))))
        canvas.nudged.connect(lambda dx, dy: self._selection and self.moved.emit(self._selection, dx, dy))
        canvas.getViewBox().sigRangeChanged.connect(lambda *_: self._follow(view))

    # --- what is shown ---

    def show_points(self, points: Points, common: float) -> None:
        """These points over two inputs, and the noise of all, a standard deviation; a selection that no longer fits is
        let go of. Raises ValueError for points over another number of inputs."""
        if points.inputs != 2:
            raise ValueError(f"a surface needs points over two inputs, not {points.inputs}")
        self._points, self._common, self._hand = points, common, None
        self._patience.stop()
        if any(index >= len(points) for index in self._selection):
            self.choose(())
        self._draw_places()
        self._rescale()
        self._under = -1 if self._under >= len(points) else self._under
        self._read(self._place)

    def show_surface(self, x1: Array, x2: Array, mean: Array, sd: Array) -> None:
        """Mean and standard deviation [b, a] over evenly spaced x1 [a] and x2 [b], rising. Raises ValueError for shapes
        that do not belong together."""
        if min(len(x1), len(x2)) < 2 or not mean.shape == sd.shape == (len(x2), len(x1)):
            shapes = f"x1 {x1.shape}, x2 {x2.shape}, mean {mean.shape} and sd {sd.shape}"
            raise ValueError(f"{shapes} do not belong together")
        self.settle()
        self._shown = x1, x2, mean, sd
        self._draw_surfaces()
        self._read(self._place)

    def clear_surface(self) -> None:
        """Show the points alone."""
        self._shown = None
        for view in self.views:
            view.surface.clear()

    def settle(self) -> None:
        """Draw the point in the hand where it is: what follows from its place is about to be drawn, or takes long."""
        self._patience.stop()
        if self._hand is not None:
            for view in self.views:
                view.places.move(*self._hand)
            self._hand = None

    def choose(self, indices: Iterable[int]) -> None:
        """Select these points and no others."""
        self._selection = tuple(sorted(indices))
        self._draw_places()
        self.chosen.emit(self._selection)

    @property
    def selection(self) -> tuple[int, ...]:
        return self._selection

    def hover(self, index: int) -> None:
        """Make the point stand out that another view points at, -1 none."""
        for view in self.views:
            view.places.hover(index)

    def name_axes(self, x1: str, x2: str, y: str) -> None:
        self._labels = (x1, x2, y)
        self._restyle()

    def spans(self) -> tuple[Span, Span]:
        """The stretches of x1 and x2 that show."""
        (left, right), (low, high) = self.mean.canvas.getViewBox().viewRange()
        return (float(left), float(right)), (float(low), float(high))

    def fit(self, points: Points) -> None:
        """Show all points with room around them, or the empty plot's stretch where there are none."""
        self.mean.canvas.setRange(_around(points), padding=0)

    def plot_item(self) -> Any:
        """pyqtgraph's PlotItem of the mean, for the export service."""
        return self.mean.canvas.getPlotItem()

    def sd_item(self) -> Any:
        """pyqtgraph's PlotItem of the standard deviation."""
        return self.sd.canvas.getPlotItem()

    def _draw_places(self) -> None:
        for view in self.views:
            view.places.show(self._points, self._selection)

    def _draw_surfaces(self) -> None:
        if self._shown is None:
            return
        x1, x2, mean, sd = self._shown
        self.mean.surface.show(x1, x2, mean, self._scale(mean))
        self.sd.surface.show(x1, x2, sd, Scale.around(0.0, _ends(sd)[1]))
        for view in self.views:
            view.places.set_scale(self.mean.surface.scale)

    def _scale(self, mean: Array) -> Scale:
        """Of the mean and of what was seen, so that both have a colour."""
        low, high = _ends(np.concatenate([mean.ravel(), self._points.y]))
        return Scale.around(low, high)

    def _rescale(self) -> None:
        """After other points: their y may lie beyond the colours."""
        if self._shown is not None and self._scale(self._shown[2]) != self.mean.surface.scale:
            self._draw_surfaces()

    def _restyle(self) -> None:
        x1, x2, y = self._labels
        self.mean.restyle(f"Mean of {y}", (x1, x2), colours())
        self.sd.restyle(f"Standard deviation of {y}", (x1, x2), fog())
        self._draw_surfaces()

    def _follow(self, view: View) -> None:
        """Both views show the same stretch."""
        other = self.sd if view is self.mean else self.mean
        wide, high = view.canvas.getViewBox().viewRange()
        if other.canvas.getViewBox().viewRange() != [wide, high]:
            other.canvas.getViewBox().setRange(xRange=wide, yRange=high, padding=0)
        if view is self.mean:
            self.ranged.emit()

    # --- what lies under the pointer ---

    def nearest(self, view: View, at: QPointF) -> int:
        """The point under a pixel of a view, -1 where there is none."""
        if not len(self._points):
            return -1
        x, y = view.canvas.pixels(self._points.x[:, 0], self._points.x[:, 1])
        far = np.hypot(x - at.x(), y - at.y())
        index = int(np.argmin(far))
        return index if far[index] <= REACH_PX else -1

    def value(self, x1: float, x2: float) -> tuple[float, float] | None:
        """Mean and standard deviation at a place, between the knots of the surface; None beside it."""
        if self._shown is None:
            return None
        across, up, *surfaces = self._shown
        column = (x1 - across[0]) / (across[-1] - across[0]) * (len(across) - 1)
        row = (x2 - up[0]) / (up[-1] - up[0]) * (len(up) - 1)
        if not (0 <= column <= len(across) - 1 and 0 <= row <= len(up) - 1):
            return None
        c, r = min(int(column), len(across) - 2), min(int(row), len(up) - 2)
        weights = np.outer((1 - row + r, row - r), (1 - column + c, column - c))
        mean, sd = (float((weights * surface[r : r + 2, c : c + 2]).sum()) for surface in surfaces)
        return mean, sd

    def _hover(self, view: View, at: QPointF | None) -> None:
        self._place = place = None if at is None else view.canvas.place(at)
        self._under = -1 if at is None else self.nearest(view, at)
        other = self.sd if view is self.mean else self.mean
        view.places.point_at(None)
        other.places.point_at(place)
        self.hover(self._under)
        self._read(place)
        self.hovered.emit(self._under)
        if place is not None:
            self.pointed.emit(*place)
            shape = Qt.CursorShape.SizeAllCursor if self._under >= 0 else Qt.CursorShape.CrossCursor
            view.canvas.setCursor(shape)

    def _read(self, place: Span | None) -> None:
        """What is known of a place in words."""
        if place is None:
            drawn, count = self.mean.places.drawn, len(self._points)
            some = f" {drawn:,} of {count:,} points are drawn." if drawn < count else ""
            self.readout.setText(f"Click to add a point, drag to move it; the wheel zooms.{some}")
            return
        x1, x2, y = self._labels
        digits = [_digits(unit) for unit in self.mean.canvas.unit()]
        parts = [f"{x1} {place[0]:.{digits[0]}f}, {x2} {place[1]:.{digits[1]}f}"]
        known = self.value(*place)
        if known is not None:
            scale = self.mean.surface.scale
            parts.append(f"mean {scale.written(known[0])} ± {self.sd.surface.scale.written(known[1])}")
        if self._under >= 0:
            noise = float(self._points.noise(self._common)[self._under])
            seen = f"point {self._under + 1}: {y} {float(self._points.y[self._under]):.4g}"
            parts.append(f"{seen} ± {noise:.2g}" if noise else seen)
        self.readout.setText("   ·   ".join(parts))

    # --- what the left button does ---

    def begin(self, view: View, at: QPointF, keys: Qt.KeyboardModifier) -> Gesture:
        """What the left button begins at a pixel of a view."""
        extend = bool(keys & Qt.KeyboardModifier.ShiftModifier)
        for each in self.views:
            each.places.point_at(None)
        index = self.nearest(view, at)
        if index >= 0:
            return self._take(view, index, at, extend)
        return ClickOrBox(
            at,
            lambda place: self._click(view, place, extend),
            view.draw_box,
            lambda start, end: self._choose_box(view, start, end, extend),
        )

    def _click(self, view: View, at: QPointF, extend: bool) -> None:
        if self._selection and not extend:
            self.choose(())
        self.added.emit(*view.canvas.place(at))

    def _take(self, view: View, index: int, at: QPointF, extend: bool) -> Gesture:
        together = self._selection if index in self._selection else (*self._selection, index) if extend else (index,)
        self.choose(together)
        x1, x2 = self._points.x[index].tolist()
        alone = len(together) == 1
        if alone:
            self.taken.emit(index)
            for each in self.views:
                each.places.lift(index)

        def pull(dx1: float, dx2: float) -> None:
            if not alone:
                for each in self.views:
                    each.places.show(shifted(self._points, together, dx1, dx2), together)
                return
            self._hand = self._place = (x1 + dx1, x2 + dx2)
            if not self._patience.isActive():
                self._patience.start()
            self._read(self._hand)
            self.dragged.emit(index, x1 + dx1, x2 + dx2)

        return Drag(
            at, view.canvas.place, pull, lambda dx1, dx2: self.moved.emit(together, dx1, dx2), self._give_up
        )

    def _give_up(self) -> None:
        self._hand = None
        self._patience.stop()
        self._draw_places()
        self.let_go.emit()

    def _choose_box(self, view: View, start: QPointF, end: QPointF, extend: bool) -> None:
        box = QRectF(start, end).normalized()
        x, y = view.canvas.pixels(self._points.x[:, 0], self._points.x[:, 1])
        within = (x >= box.left()) & (x <= box.right()) & (y >= box.top()) & (y <= box.bottom())
        self.choose({*np.flatnonzero(within).tolist(), *(self._selection if extend else ())})


def shifted(points: Points, chosen: Iterable[int], dx1: float, dx2: float) -> Points:
    """The points with the chosen ones moved along both inputs."""
    x = points.x.copy()
    x[list(chosen)] += (dx1, dx2)
    return Points(x, points.y, points.own)


def _around(points: Points) -> QRectF:
    """The points with an eighth of room on each side; a side without extent is as wide as its number."""
    if not len(points):
        return HOME
    low, high = points.x.min(axis=0), points.x.max(axis=0)
    wide = high - low
    room = np.where(wide > 0, 0.12 * wide, np.maximum(np.abs(low), 1.0))
    return QRectF(*(low - room).tolist(), *(wide + 2 * room).tolist())


def _ends(values: Array) -> tuple[float, float]:
    """The smallest and the largest finite value, 0 where there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _digits(unit: float) -> int:
    """Digits after the point that tell one pixel from the next."""
    return max(0, min(12, -int(np.floor(np.log10(unit))))) if unit > 0 else 0
