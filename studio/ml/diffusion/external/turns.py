"""Cutting a long call into steps: it runs in a thread of its own and hands over after each one.

The two threads take turns: while the consumer of the generator looks at a step the call waits, and while the call
works the consumer does. Closing the generator makes the call's `hand_over` raise, so that it unwinds as from an error
in its own depth, and the generator has ended only when the thread has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class Stopped(BaseException):
    """Raised out of `hand_over` when no more steps are wanted; no Exception, so that nobody takes it for an error."""


@dataclass(frozen=True)
class _End:
    """The call is over; error: what it raised."""

    error: BaseException | None = None


def in_turns(call: Callable[[Callable[[T], None]], None], name: str) -> Iterator[T]:
    """The values that `call` hands over, one for each next(); what it raises is raised here.

    Nothing runs before the first next(). The thread has the given name.
    """
    given: SimpleQueue[T | _End] = SimpleQueue()
    wanted: SimpleQueue[bool] = SimpleQueue()

    def hand_over(value: T) -> None:
        given.put(value)
        if not wanted.get():
            raise Stopped

    def run() -> None:
        end = _End()
        try:
            call(hand_over)
        except Stopped:
            pass
        except BaseException as error:  # raised again in the consumer's thread
            end = _End(error)
        given.put(end)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    try:
        while not isinstance(value := given.get(), _End):
            yield value
            wanted.put(True)
        if value.error is not None:
            raise value.error
    finally:
        wanted.put(False)
        thread.join()
