"""A submitted job as the rest of the studio sees it: state, progress, mailbox, and the buttons cancel/pause/resume."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Protocol

from studio.engine.events import Cancelled, Done, ErrorInfo, Event, Failed, Progress
from studio.engine.mailbox import Mailbox

if TYPE_CHECKING:
    from studio.engine.annex import Elsewhere
    from studio.engine.context import JobContext
    from studio.engine.offload import Offload
    from studio.engine.wait import Wait

Job = Callable[[Any, "JobContext"], Generator["Event | Offload | Elsewhere | Wait", Any, Any]]


class TaskState(enum.Enum):
    """queued -> running <-> paused -> done | failed | cancelled; a queued task may be paused too."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """True for the three end states."""
        return self in (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED)


class Priority(enum.IntEnum):
    """Higher goes first, always: a drag, then what the person waits for, then long training."""

    BACKGROUND = 0
    FOREGROUND = 10
    INTERACTIVE = 20


class TaskControl(Protocol):
    """What a task needs from the engine it lives in."""

    def cancel(self, task_id: str, reason: str = ...) -> bool: ...
    def pause(self, task_id: str) -> bool: ...
    def resume(self, task_id: str) -> bool: ...
    def now(self) -> float: ...


class Task:
    """One submitted job. Attributes are written by the engine only and may be read from any thread."""

    def __init__(
        self, control: TaskControl, job: Job, request: Any, *, id: str, title: str, owner: str, lane: str,
        priority: Priority, key: str | None, queue: str | None,
    ) -> None:
        self.id = id
        self.title = title
        self.owner = owner
        self.lane = lane
        self.priority = priority
        self.key = key
        self.queue = queue
        self.request = request
        self.state = TaskState.QUEUED
        self.progress: Progress | None = None
        self.result: Any = None
        self.error: ErrorInfo | None = None
        self.created = control.now()
        self.started: float | None = None
        self.ended: float | None = None
        self.mailbox = Mailbox()
        self._control = control
        self._job: Job | None = job
        self._released = threading.Event()
        self._pace: _Pace | None = None
        self._paused_at: float | None = None

    def __repr__(self) -> str:
        return f"<Task {self.id} {self.title!r} {self.lane} {self.state.value}>"

    def cancel(self) -> bool:
        """Stop this task within one step; False if it had ended already."""
        return self._control.cancel(self.id)

    def pause(self) -> bool:
        """Take no further step until `resume()`; False if it had ended or was paused already."""
        return self._control.pause(self.id)

    def resume(self) -> bool:
        """Go on after `pause()`; False if it was not paused."""
        return self._control.resume(self.id)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the task has ended and its generator is closed; False on timeout. Never call it in the GUI."""
        return self._released.wait(timeout)

    @property
    def stopping(self) -> bool:
        """True between the end of the task and the moment its last step is over and its generator closed."""
        return self.state.ended and not self._released.is_set()

    def eta(self) -> float | None:
        """Seconds still to go at the pace so far, without pauses; None while unknown."""
        progress, pace = self.progress, self._pace
        if self.state is not TaskState.RUNNING or progress is None or pace is None:
            return None
        return pace.remaining(progress, self._control.now())

    # Below: for the engine only, called with its lock held.

    def _deliver(self, event: Event) -> None:
        if self.state.ended:
            return
        if isinstance(event, Progress):
            now = self._control.now()
            if self._pace is None or event.done < self._pace.latest_done:
                begin = self.started if self.started is not None else now
                self._pace = _Pace(begin, 0.0) if self._pace is None and event.done > 0 else _Pace(now, event.done)
            self._pace.update(event.done, now)
            self.progress = event
        self.mailbox.put(event)

    def _pause(self) -> bool:
        if self.state not in (TaskState.QUEUED, TaskState.RUNNING):
            return False
        self.state = TaskState.PAUSED
        self._paused_at = self._control.now()
        return True

    def _resume(self) -> bool:
        if self.state is not TaskState.PAUSED:
            return False
        self.state = TaskState.QUEUED if self.started is None else TaskState.RUNNING
        if self._pace is not None and self._paused_at is not None:
            self._pace.shift(self._control.now() - self._paused_at)
        return True

    def _end(self, event: Done | Failed | Cancelled) -> bool:
        if self.state.ended:
            return False
        if isinstance(event, Done):
            self.state, self.result = TaskState.DONE, event.result
        elif isinstance(event, Failed):
            self.state, self.error = TaskState.FAILED, event.error
        else:
            self.state = TaskState.CANCELLED
        self.ended = self._control.now()
        self.mailbox.put(event)
        return True

    def _start_over(self) -> None:
        self.progress = None
        self._pace = None
        self.mailbox.clear()


class _Pace:
    """Speed of progress since an anchor point."""

    def __init__(self, begin: float, begin_done: float) -> None:
        self.begin = begin
        self.begin_done = begin_done
        self.latest = begin
        self.latest_done = begin_done

    def update(self, done: float, now: float) -> None:
        self.latest, self.latest_done = now, done

    def shift(self, seconds: float) -> None:
        self.begin += seconds
        self.latest += seconds

    def remaining(self, progress: Progress, now: float) -> float | None:
        """Seconds left: what is to do, at the mean speed since the anchor, less what went by since the last report."""
        made, spent = self.latest_done - self.begin_done, self.latest - self.begin
        if made <= 0 or spent <= 0 or progress.total <= 0:
            return None
        left = max(0.0, progress.total - progress.done) * spent / made
        return max(0.0, left - (now - self.latest))
