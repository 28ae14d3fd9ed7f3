"""The plane of the points: click adds one, dragging moves it, Delete removes it; behind them the boundary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QWidget

from studio.ml.linear.problem import Array
from studio.ui.plot import Plot
from studio.ui.theme import theme
from studio_plugins.kernel_trick.request import EDGE, Dot
from studio_plugins.kernel_trick.results import Look

NEAR, SLACK = 11.0, 4.0
"""Pixels within which a point is meant, and which a hand may move without dragging."""
COLOURS = ("series.0", "series.1")


class PointsPlot(Plot):
    """Signals: `added` (x, y, with the other class), `dragged` and `moved` (index, x, y), `let_go`, `removed` and
    `flipped` (indices), `hovered` (index, -1 none), `chosen` (indices)."""

    added = Signal(float, float, bool)
    dragged = Signal(int, float, float)
    moved = Signal(int, float, float)
    let_go = Signal()
    removed = Signal(object)
    flipped = Signal(object)
    hovered = Signal(int)
    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("x₁", "x₂", parent)
        self._dots: tuple[Dot, ...] = ()
        self._look: Look | None = None
        self._marked: tuple[int, ...] = ()
        self.choice: tuple[int, ...] = ()
        self._taken = -1
        self._start: QPointF | None = None
        self._loose = False
        self.view.setMouseEnabled(x=False, y=False)
        self.view.setAspectLocked(True)
        self.view.setRange(xRange=(-EDGE, EDGE), yRange=(-EDGE, EDGE), padding=0.02)
        self._ground = self.pg.ImageItem()
        self._lines: list[Any] = []
        self._rings, self._scatter, self._marks = (self.pg.ScatterPlotItem() for _ in range(3))
        self.item.addItem(self._ground)
        for place, scatter in enumerate((self._rings, self._scatter, self._marks)):
            scatter.setZValue(10 + place)
            self.item.addItem(scatter)
        self.widget.viewport().setMouseTracking(True)
        self.widget.viewport().installEventFilter(self)
        self.widget.installEventFilter(self)
        self.widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Plane of the points: click to add, drag to move, Delete removes")

    # --- what is shown ---

    def show_dots(self, dots: Sequence[Dot]) -> None:
        """The points, at once; what follows from them comes with a look."""
        self._dots = tuple(dots)
        self.choice = tuple(i for i in self.choice if i < len(dots))
        self._draw_dots()

    def show_look(self, look: Look) -> None:
        """The boundary, its street and its support vectors."""
        self._look = look
        self.redraw()

    def mark(self, indices: Sequence[int]) -> None:
        """Make points stand out that are meant elsewhere, such as those of a cell of the Gram matrix."""
        self._marked = tuple(indices)
        self._draw_dots()

    def choose(self, indices: Sequence[int]) -> None:
        """Select points, for Delete and the change of class."""
        self.choice = tuple(indices)
        self._draw_dots()
        self.chosen.emit(self.choice)

    def redraw(self) -> None:
        for line in self._lines:
            self.item.removeItem(line)
        self._lines = []
        look = self._look
        if look is None or look.field is None or not np.isfinite(look.field).all():
            self._ground.clear()
        else:
            self._draw_field(look.field)
            lifted = look.lifted.field if look.lifted is not None else None
            if lifted is not None:
                self._level(lifted, 0.0, self.pen("series.2", 2, style=Qt.PenStyle.DashLine))
        self._draw_dots()

    def _draw_field(self, field: Array) -> None:
        """Ground in the colour of the winning class, deeper where f is larger; lines at f = 0 and, dashed, ±1."""
        depth = np.clip(np.abs(field), 0, 1)
        paper = np.array(theme().color("plot.background").getRgb()[:3], dtype=np.float64)
        inks = [np.array(theme().color(token).getRgb()[:3], dtype=np.float64) for token in COLOURS]
        ink = np.where((field > 0)[..., None], inks[1], inks[0])
        mixed = paper + (0.06 + 0.2 * depth)[..., None] * (ink - paper)
        self._ground.setImage(mixed.astype(np.uint8), autoLevels=False, axisOrder="col-major", levels=(0, 255))
        half = EDGE / (len(field) - 1)
        self._ground.setRect(-EDGE - half, -EDGE - half, 2 * EDGE + 2 * half, 2 * EDGE + 2 * half)
        self._level(field, 0.0, self.pen("text", 2))
        for sign, token in ((-1.0, COLOURS[0]), (1.0, COLOURS[1])):
            self._level(field, sign, self.pen(token, 1, style=Qt.PenStyle.DashLine))

    def _level(self, field: Array, level: float, pen: Any) -> None:
        if not field.min() < level < field.max():
            return
        line = self.pg.IsocurveItem(data=field, level=level, pen=pen)
        transform = self.pg.QtGui.QTransform()
        step = 2 * EDGE / (len(field) - 1)
        transform.translate(-EDGE - step / 2, -EDGE - step / 2)  # pyqtgraph puts the value of a cell at its middle
        transform.scale(step, step)
        line.setTransform(transform)
        line.setZValue(5)
        self.item.addItem(line)
        self._lines.append(line)

    def _draw_dots(self) -> None:
        x, y = [dot[0] for dot in self._dots], [dot[1] for dot in self._dots]
        brushes = [self.brush(COLOURS[label]) for _, _, label in self._dots]
        symbols = ["o" if label == 0 else "s" for _, _, label in self._dots]
        edge = self.pen("plot.background", 1)
        self._scatter.setData(x=x, y=y, brush=brushes, pen=edge, size=11, symbol=symbols)
        boundary = self._look.boundary if self._look is not None else None
        ringed = boundary is not None and boundary.machine == "svm" and len(boundary.points) == len(self._dots)
        support = boundary.support if boundary is not None and ringed else np.empty(0, int)
        ring = self.pen("text", 1.5)
        self._rings.setData(
            x=[x[i] for i in support], y=[y[i] for i in support], size=17, pen=ring, brush=self.pg.mkBrush(None)
        )
        meant = [i for i in dict.fromkeys((*self._marked, *self.choice)) if i < len(self._dots)]
        self._marks.setData(
            x=[x[i] for i in meant],
            y=[y[i] for i in meant],
            size=21,
            pen=self.pen("accent", 2.5),
            brush=self.pg.mkBrush(None),
        )

    # --- the mouse and the keyboard ---

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            return self._key(event)
        if watched is not self.widget.viewport():
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.Leave:
            self.hovered.emit(-1)
        if not isinstance(event, QMouseEvent):
            return super().eventFilter(watched, event)
        match event.type():
            case QEvent.Type.MouseButtonPress:
                self._press(event)
            case QEvent.Type.MouseMove:
                self._move(event.position())
            case QEvent.Type.MouseButtonRelease:
                self._release(event)
            case _:
                return super().eventFilter(watched, event)
        return True

    def place(self, at: QPointF) -> tuple[float, float]:
        """Coordinates under a pixel of the viewport."""
        found = self.view.mapSceneToView(self.widget.mapToScene(at.toPoint()))
        return float(found.x()), float(found.y())

    def pixel(self, x: float, y: float) -> QPointF:
        """The pixel of the viewport over a place."""
        return QPointF(self.widget.mapFromScene(self.view.mapViewToScene(QPointF(x, y))))

    def nearest(self, at: QPointF) -> int:
        """The point under the pointer, -1 none."""
        distances = [(self.pixel(x, y) - at).manhattanLength() for x, y, _ in self._dots]
        best = int(np.argmin(distances)) if distances else -1
        return best if best >= 0 and distances[best] <= NEAR else -1

    def _press(self, event: QMouseEvent) -> None:
        self.widget.setFocus()
        self._start, self._loose = event.position(), False
        self._taken = self.nearest(event.position()) if event.button() == Qt.MouseButton.LeftButton else -1

    def _move(self, at: QPointF) -> None:
        if self._start is None:
            index = self.nearest(at)
            self.widget.viewport().setCursor(
                Qt.CursorShape.OpenHandCursor if index >= 0 else Qt.CursorShape.CrossCursor
            )
            self.hovered.emit(index)
        elif self._taken >= 0:
            self._loose = self._loose or (at - self._start).manhattanLength() > SLACK
            if self._loose:
                self.dragged.emit(self._taken, *self.place(at))

    def _release(self, event: QMouseEvent) -> None:
        start, taken, loose = self._start, self._taken, self._loose
        self._start, self._taken, self._loose = None, -1, False
        if start is None:
            return
        if loose:
            self.moved.emit(taken, *self.place(event.position()))
        elif taken >= 0:
            self.choose(() if self.choice == (taken,) else (taken,))
        elif (event.position() - start).manhattanLength() <= SLACK:
            x, y = self.place(start)
            if max(abs(x), abs(y)) <= EDGE:
                self.choose(())
                self.added.emit(x, y, event.button() == Qt.MouseButton.RightButton)

    def _key(self, event: QKeyEvent) -> bool:
        match event.key():
            case Qt.Key.Key_Delete | Qt.Key.Key_Backspace if self.choice:
                self.removed.emit(self.choice)
            case Qt.Key.Key_Space if self.choice:
                self.flipped.emit(self.choice)
            case Qt.Key.Key_Escape if self._taken >= 0:
                self._start, self._taken, self._loose = None, -1, False
                self.let_go.emit()
            case Qt.Key.Key_Escape if self.choice:
                self.choose(())
            case Qt.Key.Key_Left | Qt.Key.Key_Right | Qt.Key.Key_Up | Qt.Key.Key_Down if len(self.choice) == 1:
                dx, dy = {
                    Qt.Key.Key_Left: (-1, 0),
                    Qt.Key.Key_Right: (1, 0),
                    Qt.Key.Key_Up: (0, 1),
                    Qt.Key.Key_Down: (0, -1),
                }[Qt.Key(event.key())]
                x, y, _ = self._dots[self.choice[0]]
                self.moved.emit(self.choice[0], x + 0.02 * dx, y + 0.02 * dy)
            case _:
                return False
        return True
