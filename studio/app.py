"""Start-up of the window: painted first, then stores and engine, then the panels; torch last, on the engine's thread."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication

from studio import __version__
from studio.engine import Annex, Engine
from studio.host.annex import annex_services
from studio.host.atomic import FileUnwritable
from studio.host.commands import CommandRegistry
from studio.host.crash import CrashGuard, CrashReport, ErrorReport
from studio.host.discovery import discover
from studio.host.export import ExportService
from studio.host.notifications import NotificationCenter
from studio.host.paths import DataPaths
from studio.host.results import ResultsStore
from studio.host.session import SessionStore
from studio.host.settings import SettingsStore
from studio.ui.garbage import GarbageCollection
from studio.ui.services import Services
from studio.ui.theme import theme as current_theme
from studio.ui.window import MainWindow

MARKS = "GLASSBOX_MARKS"
"""Environment: a file that receives {"start", "painted", "ready"} as seconds since the epoch (for the bench)."""
QUIT_AT = "GLASSBOX_QUIT_AT"
"""Environment: "painted" or "ready" closes the window at that moment (for the bench)."""
_READY_POLL_MS = 20
log = logging.getLogger("studio")


class Studio(QObject):
    """One running window with everything behind it. `show()`, run Qt's loop, `close()`."""

    ready = Signal()  # the engine has loaded its libraries and the panels of the session stand
    _uncaught = Signal(object)

    def __init__(self, data_dir: Path | None = None, *, safe: bool = False, theme: str | None = None) -> None:
        super().__init__()
        self.marks: dict[str, float] = {"start": time.time()}
        self._safe = safe
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.notifications = NotificationCenter()
        self.garbage = GarbageCollection(self)
        self.garbage.start()
        self.paths, problem = self._usable_paths(data_dir)
        self.guard = CrashGuard(self.paths.crash, version=__version__, on_error=self._uncaught.emit)
        self.guard.install()
        self._uncaught.connect(self._tell_uncaught, Qt.ConnectionType.QueuedConnection)
        self.paths.publish()  # imported models are looked for there
        settings = SettingsStore(self.paths.settings)
        if not safe:
            settings.load()
        appearance = settings.value.appearance
        current_theme().apply(theme or appearance.theme, appearance.font_scale)
        panels = settings.value.panels
        plugins = discover(
            self.paths.plugins, enabled=panels.user_plugins_enabled and not safe, disabled=() if safe else panels.disabled
        )
        self._heavy = any("torch" in found.manifest.requires for found in plugins if found.manifest and found.usable)
        services = Services(self.paths, settings, CommandRegistry(), ExportService(lambda: settings.value), safe=safe)
        self.services = services
        self.window = MainWindow(services, plugins, self.notifications)
        self.window.painted.connect(self._bring_to_life)
        for note in (*settings.notes, *([problem] if problem else [])):
            self.window.notify(note, "warning")
        self._open_session()
        self._ready_timer = QTimer(self)
        self._ready_timer.setInterval(_READY_POLL_MS)
        self._ready_timer.timeout.connect(self._look_for_ready)

    def show(self) -> None:
        """Show the window; the rest follows once it has been painted."""
        self.window.show()

    def close(self, timeout: float = 5.0) -> bool:
        """After Qt's loop: stop the engine, close the stores. False if a thread of the engine is still in a step."""
        self._ready_timer.stop()
        clean = self.services.engine.close(timeout) if self.services.engine is not None else True
        if self.services.engine is not None:
            self.services.engine.services["annex"].close()
        if self.services.results is not None:
            self.services.results.close()
        self.guard.close()
        self.garbage.stop()
        if self._temporary is not None:
            self._temporary.cleanup()
        return clean

    # -- start-up, step by step --

    def _usable_paths(self, data_dir: Path | None) -> tuple[DataPaths, str]:
        """The data folder; one for this run only when it cannot be written, with a sentence that says so."""
        paths = DataPaths.default(data_dir)
        try:
            return paths.ensure(), ""
        except FileUnwritable as error:
            self._temporary = tempfile.TemporaryDirectory(prefix="glassbox-")
            return DataPaths(Path(self._temporary.name)), f"{error} Until then nothing is kept after this window closes."

    def _open_session(self) -> None:
        """Frames of the panels of last time (or the first panel), as placeholders until the engine is there."""
        store = SessionStore(self.paths.root / "session.json")
        wanted = not self._safe and self.services.settings.value.general.restore_session
        session = store.load() if wanted else None
        for note in store.notes:
            self.window.notify(note, "warning")
        self.window.layout_.begin(store, session)
        if session is None or not self.window.panels.open_ids():
            first = next((found.manifest.id for found in self.window.panels.plugins if found.usable and found.manifest), None)
            if first is not None:
                self.window.panels.open(first)

    def _bring_to_life(self) -> None:
        """After the first paint: read the stores on a thread, then start the engine."""
        self._mark("painted")
        check = self.services.settings.value.general.check_previous_crash

        def read() -> tuple[ResultsStore, CrashReport | None]:
            return ResultsStore(self.paths.results), self.guard.previous_crash() if check else None

        self.window.background.run(read, self._start_engine, self._store_failed)

    def _start_engine(self, found: tuple[ResultsStore, CrashReport | None]) -> None:
        services, (store, crash) = self.services, found
        options = services.settings.value.engine
        services.results = store
        services.engine = Engine(
            device=options.device, preload=("torch",) if self._heavy else (), threads=options.threads or None,
            cache_bytes=round(options.cache_gib * 2**30) or None, collect=self.garbage.collect,
            services={
                "results": store, "settings": services.settings, "paths": self.paths,
                "annex": Annex(partial(annex_services, store.root)),
            },
        )  # fmt: skip
        self.window.attach()
        self._ready_timer.start()
        for note in store.notes:
            self.window.notify(note, "warning")
        if not store.writable:
            self.window.notify(store.problem, "warning")
        if crash is not None:
            self.window.show_bar(
                "The studio did not close properly last time. Results were kept; what was running can be started again.",
                "warning", crash.text,
            )  # fmt: skip
            self.notifications.add("The studio did not close properly last time.", "warning", crash.text)

    def _store_failed(self, error: Exception) -> None:
        log.error("The results store could not be opened", exc_info=error)
        self.window.notify(f"The results cannot be opened: {error}. Start again with --data-dir FOLDER to use another folder.", "error")

    def _look_for_ready(self) -> None:
        engine = self.services.engine
        current = self.window.panels.current_id()
        frame = self.window.panels.frame(current) if current else None
        if engine is None or not (frame is None or frame.settled):
            return
        # Only now: importing torch while the panel is built would make the two wait for each other, and the window with them.
        engine.start()
        if engine.ready.is_set():
            self._ready_timer.stop()
            self._mark("ready")
            self.ready.emit()

    def _tell_uncaught(self, report: ErrorReport) -> None:
        self.window.notify(f"Something went wrong inside the studio: {report.summary}", "error", report.details)

    def _mark(self, name: str) -> None:
        self.marks[name] = time.time()
        target = os.environ.get(MARKS)
        if target:
            Path(target).write_text(json.dumps(self.marks), encoding="utf-8")
        if os.environ.get(QUIT_AT) == name:
            QTimer.singleShot(0, self.window.close)


