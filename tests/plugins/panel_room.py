"""Panels over one real engine, results store and event pump, without the window."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pytestqt.qtbot import QtBot

from studio.engine import Engine, Task
from studio.host.commands import CommandRegistry
from studio.host.context import PanelContext
from studio.host.export import ExportService
from studio.host.paths import DataPaths
from studio.host.results import ResultsStore
from studio.host.settings import SettingsStore
from studio.ui.garbage import GarbageCollection
from studio.ui.pump import Pump
from studio.ui.theme import theme

END = 60_000
"""Milliseconds after which a job of tiny models surely hangs."""


def built(panel: Any) -> Any:
    """The panel with its widgets."""
    for _ in panel.build() or ():
        pass
    return panel


class FakeWindow:
    """What a panel sees of the window; `notes`, `opened` and `asked` are what it said to it."""

    def __init__(self) -> None:
        self.pump = Pump()
        self.failures: list[Exception] = []
        self.pump.slot_failed.connect(lambda _receiver, error: self.failures.append(error))
        self.notes: list[str] = []
        self.opened: list[str] = []
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    @property
    def theme(self) -> Any:
        return theme()

    def watch(self, task: Task, receiver: Any) -> None:
        self.pump.watch(task, receiver)

    def notify(self, text: str, level: str = "info", details: str = "") -> None:
        self.notes.append(text)

    def open_result(self, result_id: str) -> None:
        self.opened.append(result_id)

    def open_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        self.asked.append((kind, request))
        return []


class PanelRoom:
    """Builds panels of one plugin. At its end everything is closed, and an exception that left a slot fails the test."""

    def __init__(self, name: str, panel_class: Any, folder: Path, qtbot: QtBot, size: tuple[int, int] = (1280, 760)) -> None:
        theme().apply("light", 1.0)
        self.name, self.panel_class, self.folder, self.qtbot, self.size = name, panel_class, folder, qtbot, size
        self.panel_dir = folder / "panel"
        self.panel_dir.mkdir(exist_ok=True)
        self.store = ResultsStore(folder / "results")
        self.garbage = GarbageCollection()
        self.garbage.start()
        self.engine = Engine(
            device="cpu", services={"results": self.store, "paths": DataPaths(folder / "data")}, collect=self.garbage.collect
        )
        self.engine.start()
        self.window = FakeWindow()
        self.panels: list[Any] = []

    def build(self) -> Any:
        """A panel with its widgets, not yet shown; each has commands of its own."""
        context = PanelContext(
            self.name, self.engine, self.store, SettingsStore(self.folder / "settings.toml"), CommandRegistry(),
            ExportService(), self.panel_dir, self.window,
        )  # fmt: skip
        panel = self.panel_class(context)
        self.qtbot.addWidget(panel)
        built(panel)
        self.panels.append(panel)
        return panel

    def show(self, panel: Any) -> Any:
        panel.resize(*self.size)
        panel.show()
        self.qtbot.waitExposed(panel)
        return panel

    def quiet(self) -> None:
        """Wait until nothing runs or waits and every event has arrived."""
        self.qtbot.waitUntil(lambda: self.engine.wait_idle(0) and self.window.pump.watching() == 0, timeout=END)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for panel in reversed(self.panels):
            panel.closing()
            self.window.pump.forget(panel)
        self.window.pump.stop()
        assert self.engine.close(10)
        self.garbage.stop()
        self.store.close()
        assert self.window.failures == []
        left = [command for panel in self.panels for command in panel.context.commands.search("")]
        assert left == [], "commands of a closed panel"
