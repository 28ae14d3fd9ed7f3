"""A tiny model with maps of two sizes, and a panel over a real engine, store and event pump, without the window."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from tests.plugins.panel_room import PanelRoom

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


class Room(PanelRoom):
    """Token attention panels that draw with the tiny model."""

    def open(self, state: Any = None, **fields: Any) -> Any:
        panel = self.build()
        if state is None:
            panel.controls.form.set_fields({"model": "tiny", "prompt": "a red cat", "steps": 3, "seed": 5, **fields})
        else:
            panel.restore(state)
        return self.show(panel)

    def draw(self, panel: Any) -> None:
        """Press the button and wait for the end."""
        panel.desk.result = None
        self.qtbot.mouseClick(panel.zones.primary, Qt.MouseButton.LeftButton)
        self.qtbot.waitUntil(lambda: panel.desk.result is not None, timeout=60_000)
        self.quiet()


@pytest.fixture
def room(qtbot: QtBot, tmp_path: Path) -> Iterator[Room]:
    from studio_plugins.tokens.panel import TokensPanel

    with Room("tokens", TokensPanel, tmp_path, qtbot, (1280, 820)) as made:
        yield made


@pytest.fixture
def panel(room: Room) -> Any:
    """A panel that shows a run of three steps."""
    opened = room.open()
    room.draw(opened)
    return opened
