"""Tiny random models in the format of the bundled ones, so that every test runs the real sampler in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TINY = "tiny"
CLIP, CLASSIFIER, UPSAMPLER = "tiny-clip", "tiny-classifier", "tiny-upsample"
CLASSES = ["cat", "dog", "red apple"]
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


def write_tiny_model(folder: Path, seed: int = 0, size: int = 16, kind: str = "text2im") -> Path:
    """A folder of a network that reads text, with random weights."""
    from studio.ml.diffusion.unet import NETWORKS, split_config

    second = {"in_channels": 6, "attention_resolutions": []} if kind == "upsample" else {}
    network = {**NETWORK, "n_vocab": len(WORDS) + 1, **second}
    config = {
        "kind": kind,
        "name": folder.name,
        "title": "Tiny random model",
        "image_size": size,
        "schedule": "squaredcos_cap_v2",
        "steps": 1000,
        "network": network,
        **({"sampling": {"sampler": "ddim", "steps": 2}} if second else {}),
        "tokenizer": {"type": "words", "words": WORDS, "phrases": {"kitty": "cat", "apple": "red apple"}},
    }
    return _write(folder, config, NETWORKS[kind](*split_config(network)), seed)


def write_tiny_clip(folder: Path, size: int = 16) -> Path:
    """A folder of a noise-aware CLIP with random weights."""
    from studio.ml.clip.model import ClipNetwork
    from studio.ml.clip.text import TextConfig
    from studio.ml.clip.vision import VisionConfig

    shared = {"width": 32, "heads": 2, "layers": 1, "embedding": 16}
    vision = VisionConfig(image_size=size, patch_size=4, **shared)
    text = TextConfig(vocabulary=len(WORDS) + 1, context=8, **shared)
    config = {
        "kind": "clip",
        "name": folder.name,
        "title": "Tiny CLIP",
        "image_size": size,
        "schedule": "squaredcos_cap_v2",
        "logit_scale": 20.0,
        "vision": vision.model_dump(),
        "text": text.model_dump(),
        "tokenizer": {"type": "words", "words": WORDS},
    }
    return _write(folder, config, ClipNetwork(vision, text), 1)


def write_tiny_classifier(folder: Path, size: int = 16) -> Path:
    """A folder of a noise-aware classifier with random weights."""
    from studio.ml.diffusion.classifier import ClassifierConfig, EncoderUNet

    shape = {name: NETWORK[name] for name in ("model_channels", "num_res_blocks", "channel_mult", "num_head_channels")}
    network = ClassifierConfig(image_size=size, out_channels=len(CLASSES), attention_resolutions=(2,), **shape)
    config = {
        "kind": "classifier",
        "name": folder.name,
        "title": "Tiny classifier",
        "image_size": size,
        "schedule": "squaredcos_cap_v2",
        "classes": CLASSES,
        "network": network.model_dump(),
    }
    return _write(folder, config, EncoderUNet(network), 2, spread=0.4)  # less, and its gradient would be nothing


def _write(folder: Path, config: dict[str, Any], net: Any, seed: int, spread: float = 0.08) -> Path:
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    generator = torch.Generator().manual_seed(seed)
    state = {
        name: torch.randn(value.shape, generator=generator) * spread if value.is_floating_point() else value
        for name, value in net.state_dict().items()
    }
    save_file(state, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as `resources/models` is one: the tiny model, its companions, and one of another kind."""
    root = tmp_path_factory.mktemp("models")
    write_tiny_model(root / TINY)
    write_tiny_model(root / UPSAMPLER, seed=3, size=64, kind="upsample")
    write_tiny_clip(root / CLIP)
    write_tiny_classifier(root / CLASSIFIER)
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
