"""Python's garbage collector on the GUI thread only, between two events.

Left to itself it runs wherever something is allocated, on any thread. What it then destroys of Qt is destroyed there: a
menu on the compute thread, a widget inside a call of Qt that holds the very lock which its end needs (seen: the window
hangs for good).
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal

EVERY_MS = 30
"""Seldom, there is much to go through at once: of 200 ms of imports, 70 ms long."""
FULL_EVERY, GROWTH = 30.0, 1.25
"""Seconds between two collections of everything, which may take 50 ms, and how many times as much there is to be by then:
what Python itself asks for."""
PATIENCE = 0.5
"""Seconds another thread waits for a collection it has asked for."""


class GarbageCollection(QObject):
    """From `start()` to `stop()` nothing else collects. Made and started on the GUI thread."""

    _asked = Signal(object)

    def __init__(self, parent: QObject | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(parent)
        self._clock = clock
        self._automatic = gc.isenabled()
        self._full_at, self._kept = clock(), 0
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self.look)
        self._asked.connect(self._answer, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Python collects no more by itself."""
        self._automatic = gc.isenabled()
        gc.disable()
        self._timer.start()

    def stop(self) -> None:
        """As it was before `start`."""
        self._timer.stop()
        if self._automatic:
            gc.enable()

    def look(self) -> None:
        """Collect what Python would have collected meanwhile: the young often, everything seldom."""
        counts, most = gc.get_count(), gc.get_threshold()
        if counts[0] <= most[0]:
            return
        if counts[1] <= most[1]:
            gc.collect(0)
        elif counts[2] <= most[2] or self._clock() < self._full_at + FULL_EVERY:
            gc.collect(1)
        elif len(gc.get_objects(generation=2)) > GROWTH * self._kept:
            self._collect()
        else:
            self._full_at = self._clock()

    def collect(self) -> None:
        """Collect everything now; from another thread: soon, and wait for it for a moment."""
        if QThread.currentThread() is self.thread() or not self._timer.isActive():
            self._collect()
            return
        done = threading.Event()
        self._asked.emit(done)
        done.wait(PATIENCE)

    def _answer(self, done: threading.Event) -> None:
        self._collect()
        done.set()

    def _collect(self) -> None:
        gc.collect()
        self._full_at, self._kept = self._clock(), len(gc.get_objects(generation=2))
