"""Between the points and the engine: asks what follows from them, drops what is no longer asked, keeps."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from studio.engine import ErrorInfo, Priority, Task
from studio.host.context import PanelContext
from studio.host.desk import TaskDesk
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
        self._next: Order | None = None
        self._asked: Task | None = None

    def ask(self, request: KernelTrickRequest, page: str, *, moving: bool = False) -> None:
        """What follows from a request. While one question is being answered only the newest waits: a hand that moves
        without a pause must see answers on its way, and not have each one dropped for the next."""
        order = Order(request, page, moving)
        if self._asked is not None and not self._asked.state.ended:
            self._next = order
        else:
            self._submit_order(order)

    def _submit_order(self, order: Order) -> None:
        self._next = None
        small = len(order.request.points) <= QUICK_POINTS and order.page != "fourier"
        lane = {"lane": "quick"} if small else {"priority": Priority.INTERACTIVE}
        self._asked = self.submit(jobs.look, order, "looking", **lane)

    def keep(self) -> None:
        """Keep what is shown."""
        if self.look is not None and len(self.look.points):
            self.submit(jobs.keep, self.look, "keeping the boundary", lane="quick")

    def _done(self, task: Task, result: object) -> None:
        if isinstance(result, Look):
            self.look = result
            self.looked.emit(result)
            self.status.emit("", None)
            if self._next is not None:
                self._submit_order(self._next)
        elif isinstance(result, Kept):
            self.said.emit("Kept in the History, with its settings.", "success", "", ())
        else:
            super()._done(task, result)

    def _failed(self, task: Task, error: ErrorInfo) -> None:
        super()._failed(task, error)
        if self._next is not None:
            self._submit_order(self._next)
