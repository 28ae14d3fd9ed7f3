"""A tiny random model in the format of the bundled ones, so that every test runs the real sampler in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

TINY = "tiny"
NETWORK = {
    "model_channels": 32,
    "num_res_blocks": 1,
    "attention_resolutions": [2],
    "channel_mult": [1, 1],
    "num_head_channels": 16,
    "text_ctx": 8,
    "xf_width": 32,
    "xf_layers": 1,
    "xf_heads": 2,
}
WORDS = ["a", "cat", "dog", "red", "apple", "left", "of", "on", "blue", "background"]


def write_tiny_model(folder: Path, seed: int = 0, size: int = 16) -> Path:
    """A text2im model folder with random weights."""
    import torch
    from safetensors.torch import save_file
    from studio.ml.diffusion.unet import Text2ImUNet, split_config

    network = {**NETWORK, "n_vocab": len(WORDS) + 1}
    folder.mkdir(parents=True)
    config = {
        "kind": "text2im",
        "name": folder.name,
        "title": "Tiny random model",
        "image_size": size,
        "schedule": "squaredcos_cap_v2",
        "steps": 1000,
        "network": network,
        "tokenizer": {"type": "words", "words": WORDS, "phrases": {"kitty": "cat", "apple": "red apple"}},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    net = Text2ImUNet(*split_config(network))
    generator = torch.Generator().manual_seed(seed)
    state = {
        name: torch.randn(value.shape, generator=generator) * 0.08 if value.is_floating_point() else value
        for name, value in net.state_dict().items()
    }
    save_file(state, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as `resources/models` is one: the tiny model, and one of another kind."""
    root = tmp_path_factory.mktemp("models")
    write_tiny_model(root / TINY)
    (root / "oracle").mkdir()
    (root / "oracle" / "config.json").write_text('{"kind": "oracle"}')
    return root


@pytest.fixture
def bundled(models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The tiny model takes the place of the bundled ones."""
    from studio.models import catalog

    monkeypatch.setattr(catalog, "bundled_folder", lambda: models_folder)
    yield models_folder


class FakeWindow:
    """What a panel sees of the window: events through the real pump, notifications in a list."""

    def __init__(self) -> None:
        from studio.ui.pump import Pump

        self.pump = Pump()
        self.failures: list[Exception] = []
        self.pump.slot_failed.connect(lambda _receiver, error: self.failures.append(error))
        self.notes: list[str] = []

    @property
    def theme(self):
        from studio.ui.theme import theme

        return theme()

    def watch(self, task, receiver) -> None:
        self.pump.watch(task, receiver)

    def notify(self, text, level="info", details="") -> None:
        self.notes.append(text)

    def open_result(self, result_id) -> None:
        self.notes.append(result_id)

    def open_request(self, kind, request):
        return []


@pytest.fixture
def desk_room(qtbot, tmp_path, bundled):
    """Builds Generate panels over one real engine, store and pump; everything is closed at the end."""
    from studio.engine import Engine
    from studio.host.commands import CommandRegistry
    from studio.host.context import PanelContext
    from studio.host.export import ExportService
    from studio.host.paths import DataPaths
    from studio.host.results import ResultsStore
    from studio.host.settings import SettingsStore
    from studio.ui.theme import theme
    from studio_plugins.generate.panel import GeneratePanel

    theme().apply("light")
    store = ResultsStore(tmp_path / "results")
    engine = Engine(device="cpu", services={"results": store, "paths": DataPaths(tmp_path / "data")})
    engine.start()
    window = FakeWindow()
    panels = []

    def make(state=None, prompt="a cat left of a dog", steps=4):
        folder = tmp_path / "panel"
        folder.mkdir(exist_ok=True)
        commands = CommandRegistry()
        context = PanelContext(
            "generate", engine, store, SettingsStore(tmp_path / "s.toml"), commands, ExportService(), folder, window
        )
        panel = GeneratePanel(context)
        qtbot.addWidget(panel)
        panel.build()
        if state is None:
            panel.controls.form.set_fields({"model": TINY, "prompt": prompt, "steps": steps, "seed": 5})
        else:
            panel.restore(state)
        panel.resize(1280, 760)
        panel.show()
        qtbot.waitExposed(panel)
        panels.append(panel)
        return panel

    make.engine, make.store, make.window = engine, store, window
    yield make
    while panels:
        panels[-1].closing()
        window.pump.forget(panels.pop())
    window.pump.stop()
    assert engine.close(10)
    store.close()
    assert window.failures == []
