"""A function in a thread of its own that moves only while somebody waits: a generator for code that cannot yield."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Ended(BaseException):
    """Raised inside the function where it handed back, to end it. No `except Exception` on its way stops it."""


class Handover:
    """`work(handover)` runs until it calls `hand_back`, each time that `advance` is called. For one caller."""

    def __init__(self, work: Callable[[Handover], None], name: str) -> None:
        self._work, self._name = work, name
        self._thread: threading.Thread | None = None
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._told: Any = None
        self._error: BaseException | None = None
        self._over = self._stopping = False

    def advance(self) -> Any:
        """Lets it go on to its next `hand_back`; what it handed, or None once it is over. Raises its errors."""
        if self._over:
            return None
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        else:
            self._go.release()
        self._back.acquire()
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._told

    def hand_back(self, told: Any) -> None:
        """Called by the function: waits for the next `advance`. Raises Ended after `stop`."""
        self._told = told
        self._back.release()
        self._go.acquire()
        if self._stopping:
            raise Ended

    def stop(self) -> None:
        """Ends the function where it waits, and its thread. May be called again."""
        self._over = self._stopping = True
        if self._thread is not None and self._thread.is_alive():
            self._go.release()
            self._thread.join()

    def _run(self) -> None:
        try:
            self._work(self)
        except Ended:
            pass
        except BaseException as error:  # handed to whoever waits in `advance`
            self._error = error
        finally:
            self._over, self._told = True, None
            self._back.release()
