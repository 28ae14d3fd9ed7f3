"""The plot a person works on with the mouse: what lies under the pointer, and what the buttons do there.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QWidget

from studio.ui.plot_axis import BarePlot
from studio_plugins.gp.gestures import Gesture

Array = npt.NDArray[np.float64]
Place = tuple[float, float]

_NUDGES = {
    Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Down: (0, -1), Qt.Key.Key_Up: (0, 1),
}  # fmt: skip
NUDGE_PX = 2.0


class Canvas(BarePlot):
    """A plot whose left button belongs to `begin`: it is asked for a Gesture when the button goes down inside the axes.
    The wheel zooms, the right button scales and the middle one moves the view, as in every pyqtgraph plot.

    Signals: `hovered` (pointer in pixels of the widget, None when it left), `painted`, `nudged` (steps right and up, in
    units of the axes), `deleted`, `escaped`, `all_wanted`.
    """

    hovered = Signal(object)
    painted = Signal()
    nudged = Signal(float, float)
    deleted = Signal()
    escaped = Signal()
    all_wanted = Signal()

    def __init__(self, begin: Callable[[QPointF, Qt.KeyboardModifier], Gesture], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._begin = begin
        self._gesture: Gesture | None = None
        self.setAntialiasing(True)
        self.hideButtons()
        self.getPlotItem().setContentsMargins(4, 8, 12, 4)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    # --- between pixels of the widget and units of the axes ---

    def place(self, at: QPointF) -> Place:
        """The units of the axes under a pixel."""
        found = self.getViewBox().mapSceneToView(self._in_scene(at))
        return float(found.x()), float(found.y())

    def pixels(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Pixels of places given in units of the axes, all [n]."""
        box = self.getViewBox()
        (left, right), (low, high) = box.viewRange()
        frame = box.sceneBoundingRect()
        return (
            frame.left() + (x - left) / (right - left) * frame.width(),
            frame.bottom() - (y - low) / (high - low) * frame.height(),
        )

    def unit(self) -> Place:
        """How much of each axis one pixel covers."""
        box = self.getViewBox()
        (left, right), (low, high) = box.viewRange()
        frame = box.sceneBoundingRect()
        return (right - left) / max(frame.width(), 1.0), (high - low) / max(frame.height(), 1.0)

    def inside(self, at: QPointF) -> bool:
        """Whether a pixel lies within the axes."""
        return bool(self.getViewBox().sceneBoundingRect().contains(self._in_scene(at)))

    def _in_scene(self, at: QPointF) -> QPointF:
        """QGraphicsView.mapToScene knows whole pixels only."""
        return self.viewportTransform().inverted()[0].map(at)

    @property
    def busy(self) -> bool:
        """Whether a gesture is under way."""
        return self._gesture is not None

    # --- events ---

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if event.button() != Qt.MouseButton.LeftButton or not self.inside(event.position()):
            super().mousePressEvent(event)
            return
        self._gesture = self._begin(event.position(), event.modifiers())
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._gesture is not None:
            self._gesture.move(event.position())
            event.accept()
            return
        if event.buttons() == Qt.MouseButton.NoButton:
            # Nothing in the plot hovers by itself, so the scene need not search under every move.
            self.hovered.emit(event.position() if self.inside(event.position()) else None)
            return
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._gesture is None or event.button() != Qt.MouseButton.LeftButton:
            super().mouseReleaseEvent(event)
            return
        gesture, self._gesture = self._gesture, None
        gesture.drop(event.position())
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)  # two quick clicks are two points

    def leaveEvent(self, event: object) -> None:
        super().leaveEvent(event)
        self.hovered.emit(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.deleted.emit()
        elif key == Qt.Key.Key_Escape:
            self._give_up()
        elif key == Qt.Key.Key_A and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.all_wanted.emit()
        elif key in _NUDGES:
            far = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            (right, up), (wide, high) = _NUDGES[key], self.unit()
            self.nudged.emit(right * far * NUDGE_PX * wide, up * far * NUDGE_PX * high)
        else:
            super().keyPressEvent(event)
            return
        event.accept()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self.painted.emit()

    def _give_up(self) -> None:
        """Esc: back to before the gesture, or let go of what is selected."""
        gesture, self._gesture = self._gesture, None
        if gesture is not None:
            gesture.abort()
        else:
            self.escaped.emit()
