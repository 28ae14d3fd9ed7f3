"""Between the controls and the engine: submits runs, follows their events onto the stage, knows what is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import (
    Cancelled, Done, EngineClosed, ErrorInfo, Event, Failed, Log, Metric, Preview, Priority, Progress, Snapshot, Started, Task,
    TaskState,
)  # fmt: skip
from studio.host.context import PanelContext
from studio.host.export import Exportable
from studio.host.imagemeta import ImageMetadata
from studio_plugins.generate import jobs, quick
from studio_plugins.generate.insight import Insight
from studio_plugins.generate.request import GenerateRequest, SweepRequest
from studio_plugins.generate.results import GenerateResult, SweepResult
from studio_plugins.generate.stage import Stage
from studio_plugins.generate.sweep import SweepState, sweep
from studio_plugins.generate.sweep_labels import sweep_labels
from studio_plugins.generate.trajectory import StepData, Trajectory

QUEUE = "generate"
Actions = tuple[tuple[str, Callable[[], Any]], ...]


class Desk(QObject):
    """What the panel is doing.

    Signals: `said` (text, level, details, actions), `busy` (running, waiting), `status` (text, share done or None),
    `shown` (the run on the stage changed), `settings_read` (ImageMetadata of a dropped picture).
    """

    said = Signal(str, str, str, object)
    busy = Signal(int, int)
    status = Signal(str, object)
    shown = Signal()
    settings_read = Signal(object)

    def __init__(self, context: PanelContext, stage: Stage, insight: Insight, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._stage = stage
        self._insight = insight
        self._tasks: list[Task] = []
        self._on_stage = ""
        self._begun: set[str] = set()
        self._cell = -1
        self.request: GenerateRequest | None = None
        self.sweep: SweepRequest | None = None
        self.result: GenerateResult | SweepResult | None = None
        self.record_id: str | None = None
        self._files: dict[str, Path] = {}

    # --- submitting ---

    def generate(self, request: GenerateRequest, *, front: bool = False, instead: bool = False) -> Task | None:
        """Draw and keep. `front`: before others that wait; `instead`: of whatever runs or waits here."""
        if instead:
            self.cancel_all()
        return self._submit(jobs.generate, request, request.prompt.strip() or "without a prompt", front=front, queue=QUEUE)

    def live(self, request: GenerateRequest) -> Task | None:
        """Draw without keeping, in place of the live run before."""
        title = f"live: {request.prompt.strip() or 'without a prompt'}"
        return self._submit(jobs.live, request, title, replace="live", priority=Priority.INTERACTIVE)

    def grid(self, request: SweepRequest) -> Task | None:
        """Draw a sweep and keep it."""
        rows, columns = request.shape
        return self._submit(sweep, request, f"grid of {rows * columns} pictures", queue=QUEUE)

    def load(self, record_id: str) -> Task | None:
        """Show a stored result."""
        return self._submit(quick.load_run, record_id, "reading a result", lane="quick", replace="load")

    def read_settings(self, path: Path) -> Task | None:
        """Read what a picture file says of its making; `settings_read` follows."""
        return self._submit(quick.read_settings, path, f"reading {path.name}", lane="quick", replace="read")

    def export(self, exportable: Exportable, path: Path) -> Task | None:
        """Write a file in the background."""
        order = quick.ExportOrder(self._context.export, exportable, path)
        return self._submit(quick.export, order, f"saving {path.name}", lane="quick")

    def keep(self) -> None:
        """Save the run shown, which was drawn in Live mode or could not be saved before."""
        if isinstance(self.result, GenerateResult) and self.record_id is None:
            self._submit(quick.keep, self.result, "saving", lane="quick", replace="keep")

    def cancel(self) -> None:
        """Stop what runs; what waits stays."""
        live = self._live()
        running = [task for task in live if task.state is not TaskState.QUEUED] or live[:1]
        for task in running:
            task.cancel()

    def cancel_all(self) -> None:
        """Stop what runs and forget what waits."""
        for task in reversed(self._live()):
            task.cancel()

    def _submit(self, job: Callable[..., Any], request: Any, title: str, **options: Any) -> Task | None:
        try:
            task = self._context.submit(job, request, title=title[:80], **options)
        except EngineClosed as error:
            self.said.emit(str(error), "warning", "", ())
            return None
        self._tasks.append(task)
        self._tell_busy()
        return task

    def _live(self) -> list[Task]:
        self._tasks = [task for task in self._tasks if not task.state.ended]
        return [task for task in self._tasks if task.lane == "compute"]

    def _tell_busy(self) -> None:
        live = self._live()
        waiting = sum(task.state is TaskState.QUEUED for task in live)
        self.busy.emit(len(live) - waiting, waiting)

    # --- events ---

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
        elif task.id == self._on_stage:
            self._follow(task, event)
        if isinstance(event, (Started, Failed, Cancelled, Done)):
            self._tell_busy()

    def _begin(self, task: Task) -> None:
        self._on_stage = task.id
        self._begun.add(task.id)
        self.result, self.record_id, self._files = None, None, {}
        if isinstance(task.request, SweepRequest):
            self.show_sweep(task.request)
        else:
            self.request, self.sweep = task.request, None
            self._stage.begin_run(captions(task.request))
            self._insight.begin(task.request)
        self.shown.emit()

    def _follow(self, task: Task, event: Event) -> None:
        if isinstance(event, Progress):
            left = task.eta()
            text = event.text + (f", {left:.0f} s left" if left is not None and left >= 1 else "")
            self.status.emit(text, event.done / event.total if event.total else 0.0)
        elif isinstance(event, Metric):
            if event.series == "seconds":
                self._insight.show_cost(self.request, round(event.x), event.y, "")
            else:
                self._insight.add_point(event.series, event.x, event.y)
        elif isinstance(event, Snapshot) and isinstance(event.data, StepData):
            self._stage.add_step(event.data)
        elif isinstance(event, Snapshot) and isinstance(event.data, SweepState):
            self._cell = event.data.cell
        elif isinstance(event, Preview) and self.sweep is not None:
            self._stage.show_cells(event.array, self._cell + 1)

    def _done(self, task: Task, result: Any) -> None:
        if isinstance(result, ImageMetadata):
            self.settings_read.emit(result)
        elif isinstance(result, Path):
            self.said.emit(f"Saved as {result}", "success", "", ())
        elif isinstance(result, quick.StoredRun):
            self._loaded(task, result)
        elif isinstance(result, GenerateResult) and task.lane == "quick":
            self._kept(result)
        elif isinstance(result, (GenerateResult, SweepResult)):
            self._drawn(task, result)

    def _drawn(self, task: Task, result: GenerateResult | SweepResult) -> None:
        if task.id not in self._begun:
            self._begin(task)  # it ran while the panel was hidden, when only the end of a task is delivered
        if task.id != self._on_stage:
            return
        self.result, self.record_id = result, result.record_id
        if isinstance(result, SweepResult):
            self.sweep = result.request
            self._stage.show_cells(result.cells, len(result.cells))
            self.status.emit(f"{len(result.cells)} pictures in {result.seconds:.1f} s", None)
        else:
            self.request = result.request
            if result.steps is not None and len(result.steps.steps) != len(self._stage.steps):
                self._stage.steps = list(result.steps.steps)
            elif result.record_id and not self._stage.steps:
                self.load(result.record_id)  # it was drawn while the panel was hidden: its steps are on disk
            self._stage.finish(result.pictures)
            self._insight.show_cost(result.request, result.request.steps, result.seconds, _device(result.provenance))
            self.status.emit(f"{result.request.steps} steps in {result.seconds:.1f} s", None)
        if result.record_id:
            self._files = dict(self._context.results.files(result.record_id))
        elif result.problem:
            actions: Actions = (("Try again", self.keep),) if isinstance(result, GenerateResult) else ()
            text = f"{result.problem} The picture is still here: save it with “Save as…”."
            self.said.emit(text, "warning", "", actions)
        self.shown.emit()

    def _kept(self, result: GenerateResult) -> None:
        if result.record_id is None:
            self.said.emit(f"{result.problem} The picture is still here: save it with “Save as…”.", "warning", "", ())
            return
        if isinstance(self.result, GenerateResult) and self.result.pictures is result.pictures:
            self.result, self.record_id = replace(result, steps=self.result.steps), result.record_id
            self._files = dict(self._context.results.files(result.record_id))
        self.said.emit("Kept in the History.", "success", "", ())
        self.shown.emit()

    def _loaded(self, task: Task, run: quick.StoredRun) -> None:
        if self._live() and run.record.id != self.record_id:
            return  # something newer is being drawn
        self.show_stored(run)

    def show_stored(self, run: quick.StoredRun) -> None:
        """A result read back from disk."""
        record = run.record
        self._on_stage, self.record_id, self._files = "", record.id, dict(record.files)
        seconds = float(record.metrics.get("seconds", 0.0))
        if record.kind == SweepRequest.kind:
            request = SweepRequest.checked(**record.request)
            self.show_sweep(request)
            self.result = SweepResult(request, run.pictures, seconds, record.provenance, record.id)
            self._stage.show_cells(run.pictures, len(run.pictures))
        else:
            drawn = GenerateRequest.checked(**record.request)
            steps = list(run.steps.steps) if run.steps else []
            evaluations = drawn.steps * drawn.evaluations_per_step
            self.request, self.sweep = drawn, None
            self.result = GenerateResult(drawn, run.pictures, seconds, evaluations, record.provenance, record.id)
            self._insight.begin(drawn)
            self._insight.show_curves(steps)
            self._stage.show_run(run.pictures, steps, captions(drawn))
            self._insight.show_cost(drawn, drawn.steps, seconds, _device(record.provenance))
        self.status.emit(run.problem, None)
        self.shown.emit()

    def show_example(self, request: GenerateRequest, steps: Trajectory) -> None:
        """A run that nobody waits for and that is not in the store (the pictures of the manual)."""
        pictures = steps.steps[-1].x0
        self.request, self.sweep, self.record_id = request, None, None
        self._insight.begin(request)
        self._insight.show_curves(list(steps.steps))
        self._stage.show_run(pictures, steps.steps, captions(request))
        self.shown.emit()

    def show_sweep(self, request: SweepRequest) -> None:
        """An empty grid for a sweep."""
        self.sweep, self.request = request, None
        self._cell = -1
        labels = sweep_labels(request)
        rows = labels.rows or ("",)
        names = [", ".join(filter(None, (column, row))) for row in rows for column in labels.columns]
        self._stage.begin_sweep(labels, names)
        self._insight.clear()

    def _cancelled(self, task: Task) -> None:
        if task.id == self._on_stage:
            steps = len(self._stage.steps)
            self.status.emit(f"cancelled after {steps} steps" if steps else "cancelled", None)

    def _failed(self, task: Task, error: ErrorInfo) -> None:
        actions: Actions = ()
        if error.kind == "out_of_memory" and isinstance(task.request, GenerateRequest) and task.request.batch > 1:
            half = task.request.replace(batch=max(1, task.request.batch // 2))
            actions = ((f"Draw {half.batch} at once", lambda: self.generate(half)),)
        self.said.emit(error.message, "error", error.details, actions)
        if task.id == self._on_stage:
            self.status.emit("failed", None)

    def file_of(self, index: int) -> Path | None:
        """The file of a picture shown, when it is kept."""
        names = sorted(name for name in self._files if name.endswith(".png") and name.startswith(("picture", "cell")))
        return self._files[names[index]] if 0 <= index < len(names) else None


def captions(request: GenerateRequest) -> list[str]:
    """What stands below each picture of a run."""
    return [f"seed {request.seed + i}" for i in range(request.batch)]


def _device(provenance: Any) -> str:
    return ", ".join(str(provenance[key]) for key in ("device", "dtype") if key in provenance)
