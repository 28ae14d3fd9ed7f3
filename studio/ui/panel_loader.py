"""Imports the classes of panels without holding up the window, and makes Qt's types on the GUI thread only."""

from __future__ import annotations

import importlib
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from PySide6 import QtCore, QtGui, QtSvg, QtWidgets
from PySide6.QtCore import QObject, QTimer

from studio.host.discovery import USER_PREFIX, PluginError, load_panel, module_of
from studio.host.manifest import Manifest
from studio.ui.background import Background
from studio.ui.import_plan import ImportPlan, plan_imports

log = logging.getLogger("studio.ui")

TURN = 0.006
"""Seconds of imports between two looks at the window's events; one module may take longer, pyqtgraph 80 to 300 ms, once."""
_PLOTS = "studio.ui.curves"
Then = Callable[[type[Any]], Iterable[None] | None]
Failed = Callable[[Exception], None]


class PanelLoader(QObject):
    """One panel after another: a thread reads what it needs and imports what is not Qt's, turns of the loop the rest."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._apart = Background("panel-loader", self)
        self._loading: deque[Iterator[None]] = deque([_types_of_qt()])
        self._turns = QTimer(self)
        self._turns.timeout.connect(self._turn)

    def load(self, manifest: Manifest, then: Then, failed: Failed) -> None:
        """`then(panel class)` or `failed(error)` follows. What `then` returns is gone through with the window alive in
        between."""
        self._apart.run(lambda: _prepared(manifest), lambda plan: self._begin(_loading(manifest, plan, then, failed)), failed)

    def close(self) -> None:
        """Drop what is not loaded yet; nothing follows any more."""
        self._apart.close()
        self._turns.stop()
        self._loading = deque(maxlen=0)  # takes nothing more either

    def _begin(self, loading: Iterator[None]) -> None:
        self._loading.append(loading)
        self._turns.start(0)

    def _turn(self) -> None:
        until = time.perf_counter() + TURN
        while self._loading and time.perf_counter() < until:
            loading = self._loading.popleft()  # while it runs, it may make the loop turn
            if next(loading, self) is not self:
                self._loading.appendleft(loading)
        if self._loading:
            self._turns.start(0)  # anew: other timers that are due meanwhile come first
        else:
            self._turns.stop()


def _prepared(manifest: Manifest) -> ImportPlan:
    """On the thread: what is to be imported on the GUI thread, after everything else has been."""
    top = manifest.package.partition(".")[0]
    folders = [str(manifest.folder)] if manifest.source == "user" else None
    plan = plan_imports(module_of(manifest, manifest.entry), {"studio": None, top: folders})
    for name in plan.apart:
        if not name.startswith(USER_PREFIX):
            _import_quietly(name)
    return plan


def _loading(manifest: Manifest, plan: ImportPlan, then: Then, failed: Failed) -> Iterator[None]:
    """On the GUI thread: the imports that are left, yielding between two of them, then the answer."""
    if _PLOTS in sys.modules or _PLOTS in plan.here:  # they import it when the first plot is made
        _import_quietly("pyqtgraph")
        yield
    for name in plan.here:
        if name != module_of(manifest, manifest.entry) and not name.startswith(USER_PREFIX):
            _import_quietly(name)
            yield
    try:
        panel = load_panel(manifest)
    except PluginError as error:
        failed(error)
    else:
        yield
        yield from then(panel) or ()


def _types_of_qt() -> Iterator[None]:
    """Make the types that PySide would make when one is named for the first time, wherever that may be."""
    for module in (QtCore, QtGui, QtWidgets, QtSvg):
        for name in dir(module):
            getattr(module, name)
            yield


def _import_quietly(name: str) -> None:
    """Import a module ahead of the one that needs it, which will fail as it should if this fails."""
    try:
        importlib.import_module(name)
    except (Exception, SystemExit):  # of a plugin: anything may come out of its import
        log.debug("%s cannot be imported", name, exc_info=True)
