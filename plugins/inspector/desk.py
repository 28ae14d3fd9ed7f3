"""What the panel has open and what the engine does for it: the file, the tensor, the plane, the statistics. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import Cancelled, Done, EngineClosed, Event, Failed, Progress, Snapshot, Task
from studio.host.context import PanelContext
from studio_plugins.inspector import jobs
from studio_plugins.inspector.axes import View, can_be_picture, first_view
from studio_plugins.inspector.colours import MapName, RangeName
from studio_plugins.inspector.jobs import Plane
from studio_plugins.inspector.reading import Listing, TensorInfo
from studio_plugins.inspector.request import InspectRequest, MeasureRequest, PlaneRequest
from studio_plugins.inspector.stats import Statistics

MEASURE_ALL = 256 * 2**20
"""Bytes up to which all tensors of a file are measured without being asked for."""
PREFIX = "statistics "


class Desk(QObject):
    """Submits jobs and keeps what they answer.

    `opened` Listing; `drawn` Plane; `measured` name and Statistics; `status` text and share done (None: nothing runs); `said` text and level.
    """

    opened = Signal(object)
    drawn = Signal(object)
    measured = Signal(str, object)
    status = Signal(str, object)
    said = Signal(str, str, str)

    def __init__(self, context: PanelContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.listing: Listing | None = None
        self.info: TensorInfo | None = None
        self.view: View | None = None
        self.as_picture = False
        self.colours: MapName = "auto"
        self.spread: RangeName = "robust"
        self.plane: Plane | None = None
        self.statistics: dict[str, Statistics] = {}
        self._opening: Task | None = None
        self._drawing: Task | None = None
        self._measuring: Task | None = None
        self._keeping: Task | None = None

    # --- asking ---

    def open(self, path: Path) -> None:
        """List a file; what was open stays until the new one is there."""
        self._opening = self._submit(jobs.list_file, str(path), title=f"Open {path.name}", lane="quick", replace="open")
        self.status.emit(f"Opening {path.name} …", 0.0)

    def choose(self, info: TensorInfo, view: View | None = None) -> None:
        """Show a tensor of the open file, and measure it before the others."""
        self.info, self.plane = info, None
        self.view = view or first_view(info)
        self.as_picture = can_be_picture(info)
        if info.problem:
            self.said.emit(f"“{info.name}” cannot be shown. {info.problem}", "warning", "")
            return
        self.said.emit("", "info", "")
        self.draw()
        self._measure()

    def draw(self) -> None:
        """Cut out the plane of the present view and colour it."""
        if self.listing is None or self.info is None or self.view is None or self.info.problem:
            return
        view = self.view
        picture = self.as_picture and view.cols >= 0 and len(self.info.shape) - 1 not in (view.rows, view.cols)
        request = PlaneRequest(
            str(self.listing.path), self.info.name, view.rows, view.cols, view.index, picture, self.colours, self.spread
        )
        self._drawing = self._submit(jobs.plane, request, title=f"Show {self.info.name}", lane="quick", replace="plane")

    def _measure(self) -> None:
        """Measure the chosen tensor first, then, in a file that is not too large, the others."""
        if self.listing is None or self.info is None:
            return
        small = sum(info.nbytes for info in self.listing.tensors) <= MEASURE_ALL
        others = [info.name for info in self.listing.tensors if info is not self.info] if small else []
        wanted = [name for name in (self.info.name, *others) if name not in self.statistics or not self.statistics[name].complete]
        if wanted:
            request = MeasureRequest(str(self.listing.path), tuple(wanted))
            self._measuring = self._submit(jobs.measure, request, title=f"Measure {self.listing.path.name}", replace="measure")

    def keep(self) -> None:
        """Measure everything and keep the table in History."""
        if self.listing is not None:
            request = InspectRequest(path=str(self.listing.path))
            self._keeping = self._submit(jobs.inspect, request, title=f"Keep the table of {self.listing.path.name}", replace="keep")

    def _submit(self, job: Callable[..., Any], request: Any, **options: Any) -> Task | None:
        try:
            return self.context.submit(job, request, **options)
        except EngineClosed as error:
            self.said.emit(str(error), "warning", "")
            return None

    # --- hearing ---

    def on_event(self, task: Task, event: Event) -> None:
        """Take in an event; one of a task that was replaced is of no interest."""
        if task not in (self._opening, self._drawing, self._measuring, self._keeping):
            return
        if isinstance(event, Progress) and task is not self._drawing:
            self.status.emit(event.text, event.done / event.total if event.total else 0.0)
        elif isinstance(event, Snapshot):
            self._learn(event.name.removeprefix(PREFIX), event.data)
        elif isinstance(event, Done):
            self._done(task, event.result)
        elif isinstance(event, Failed):
            self._ended(task)
            known = event.error.kind in ("ReadingError", "FileChanged", "StoreUnwritable", "OutOfMemory")
            text = event.error.message if known else f"This went wrong: {event.error.message}"
            self.said.emit(text, "error", "" if known else event.error.details)
        elif isinstance(event, Cancelled):
            self._ended(task)

    def _done(self, task: Task, result: Any) -> None:
        if task is self._opening:
            self.listing, self.info, self.view, self.plane, self.statistics = result, None, None, None, {}
            self.opened.emit(result)
        elif task is self._drawing:
            self.plane = result
            self.drawn.emit(result)
        elif task is self._measuring:
            # Snapshots come only while the panel is visible; the result holds all of them.
            for name, found in result.items():
                self._learn(name, found)
        elif task is self._keeping:
            self.said.emit("The table of all tensors is in History.", "success", "")
        self._ended(task)

    def _learn(self, name: str, found: Statistics) -> None:
        self.statistics[name] = found
        self.measured.emit(name, found)

    def _ended(self, task: Task) -> None:
        if task is not self._drawing:
            self.status.emit("", None)
