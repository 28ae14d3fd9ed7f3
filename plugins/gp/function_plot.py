"""The stage's plot of functions over one input: points to add, drag, trust and remove; mean, bands and samples.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtWidgets import QGraphicsRectItem, QVBoxLayout, QWidget

from studio.ui.plot_axis import style_axes
from studio.ui.theme import theme
from studio_plugins.gp.canvas import Canvas
from studio_plugins.gp.gestures import ClickOrBox, Drag, Gesture
from studio_plugins.gp.inducing_marks import InducingMarks
from studio_plugins.gp.layers import Averaged, Belief, Dots, LeftOut
from studio_plugins.gp.points import Points
from studio_plugins.gp.rulers import Rulers

REACH_PX = 10.0
"""How near to a point the pointer takes hold of it."""
TOGETHER_MS = 24
"""How long a dragged point waits for what follows from its place, so that one painting shows both."""
HOME = QRectF(-5.0, -3.0, 10.0, 6.0)
"""What an empty plot shows."""


class FunctionPlot(QWidget):
    """Shows what it is told and says what the hand asks for; it changes no point by itself.

    Signals: `added` (x, y); `taken` (index) when a point goes down, `dragged` (index, x, y) at each move, `moved`
    (indices, dx, dy) at the end; `pulled` (indices, noise) while an error bar is pulled, `trusted` (indices, noise) at
    the end; `chosen` (indices) when the selection changes; `hovered` (index, -1 for none); `removed` (indices);
    `turned` (ruler's name, value, whether it is the end); `induced` (places of the inducing points, whether it is the
    end); `ranged` when another stretch of the axes shows; `pointed` (x
    under the pointer).
    """

    added = Signal(float, float)
    taken = Signal(int)
    dragged = Signal(int, float, float)
    moved = Signal(object, float, float)
    pulled = Signal(object, float)
    trusted = Signal(object, float)
    chosen = Signal(object)
    hovered = Signal(int)
    removed = Signal(object)
    turned = Signal(str, float, bool)
    induced = Signal(object, bool)
    let_go = Signal()
    ranged = Signal()
    pointed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = Canvas(self._begin, self)
        item = self.canvas.getPlotItem()
        self.prior = Belief(item, "muted", depth=-5, dashed=True)
        self.posterior = Belief(item, "series.0")
        self.averaged = Averaged(item)
        self.left_out = LeftOut(item)
        self.dots = Dots(item)
        self.inducing = InducingMarks(self.canvas)
        self.rulers = Rulers(self.canvas)
        self._points, self._common = Points(), 0.0
        self._selection: tuple[int, ...] = ()
        self._labels = ("x", "y")
        self._hand: tuple[float, float, float] | None = None
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(TOGETHER_MS)
        self._patience.timeout.connect(self.settle)
        self._box = QGraphicsRectItem()
        self._box.setZValue(9)
        self._box.hide()
        self.canvas.scene().addItem(self._box)
        self.canvas.setRange(HOME, padding=0)
        self.canvas.disableAutoRange()
        self._connect()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self.setFocusProxy(self.canvas)
        self.canvas.setAccessibleName("Plot of the points and the functions through them")
        theme().changed.connect(self._restyle)
        self._restyle()

    def _connect(self) -> None:
        canvas = self.canvas
        canvas.hovered.connect(self._hover)
        canvas.deleted.connect(lambda: self._selection and self.removed.emit(self._selection))
        canvas.escaped.connect(lambda: self.choose(()))
        canvas.all_wanted.connect(lambda: self.choose(range(len(self._points))))
        canvas.nudged.connect(lambda dx, dy: self._selection and self.moved.emit(self._selection, dx, dy))
        canvas.getViewBox().sigRangeChanged.connect(lambda *_: self.ranged.emit())

    # --- what is shown ---

    def show_points(self, points: Points, common: float) -> None:
        """These points; a selection that no longer fits is let go of."""
        self._points, self._common = points, common
        self._hand = None
        if any(index >= len(points) for index in self._selection):
            self.choose(())
        self.dots.show(points, self._selection, common)

    def settle(self) -> None:
        """Draw the point in the hand where it is now: what follows from its place is about to be drawn, or takes long."""
        self._patience.stop()
        if self._hand is not None:
            self.dots.move(*self._hand)
            self._hand = None

    def choose(self, indices: Iterable[int]) -> None:
        """Select these points and no others."""
        self._selection = tuple(sorted(indices))
        self.dots.show(self._points, self._selection, self._common)
        self.chosen.emit(self._selection)

    @property
    def selection(self) -> tuple[int, ...]:
        return self._selection

    def name_axes(self, x: str, y: str) -> None:
        if (x, y) != self._labels:
            self._labels = (x, y)
            style_axes(self.canvas, self._labels)

    def span(self) -> tuple[float, float]:
        """The stretch of x that shows."""
        left, right = self.canvas.getViewBox().viewRange()[0]
        return float(left), float(right)

    def fit(self, points: Points) -> None:
        """Show all points with room around them, or the empty plot's stretch where there are none."""
        self.canvas.setRange(_around(points), padding=0)

    def plot_item(self) -> Any:
        """pyqtgraph's PlotItem, for the export service."""
        return self.canvas.getPlotItem()

    def _restyle(self) -> None:
        style_axes(self.canvas, self._labels)
        for part in (
            self.prior, self.posterior, self.averaged, self.left_out, self.dots, self.inducing, self.rulers
        ):  # fmt: skip
            part.restyle()
        colour = theme().color("accent")
        self._box.setPen(pg.mkPen(colour, width=1))
        colour.setAlpha(30)
        self._box.setBrush(colour)

    # --- what lies under the pointer ---

    def nearest(self, at: QPointF) -> int:
        """The point under a pixel, -1 where there is none."""
        if not len(self._points):
            return -1
        x, y = self.canvas.pixels(self._points.x[:, 0], self._points.y)
        far = np.hypot(x - at.x(), y - at.y())
        index = int(np.argmin(far))
        return index if far[index] <= REACH_PX else -1

    def bar_end(self, at: QPointF) -> int:
        """The point whose error bar ends under a pixel, -1 where there is none."""
        for index in self.dots.bars():
            x, y, reach = self._points.x[index, 0], self._points.y[index], self.dots.reach(index)
            wide, high = self.canvas.pixels(np.array([x, x]), np.array([y - reach, y + reach]))
            if min(math.hypot(at.x() - w, at.y() - h) for w, h in zip(wide, high, strict=True)) <= REACH_PX:
                return index
        return -1

    def _hover(self, at: QPointF | None) -> None:
        if at is None:
            self.dots.hover(-1)
            self.hovered.emit(-1)
            return
        self.pointed.emit(self.canvas.place(at)[0])
        grip, index = self.rulers.at(at), self.nearest(at)
        bar = self.bar_end(at) if index < 0 and not grip else -1
        mark = self.inducing.at(at) if index < 0 and not grip and bar < 0 else -1
        self.dots.hover(index if index >= 0 else bar)
        self.hovered.emit(index)
        shape = Qt.CursorShape
        self.canvas.setCursor(
            shape.SizeAllCursor if grip or index >= 0
            else shape.SizeVerCursor if bar >= 0
            else shape.SizeHorCursor if mark >= 0
            else shape.CrossCursor
        )

    # --- what the left button does ---

    def _begin(self, at: QPointF, keys: Qt.KeyboardModifier) -> Gesture:
        extend = bool(keys & Qt.KeyboardModifier.ShiftModifier)
        grip = self.rulers.at(at)
        if grip:
            return self._turn(grip, at)
        index = self.nearest(at)
        if index >= 0:
            return self._take(index, at, extend)
        bar = self.bar_end(at)
        if bar >= 0:
            return self._pull(bar, at)
        mark = self.inducing.at(at)
        if mark >= 0:
            return self._shift(mark, at)
        return ClickOrBox(
            at,
            lambda place: self._click(place, extend),
            self._draw_box,
            lambda start, end: self._choose_box(start, end, extend),
        )

    def _click(self, at: QPointF, extend: bool) -> None:
        if self._selection and not extend:
            self.choose(())
        self.added.emit(*self.canvas.place(at))

    def _take(self, index: int, at: QPointF, extend: bool) -> Gesture:
        together = self._selection if index in self._selection else (*self._selection, index) if extend else (index,)
        self.choose(together)
        x, y = float(self._points.x[index, 0]), float(self._points.y[index])
        if len(together) == 1:
            self.taken.emit(index)
            self.dots.lift(index)
        noise = float(self._points.noise(self._common)[index])

        def pull(dx: float, dy: float) -> None:
            if len(together) == 1:
                self._hand = (x + dx, y + dy, noise)
                if not self._patience.isActive():
                    self._patience.start()
                self.dragged.emit(index, x + dx, y + dy)
            else:
                self.dots.show(self._points.shifted(together, dx, dy), together, self._common)

        return self._drag(at, pull, lambda dx, dy: self.moved.emit(together, dx, dy))

    def _pull(self, index: int, at: QPointF) -> Gesture:
        together = self._selection if index in self._selection else (index,)
        y, multiple = float(self._points.y[index]), self.dots.multiple
        above = self.canvas.place(at)[1] >= y
        before = float(self._points.noise(self._common)[index])

        def noise(dy: float) -> float:
            return max(0.0, before + (dy if above else -dy) / multiple)

        return self._drag(
            at,
            lambda _dx, dy: self.pulled.emit(together, noise(dy)),
            lambda _dx, dy: self.trusted.emit(together, noise(dy)),
        )

    def _turn(self, name: str, at: QPointF) -> Gesture:
        before = self.rulers.value(name) or 0.0

        def told(end: bool, dx: float, dy: float) -> None:
            self.turned.emit(name, self.rulers.pulled(name, before, dx, dy), end)

        return self._drag(at, lambda dx, dy: told(False, dx, dy), lambda dx, dy: told(True, dx, dy))

    def _shift(self, mark: int, at: QPointF) -> Gesture:
        before = self.inducing.places

        def told(end: bool, dx: float) -> None:
            places = before.copy()
            places[mark] += dx
            self.induced.emit(places, end)

        return self._drag(at, lambda dx, _dy: told(False, dx), lambda dx, _dy: told(True, dx))

    def _drag(
        self, at: QPointF, pull: Callable[[float, float], None], done: Callable[[float, float], None]
    ) -> Drag:
        return Drag(at, self.canvas.place, pull, done, self.let_go.emit)

    def _draw_box(self, corners: tuple[QPointF, QPointF] | None) -> None:
        self._box.setVisible(corners is not None)
        if corners is not None:
            self._box.setRect(QRectF(*corners).normalized())

    def _choose_box(self, start: QPointF, end: QPointF, extend: bool) -> None:
        box = QRectF(start, end).normalized()
        x, y = self.canvas.pixels(self._points.x[:, 0], self._points.y)
        within = (x >= box.left()) & (x <= box.right()) & (y >= box.top()) & (y <= box.bottom())
        self.choose({*np.flatnonzero(within).tolist(), *(self._selection if extend else ())})


def _around(points: Points) -> QRectF:
    """The points with a tenth of room on each side; one point, or equal ones, in the middle of a stretch of their size."""
    if not len(points):
        return HOME
    x, y = points.x[:, 0], points.y
    sides = []
    for values in (x, y):
        wide = float(np.ptp(values))
        room = 0.12 * wide if wide > 0 else max(abs(float(values[0])), 1.0)
        sides.append((float(values.min()) - room, wide + 2 * room))
    (left, wide), (low, high) = sides
    return QRectF(left, low, wide, high)


