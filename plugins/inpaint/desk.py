"""Between canvas and engine: opens pictures, fills selections, follows what is drawn."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import Cancelled, Done, ErrorInfo, Event, Failed, Preview, Snapshot, Task
from studio.host.context import PanelContext
from studio.host.desk import Actions, TaskDesk
from studio.host.export import Exportable
from studio.host.newest import Newest
from studio.host.panel_jobs import ExportOrder, FindOrder, export
from studio_plugins.inpaint import onto, opening, recalling, sight
from studio_plugins.inpaint.painters import Painted
from studio_plugins.inpaint.remedies import changes_of
from studio_plugins.inpaint.request import MethodsRequest
from studio_plugins.inpaint.results import MethodsResult

QUEUE = "inpaint"
_UNSAVED = "{} The result is still here: apply it, or export the picture."


class Desk(TaskDesk):
    """Signals: `opened` (opening.Opened), `begun` (CanvasOrder), `viewed` (View), `previewed` (the region with what is
    drawn in it [N, h, w, 3], which method), `stepped` (Painted), `painted` (CanvasOrder, Drawn), `compared`
    (MethodsResult), `ended` when a run leaves nothing more to show, `seen` (Seen or None), `read_back` (Reread),
    `recalled` (Recalled), `scripted` (text), `relieved` (changes to the request that would help), `answered` (any other
    result).
    """

    opened = Signal(object)
    begun = Signal(object)
    viewed = Signal(object)
    previewed = Signal(object, str)
    stepped = Signal(object)
    painted = Signal(object, object)
    compared = Signal(object)
    ended = Signal()
    seen = Signal(object)
    read_back = Signal(object)
    recalled = Signal(object)
    scripted = Signal(str)
    relieved = Signal(object)
    answered = Signal(object)

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(context, parent)
        self._offers: tuple[Any, ...] = ()
        self._looks: Newest[sight.LookOrder] = Newest(self._look)

    # --- asking ---

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

    def paint(self, order: onto.CanvasOrder) -> Task | None:
        """Fill the selection, after what runs and waits here."""
        title = order.request.condition.strip() or order.request.mode
        if isinstance(order.request, MethodsRequest):
            return self.submit(onto.paint_methods, order, f"methods: {title}", queue=QUEUE)
        return self.submit(onto.paint, order, title, queue=QUEUE)

    def look(self, order: sight.LookOrder) -> None:
        """What the network would see; of orders that come faster than they are answered, the newest."""
        self._looks.ask(order)

    def read(self, record_id: str) -> Task | None:
        """A stored result, for its steps and seams."""
        return self.submit(onto.reread, record_id, "reading the result", lane="quick", replace="read")

    def recall(self, order: FindOrder) -> Task | None:
        """The pixels of a stored request, and what came of it."""
        return self.submit(recalling.recall, order, "looking for the picture", lane="quick", replace="open")

    def write_script(self, order: recalling.ScriptOrder) -> Task | None:
        """A run as Python."""
        return self.submit(recalling.write_script, order, "writing the script", lane="quick", replace="script")

    def export(self, exportable: Exportable, path: Path) -> Task | None:
        """Write something to a file."""
        order = ExportOrder(self._context.export, exportable, path)
        return self.submit(export, order, f"saving {path.name}", lane="quick")

    def _look(self, order: sight.LookOrder) -> Task | None:
        return self.submit(sight.look, order, "looking", lane="quick")

    # --- hearing ---

    def on_event(self, task: Task, event: Event) -> None:
        super().on_event(task, event)
        if isinstance(event, (Done, Failed, Cancelled)):
            self._looks.ended(task)
            if isinstance(task.request, (onto.CanvasOrder, sight.LookOrder)):
                task.request.shot.release()

    def _begin(self, task: Task) -> None:
        super()._begin(task)
        self._offers = ()
        if isinstance(task.request, onto.CanvasOrder):
            self.begun.emit(task.request)

    def _follow(self, task: Task, event: Event) -> None:
        if isinstance(event, Preview):
            self.previewed.emit(event.array, event.label)
        elif isinstance(event, Snapshot) and event.name == "view":
            self.viewed.emit(event.data)
        elif isinstance(event, Snapshot) and event.name == "offers":
            self._offers = event.data
        elif isinstance(event, Snapshot) and isinstance(event.data, Painted):
            self.stepped.emit(event.data)

    def _done(self, task: Task, result: Any) -> None:
        if isinstance(result, opening.Opened):
            self.opened.emit(result)
        elif isinstance(result, onto.Drawn):
            self._drawn(task, result)
        elif isinstance(result, MethodsResult):
            self._compared(result)
        elif isinstance(result, sight.Seen) or task.title == "looking":
            self.seen.emit(result)
        elif isinstance(result, onto.Reread):
            self.read_back.emit(result)
        elif isinstance(result, recalling.Recalled):
            self.recalled.emit(result)
        elif isinstance(result, recalling.Script):
            self.scripted.emit(result.text)
        else:
            super()._done(task, result)
            self.answered.emit(result)

    def _drawn(self, task: Task, drawn: onto.Drawn) -> None:
        result = drawn.result
        kept = ", kept in the History" if result.record_id else ""
        self.status.emit(f"{len(result)} drawn in {result.filled.cost.seconds:.1f} s{kept}", None)
        self.painted.emit(task.request, drawn)
        self.ended.emit()
        if result.problem:
            self.said.emit(_UNSAVED.format(result.problem), "warning", "", ())

    def _compared(self, result: MethodsResult) -> None:
        seconds = sum(filled.cost.seconds for filled in result.filled.values())
        kept = ", kept in the History" if result.record_id else ""
        self.status.emit(f"{len(result.filled)} methods in {seconds:.1f} s{kept}", None)
        self.compared.emit(result)
        self.ended.emit()
        if result.problem:
            self.said.emit(_UNSAVED.format(result.problem), "warning", "", ())

    def _cancelled(self, task: Task) -> None:
        super()._cancelled(task)
        if task.id == self._task_id:
            self.ended.emit()

    def _failed(self, task: Task, error: ErrorInfo) -> None:
        if task.title == "looking":
            self.seen.emit(None)  # a run would say what is wrong; the hand that paints is not to be disturbed
            return
        super()._failed(task, error)
        if task.id == self._task_id:
            self.ended.emit()

    def _remedies(self, task: Task, error: ErrorInfo) -> Actions:
        if not isinstance(task.request, onto.CanvasOrder):
            return ()
        found = changes_of(task.request.request, self._offers, error.kind)
        return tuple((text, partial(self.relieved.emit, changes)) for text, changes in found)
