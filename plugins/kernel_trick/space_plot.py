"""Points in space, turned by the mouse: projected and drawn with pyqtgraph, so that they export like any plot."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPolygonF, QWheelEvent
from PySide6.QtWidgets import QGraphicsPolygonItem, QWidget

from studio.ml.linear.problem import Array
from studio.ui.plot import Plot
from studio_plugins.kernel_trick.points_plot import COLOURS
from studio_plugins.kernel_trick.results import Look

DEGREES_A_PIXEL = 0.5
STEP = 6.0
"""Degrees that an arrow key turns."""
_FAR = 4.5
"""Distance of the eye, in half widths of the box: a mild perspective."""
_EDGES = [(a, a | 1 << bit) for a in range(8) for bit in range(3) if not a & 1 << bit]
_AXES = {
    "bowl": ("x₁", "x₂", "x₁² + x₂²"),
    "quadratic": ("x₁²", "√2 x₁x₂", "x₂²"),
    "principal": ("axis 1", "axis 2", "axis 3"),
}


class SpacePlot(Plot):
    """The lifted points, the surface they lie on and the plane between them. `rise` from 0 (flat) to 1 (lifted).

    Signal: `turned` (azimuth, elevation in degrees).
    """

    turned = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", "", parent)
        self.azimuth, self.elevation, self.rise, self._zoom = -60.0, 22.0, 1.0, 1.0
        self._look: Look | None = None
        self._marked: tuple[int, ...] = ()
        self._grip: QPointF | None = None
        for side in ("bottom", "left"):
            self.item.hideAxis(side)
        self.item.showGrid(x=False, y=False)
        self.view.setMouseEnabled(x=False, y=False)
        self.view.setAspectLocked(True)
        self.view.setRange(xRange=(-1.75, 1.75), yRange=(-1.5, 1.5), padding=0)
        self.widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.widget.viewport().installEventFilter(self)
        self.widget.installEventFilter(self)
        self.widget.viewport().setCursor(Qt.CursorShape.OpenHandCursor)
        self.setAccessibleName("The points in space: drag to turn, wheel to come nearer")

    def show_look(self, look: Look) -> None:
        """The lifted points of a look that has them."""
        self._look = look
        self.redraw()

    def mark(self, indices: tuple[int, ...]) -> None:
        """Make points stand out that are meant elsewhere."""
        if indices != self._marked:
            self._marked = indices
            self.redraw()

    def turn(self, azimuth: float, elevation: float) -> None:
        """Look from elsewhere."""
        self.azimuth, self.elevation = (azimuth + 180) % 360 - 180, float(np.clip(elevation, -90, 90))
        self.redraw()
        self.turned.emit(self.azimuth, self.elevation)

    def set_rise(self, rise: float) -> None:
        """How far the points are lifted, 0 to 1."""
        self.rise = rise
        self.redraw()

    # --- drawing ---

    def redraw(self) -> None:
        self.item.clear()
        if self._look is None or self._look.lifted is None:
            return
        look, lifted = self._look, self._look.lifted
        flat = look.points if look.request.lift != "principal" else _unit(look.points)
        middle, half = _box(np.concatenate([lifted.points, lifted.mesh.reshape(-1, 3)]))
        points = (lifted.points - middle) / half
        ground = np.column_stack([flat / max(np.abs(flat).max(), 1e-300), np.full(len(flat), -1.0)])
        points = ground + self.rise * (points - ground)
        self._draw_box()
        if self.rise == 1.0:
            self._draw_mesh((lifted.mesh - middle) / half)
        sides = np.zeros(len(points))
        if lifted.plane is not None and self.rise == 1.0:
            normal, offset = lifted.plane
            level = float(normal @ middle) + offset
            self._draw_plane(normal * half, level)
            eye = float(_FAR * self._axes()[2] @ (normal * half)) + level
            sides = np.sign(lifted.points @ normal + offset) * np.sign(eye)
        for side in (-1, 0, 1):  # what lies behind the plane is drawn before it
            self._draw_points(points, look.labels, np.flatnonzero(sides == side), z=4 + 2 * side)
        self._draw_names()

    def _axes(self) -> Array:
        """Right, up and towards the eye, [3, 3], as rows."""
        a, e = np.radians([self.azimuth, self.elevation])
        right = np.array([-np.sin(a), np.cos(a), 0.0])
        up = np.array([-np.sin(e) * np.cos(a), -np.sin(e) * np.sin(a), np.cos(e)])
        return np.array([right, up, np.cross(right, up)])

    def project(self, points: Array) -> tuple[Array, Array]:
        """Places on the screen [n, 2] and nearness to the eye [n] of points [n, 3] in the box −1 … 1."""
        seen = points @ self._axes().T
        scale = self._zoom * _FAR / (_FAR - seen[:, 2])
        return seen[:, :2] * scale[:, None], seen[:, 2]

    def _draw_box(self) -> None:
        corners = np.array([[(c >> bit & 1) * 2.0 - 1.0 for bit in range(3)] for c in range(8)])
        places, _ = self.project(corners)
        x = np.concatenate([[*places[list(edge), 0], np.nan] for edge in _EDGES])
        y = np.concatenate([[*places[list(edge), 1], np.nan] for edge in _EDGES])
        self.item.plot(x, y, pen=self.pen("plot.axis", 1, 90), connect="finite", name="box")

    def _draw_mesh(self, mesh: Array) -> None:
        """The lifted plane as a net, where it stays inside the box."""
        lines = [*mesh[::2], *mesh[:, ::2].swapaxes(0, 1)]
        x, y = [], []
        for line in lines:
            places, _ = self.project(line)
            inside = (np.abs(line) <= 1.0001).all(axis=1)
            x += [*np.where(inside, places[:, 0], np.nan), np.nan]
            y += [*np.where(inside, places[:, 1], np.nan), np.nan]
        self.item.plot(np.array(x), np.array(y), pen=self.pen("muted", 1, 70), connect="finite", name="lifted plane")

    def _draw_plane(self, normal: Array, offset: float) -> None:
        """normal · x + offset = 0 cut by the box."""
        corners = _cut(normal, offset)
        if len(corners) < 3:
            return
        places, _ = self.project(corners)
        polygon = QGraphicsPolygonItem(QPolygonF([QPointF(float(x), float(y)) for x, y in places]))
        polygon.setBrush(self.brush("series.2", 70))
        polygon.setPen(self.pen("series.2", 1.5))
        polygon.setZValue(3)
        self.item.addItem(polygon, ignoreBounds=True)

    def _draw_points(self, points: Array, labels: Any, chosen: Any, z: int) -> None:
        places, depth = self.project(points[chosen])
        order = np.argsort(depth)
        chosen, places, depth = chosen[order], places[order], depth[order]
        scatter = self.pg.ScatterPlotItem(
            x=places[:, 0],
            y=places[:, 1],
            size=10 + 2.5 * depth,
            symbol=["o" if labels[i] == 0 else "s" for i in chosen],
            brush=[self.brush(COLOURS[labels[i]]) for i in chosen],
            pen=[self.pen("accent", 3) if i in self._marked else self.pen("plot.background", 1) for i in chosen],
        )
        scatter.setZValue(z)
        self.item.addItem(scatter, ignoreBounds=True)

    def _draw_names(self) -> None:
        assert self._look is not None
        ends = np.array([[0.0, -1.25, -1.1], [1.25, 0.0, -1.1], [-0.7, -1.0, 1.25]])
        places, _ = self.project(ends)
        for name, (x, y) in zip(_AXES[self._look.request.lift], places, strict=True):
            text = self.pg.TextItem(name, color=self.pen("plot.axis").color(), anchor=(0.5, 0.5))
            text.setPos(float(x), float(y))
            self.item.addItem(text, ignoreBounds=True)

    # --- the mouse and the keyboard ---

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            ways = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, 1), Qt.Key.Key_Down: (0, -1)}
            way = ways.get(Qt.Key(event.key()))
            if way is not None:
                self.turn(self.azimuth + STEP * way[0], self.elevation + STEP * way[1])
            return way is not None
        if watched is not self.widget.viewport():
            return super().eventFilter(watched, event)
        if isinstance(event, QWheelEvent):
            self._zoom = float(np.clip(self._zoom * 1.0015 ** event.angleDelta().y(), 0.3, 5))
            self.redraw()
            return True
        if not isinstance(event, QMouseEvent):
            return super().eventFilter(watched, event)
        match event.type():
            case QEvent.Type.MouseButtonPress:
                self._grip = event.position()
                self.widget.setFocus()
            case QEvent.Type.MouseMove if self._grip is not None:
                way, self._grip = event.position() - self._grip, event.position()
                self.turn(self.azimuth - DEGREES_A_PIXEL * way.x(), self.elevation + DEGREES_A_PIXEL * way.y())
            case QEvent.Type.MouseButtonRelease:
                self._grip = None
            case _:
                pass
        return True


def _box(points: Array) -> tuple[Array, Array]:
    """Middle and half widths [3] of the box around points; an axis without extent is as wide as the widest."""
    low, high = points.min(axis=0), points.max(axis=0)
    half = (high - low) / 2
    return (low + high) / 2, np.where(half > 1e-9 * half.max(initial=1e-300), half, max(half.max(initial=0.0), 1e-300))


def _unit(points: Array) -> Array:
    found: Array = points - points.mean(axis=0)
    return found


def _cut(normal: Array, offset: float) -> Array:
    """Corners [m, 3], in order, of the plane normal · x + offset = 0 within the box −1 … 1."""
    corners = np.array([[(c >> bit & 1) * 2.0 - 1.0 for bit in range(3)] for c in range(8)])
    values = corners @ normal + offset
    crossings = [
        corners[a] + values[a] / (values[a] - values[b]) * (corners[b] - corners[a])
        for a, b in _EDGES
        if (values[a] > 0) != (values[b] > 0)
    ]
    if len(crossings) < 3:
        return np.empty((0, 3))
    found = np.array(crossings)
    centre = found.mean(axis=0)
    first = found[0] - centre
    second = np.cross(normal, first)
    angles = np.arctan2(
        (found - centre) @ second / max(np.linalg.norm(second), 1e-300),
        (found - centre) @ first / max(np.linalg.norm(first), 1e-300),
    )
    ordered: Array = found[np.argsort(angles)]
    return ordered
