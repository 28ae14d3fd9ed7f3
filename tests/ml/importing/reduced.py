"""The published networks in their full layout (levels, blocks, attention, text) at a small width, and files of them."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor

from studio.ml.clip import released as released_clip
from studio.ml.clip.released import ReleasedClip
from studio.ml.diffusion import released, released_classifiers
from studio.ml.diffusion.encoder import EncoderConfig
from studio.ml.diffusion.unet import TextConfig
from studio.ml.importing.published import Published, published
from tests.ml.diffusion.test_bpe import VOCABULARY, write

C = TypeVar("C", bound=EncoderConfig)
CLIP_MERGES = [("c", "a"), ("ca", "t</w>")]
FILES = {
    "base.pt": "glide-base",
    "upsample.pt": "glide-upsample",
    "base_inpaint.pt": "glide-base-inpaint",
    "upsample_inpaint.pt": "glide-upsample-inpaint",
    "clip_image_enc.pt": "glide-clip-image",
    "clip_text_enc.pt": "glide-clip-text",
    "64x64_diffusion.pt": "adm-64",
    "128x128_diffusion.pt": "adm-128",
    "256x256_diffusion.pt": "adm-256",
    "256x256_diffusion_uncond.pt": "adm-256-uncond",
    "512x512_diffusion.pt": "adm-512",
    "64x64_classifier.pt": "adm-64-classifier",
    "128x128_classifier.pt": "adm-128-classifier",
}
"""Names of the published files. The two larger classifiers can only be tried at their full size; they are left out."""


class Bomb:
    """Pickles to a call of os.mkdir: any reader that obeys leaves a folder behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


def reduce(monkeypatch: pytest.MonkeyPatch) -> list[Published]:
    """Small networks take the place of the published ones, everywhere."""
    networks = {
        name: replace(network, config=_narrow(network.config), text=_narrow_text(network.text))
        for name, network in released.released_networks().items()
    }
    classifiers = {
        name: replace(network, config=_narrow(network.config))
        for name, network in released_classifiers.released_classifiers().items()
    }
    full = released_clip.released_clip()
    clip = ReleasedClip.of(
        full.image.config.model_copy(update={"width": 32, "heads": 2, "layers": 2, "embedding": 16}),  # type: ignore[arg-type]
        full.text.config.model_copy(  # type: ignore[arg-type]
            update={"width": 32, "heads": 2, "layers": 2, "embedding": 16, "vocabulary": 600}
        ),
        tokens=2 * 256 + len(CLIP_MERGES) + 2,
    )
    monkeypatch.setattr(released, "released_networks", lambda: networks)
    monkeypatch.setattr(released_classifiers, "released_classifiers", lambda: classifiers)
    monkeypatch.setattr(released_clip, "released_clip", lambda: clip)
    monkeypatch.setattr("studio.ml.diffusion.bpe.END", 0)  # that of GPT-2 lies outside the small vocabulary
    return published()


def random_state(network: Published, seed: int = 0) -> dict[str, Tensor]:
    """Random weights for every tensor of a network."""
    random = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=random) * 0.05 for name, shape in network.shapes.items()}


def write_files(folder: Path, known: list[Published], names: list[str] | None = None) -> Path:
    """A folder as a person has it: the published file names, random weights, both vocabularies."""
    folder.mkdir(parents=True, exist_ok=True)
    by_name = {network.name: network for network in known}
    for file, name in FILES.items():
        if names is None or file in names:
            torch.save(random_state(by_name[name]), folder / file)
    write(folder, "encoder.json.gz", "vocab.bpe.gz")
    merges = "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in CLIP_MERGES)
    (folder / "bpe_simple_vocab_16e6.txt.gz").write_bytes(gzip.compress(merges.encode()))
    return folder


def _narrow(config: C) -> C:
    return config.model_copy(
        update={
            "model_channels": 32,
            "channel_mult": (1,) * len(config.channel_mult),
            "num_head_channels": 16 if config.num_head_channels > 0 else -1,
        }
    )


def _narrow_text(text: TextConfig | None) -> TextConfig | None:
    small = {"xf_width": 32, "xf_layers": 2, "xf_heads": 2, "n_vocab": len(VOCABULARY)}
    return None if text is None else text.model_copy(update=small)
