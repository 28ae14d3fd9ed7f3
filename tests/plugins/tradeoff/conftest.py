"""Tiny random models of every kind the sweep needs, around the real oracle, and a room to build panels in."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.panel_room import PanelRoom
from tests.plugins.tiny_models import TINY, write_tiny_model


def write_tiny_classifier(folder: Path, nouns: tuple[str, ...]) -> None:
    """A classifier folder with random weights."""
    import torch
    from studio.ml.diffusion.classifier import ClassifierConfig, EncoderUNet
    from studio.ml.training.export import write_model

    config = ClassifierConfig(
        image_size=32, model_channels=32, num_res_blocks=1, attention_resolutions=(), channel_mult=(1, 1),
        num_head_channels=32, out_channels=len(nouns),
    )  # fmt: skip
    torch.manual_seed(1)
    about = {"kind": "classifier", "name": folder.name, "image_size": 32, "schedule": "squaredcos_cap_v2"}
    write_model(folder, EncoderUNet(config), {**about, "classes": nouns, "network": config.model_dump()}, {})


class TinyClip:
    """A CLIP that looks at the mean colour and reads the length of the prompt."""

    name, sha256, image_size, logit_scale = "tiny-clip", "c" * 64, 32, 100.0

    def __init__(self) -> None:
        from studio.ml.diffusion.schedule import Schedule

        self.schedule = Schedule.named("squaredcos_cap_v2")

    def encode_text(self, prompts: Any) -> Any:
        import torch

        return torch.nn.functional.normalize(torch.tensor([[1.0, len(text) % 5, 1.0] for text in prompts]), dim=1)

    def encode_image(self, x: Any, t: Any) -> Any:
        import torch

        return torch.nn.functional.normalize(x.mean(dim=(2, 3)) + 0.1, dim=1)


@pytest.fixture(scope="session")
def sweep_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as `resources/models` is one."""
    from studio.ml.evaluation.oracle import load_oracle
    from studio.resources import resource

    root = tmp_path_factory.mktemp("sweep-models")
    write_tiny_model(root / TINY, size=32)
    (root / "emoji-oracle").symlink_to(resource("models", "emoji-oracle"))
    nouns = load_oracle(resource("models", "emoji-oracle")).config.nouns
    write_tiny_classifier(root / "tiny-classifier", nouns)
    return root


@pytest.fixture
def tiny_models(sweep_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny models take the place of the bundled ones."""
    from studio.ml.evaluation import tradeoff
    from studio.models import catalog
    from studio_plugins.tradeoff import jobs

    def open_clip(name: str, ctx: Any) -> Generator[Any, Any, TinyClip]:
        yield from ()
        return TinyClip()

    monkeypatch.setattr(catalog, "bundled_folder", lambda: sweep_models)
    monkeypatch.setattr(jobs, "open_clip", open_clip)
    monkeypatch.setattr(tradeoff, "REFERENCE_PICTURES", 60)
    return sweep_models


@pytest.fixture
def small() -> Any:
    """A sweep of four points, eight pictures each, that takes a second."""
    from studio_plugins.tradeoff.request import TradeoffRequest

    return TradeoffRequest(
        model=TINY, classifier_free=(3.0,), classifier=(2.0,), clip=(5.0,), prompts=4, per_prompt=2, steps=2,
        classifier_model="tiny-classifier",
    )  # fmt: skip


class SweepRoom(PanelRoom):
    """Trade-off panels."""

    def __call__(self, request: Any = None, state: Any = None) -> Any:
        panel = self.build()
        if request is not None:
            panel.controls.form.set_value(request)
        if state is not None:
            panel.restore(state)
        return self.show(panel)


@pytest.fixture
def sweep_room(qtbot, tmp_path, tiny_models):
    from studio_plugins.tradeoff.panel import TradeoffPanel

    with SweepRoom("tradeoff", TradeoffPanel, tmp_path, qtbot) as room:
        yield room
