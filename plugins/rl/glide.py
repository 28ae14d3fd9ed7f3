"""A marker that slides from cell to cell, where its steps are slow enough to be followed."""

from __future__ import annotations

from time import monotonic

from PySide6.QtCore import QObject, QTimer, Signal

SECONDS = 0.14
_FRAME_MS = 16

Place = tuple[float, float]


class Glide(QObject):
    """`place` is where the marker is now. Signal: `moved`, at each frame while it slides."""

    moved = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._from: Place = (0.0, 0.0)
        self._to: Place = (0.0, 0.0)
        self._begun = -SECONDS
        self._timer = QTimer(self)
        self._timer.setInterval(_FRAME_MS)
        self._timer.timeout.connect(self._tick)

    @property
    def place(self) -> Place:
        """Row and column, between cells while it slides."""
        share = min(1.0, (monotonic() - self._begun) / SECONDS)
        eased = share * share * (3 - 2 * share)
        return (
            self._from[0] + (self._to[0] - self._from[0]) * eased,
            self._from[1] + (self._to[1] - self._from[1]) * eased,
        )

    @property
    def sliding(self) -> bool:
        return self._timer.isActive()

    def go(self, to: Place, *, smooth: bool) -> None:
        """To another cell; at once unless `smooth`. A slide under way goes on from where it is."""
        if to == self._to:
            return
        self._from = self.place if smooth else to
        self._to = to
        if smooth:
            self._begun = monotonic()
            self._timer.start()
        else:
            self.stop()

    def stop(self) -> None:
        """Be where it was going to."""
        self._begun = monotonic() - SECONDS
        self._timer.stop()

    def _tick(self) -> None:
        if monotonic() - self._begun >= SECONDS:
            self._timer.stop()
        self.moved.emit()
