"""How late the window answers, measured where it matters: on the GUI thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, QTimer

INTERVAL_MS = 10
WINDOW_S = 5.0


@dataclass(frozen=True)
class Lag:
    """Lateness of the window's timer in milliseconds over the last seconds."""

    median: float
    p99: float
    maximum: float
    samples: int


class LagMeter(QObject):
    """A precise timer that notes how much later than asked it comes: what a key press would have waited.

    `reset()` and `everything()` serve the bench: all samples since the reset, in milliseconds.
    """

    def __init__(self, parent: QObject | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(parent)
        self._clock = clock
        self._last: float | None = None
        self._recent: deque[tuple[float, float]] = deque()
        self._all: list[float] = []
        self._keep_all = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.tick)

    def start(self) -> None:
        """Begin to measure."""
        self._last = None
        self._timer.start()

    def stop(self) -> None:
        """Stop measuring."""
        self._timer.stop()

    def reset(self, keep_all: bool = True) -> None:
        """Forget what was measured; from now on keep every sample (for the bench)."""
        self._recent.clear()
        self._all.clear()
        self._last = None
        self._keep_all = keep_all

    def everything(self) -> list[float]:
        """Every lateness since `reset()`, in milliseconds."""
        return list(self._all)

    def tick(self) -> None:
        """One sample (called by the timer)."""
        now = self._clock()
        if self._last is not None:
            late = max(0.0, (now - self._last) * 1000 - INTERVAL_MS)
            self._recent.append((now, late))
            if self._keep_all:
                self._all.append(late)
        self._last = now
        while self._recent and now - self._recent[0][0] > WINDOW_S:
            self._recent.popleft()

    def lag(self) -> Lag:
        """Median, 99th percentile and maximum over the last seconds."""
        values = sorted(late for _, late in self._recent)
        if not values:
            return Lag(0.0, 0.0, 0.0, 0)
        last = len(values) - 1
        return Lag(values[last // 2], values[min(last, round(0.99 * last))], values[-1], len(values))
