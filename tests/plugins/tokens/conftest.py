"""A tiny model with maps of two sizes, and a panel over a real engine, store and event pump, without the window."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from tests.plugins.inspector.conftest import FakeWindow

WORDS = ["a", "cat", "dog", "red", "on", "blue", "background"]
NETWORK = {
    "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": [2, 4], "channel_mult": [1, 1, 1],
    "num_head_channels": 16, "text_ctx": 8, "xf_width": 32, "xf_layers": 1, "xf_heads": 2, "n_vocab": len(WORDS) + 1,
}  # fmt: skip


def write_model(folder: Path) -> Path:
    """A text2im model folder with random weights, 16 pixels a side."""
    from safetensors.torch import save_file

    from studio.ml.diffusion.unet import Text2ImUNet, split_config
    from tests.ml.diffusion.goldens import golden_fill

    net = Text2ImUNet(*split_config(NETWORK))
    golden_fill(net, "tokens")
    folder.mkdir(parents=True)
    save_file(net.state_dict(), folder / "model.safetensors")
    config = {
        "kind": "text2im", "name": folder.name, "image_size": 16, "schedule": "squaredcos_cap_v2", "steps": 1000,
        "network": NETWORK, "tokenizer": {"type": "words", "words": WORDS, "phrases": {"kitty": "cat"}},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_model(root / "tiny")
    return root


@pytest.fixture(autouse=True)
def bundled(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny model takes the place of the bundled ones."""
    from studio.models import catalog

    monkeypatch.setattr(catalog, "bundled_folder", lambda: tiny_models)
    return tiny_models


class Room:
    """Opens panels over one engine and store."""

    def __init__(self, folder: Path, qtbot: QtBot) -> None:
        from studio.engine import Engine
        from studio.host.paths import DataPaths
        from studio.host.results import ResultsStore
        from studio.ui.pump import Pump

        self.folder, self.qtbot = folder, qtbot
        self.store = ResultsStore(folder / "results")
        self.engine = Engine(device="cpu", services={"results": self.store, "paths": DataPaths(folder / "data")})
        self.engine.start()
        self.pump = Pump()
        self.errors: list[Exception] = []
        self.pump.slot_failed.connect(lambda _receiver, error: self.errors.append(error))
        self.panels: list[Any] = []

    def open(self, state: Any = None, **fields: Any) -> Any:
        from studio.host.commands import CommandRegistry
        from studio.host.context import PanelContext
        from studio.host.export import ExportService
        from studio.host.settings import SettingsStore
        from studio_plugins.tokens.panel import TokensPanel

        (self.folder / "panel").mkdir(exist_ok=True)
        context = PanelContext(
            "tokens", self.engine, self.store, SettingsStore(self.folder / "s.toml"), CommandRegistry(),
            ExportService(), self.folder / "panel", FakeWindow(self.pump),
        )  # fmt: skip
        panel = TokensPanel(context)
        self.qtbot.addWidget(panel)
        panel.build()
        if state is None:
            panel.controls.form.set_fields({"model": "tiny", "prompt": "a red cat", "steps": 3, "seed": 5, **fields})
        else:
            panel.restore(state)
        panel.resize(1280, 820)
        panel.show()
        self.qtbot.waitExposed(panel)
        self.panels.append(panel)
        return panel

    def draw(self, panel: Any) -> None:
        """Press the button and wait for the end."""
        panel.desk.result = None
        self.qtbot.mouseClick(panel.zones.primary, Qt.MouseButton.LeftButton)
        self.qtbot.waitUntil(lambda: panel.desk.result is not None, timeout=60_000)
        self.quiet()

    def quiet(self) -> None:
        """Wait until nothing runs or waits and every event has arrived."""
        self.qtbot.waitUntil(lambda: self.engine.wait_idle(0) and self.pump.watching() == 0, timeout=60_000)

    def close(self) -> None:
        while self.panels:
            self.panels[-1].closing()
            self.pump.forget(self.panels.pop())
        self.pump.stop()
        assert self.engine.close(10)
        self.store.close()
        assert self.errors == []


@pytest.fixture
def room(qtbot: QtBot, tmp_path: Path) -> Iterator[Room]:
    from studio.ui.theme import theme

    theme().apply("light")
    made = Room(tmp_path, qtbot)
    yield made
    made.close()


@pytest.fixture
def panel(room: Room) -> Any:
    """A panel that shows a run of three steps."""
    opened = room.open()
    room.draw(opened)
    return opened
