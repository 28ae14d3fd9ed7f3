"""Between the panel and the engine: opens models, asks for counts while settings change, times a layer, keeps."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from studio.engine import Cancelled, Done, ErrorInfo, Event, Failed, Priority, Task
from studio.host.context import PanelContext
from studio.host.desk import TaskDesk
from studio.host.newest import Newest
from studio_plugins.anatomy import jobs
from studio_plugins.anatomy.jobs import CountOrder, Listed
from studio_plugins.anatomy.results import Counted, Kept, Look, Opened, Timed


class Desk(TaskDesk):
    """Signals: `opened` (Opened), `unopened` (name of the model, why not, details), `counted` (Counted), `uncounted`
    (why not), `timed` (Timed), `listed` (Listed)."""

    opened = Signal(object)
    unopened = Signal(str, str, str)
    counted = Signal(object)
    uncounted = Signal(str)
    timed = Signal(object)
    listed = Signal(object)

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(context, parent)
        self._questions: Newest[CountOrder] = Newest(self._submit_count, patience=5.0)

    def list_models(self) -> None:
        """Which models there are on this machine."""
        self.submit(jobs.list_models, None, "looking for models", lane="quick", replace="list")

    def open(self, model: str) -> None:
        """Open a model by its name in a request."""
        self.submit(jobs.open_model, model, "opening a model", priority=Priority.INTERACTIVE, replace="open")

    def count(self, order: CountOrder) -> None:
        """Count what a run costs; the newest question wins."""
        self._questions.ask(order)

    def _submit_count(self, order: CountOrder) -> Task | None:
        return self.submit(jobs.count_model, order, "counting", priority=Priority.INTERACTIVE)

    def time(self, look: Look) -> None:
        """Time one layer."""
        self.submit(jobs.time_layer, look, "timing one layer", replace="time")

    def keep(self, look: Look) -> None:
        """Keep what is shown."""
        self.submit(jobs.keep, look, "keeping the anatomy", lane="quick")

    # --- hearing ---

    def on_event(self, task: Task, event: Event) -> None:
        super().on_event(task, event)
        if isinstance(event, (Done, Failed, Cancelled)):
            self._questions.ended(task)

    def _done(self, task: Task, result: object) -> None:
        self.status.emit("", None)
        if isinstance(result, Opened):
            self.opened.emit(result)
        elif isinstance(result, Counted):
            self.counted.emit(result)
        elif isinstance(result, Timed):
            self.timed.emit(result)
        elif isinstance(result, Listed):
            self.listed.emit(result)
        elif isinstance(result, Kept):
            self.said.emit("Kept in the History, with its settings.", "success", "", ())
        else:
            super()._done(task, result)

    def _cancelled(self, task: Task) -> None:
        """A question given up for a newer one is no news."""
        if not isinstance(task.request, CountOrder):
            super()._cancelled(task)

    def _failed(self, task: Task, error: ErrorInfo) -> None:
        self.status.emit("", None)
        if isinstance(task.request, str):
            self.unopened.emit(task.request, error.message, error.details)
        elif isinstance(task.request, CountOrder):
            self.uncounted.emit(error.message)
        else:
            super()._failed(task, error)
