"""An inspector panel over a real engine, store and event pump, without the window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from studio.engine import Engine, Task


@dataclass
class FakeWindow:
    """What a panel sees of the window."""

    pump: Any
    notes: list[str] = field(default_factory=list)

    @property
    def theme(self) -> Any:
        from studio.ui.theme import theme

        return theme()

    def watch(self, task: Task, receiver: Any) -> None:
        self.pump.watch(task, receiver)

    def notify(self, text: str, level: str = "info", details: str = "") -> None:
        self.notes.append(text)

    def open_result(self, result_id: str) -> None:
        self.notes.append(result_id)

    def open_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        return []


@dataclass
class Room:
    """The panel and what stands behind it; `errors` are exceptions that came out of its slots."""

    panel: Any
    engine: Engine
    store: Any
    errors: list[Exception]


@pytest.fixture
def room(qtbot: QtBot, tmp_path: Path) -> Iterator[Room]:
    from studio.host.commands import CommandRegistry
    from studio.host.context import PanelContext
    from studio.host.export import ExportService
    from studio.host.results import ResultsStore
    from studio.host.settings import SettingsStore
    from studio.ui.pump import Pump
    from studio.ui.theme import theme
    from studio_plugins.inspector.panel import InspectorPanel

    theme().apply("light", 1.0)
    store = ResultsStore(tmp_path / "results")
    engine = Engine(device="cpu", services={"results": store})
    engine.start()
    pump = Pump()
    errors: list[Exception] = []
    pump.slot_failed.connect(lambda _receiver, error: errors.append(error))
    window = FakeWindow(pump)
    settings = SettingsStore(tmp_path / "settings.toml")
    (tmp_path / "panel").mkdir()
    context = PanelContext("inspector", engine, store, settings, CommandRegistry(), ExportService(), tmp_path / "panel", window)
    panel = InspectorPanel(context)
    qtbot.addWidget(panel)
    panel.build()
    panel.resize(1200, 800)
    panel.show()
    yield Room(panel, engine, store, errors)
    panel.closing()
    pump.forget(panel)
    engine.close()
    store.close()
    assert not errors
    assert context.commands.search("") == []
