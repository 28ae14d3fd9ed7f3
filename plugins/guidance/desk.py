"""Between the controls and the engine: submits comparisons, follows their events, knows what was drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import Event, Snapshot, Task
from studio.host.context import PanelContext
from studio.host.desk import TaskDesk
from studio.host.export import Exportable
from studio.host.imagemeta import ImageMetadata
from studio.host.panel_jobs import ExportOrder, FindOrder, export, read_settings
from studio_plugins.guidance import jobs, quick
from studio_plugins.guidance.on_stage import Shown
from studio_plugins.guidance.request import GuidanceRequest
from studio_plugins.guidance.results import Comparison

_UNSAVED = "{} The pictures are still here: export them, or try again."


class Desk(TaskDesk):
    """What the panel is doing; what was drawn is in `shown`.

    Signals: `added` (column drawn, Step), `settings_read` (ImageMetadata of a dropped picture).
    """

    added = Signal(int, object)
    settings_read = Signal(object)

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(context, parent)
        self._begun: set[str] = set()
        self.shown = Shown(self)

    # --- submitting ---

    def compare(self, request: GuidanceRequest) -> Task | None:
        """Draw, instead of what runs; steps that are the same as in the comparison shown are taken over."""
        title = f"{len(request.columns)} guidances: {request.prompt.strip() or 'without a prompt'}"
        return self.submit(jobs.extend, jobs.Order(request, self.shown.record_id), title, replace="compare")

    def load(self, record_id: str) -> Task | None:
        """Show a stored comparison."""
        return self.submit(quick.load, record_id, "reading a comparison", lane="quick", replace="load")

    def find(self, kind: str, request: Mapping[str, Any]) -> Task | None:
        """Show the stored comparison of exactly this request, if there is one."""
        return self.submit(quick.find, FindOrder(kind, request), "looking", lane="quick", replace="load")

    def read_settings(self, path: Path) -> Task | None:
        """Read what a picture file says of its making; `settings_read` follows."""
        return self.submit(read_settings, path, f"reading {path.name}", lane="quick", replace="read")

    def export(self, exportable: Exportable, path: Path) -> Task | None:
        """Write a file in the background."""
        order = ExportOrder(self._context.export, exportable, path)
        return self.submit(export, order, f"saving {path.name}", lane="quick")

    def keep(self) -> None:
        """Save the comparison shown, which could not be saved before."""
        if self.shown.finished is not None and self.shown.record_id is None:
            self.submit(quick.keep, self.shown.finished, "saving", lane="quick", replace="keep")

    # --- events ---

    def _begin(self, task: Task) -> None:
        super()._begin(task)
        self._begun.add(task.id)
        self.shown.begin(task.request.request)

    def _follow(self, task: Task, event: Event) -> None:
        if isinstance(event, Snapshot) and isinstance(event.data, jobs.Drawn):
            self.shown.add(event.data.column, event.data.step)
            self.added.emit(event.data.column, event.data.step)
        elif isinstance(event, Snapshot) and isinstance(event.data, jobs.Stopped):
            self.shown.stop(event.data.column, event.data.problem)

    def _done(self, task: Task, result: Any) -> None:
        if isinstance(result, ImageMetadata):
            self.settings_read.emit(result)
        elif isinstance(result, Comparison) and task.lane == "compute":
            self._drawn(task, result)
        elif isinstance(result, Comparison) and isinstance(task.request, Comparison):
            self._kept(result)
        elif isinstance(result, Comparison):
            self._loaded(result)
        else:
            super()._done(task, result)

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
        if self.pending() and result.record_id != self.shown.record_id:
            return  # something newer is being drawn
        self._task_id = ""
        self.shown.show(result)
        self.status.emit(result.problem, None)
