"""Between a panel's controls and the engine: submits jobs and hands each event to what it concerns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import (
    Cancelled, Done, EngineClosed, ErrorInfo, Event, Failed, Log, Progress, Started, Task, TaskState,
)  # fmt: skip
from studio.host.context import PanelContext

Actions = Sequence[tuple[str, Callable[[], Any]]]
_TITLE = 80


class TaskDesk(QObject):
    """Follows one task of the compute lane, the newest that began; those of the quick lane only have an end.

    Signals: `said` (text, level, details, actions), `status` (text, share done or None), `busy` (how many tasks of the
    compute lane run, and wait). A subclass says what begins, what a followed task tells, and what a result means.
    """

    said = Signal(str, str, str, object)
    status = Signal(str, object)
    busy = Signal(int, int)

    def __init__(self, context: PanelContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._tasks: list[Task] = []
        self._task_id = ""
        """The task that is followed; "" when something else than a run is shown."""

    # --- asking ---

    def submit(self, job: Callable[..., Any], request: Any, title: str, **options: Any) -> Task | None:
        """Queue a job with options of `PanelContext.submit`; None, and a word about it, while the window is closing."""
        try:
            task = self._context.submit(job, request, title=title[:_TITLE], **options)
        except EngineClosed as error:
            self.said.emit(str(error), "warning", "", ())
            return None
        if task.lane == "compute" and not self.pending():
            self.status.emit("waiting for the engine", 0.0)
        self._tasks.append(task)
        self._tell_busy()
        return task

    def pending(self) -> list[Task]:
        """Tasks of the compute lane that run or wait, oldest first."""
        self._tasks = [task for task in self._tasks if not task.state.ended]
        return [task for task in self._tasks if task.lane == "compute"]

    def cancel(self) -> None:
        """Stop what runs; what waits stays."""
        pending = self.pending()
        for task in [task for task in pending if task.state is not TaskState.QUEUED] or pending[:1]:
            task.cancel()

    def cancel_all(self) -> None:
        """Stop what runs and forget what waits."""
        for task in reversed(self.pending()):
            task.cancel()

    def _tell_busy(self) -> None:
        pending = self.pending()
        waiting = sum(task.state is TaskState.QUEUED for task in pending)
        self.busy.emit(len(pending) - waiting, waiting)

    # --- hearing ---

    def on_event(self, task: Task, event: Event) -> None:
        """One event of a task of this panel."""
        if task.state is TaskState.CANCELLED and not isinstance(event, Cancelled):
            return  # collected before the task was replaced: it belongs to older settings
        if isinstance(event, Started) and task.lane == "compute":
            self._begin(task)
        elif isinstance(event, Failed):
            self._failed(task, event.error)
        elif isinstance(event, Cancelled):
            self._cancelled(task)
        elif isinstance(event, Done):
            self._done(task, event.result)
        elif isinstance(event, Log):
            self.said.emit(event.text, event.level, "", ())
        elif task.id == self._task_id and isinstance(event, Progress):
            self._progress(task, event)
        elif task.id == self._task_id:
            self._follow(task, event)
        if isinstance(event, (Started, Failed, Cancelled, Done)):
            self._tell_busy()

    def _begin(self, task: Task) -> None:
        """A task of the compute lane begins: it is followed from here on."""
        self._task_id = task.id

    def _progress(self, task: Task, event: Progress) -> None:
        left = task.eta()
        text = event.text + (f", {left:.0f} s left" if left is not None and left >= 1 else "")
        self.status.emit(text, event.done / event.total if event.total else 0.0)

    def _follow(self, task: Task, event: Event) -> None:
        """What the followed task tells on its way: Metric, Preview, Snapshot."""

    def _done(self, task: Task, result: Any) -> None:
        """A result, of any task; here only what is the same in every panel: a file that was written."""
        if isinstance(result, Path):
            self.said.emit(f"Saved as {result}", "success", "", ())

    def _cancelled(self, task: Task) -> None:
        if task.id == self._task_id:
            self.status.emit(f"cancelled{self._so_far(task)}", None)
        elif task.lane == "compute" and not self.pending():
            self.status.emit("cancelled", None)  # before its beginning was heard of

    def _failed(self, task: Task, error: ErrorInfo) -> None:
        self._say_failed(task, error)
        if task.id == self._task_id:
            self.status.emit(f"failed{self._so_far(task)}", None)

    def _say_failed(self, task: Task, error: ErrorInfo) -> None:
        self.said.emit(error.message, "error", error.details, tuple(self._remedies(task, error)))

    def _so_far(self, task: Task) -> str:
        """What there is of a task that was stopped, as the end of a sentence: " after 3 steps"."""
        return ""

    def _remedies(self, task: Task, error: ErrorInfo) -> Actions:
        """What a person can do about an error at one press."""
        return ()
