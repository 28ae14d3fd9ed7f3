"""A CLIP small enough for tests: its folder, its merges, and pictures to show it."""

from __future__ import annotations

import gzip
from pathlib import Path

import torch

from studio.ml.clip.model import ClipNetwork
from studio.ml.clip.text import TextConfig
from studio.ml.clip.tokenizer import EndedWords
from studio.ml.clip.vision import VisionConfig
from studio.ml.training.export import write_model

WORDS = ("a", "cat", "dog", "left", "of", "on", "blue")
PHRASES = {"kitten": "cat"}
MERGES = [("c", "a"), ("ca", "t</w>"), ("t", "h"), ("th", "e</w>")]
MERGES += [("r", "e"), ("'", "s</w>"), ("re", "d</w>"), ("1", "2")]
VISION = VisionConfig(image_size=16, patch_size=8, width=32, heads=2, layers=2, embedding=24, timesteps=1000)
TEXT = TextConfig(vocabulary=len(WORDS) + 1, context=10, width=32, heads=2, layers=2, embedding=24)
CONFIG = {
    "kind": "clip",
    "name": "tiny",
    "image_size": 16,
    "schedule": "squaredcos_cap_v2",
    "steps": 1000,
    "logit_scale": 20.0,
    "vision": VISION.model_dump(),
    "text": TEXT.model_dump(),
    "tokenizer": {"type": "words", "words": WORDS, "phrases": PHRASES},
}


def network(seed: int = 0) -> ClipNetwork:
    torch.manual_seed(seed)
    return ClipNetwork(VISION, TEXT)


def write_tiny(folder: Path, **changed: object) -> Path:
    write_model(folder, network(), {**CONFIG, **changed}, {})
    return folder


def tokenizer() -> EndedWords:
    return EndedWords(WORDS, PHRASES)


def pictures(count: int = 2, size: int = 16) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def write_merges(folder: Path, merges: list[tuple[str, str]] = MERGES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["bpe_simple_vocab_16e6.txt#version: 0.2", *(" ".join(pair) for pair in merges), ""]
    file = folder / "bpe_simple_vocab_16e6.txt.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    return file
