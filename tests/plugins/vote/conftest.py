"""Pictures to vote on, and a vote panel over a real engine, store and event pump, without the window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.engine import Engine, Task
from studio.host.imagemeta import encode_png, envelope
from studio.host.results import ResultsStore


def keep(store: ResultsStore, prompt: str, seed: int, batch: int = 1, **settings: Any) -> str:
    """A kept run as Generate keeps it; each picture's colour is its own. Returns the id."""
    request = {"prompt": prompt, "seed": seed, "batch": batch, **settings}
    files = {}
    for i in range(batch):
        rng = np.random.default_rng((seed + i, len(str(sorted(settings.items())))))
        pixels = np.full((8, 8, 3), rng.integers(0, 256, 3), np.uint8)
        made = envelope("generate", request, {"picture": i, "seed": seed + i})
        files[f"picture-{i + 1:02}.png"] = encode_png(pixels, made)
    return store.add("generate", request, files, title=prompt).id


@dataclass
class FakeWindow:
    """What a panel sees of the window."""

    pump: Any
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    @property
    def theme(self) -> Any:
        from studio.ui.theme import theme

        return theme()

    def watch(self, task: Task, receiver: Any) -> None:
        self.pump.watch(task, receiver)

    def notify(self, text: str, level: str = "info", details: str = "") -> None:
        raise AssertionError(text)

    def open_result(self, result_id: str) -> None:
        raise AssertionError(result_id)

    def open_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        self.asked.append((kind, request))
        return []


@dataclass
class Room:
    """The panel and what stands behind it; `errors` are exceptions that came out of its slots."""

    panel: Any
    store: ResultsStore
    window: FakeWindow
    votes: Path
    errors: list[Exception]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResultsStore]:
    made = ResultsStore(tmp_path / "results")
    yield made
    made.close()


@pytest.fixture
def room(qtbot: QtBot, tmp_path: Path, store: ResultsStore) -> Iterator[Room]:
    from studio.host.commands import CommandRegistry
    from studio.host.context import PanelContext
    from studio.host.export import ExportService
    from studio.host.settings import SettingsStore
    from studio.ui.pump import Pump
    from studio.ui.theme import theme
    from studio_plugins.vote.panel import VotePanel

    theme().apply("light", 1.0)
    engine = Engine(device="cpu", services={"results": store})
    engine.start()
    pump = Pump()
    errors: list[Exception] = []
    pump.slot_failed.connect(lambda _receiver, error: errors.append(error))
    window = FakeWindow(pump)
    settings = SettingsStore(tmp_path / "settings.toml")
    (tmp_path / "panel").mkdir()
    context = PanelContext("vote", engine, store, settings, CommandRegistry(), ExportService(), tmp_path / "panel", window)
    panel = VotePanel(context)
    qtbot.addWidget(panel)
    panel.build()
    panel.resize(1200, 800)
    yield Room(panel, store, window, tmp_path / "panel" / "votes.jsonl", errors)
    panel.closing()
    pump.forget(panel)
    engine.close()
    assert not errors
    assert context.commands.search("") == []
