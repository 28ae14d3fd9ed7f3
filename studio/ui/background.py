"""Disk work and imports off the GUI thread, with the answer back on it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

log = logging.getLogger("studio.ui")


@dataclass(frozen=True)
class _Answer:
    then: Callable[[Any], None] | None
    failed: Callable[[Exception], None] | None
    value: Any = None
    error: Exception | None = None


class Background(QObject):
    """One thread that does one thing after another. `close` waits for it; answers that come later are dropped."""

    _answered = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue: SimpleQueue[tuple[Callable[[], Any], Any, Any] | None] = SimpleQueue()
        self._closed = False
        self._answered.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def run(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Do `work()` on the thread; `then(value)` or `failed(error)` follows on the GUI thread."""
        if not self._closed:
            self._queue.put((work, then, failed))

    def close(self, timeout: float = 5.0) -> bool:
        """Finish what is being done, drop the rest; False if the thread is still alive after `timeout` seconds."""
        self._closed = True
        self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while (order := self._queue.get()) is not None:
            if self._closed:
                continue
            work, then, failed = order
            try:
                answer = _Answer(then, failed, value=work())
            except Exception as error:  # whatever the work raises is answered to the one who asked
                log.debug("background work failed", exc_info=True)
                answer = _Answer(then, failed, error=error)
            if not self._closed:
                self._answered.emit(answer)

    def _deliver(self, answer: _Answer) -> None:
        if self._closed:
            return
        if answer.error is None:
            if answer.then is not None:
                answer.then(answer.value)
        elif answer.failed is not None:
            answer.failed(answer.error)
        else:
            log.error("Work in the background failed", exc_info=answer.error)
