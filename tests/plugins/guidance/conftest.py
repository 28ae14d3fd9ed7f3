"""Tiny random networks in the format of the bundled ones, so that every test runs the real thing in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.generate.conftest import WORDS, FakeWindow, write_tiny_model

CLASSES = ["cat", "dog", "red apple"]
SIZE = 16


def write_tiny_classifier(folder: Path, seed: int = 1, size: int = SIZE) -> Path:
    """A classifier folder with random weights."""
    from studio.ml.diffusion.classifier import ClassifierConfig, EncoderUNet

    network = {
        "image_size": size, "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": [2],
        "channel_mult": [1, 1], "num_head_channels": 16, "out_channels": len(CLASSES),
    }  # fmt: skip
    config = {"kind": "classifier", "name": folder.name, "image_size": size, "schedule": "squaredcos_cap_v2"}
    config |= {"steps": 1000, "classes": CLASSES, "network": network}
    return _write(folder, EncoderUNet(ClassifierConfig(**network)), config, seed)


def write_tiny_clip(folder: Path, seed: int = 2, size: int = SIZE) -> Path:
    """A noised CLIP's folder with random weights."""
    from studio.ml.clip.model import ClipNetwork
    from studio.ml.clip.text import TextConfig
    from studio.ml.clip.vision import VisionConfig

    vision = VisionConfig(image_size=size, patch_size=4, width=32, heads=2, layers=1, embedding=16)
    text = TextConfig(vocabulary=len(WORDS) + 1, context=8, width=32, heads=2, layers=1, embedding=16)
    config = {"kind": "clip", "name": folder.name, "image_size": size, "schedule": "squaredcos_cap_v2", "steps": 1000}
    config |= {"logit_scale": 20.0, "vision": vision.model_dump(), "text": text.model_dump()}
    config |= {"tokenizer": {"type": "words", "words": WORDS, "phrases": {}}}
    return _write(folder, ClipNetwork(vision, text), config, seed)


def write_tiny_pixel_model(folder: Path, classes: list[str], seed: int = 3) -> Path:
    """An ADM U-Net's folder with random weights: class-conditional, or without `classes` unconditional."""
    from studio.ml.diffusion.unet import UNet, UNetConfig

    network = {
        "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": [2], "channel_mult": [1, 1],
        "num_head_channels": 16, "num_classes": len(classes) or None,
    }  # fmt: skip
    kind = "class-conditional" if classes else "unconditional"
    config = {"kind": kind, "name": folder.name, "image_size": SIZE, "schedule": "squaredcos_cap_v2", "steps": 1000}
    config |= {"network": network, "classes": classes}
    return _write(folder, UNet(UNetConfig(**network)), config, seed)


def _write(folder: Path, net: object, config: dict[str, object], seed: int) -> Path:
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    generator = torch.Generator().manual_seed(seed)
    state = {
        name: torch.randn(value.shape, generator=generator) * 0.08 if value.is_floating_point() else value
        for name, value in net.state_dict().items()  # type: ignore[attr-defined]
    }
    save_file(state, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def guidance_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as `resources/models` is one."""
    root = tmp_path_factory.mktemp("guidance-models")
    write_tiny_model(root / "tiny")
    write_tiny_clip(root / "tiny-clip")
    write_tiny_classifier(root / "tiny-classifier")
    return root


@pytest.fixture
def bundled(guidance_models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The tiny networks take the place of the bundled ones."""
    from studio.models import catalog

    monkeypatch.setattr(catalog, "bundled_folder", lambda: guidance_models)
    yield guidance_models


@pytest.fixture
def guidance_room(qtbot, tmp_path, bundled):
    """Builds Guidance panels over one real engine, store and pump; everything is closed at the end."""
    from studio.engine import Engine
    from studio.host.commands import CommandRegistry
    from studio.host.context import PanelContext
    from studio.host.export import ExportService
    from studio.host.paths import DataPaths
    from studio.host.results import ResultsStore
    from studio.host.settings import SettingsStore
    from studio.ui.theme import theme
    from studio_plugins.guidance.panel import GuidancePanel

    theme().apply("light")
    store = ResultsStore(tmp_path / "results")
    engine = Engine(device="cpu", services={"results": store, "paths": DataPaths(tmp_path / "data")})
    engine.start()
    window = FakeWindow()
    panels = []

    def make(state=None, steps=4, **fields):
        folder = tmp_path / "panel"
        folder.mkdir(exist_ok=True)
        settings = SettingsStore(tmp_path / "s.toml")
        context = PanelContext(
            "guidance", engine, store, settings, CommandRegistry(), ExportService(), folder, window
        )
        panel = GuidancePanel(context)
        qtbot.addWidget(panel)
        panel.build()
        if state is None:
            panel.controls.show_request(tiny_request(steps=steps, **fields))
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


def tiny_request(**fields):
    """A comparison of the default columns with the tiny networks."""
    from studio_plugins.guidance.request import GuidanceRequest

    tiny = {"model": "tiny", "clip_model": "tiny-clip", "classifier_model": "tiny-classifier", "steps": 4, "seed": 5}
    return GuidanceRequest(**{**tiny, "prompt": "a cat left of a dog", **fields})
