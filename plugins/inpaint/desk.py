"""Between canvas and engine: opens pictures, fills selections, follows what is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import Event, Preview, Snapshot, Task
from studio.host.context import PanelContext
from studio.host.desk import TaskDesk
from studio_plugins.inpaint import jobs, opening
from studio_plugins.inpaint.results import InpaintResult

QUEUE = "inpaint"
_UNSAVED = "{} The result is still here: apply it, or export the picture."


class Desk(TaskDesk):
    """Signals: `opened` (opening.Opened), `begun` (InpaintOrder), `viewed` (View), `previewed` (region with what is drawn
    in it, [N, h, w, 3]), `painted` (InpaintOrder, InpaintResult), `ended` when a run leaves nothing more to show.
    """

    opened = Signal(object)
    begun = Signal(object)
    viewed = Signal(object)
    previewed = Signal(object)
    painted = Signal(object, object)
    ended = Signal()

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(context, parent)

    def open_file(self, path: Path, *, shrink: bool = False) -> Task | None:
        """Open a picture."""
        order = opening.FileOrder(path, shrink)
        return self.submit(opening.open_file, order, f"opening {path.name}", lane="quick", replace="open")

    def open_pasted(self, data: bytes) -> Task | None:
        """Open the bytes of a picture file."""
        return self.submit(opening.open_pasted, opening.Pasted(data), "pasting", lane="quick", replace="open")

    def open_example(self) -> Task | None:
        """Open the example scene."""
        return self.submit(opening.open_example, None, "drawing an example", lane="quick", replace="open")

    def paint(self, order: jobs.InpaintOrder) -> Task | None:
        """Fill the selection, after what runs and waits here."""
        title = order.request.condition.strip() or order.request.mode
        return self.submit(jobs.paint, order, title, queue=QUEUE)

    def _begin(self, task: Task) -> None:
        super()._begin(task)
        self.begun.emit(task.request)

    def _follow(self, task: Task, event: Event) -> None:
        if isinstance(event, Preview):
            self.previewed.emit(event.array)
        elif isinstance(event, Snapshot) and event.name == "view":
            self.viewed.emit(event.data)

    def _done(self, task: Task, result: Any) -> None:
        if isinstance(result, opening.Opened):
            self.opened.emit(result)
        elif isinstance(result, InpaintResult):
            self._drawn(task, result)
        else:
            super()._done(task, result)

    def _drawn(self, task: Task, result: InpaintResult) -> None:
        kept = ", kept in the History" if result.record_id else ""
        self.status.emit(f"{len(result)} drawn in {result.filled.cost.seconds:.1f} s{kept}", None)
        self.painted.emit(task.request, result)
        self.ended.emit()
        if result.problem:
            self.said.emit(_UNSAVED.format(result.problem), "warning", "", ())

    def _cancelled(self, task: Task) -> None:
        super()._cancelled(task)
        self.ended.emit()
