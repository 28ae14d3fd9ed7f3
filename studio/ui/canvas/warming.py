"""Memory taken beforehand: a system hands out pages when they are first written, and that must not be under the brush."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

import numpy as np
from PySide6.QtCore import QObject, QTimer

from studio.ui.canvas.tiles import Raster

_SLICE_MS = 4.0
_EVERY_MS = 12
_BLOCK = 1 << 18  # bytes written at once


class Warmer(QObject):
    """`warm` arrays in slices between events; their content stays."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ahead: deque[Raster] = deque()
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._work)

    def warm(self, arrays: Iterable[Raster]) -> None:
        """Begin with these contiguous arrays instead of what was ahead; small ones are done at once."""
        self._ahead.clear()
        for array in arrays:
            flat = array.reshape(-1)
            self._ahead.extend(flat[start : start + _BLOCK] for start in range(0, flat.size, _BLOCK))
        self._timer.start()
        self._work()

    @property
    def done(self) -> bool:
        return not self._ahead

    def stop(self) -> None:
        """Leave the rest as it is."""
        self._ahead.clear()
        self._timer.stop()

    def _work(self) -> None:
        end = time.perf_counter() + _SLICE_MS / 1000
        while self._ahead:
            block = self._ahead.popleft()
            np.bitwise_or(block, 0, out=block)
            if time.perf_counter() > end:
                return
        self._timer.stop()
