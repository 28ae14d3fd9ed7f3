"""Between the points and the engine: asks what follows from them, drops what is no longer asked, keeps."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from studio.engine import Cancelled, Done, Event, Failed, Priority, Task
from studio.host.context import PanelContext
from studio.host.desk import TaskDesk
from studio.host.newest import Newest
from studio_plugins.kernel_trick import jobs
from studio_plugins.kernel_trick.jobs import Order
from studio_plugins.kernel_trick.request import KernelTrickRequest
from studio_plugins.kernel_trick.results import Kept, Look

QUICK_POINTS = 150
"""Up to so many points everything but the Fourier curve is worked out within some ten milliseconds."""


class Desk(TaskDesk):
    """Signal: `looked` (Look)."""

    looked = Signal(object)

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(context, parent)
        self.look: Look | None = None
        self._questions: Newest[Order] = Newest(self._submit_order)

    def ask(self, request: KernelTrickRequest, page: str, *, moving: bool = False) -> None:
        """What follows from a request."""
        self._questions.ask(Order(request, page, moving))

    def _submit_order(self, order: Order) -> Task | None:
        small = len(order.request.points) <= QUICK_POINTS and order.page != "fourier"
        lane = {"lane": "quick"} if small else {"priority": Priority.INTERACTIVE}
        return self.submit(jobs.look, order, "looking", **lane)

    def keep(self) -> None:
        """Keep what is shown."""
        if self.look is not None and len(self.look.points):
            self.submit(jobs.keep, self.look, "keeping the boundary", lane="quick")

    def on_event(self, task: Task, event: Event) -> None:
        super().on_event(task, event)
        if isinstance(event, (Done, Failed, Cancelled)):
            self._questions.ended(task)

    def _done(self, task: Task, result: object) -> None:
        if isinstance(result, Look):
            self.look = result
            self.looked.emit(result)
            self.status.emit("", None)
        elif isinstance(result, Kept):
            self.said.emit("Kept in the History, with its settings.", "success", "", ())
        else:
            super()._done(task, result)

    def _cancelled(self, task: Task) -> None:
        """A question given up for a newer one is no news."""
