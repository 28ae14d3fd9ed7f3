"""The points a person clicked, with every change undoable."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QObject, Signal

from studio.ui.states import States
from studio_plugins.kernel_trick.request import EDGE, MAX_POINTS, Dot

UNDO_LIMIT = 200


class Document(QObject):
    """Holds the points. Signals: `changed` after each edit, undo and redo; `full` when no more points are taken."""

    changed = Signal()
    full = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.points: tuple[Dot, ...] = ()
        self.undo = States(self.points, UNDO_LIMIT, self)
        self.undo.turned.connect(self._show)

    def start_with(self, points: tuple[Dot, ...]) -> None:
        """Take up points with nothing to undo: what an earlier session left."""
        self.undo.begin(points)
        self._show(points)

    def take(self, text: str, points: tuple[Dot, ...]) -> None:
        """Other points instead; an edit that changes nothing is not kept."""
        if points != self.points:
            self.undo.record(text, points)
            self._show(points)

    def add(self, x: float, y: float, label: int) -> None:
        """One more point."""
        if len(self.points) >= MAX_POINTS:
            self.full.emit()
        else:
            self.take("new point", (*self.points, (*_inside(x, y), label)))

    def move(self, index: int, x: float, y: float) -> None:
        """A point elsewhere."""
        self.take("move", self.moved(index, x, y))

    def moved(self, index: int, x: float, y: float) -> tuple[Dot, ...]:
        """The points as they would be with one elsewhere."""
        points = list(self.points)
        points[index] = (*_inside(x, y), points[index][2])
        return tuple(points)

    def remove(self, chosen: Collection[int]) -> None:
        """Without these points."""
        self.take("removal", tuple(dot for i, dot in enumerate(self.points) if i not in chosen))

    def flip(self, chosen: Collection[int]) -> None:
        """These points in the other class."""
        flipped = ((x, y, 1 - label if i in chosen else label) for i, (x, y, label) in enumerate(self.points))
        self.take("change of class", tuple(flipped))

    def _show(self, points: tuple[Dot, ...]) -> None:
        self.points = points
        self.changed.emit()


def _inside(x: float, y: float) -> tuple[float, float]:
    return min(EDGE, max(-EDGE, x)), min(EDGE, max(-EDGE, y))
