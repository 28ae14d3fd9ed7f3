"""Between the controls and the engine: asks for fits while settings change, follows cross-validation, keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from studio.engine import Cancelled, Done, ErrorInfo, Event, Failed, Priority, Task
from studio.host.context import PanelContext
from studio.host.desk import TaskDesk
from studio.host.newest import Newest
from studio.ml.linear.problem import Problem
from studio_plugins.elastic_net import jobs
from studio_plugins.elastic_net.jobs import KeepOrder, Order, TableRead, ValidationOrder
from studio_plugins.elastic_net.request import ElasticNetRequest
from studio_plugins.elastic_net.results import Answer, Kept, Known, Validated

QUICK = 200_000
"""Entries of a linear problem whose whole path is worked out within some ten milliseconds."""


class Desk(TaskDesk):
    """Signals: `answered` (Answer), `validated` (Validated or None), `table` (TableRead, whether it was just opened),
    `unable` and `unvalidated` (why there is no fit, or no cross-validation)."""

    answered = Signal(object)
    validated = Signal(object)
    table = Signal(object, bool)
    unable = Signal(str)
    unvalidated = Signal(str)

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(context, parent)
        self.answer: Answer | None = None
        self.curve: Validated | None = None
        self._choose_table = False
        self._questions: Newest[Order] = Newest(self._submit_order)

    # --- asking ---

    def ask(self, request: ElasticNetRequest, page: str) -> None:
        """Fit these settings."""
        self._questions.ask(Order(request, plane=page == "ball", updates=page == "steps"))
        if self.curve is not None and not self.curve.fits(request):
            self.curve = None
            self.validated.emit(None)

    def _submit_order(self, order: Order) -> Task | None:
        known = self._known
        quick = known is not None and known.holds_data(order.request) and _is_quick(known.problem) and not order.updates
        lane = {"lane": "quick"} if quick else {"priority": Priority.INTERACTIVE}
        return self.submit(jobs.answer, replace(order, known=known), "fitting", **lane)

    @property
    def _known(self) -> Known | None:
        """What the last answer spares the next one."""
        return self.answer.known if self.answer is not None else None

    def crossvalidate(self, request: ElasticNetRequest) -> None:
        """Cross-validate these settings, unless that is done."""
        if self.curve is None or not self.curve.fits(request):
            order = ValidationOrder(request, self._known)
            self.submit(jobs.crossvalidate, order, "cross-validating", replace="validate")

    def keep(self) -> None:
        """Keep the fit on show."""
        if self.answer is not None:
            self.submit(jobs.keep, KeepOrder(self.answer, self.curve), "keeping the fit", lane="quick")

    def open_table(self, path: Path, *, choose: bool) -> None:
        """Read the columns of a file; with `choose` it becomes the data."""
        self._choose_table = choose
        self.submit(jobs.open_table, path, f"reading {path.name}", lane="quick", replace="table")

    def paste_table(self, text: str) -> None:
        """Take pasted text as the data."""
        self._choose_table = True
        self.submit(
            jobs.paste_table, (self._context.panel_dir, text), "reading what was pasted", lane="quick", replace="table"
        )

    # --- hearing ---

    def on_event(self, task: Task, event: Event) -> None:
        super().on_event(task, event)
        if isinstance(event, (Done, Failed, Cancelled)):
            self._questions.ended(task)

    def _done(self, task: Task, result: object) -> None:
        if isinstance(result, Answer):
            self.answer = result
            self.answered.emit(result)
            self.status.emit("", None)
        elif isinstance(result, Validated):
            self.curve = result
            self.validated.emit(result)
            self.status.emit("", None)
        elif isinstance(result, TableRead):
            self.table.emit(result, self._choose_table)
        elif isinstance(result, Kept):
            self.said.emit("Kept in the History, with its settings.", "success", "", ())
        else:
            super()._done(task, result)

    def _cancelled(self, task: Task) -> None:
        """A question given up for a newer one is no news."""

    def _failed(self, task: Task, error: ErrorInfo) -> None:
        if isinstance(task.request, ValidationOrder):
            self.unvalidated.emit(error.message)
        elif isinstance(task.request, Order):
            self.unable.emit(error.message)
            self.status.emit("", None)
        else:
            super()._failed(task, error)


def _is_quick(problem: Problem) -> bool:
    return problem.family == "linear" and problem.n * problem.p <= QUICK
