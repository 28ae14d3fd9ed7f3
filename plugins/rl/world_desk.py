"""Between the window and the engine, for worlds: which there are, and what one of them is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import Annex, ErrorInfo, Priority, Task
from studio.host.context import PanelContext
from studio.host.desk import Actions, TaskDesk
from studio.ml.rl.worlds import FileChanged, WorldSpec
from studio_plugins.rl import catalogue, offers, training
from studio_plugins.rl.offers import Described
from studio_plugins.rl.seat import Seat
from studio_plugins.rl.training import Readying
from studio_plugins.rl.yard import There, go, is_in_yard, order_of


class WorldDesk(TaskDesk):
    """Signals: `listed` (Worldlist), `described` (Described), `undescribed` (the WorldSpec or path that could not be opened),
    `distrusted` (path of a world's file that was changed)."""

    listed = Signal(object)
    described = Signal(object)
    undescribed = Signal(object)
    distrusted = Signal(object)

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(context, parent)
        self._annex: Annex | None = context.engine.services.get("annex")
        self._opening: Task | None = None

    def submit(self, job: Callable[..., Any], request: Any, title: str, **options: Any) -> Task | None:
        """As every desk; jobs that work on runs go to the process where those are."""
        if self._annex is None or not is_in_yard(job):
            return super().submit(job, request, title, **options)
        return super().submit(go, There(self._annex, job, request), title, **options)

    def list_worlds(self) -> None:
        """Look through the worlds of this machine."""
        self.submit(catalogue.list_worlds, None, "listing worlds", replace="worlds", lane="quick")

    def describe(self, spec: WorldSpec) -> None:
        """Open a world once, to know which agents are for it."""
        self._opening = self.submit(offers.describe, spec, f"opening {spec.title}", replace="describe", lane="quick")

    def open_file(self, path: Path) -> None:
        """Look for a world in a file that the person trusts."""
        self._opening = self.submit(offers.open_file, path, f"opening {path.name}", replace="describe", lane="quick")

    def make_ready(self, world: WorldSpec, kinds: Sequence[str]) -> None:
        """Have the process that trains import what these agents need; without one, they are imported when they train."""
        if self._annex is not None:
            order = Readying(world, tuple(kinds))
            self.submit(training.make_ready, order, "getting ready", priority=Priority.BACKGROUND, replace="ready")

    def _done(self, task: Task, result: Any) -> None:
        if isinstance(result, Described):
            if task is self._opening:  # else another world has been asked for meanwhile
                self.described.emit(result)
        elif isinstance(result, catalogue.Worldlist):
            self.listed.emit(result)
        elif isinstance(order_of(task), Readying):
            self.status.emit("", None)
        else:
            super()._done(task, result)

    def _failed(self, task: Task, error: ErrorInfo) -> None:
        super()._failed(task, error)
        if task is self._opening:
            self.undescribed.emit(task.request)

    def _remedies(self, task: Task, error: ErrorInfo) -> Actions:
        order = order_of(task)
        seat = getattr(order, "seat", None)
        world = order if isinstance(order, WorldSpec) else seat.now.world if isinstance(seat, Seat) else None
        if FileChanged.__name__ in error.details and world is not None:
            return (("Trust it anew…", lambda: self.distrusted.emit(Path(world.path))),)
        return ()
