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
    from studio_plugins.generate import catalog

    monkeypatch.setattr(catalog, "bundled_folder", lambda: models_folder)
    yield models_folder
