"""What the engine does for the panel: list, look, import, remove. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import Cancelled, Done, EngineClosed, Event, Failed, Progress, Snapshot, Task
from studio.host.context import PanelContext
from studio_plugins.models import jobs
from studio_plugins.models.request import ImportRequest


class Desk(QObject):
    """Submits jobs and passes on what they answer.

    `listed` Inventory; `surveyed` Survey; `outcome` of one model; `progress` share and text; `imported` jobs.Imported,
    or None when it was cancelled or failed; `removed` name; `said` text, level, details.
    """

    listed = Signal(object)
    surveyed = Signal(object)
    outcome = Signal(object)
    progress = Signal(float, str)
    imported = Signal(object)
    removed = Signal(str)
    said = Signal(str, str, str)

    def __init__(self, context: PanelContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self._listing: Task | None = None
        self._looking: Task | None = None
        self._importing: Task | None = None
        self._removing: Task | None = None

    def list_models(self) -> None:
        """Look for models on this machine."""
        self._listing = self._submit(jobs.list_models, None, title="Look for models", replace="list")

    def look_into(self, folder: Path) -> None:
        """See what lies in a folder."""
        self._looking = self._submit(jobs.look_into, folder, title=f"Look into {folder.name}", replace="look")
        if self._looking is not None:
            self.said.emit(f"Looking into “{folder}”…", "info", "")

    def import_models(self, request: ImportRequest) -> bool:
        """Import; False when the engine takes nothing any more."""
        title = f"Import from {Path(request.folder).name}"
        self._importing = self._submit(jobs.import_models, request, title=title, replace="import")
        return self._importing is not None

    def cancel(self) -> None:
        """Stop the import, or looking into a folder."""
        for task in (self._importing, self._looking):
            if task is not None:
                task.cancel()

    def remove(self, model: str) -> None:
        """Remove an imported model from the disk."""
        self._removing = self._submit(jobs.remove, model, title=f"Remove {Path(model).name}", replace="remove")

    @property
    def busy(self) -> bool:
        """Whether an import runs."""
        return self._importing is not None

    def on_event(self, task: Task, event: Event) -> None:
        """Take in an event; one of a task that was replaced is of no interest."""
        if task is self._importing:
            self._of_import(event)
        elif task is self._listing and isinstance(event, Snapshot):
            self.listed.emit(event.data)
        elif task is self._looking and isinstance(event, Progress):
            self.said.emit(f"{event.text[:1].upper()}{event.text[1:]}…", "info", "")
        elif isinstance(event, Failed) and task in (self._listing, self._looking, self._removing):
            self.said.emit(event.error.message, "error", event.error.details)
        elif isinstance(event, Cancelled) and task is self._looking:
            self.said.emit("", "info", "")
        elif isinstance(event, Done):
            self._done(task, event.result)

    def _of_import(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress.emit(event.done / event.total if event.total else 0.0, event.text)
        elif isinstance(event, Snapshot):
            self.outcome.emit(event.data)
        elif isinstance(event, Done | Failed | Cancelled):
            self._importing = None
            self.imported.emit(event.result if isinstance(event, Done) else None)
            if isinstance(event, Failed):
                self.said.emit(event.error.message, "error", event.error.details)
            elif isinstance(event, Cancelled):
                self.said.emit("The import was stopped. Nothing half-written was left.", "info", "")

    def _done(self, task: Task, result: Any) -> None:
        if task is self._listing:
            self.listed.emit(result)
        elif task is self._looking:
            self._looking = None
            self.said.emit("", "info", "")
            self.surveyed.emit(result)
        elif task is self._removing:
            self.removed.emit(result)

    def _submit(self, job: Callable[..., Any], request: Any, *, title: str, replace: str) -> Task | None:
        try:
            return self.context.submit(job, request, title=title[:80], lane="quick", replace=replace)
        except EngineClosed as error:
            self.said.emit(str(error), "warning", "")
            return None
