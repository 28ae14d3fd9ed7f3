"""Between the controls and the engine: submits runs, follows their events onto the stage, knows what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import ErrorInfo, Event, Snapshot, Task
from studio.host.context import PanelContext
from studio.host.desk import Actions, TaskDesk
from studio.models.external import offered_changes
from studio_plugins.tokens import jobs, quick
from studio_plugins.tokens.insight import Insight
from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.results import TokensResult
from studio_plugins.tokens.run import Plan, TokenRun, TokenStep
from studio_plugins.tokens.stage import Stage

QUEUE = "tokens"


class Desk(TaskDesk):
    """What the panel is doing, and what it shows: `request`, `result` (None while it is drawn), `record_id`.

    Signal: `changed` when something else is shown.
    """

    changed = Signal()

    def __init__(self, context: PanelContext, stage: Stage, insight: Insight, parent: QObject) -> None:
        super().__init__(context, parent)
        self._stage, self._insight = stage, insight
        self._followed = ""
        self._smaller: Actions = ()
        self.request: TokensRequest | None = None
        self.result: TokensResult | None = None
        self.record_id: str | None = None

    # --- submitting ---

    def draw(self, request: TokensRequest) -> Task | None:
        """Draw, follow and keep, after what runs and waits here."""
        return self.submit(jobs.tokens, request, request.prompt.strip() or "without a prompt", queue=QUEUE)

    def load(self, record_id: str) -> Task | None:
        """Show a stored result."""
        return self.submit(quick.load_run, record_id, "reading a result", lane="quick", replace="load")

    def find(self, request: Mapping[str, Any]) -> Task | None:
        """Show the stored result of exactly this request, if there is one."""
        return self.submit(quick.find_run, request, "looking", lane="quick", replace="load")

    def save_maps(self, path: Path) -> Task | None:
        """Write the maps shown to an npz file."""
        run = self._stage.run
        if run is None or not run.steps:
            return None
        return self.submit(quick.save_maps, quick.SaveOrder(run, path), f"saving {path.name}", lane="quick")

    def keep(self) -> None:
        """Save the run shown, which could not be saved before."""
        if self.result is not None and self.record_id is None:
            kept = replace(self.result, run=self._stage.run, problem="")
            self.submit(quick.keep_run, kept, "saving", lane="quick", replace="keep")

    # --- events ---

    def _begin(self, task: Task) -> None:
        super()._begin(task)
        self._smaller = ()
        self.request, self.result, self.record_id = task.request, None, None
        self.changed.emit()

    def _follow(self, task: Task, event: Event) -> None:
        if isinstance(event, Snapshot) and event.name == "smaller":
            self._smaller = [(text, partial(self.draw, smaller)) for text, smaller in event.data]
        elif isinstance(event, Snapshot) and event.name == "offers":
            self._smaller = [
                (text, partial(self.draw, task.request.replace(**changes)))
                for text, changes in offered_changes(event.data)
                if changes.keys() <= TokensRequest.model_fields.keys()
            ]
        elif isinstance(event, Snapshot) and isinstance(event.data, Plan):
            self._followed = task.id
            self._insight.clear()
            self._stage.begin(event.data)
        elif isinstance(event, Snapshot) and isinstance(event.data, TokenStep):
            self._step(task, event.data)

    def _step(self, task: Task, step: TokenStep) -> None:
        """One step, unless an earlier one is missing (the panel was hidden): the whole run is read at its end."""
        if self._steps_of(task) == step.maps.index:
            self._stage.add_step(step)

    def _steps_of(self, task: Task) -> int:
        """How many steps of this task are on the stage; -1 when something else is."""
        run = self._stage.run
        return len(run.steps) if run is not None and self._followed == task.id else -1

    def _done(self, task: Task, result: Any) -> None:
        if isinstance(result, quick.StoredRun):
            self._loaded(result)
        elif isinstance(result, TokensResult) and task.lane == "quick":
            self._kept(result)
        elif isinstance(result, TokensResult):
            self._drawn(task, result)
        else:
            super()._done(task, result)

    def _drawn(self, task: Task, result: TokensResult) -> None:
        if task.id != self._task_id:
            if self.pending():
                return  # something newer is being drawn
            self._begin(task)  # it ran while the panel was hidden, when only the end of a task is delivered
        self.request, self.result, self.record_id = result.request, replace(result, run=None), result.record_id
        shown = self._stage.run
        if shown is not None and self._steps_of(task) == shown.plan.total:
            self._stage.finish(result.picture)
            self._show_cost(result.request, result.seconds, result.provenance)
        elif result.run is not None:
            self._show(result.request, result.run, result.picture, result.seconds, result.provenance)
        elif result.record_id:
            self.load(result.record_id)
        kept = ", kept in the History" if result.record_id else ""
        self.status.emit(f"{result.request.steps} steps in {result.seconds:.1f} s{kept}", None)
        if result.problem:
            self._tell_unsaved(result)
        self.changed.emit()

    def _kept(self, result: TokensResult) -> None:
        if result.record_id is None:
            self._tell_unsaved(result)
            return
        self.record_id = result.record_id
        self.said.emit("Kept in the History.", "success", "", ())
        self.changed.emit()

    def _tell_unsaved(self, result: TokensResult) -> None:
        text = f"{result.problem} The picture and its maps are still here: save them with “Export…” or “Save maps…”."
        self.said.emit(text, "warning", "", (("Try again", self.keep),))

    def _loaded(self, stored: quick.StoredRun) -> None:
        if self.pending() and stored.record.id != self.record_id:
            return  # something newer is being drawn
        record, request = stored.record, TokensRequest.checked(**stored.record.request)
        self._task_id = ""
        seconds = float(record.metrics.get("seconds", 0.0))
        self.result = TokensResult(request, stored.picture, seconds, record.provenance, None, record.id)
        self.request, self.record_id = request, record.id
        if stored.run is None:
            again = ("Draw it again", partial(self.draw, request))
            self.said.emit(stored.problem, "warning", "", (again,))
        else:
            self._show(request, stored.run, stored.picture, seconds, record.provenance)
            self.status.emit("", None)
        self.changed.emit()

    def show_example(self, request: TokensRequest, run: TokenRun) -> None:
        """A run that nobody waits for and that is not in the store (the pictures of the manual)."""
        picture = run.steps[-1].x0
        self.request, self.result, self.record_id = request, TokensResult(request, picture, 0.0, {}), None
        self._show(request, run, picture, 0.0, {})
        self.changed.emit()

    def _show(
        self, request: TokensRequest, run: TokenRun, picture: Any, seconds: float, provenance: Mapping[str, Any]
    ) -> None:
        self._insight.clear()
        self._stage.show_run(run, picture)
        self._show_cost(request, seconds, provenance)

    def _show_cost(self, request: TokensRequest, seconds: float, provenance: Mapping[str, Any]) -> None:
        device = ", ".join(str(provenance[key]) for key in ("device", "dtype") if key in provenance)
        self._insight.show_cost(request, seconds, device)

    def _so_far(self, task: Task) -> str:
        steps = self._steps_of(task)
        return f" after {steps} steps" if steps > 0 else ""

    def _remedies(self, task: Task, error: ErrorInfo) -> Actions:
        if error.kind == "out_of_memory" and isinstance(task.request, TokensRequest):
            if not task.request.public:
                return [(text, partial(self.draw, smaller)) for text, smaller in task.request.smaller()]
        return self._smaller if task.id == self._task_id else ()
