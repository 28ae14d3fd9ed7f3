"""Between the controls and the engine: submits comparisons, follows their events, knows what was drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import (
    Cancelled, Done, EngineClosed, Event, Failed, Log, Progress, Snapshot, Started, Task, TaskState,
)  # fmt: skip
from studio.host.context import PanelContext
from studio.host.export import Exportable
from studio.host.imagemeta import ImageMetadata
from studio_plugins.guidance import jobs, quick
from studio_plugins.guidance.on_stage import Shown
from studio_plugins.guidance.request import GuidanceRequest
from studio_plugins.guidance.results import Comparison

_UNSAVED = "{} The pictures are still here: export them, or try again."
Actions = tuple[tuple[str, Callable[[], Any]], ...]


class Desk(QObject):
    """What the panel is doing.

    Signals: `said` (text, level, details, actions), `busy`, `status` (text, share done or None), `added` (column drawn,
    Step), `settings_read` (ImageMetadata of a dropped picture). What was drawn is in `shown`.
    """

    said = Signal(str, str, str, object)
    busy = Signal(bool)
    status = Signal(str, object)
    added = Signal(int, object)
    settings_read = Signal(object)

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._tasks: list[Task] = []
        self._task_id = ""
        self._begun: set[str] = set()
        self.shown = Shown(self)

    # --- submitting ---

    def compare(self, request: GuidanceRequest) -> Task | None:
        """Draw, instead of what runs; steps that are the same as in the comparison shown are taken over."""
        title = f"{len(request.columns)} guidances: {request.prompt.strip() or 'without a prompt'}"
        return self._submit(jobs.extend, jobs.Order(request, self.shown.record_id), title, replace="compare")

    def load(self, record_id: str) -> Task | None:
        """Show a stored comparison."""
        return self._submit(quick.load, record_id, "reading a comparison", lane="quick", replace="load")

    def find(self, kind: str, request: Mapping[str, Any]) -> Task | None:
        """Show the stored comparison of exactly this request, if there is one."""
        return self._submit(quick.find, quick.FindOrder(kind, request), "looking", lane="quick", replace="load")

    def read_settings(self, path: Path) -> Task | None:
        """Read what a picture file says of its making; `settings_read` follows."""
        return self._submit(quick.read_settings, path, f"reading {path.name}", lane="quick", replace="read")

    def export(self, exportable: Exportable, path: Path) -> Task | None:
        """Write a file in the background."""
        order = quick.ExportOrder(self._context.export, exportable, path)
        return self._submit(quick.export, order, f"saving {path.name}", lane="quick")

    def keep(self) -> None:
        """Save the comparison shown, which could not be saved before."""
        if self.shown.finished is not None and self.shown.record_id is None:
            self._submit(quick.keep, self.shown.finished, "saving", lane="quick", replace="keep")

    def cancel(self) -> None:
        """Stop what is being drawn."""
        for task in self._live():
            task.cancel()

    def _submit(self, job: Callable[..., Any], request: Any, title: str, **options: Any) -> Task | None:
        try:
            task = self._context.submit(job, request, title=title[:80], **options)
        except EngineClosed as error:
            self.said.emit(str(error), "warning", "", ())
            return None
        if task.lane == "compute":
            self.status.emit("waiting for the engine", 0.0)
        self._tasks.append(task)
        self.busy.emit(bool(self._live()))
        return task

    def _live(self) -> list[Task]:
        self._tasks = [task for task in self._tasks if not task.state.ended]
        return [task for task in self._tasks if task.lane == "compute"]

    # --- events ---

    def on_event(self, task: Task, event: Event) -> None:
        """One event of a task of this panel."""
        if task.state is TaskState.CANCELLED and not isinstance(event, Cancelled):
            return  # collected before the task was replaced: it belongs to older settings
        if isinstance(event, Started) and task.lane == "compute":
            self._begin(task)
        elif isinstance(event, Failed):
            self.said.emit(event.error.message, "error", event.error.details, ())
            if task.id == self._task_id:
                self.status.emit("failed", None)
        elif isinstance(event, Cancelled):
            if task.id == self._task_id:
                self.status.emit("cancelled", None)
        elif isinstance(event, Done):
            self._done(task, event.result)
        elif isinstance(event, Log):
            self.said.emit(event.text, event.level, "", ())
        elif task.id == self._task_id:
            self._follow(task, event)
        if isinstance(event, (Started, Failed, Cancelled, Done)):
            self.busy.emit(bool(self._live()))

    def _begin(self, task: Task) -> None:
        self._task_id = task.id
        self._begun.add(task.id)
        self.shown.begin(task.request.request)

    def _follow(self, task: Task, event: Event) -> None:
        if isinstance(event, Progress):
            left = task.eta()
            text = event.text + (f", {left:.0f} s left" if left is not None and left >= 1 else "")
            self.status.emit(text, event.done / event.total if event.total else 0.0)
        elif isinstance(event, Snapshot) and isinstance(event.data, jobs.Drawn):
            self.shown.add(event.data.column, event.data.step)
            self.added.emit(event.data.column, event.data.step)
        elif isinstance(event, Snapshot) and isinstance(event.data, jobs.Stopped):
            self.shown.stop(event.data.column, event.data.problem)

    def _done(self, task: Task, result: Any) -> None:
        if isinstance(result, ImageMetadata):
            self.settings_read.emit(result)
        elif isinstance(result, Path):
            self.said.emit(f"Saved as {result}", "success", "", ())
        elif isinstance(result, Comparison) and task.lane == "compute":
            self._drawn(task, result)
        elif isinstance(result, Comparison) and isinstance(task.request, Comparison):
            self._kept(result)
        elif isinstance(result, Comparison):
            self._loaded(result)

    def _drawn(self, task: Task, result: Comparison) -> None:
        if task.id not in self._begun:
            self._begin(task)  # it ran while the panel was hidden, when only the end of a task is delivered
        if task.id != self._task_id:
            return
        self.shown.finish(result)
        seconds = sum(run.cost.seconds for run in result.columns)
        kept = ", kept in the History" if result.record_id else ""
        self.status.emit(f"{len(result.columns)} columns, {seconds:.1f} s of drawing{kept}", None)
        if result.record_id and not self.shown.complete:
            self.load(result.record_id)  # its steps are on disk
        problems = [run.problem for run in result.columns if run.problem]
        if result.problem:
            self.said.emit(_UNSAVED.format(result.problem), "warning", "", (("Try again", self.keep),))
        elif problems:
            self.said.emit(f"A column stopped. {problems[0]}", "warning", "", ())

    def _kept(self, result: Comparison) -> None:
        if result.record_id is None:
            self.said.emit(_UNSAVED.format(result.problem), "warning", "", (("Try again", self.keep),))
            return
        self.shown.finish(result)
        self.said.emit("Kept in the History.", "success", "", ())

    def _loaded(self, result: Comparison) -> None:
        if self._live() and result.record_id != self.shown.record_id:
            return  # something newer is being drawn
        self._task_id = ""
        self.shown.show(result)
        self.status.emit(result.problem, None)
