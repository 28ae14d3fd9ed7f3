"""What the left button can begin on the plot, each a small object that is moved, then dropped or given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QPointF

Where = Callable[[QPointF], tuple[float, float]]
"""From a pixel to units of the axes."""

SLACK_PX = 4.0
"""A hand that moves less than this has not meant to drag."""


class Gesture(Protocol):
    """Between the button going down and coming up again."""

    def move(self, at: QPointF) -> None: ...
    def drop(self, at: QPointF) -> None: ...
    def abort(self) -> None: ...


class Drag:
    """Something follows the pointer. `pull(dx, dy)` gets the way from where it was taken, in units of the axes, at each
    move; `done(dx, dy)` at the end, `let_go()` instead when it was given up or never left its place."""

    def __init__(
        self,
        start: QPointF,
        where: Where,
        pull: Callable[[float, float], None],
        done: Callable[[float, float], None],
        let_go: Callable[[], None],
    ) -> None:
        self._start, self._where, self._pull, self._done, self._let_go = start, where, pull, done, let_go
        self._from = where(start)
        self._loose = False

    def move(self, at: QPointF) -> None:
        self._loose = self._loose or _far(at, self._start)
        if self._loose:
            self._pull(*self._way(at))

    def drop(self, at: QPointF) -> None:
        if self._loose:
            self._done(*self._way(at))
        else:
            self._let_go()

    def abort(self) -> None:
        self._let_go()

    def _way(self, at: QPointF) -> tuple[float, float]:
        x, y = self._where(at)
        return x - self._from[0], y - self._from[1]


class ClickOrBox:
    """On an empty place: a click (`clicked`), or a box drawn from here (`boxed`, both corners in pixels; `drawn` at each
    move, None when it is over)."""

    def __init__(
        self,
        start: QPointF,
        clicked: Callable[[QPointF], None],
        drawn: Callable[[tuple[QPointF, QPointF] | None], None],
        boxed: Callable[[QPointF, QPointF], None],
    ) -> None:
        self._start, self._clicked, self._drawn, self._boxed = start, clicked, drawn, boxed
        self._loose = False

    def move(self, at: QPointF) -> None:
        self._loose = self._loose or _far(at, self._start)
        if self._loose:
            self._drawn((self._start, at))

    def drop(self, at: QPointF) -> None:
        if not self._loose:
            self._clicked(self._start)
            return
        self._drawn(None)
        self._boxed(self._start, at)

    def abort(self) -> None:
        self._drawn(None)


def _far(at: QPointF, start: QPointF) -> bool:
    return (at - start).manhattanLength() > SLACK_PX