def make_application() -> QApplication:
    """The QApplication, named so that desktops find its icon and keep its windows together."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    app = QApplication(sys.argv[:1])
    app.setApplicationName("glassbox-studio")
    app.setApplicationDisplayName("Glassbox Studio")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("glassbox-studio")
    return app


def main(*, data_dir: Path | None = None, safe: bool = False, theme: str | None = None) -> int:
    """Open the window and stay until it is closed. Returns the exit status."""
    app = make_application()
    studio = Studio(data_dir, safe=safe, theme=theme)
    for name in (signal.SIGINT, signal.SIGTERM):
        # Through the loop: a window that is closed before the loop runs would leave a loop that nothing ends.
        signal.signal(name, lambda _number, _frame: QTimer.singleShot(0, studio.window.close))
    studio.show()
    status = app.exec()
    if not studio.close():
        # A step that does not return keeps its thread alive, and a live thread at interpreter exit aborts the process.
        log.warning("A task did not stop in time; leaving without it")
        logging.shutdown()
        os._exit(status)
    return status


def screenshots(folder: Path, *, data_dir: Path | None = None) -> Iterator[Path]:
    """Every panel in its demo state and the whole window, in both themes; yields each picture's path."""
    from studio.ui.screens import render_panels

    app = make_application()
    with tempfile.TemporaryDirectory(prefix="glassbox-") as scratch:
        yield from render_panels(app, lambda: Studio(data_dir or Path(scratch)), Path(folder))
