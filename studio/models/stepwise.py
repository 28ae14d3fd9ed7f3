"""Long work off the compute thread that shows how far it is and can be given up: a generator, driven piece by piece."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

StepT = TypeVar("StepT")
ResultT = TypeVar("ResultT")

_STRIDE = 0.1
"""Seconds of work between two signs of progress: most steps are small."""


@dataclass(frozen=True)
class Finished(Generic[ResultT]):
    """The work is done; `value` is what the generator returned."""

    value: ResultT


class Stepwise(Generic[StepT, ResultT]):
    """One generator under way: `yield Offload(work.advance)` until it answers Finished, then, always, `give_up`.

    Steps run on worker threads, one at a time. `give_up` may come from another thread while a step runs, which no
    thread can be kept from finishing; whoever is last closes the generator and calls `tidy`.
    """

    def __init__(self, steps: Generator[StepT, None, ResultT], tidy: Callable[[], None] = lambda: None) -> None:
        self._steps, self._tidy = steps, tidy
        self._lock = threading.Lock()
        self._given_up = False

    @property
    def given_up(self) -> bool:
        """Whether nobody waits for the work any more."""
        return self._given_up

    def advance(self) -> StepT | Finished[ResultT]:
        """The latest step after a short while of work. Raises what the generator raises."""
        try:
            with self._lock:
                until = time.monotonic() + _STRIDE
                step = next(self._steps)
                while time.monotonic() < until and not self._given_up:
                    step = next(self._steps)
                return step
        except StopIteration as end:
            return Finished(end.value)
        finally:
            if self._given_up:
                self.give_up()

    def give_up(self) -> None:
        """Let go of what the generator holds."""
        self._given_up = True
        if self._lock.acquire(blocking=False):
            try:
                self._steps.close()
                self._tidy()
            finally:
                self._lock.release()
