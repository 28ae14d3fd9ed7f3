"""Between the controls and the engine: submits sweeps, follows their events onto the stage, knows what is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import (
    Cancelled, Done, EngineClosed, Event, Failed, Preview, Progress, Snapshot, Started, Task, TaskState,
)  # fmt: skip
from studio.host.context import PanelContext
from studio.ml.evaluation.points import Measured
from studio_plugins.tradeoff import jobs, quick
from studio_plugins.tradeoff.request import TradeoffRequest
from studio_plugins.tradeoff.results import Begun, TradeoffResult


class Desk(QObject):
    """What the panel is doing.

    Signals: `begun` (a sweep's prompts are known), `added` (Measured), `preview` (pictures), `shown` (a result as a
    whole), `busy` (whether a sweep runs or waits), `status` (text, share done or None), `said` (text, level, details,
    actions). `result` is what is shown, finished or not; None before there is anything.
    """

    begun = Signal()
    added = Signal(object)
    preview = Signal(object)
    shown = Signal()
    busy = Signal(bool)
    status = Signal(str, object)
    said = Signal(str, str, str, object)

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._task: Task | None = None
        self._loading: Task | None = None
        self._keeping: Task | None = None
        self._started = 0.0
        self.result: TradeoffResult | None = None

    # --- asking ---

    def draw(self, request: TradeoffRequest) -> None:
        """Draw a sweep and keep it."""
        title = f"{len(request.settings)} points of {request.pictures} pictures"
        task = self._submit(jobs.tradeoff, request, title=title)
        if task is not None:
            self._task = task
            self.busy.emit(True)
            self.status.emit("waiting for the engine", 0.0)

    def cancel(self) -> None:
        """Stop what is being drawn; its finished points stay, and are kept."""
        if self.running and self._task is not None:
            self._task.cancel()

    def load(self, record_id: str) -> None:
        """Show a stored sweep."""
        self._loading = self._submit(
            quick.load_sweep, record_id, title="reading a sweep", lane="quick", replace="load"
        )

    def find(self, kind: str, request: Mapping[str, Any]) -> None:
        """Show the stored sweep of exactly this request, if there is one."""
        order = quick.FindOrder(kind, request)
        self._loading = self._submit(quick.find_sweep, order, title="looking", lane="quick", replace="load")

    def load_example(self) -> None:
        """Show the sweep that ships with the panel."""
        self._loading = self._submit(
            quick.load_example, None, title="reading the example", lane="quick", replace="load"
        )

    def keep(self) -> None:
        """Save what is shown, where it is not saved yet."""
        if self.result is not None and self.result.record_id is None and self.result.measured:
            self._keeping = self._submit(
                quick.keep_sweep, self.result, title="saving", lane="quick", replace="keep"
            )

    def show(self, result: TradeoffResult) -> None:
        """Show a sweep as a whole."""
        self.result = result
        self.shown.emit()

    @property
    def running(self) -> bool:
        """Whether a sweep runs or waits."""
        return self._task is not None and not self._task.state.ended

    def _submit(self, job: Callable[..., Any], request: Any, **options: Any) -> Task | None:
        try:
            return self._context.submit(job, request, **options)
        except EngineClosed as error:
            self.said.emit(str(error), "warning", "", ())
            return None

    # --- hearing ---

    def on_event(self, task: Task, event: Event) -> None:
        """One event of a task of this panel."""
        if task is self._task:
            self._follow(task, event)
        elif isinstance(event, Failed):
            self.said.emit(event.error.message, "error", event.error.details, ())
        elif isinstance(event, Done) and isinstance(event.result, TradeoffResult):
            self._kept_or_loaded(task, event.result)

    def _follow(self, task: Task, event: Event) -> None:
        if isinstance(event, Started):
            self.result, self._started = None, time.monotonic()
        elif isinstance(event, Progress):
            left = task.eta()
            text = event.text + (f", {left:.0f} s left" if left is not None and left >= 1 else "")
            self.status.emit(text, event.done / event.total if event.total else 0.0)
        elif isinstance(event, Preview):
            self.preview.emit(event.array)
        elif isinstance(event, Snapshot):
            self._learn(task.request, event.data)
        elif isinstance(event, Done):
            self._finished(event.result)
        elif isinstance(event, (Failed, Cancelled)):
            self._ended(task, event)

    def _learn(self, request: TradeoffRequest, data: Begun | Measured) -> None:
        """The prompts, or one more point. Snapshots missed while the panel was hidden come with the result."""
        if isinstance(data, Begun):
            self.result = TradeoffResult(request, data.texts, (), 0.0)
            self.begun.emit()
        elif self.result is not None:
            known = (*self.result.measured, data)
            seconds = time.monotonic() - self._started
            self.result = TradeoffResult(request, self.result.texts, known, seconds)
            self.added.emit(data)

    def _finished(self, result: TradeoffResult) -> None:
        self.show(result)
        self.busy.emit(False)
        kept = ", kept in the History" if result.record_id else ""
        self.status.emit(f"{len(result.measured)} points in {result.seconds:.0f} s{kept}", None)
        if result.problem:
            self._tell_unsaved(result)

    def _ended(self, task: Task, event: Failed | Cancelled) -> None:
        self.busy.emit(False)
        if isinstance(event, Failed):
            self.said.emit(event.error.message, "error", event.error.details, ())
        begun = self.result is not None and self.result.request is task.request
        count = len(self.result.measured) if self.result is not None and begun else 0
        self.status.emit(f"{'failed' if isinstance(event, Failed) else 'cancelled'} after {count} points", None)
        self.keep()

    def _kept_or_loaded(self, task: Task, result: TradeoffResult) -> None:
        if task is self._loading and not self.running:
            self.show(result)
            source = "from the History" if result.record_id else "the example"
            self.status.emit(f"{len(result.measured)} points, {source}", None)
        elif task is self._keeping and self.result is not None and self.result.measured == result.measured:
            self.result = result
            if result.problem:
                self._tell_unsaved(result)
            else:
                self.status.emit(f"{len(result.measured)} points, kept in the History", None)

    def _tell_unsaved(self, result: TradeoffResult) -> None:
        text = f"{result.problem} The points are still here: export them, or try again."
        self.said.emit(text, "warning", "", (("Try again", self.keep),))
