"""Tiny random models in the format of the bundled ones, so that every test runs the real sampler in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
    known = {"in_channels": 7} if kind == "inpaint" else {}
    network = {**NETWORK, "n_vocab": len(WORDS) + 1, **second, **known}
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


def write_tiny_pixel_model(folder: Path, classes: list[str], size: int = 16) -> Path:
    """An ADM U-Net's folder with random weights: class-conditional, or without `classes` unconditional."""
    from studio.ml.diffusion.unet import UNet, UNetConfig

    network = {
        "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": [2], "channel_mult": [1, 1],
        "num_head_channels": 16, "num_classes": len(classes) or None,
    }  # fmt: skip
    kind = "class-conditional" if classes else "unconditional"
    config = {"kind": kind, "name": folder.name, "image_size": size, "schedule": "squaredcos_cap_v2", "steps": 1000}
    config |= {"title": "Tiny pixels", "network": network, "classes": classes}
    return _write(folder, config, UNet(UNetConfig(**network)), 3)


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
