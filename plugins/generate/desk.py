"""Between the controls and the engine: submits runs, follows their events onto the stage, knows what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from studio.engine import ErrorInfo, Event, Metric, Preview, Priority, Snapshot, Task
from studio.host.context import PanelContext
from studio.host.desk import Actions, TaskDesk
from studio.host.export import Exportable
from studio.host.imagemeta import ImageMetadata
from studio.host.panel_jobs import ExportOrder, FindOrder, export, read_settings
from studio_plugins.generate import jobs, quick
from studio_plugins.generate.insight import Insight
from studio_plugins.generate.keeping import title_of
from studio_plugins.generate.on_stage import OnStage
from studio_plugins.generate.remedies import remedies
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.results import GenerateResult, SweepResult
from studio_plugins.generate.stage import Stage
from studio_plugins.generate.sweep import SweepState, sweep
from studio_plugins.generate.sweep_request import SweepRequest
from studio_plugins.generate.trajectory import StepData

if TYPE_CHECKING:
    from studio.ml.diffusion.external.errors import Offer

QUEUE = "generate"
_UNSAVED = "{} The picture is still here: save it with “Save as…”."


class Desk(TaskDesk):
    """What the panel is doing; `settings_read` ImageMetadata of a dropped picture. What is on the stage is in `shown`."""

    settings_read = Signal(object)

    def __init__(self, context: PanelContext, stage: Stage, insight: Insight, parent: QObject) -> None:
        super().__init__(context, parent)
        self._stage = stage
        self._insight = insight
        self._begun: set[str] = set()
        self._cell = -1
        self._offers: Sequence[Offer] = ()
        self.shown = OnStage(stage, insight, self)
        self.shown.status.connect(self.status)

    # --- submitting ---

    def generate(self, request: GenerateRequest, *, front: bool = False, instead: bool = False) -> Task | None:
        """Draw and keep. `front`: before others that wait; `instead`: of whatever runs or waits here."""
        if instead:
            self.cancel_all()
        return self.submit(jobs.generate, request, title_of(request), front=front, queue=QUEUE)

    def live(self, request: GenerateRequest) -> Task | None:
        """Draw without keeping, in place of the live run before."""
        title = f"live: {title_of(request)}"
        return self.submit(jobs.live, request, title, replace="live", priority=Priority.INTERACTIVE)

    def grid(self, request: SweepRequest) -> Task | None:
        """Draw a sweep and keep it."""
        rows, columns = request.shape
        return self.submit(sweep, request, f"grid of {rows * columns} pictures", queue=QUEUE)

    def load(self, record_id: str) -> Task | None:
        """Show a stored result."""
        return self.submit(quick.load_run, record_id, "reading a result", lane="quick", replace="load")

    def find(self, kind: str, request: Mapping[str, Any]) -> Task | None:
        """Show the stored result of exactly this request, if there is one."""
        return self.submit(quick.find_run, FindOrder(kind, request), "looking", lane="quick", replace="load")

    def read_settings(self, path: Path) -> Task | None:
        """Read what a picture file says of its making; `settings_read` follows."""
        return self.submit(read_settings, path, f"reading {path.name}", lane="quick", replace="read")

    def export(self, exportable: Exportable, path: Path) -> Task | None:
        """Write a file in the background."""
        order = ExportOrder(self._context.export, exportable, path)
        return self.submit(export, order, f"saving {path.name}", lane="quick")

    def keep(self) -> None:
        """Save the run shown, which was drawn in Live mode or could not be saved before."""
        if self.shown.unkept is not None:
            self.submit(quick.keep, self.shown.unkept, "saving", lane="quick", replace="keep")

    # --- events ---

    def _begin(self, task: Task) -> None:
        super()._begin(task)
        self._begun.add(task.id)
        self._cell = -1
        self._offers = ()
        self.shown.begin(task.request)

    def _follow(self, task: Task, event: Event) -> None:
        if isinstance(event, Metric):
            if event.series == "seconds":
                self._insight.show_time(round(event.x), event.y)
            else:
                self._insight.add_point(event.series, event.x, event.y)
        elif isinstance(event, Snapshot) and isinstance(event.data, StepData):
            self._stage.add_step(event.data)
        elif isinstance(event, Snapshot) and isinstance(event.data, jobs.Stages):
            self._stage.expect(event.data.shown)
        elif isinstance(event, Snapshot) and event.name == "offers":
            self._offers = event.data
        elif isinstance(event, Snapshot) and isinstance(event.data, SweepState):
            self._cell = event.data.cell
        elif isinstance(event, Preview) and self.shown.sweep is not None:
            self._stage.show_cells(event.array, self._cell + 1)

    def _done(self, task: Task, result: Any) -> None:
        if isinstance(result, ImageMetadata):
            self.settings_read.emit(result)
        elif isinstance(result, quick.StoredRun):
            self._loaded(result)
        elif isinstance(result, GenerateResult) and task.lane == "quick":
            self._kept(result)
        elif isinstance(result, (GenerateResult, SweepResult)):
            self._drawn(task, result)
        else:
            super()._done(task, result)

    def _drawn(self, task: Task, result: GenerateResult | SweepResult) -> None:
        if task.id not in self._begun:
            self._begin(task)  # it ran while the panel was hidden, when only the end of a task is delivered
        if task.id != self._task_id:
            return
        followed = bool(self._stage.steps)
        self.shown.finish(result, self._files(result.record_id))
        if isinstance(result, GenerateResult) and result.record_id and not followed:
            self.load(result.record_id)  # its steps are on disk
        if result.problem:
            self._tell_unsaved(result)

    def _kept(self, result: GenerateResult) -> None:
        if result.record_id is None:
            self._tell_unsaved(result)
            return
        self.shown.mark_kept(result, self._files(result.record_id))
        self.said.emit("Kept in the History.", "success", "", ())

    def _tell_unsaved(self, result: GenerateResult | SweepResult) -> None:
        actions: Actions = (("Try again", self.keep),) if isinstance(result, GenerateResult) else ()
        self.said.emit(_UNSAVED.format(result.problem), "warning", "", actions)

    def _files(self, record_id: str | None) -> Mapping[str, Path]:
        return self._context.results.files(record_id) if record_id else {}

    def _loaded(self, run: quick.StoredRun) -> None:
        if not self.pending() or run.record.id == self.shown.record_id:  # else something newer is being drawn
            self._task_id = ""
            self.shown.show_stored(run)

    def _so_far(self, task: Task) -> str:
        steps = len(self._stage.steps)
        return f" after {steps} steps" if steps else ""

    def _remedies(self, task: Task, error: ErrorInfo) -> Actions:
        if not isinstance(task.request, GenerateRequest):
            return ()
        found = remedies(task.request, self._offers, error.kind)
        return [(text, partial(self.generate, request)) for text, request in found]
