"""One timer carries every event from the engine to the panels; nothing else crosses the threads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from shiboken6 import isValid

from studio.engine import Cancelled, Done, Event, Failed, Log, Metric, Task

INTERVAL_MS = 16
BUDGET_S = 0.008  # of each tick; what is left waits for the next one, so that a flood never costs a frame
_TERMINAL = (Done, Failed, Cancelled)
_ALWAYS = (*_TERMINAL, Metric, Log)


class Receiver(Protocol):
    """A widget that takes events, such as a Panel."""

    def isVisible(self) -> bool: ...
    def on_event(self, task: Task, event: Event) -> None: ...


class _Watch:
    def __init__(self, task: Task, receiver: Receiver) -> None:
        self.task = task
        self.receiver = receiver
        self.waiting: deque[Event] = deque()
        self.ended = False


class Pump(QObject):
    """Drains the mailbox of every watched task into its receiver's `on_event`, on the GUI thread.

    A hidden receiver is left alone (its mailbox coalesces) until it shows or its task ends; of a task that ended out of
    sight only Metric, Log and the terminal event are delivered. An exception in `on_event` goes to `slot_failed`.
    """

    slot_failed = Signal(object, object)  # receiver, exception
    task_ended = Signal(object, object)  # task, terminal event

    def __init__(self, parent: QObject | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(parent)
        self._clock = clock
        self._watches: list[_Watch] = []
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.tick)

    def watch(self, task: Task, receiver: Receiver) -> None:
        """Deliver this task's events to the receiver until its terminal event."""
        self._watches.append(_Watch(task, receiver))
        if not self._timer.isActive():
            self._timer.start()

    def forget(self, receiver: Receiver) -> None:
        """Deliver nothing more to a receiver that is being closed."""
        self._watches = [watch for watch in self._watches if watch.receiver is not receiver]

    def watching(self) -> int:
        """Number of tasks whose terminal event is still to come."""
        return len(self._watches)

    def stop(self) -> None:
        """Stop the timer and forget every task."""
        self._timer.stop()
        self._watches.clear()

    def tick(self) -> None:
        """One round: take what came, deliver within the budget of time, first come first served."""
        deadline = self._clock() + BUDGET_S
        self._watches = [watch for watch in self._watches if isValid(watch.receiver)]  # of one that is gone, none is left
        for watch in self._watches:
            self._collect(watch)
        for watch in list(self._watches):
            while watch.waiting and not watch.ended:
                self._deliver(watch, watch.waiting.popleft())
                if self._clock() >= deadline:
                    break
        # Serve those first next time that got nothing this time.
        if self._watches:
            self._watches = [w for w in self._watches[1:] + self._watches[:1] if not w.ended]
        if not self._watches:
            self._timer.stop()

    def _collect(self, watch: _Watch) -> None:
        over = watch.task.state.ended
        visible = watch.receiver.isVisible()
        if not (visible or over):
            return
        fresh = watch.task.mailbox.drain()
        watch.waiting.extend(fresh if visible else [event for event in fresh if isinstance(event, _ALWAYS)])

    def _deliver(self, watch: _Watch, event: Event) -> None:
        terminal = isinstance(event, _TERMINAL)
        if terminal:
            watch.ended = True
        try:
            watch.receiver.on_event(watch.task, event)
        except Exception as error:  # a plugin's slot: whatever it raises belongs in its own message bar
            self.slot_failed.emit(watch.receiver, error)
        if terminal:
            self.task_ended.emit(watch.task, event)
