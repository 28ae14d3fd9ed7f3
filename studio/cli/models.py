"""`glassbox models`: what ships with the studio."""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from studio.resources import resource

CARD = "MODEL_CARD.md"
WEIGHTS = "*.safetensors"


@dataclass(frozen=True)
class BundledModel:
    """A folder of resources/models: its weight files together (`sha256` of each by name) and what its card says first."""

    name: str
    path: str
    bytes: int
    sha256: dict[str, str]
    summary: str


def summary_of(card: str) -> str:
    """The first paragraph of a model card that is neither front matter nor a heading, on one line."""
    if card.startswith("---\n"):
        card = card.split("\n---", 1)[-1].lstrip("-")
    paragraphs = (" ".join(part.split()) for part in card.split("\n\n"))
    return next((text for text in paragraphs if text and not text.startswith("#")), "")


def bundled(folder: Path) -> list[BundledModel]:
    """Every model folder below `folder`, by name."""
    models = []
    for place in sorted(path for path in folder.iterdir() if (path / "config.json").is_file()):
        weights = sorted(place.glob(WEIGHTS))
        digests = {}
        for path in weights:
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        card = place / CARD
        text = card.read_text(encoding="utf-8") if card.is_file() else ""
        models.append(BundledModel(place.name, str(place), sum(path.stat().st_size for path in weights), digests, summary_of(text)))
    return models


def main(options: argparse.Namespace) -> int:
    try:
        models = bundled(resource("models"))
    except FileNotFoundError:
        models = []
    if options.json:
        print(json.dumps([asdict(model) for model in models], indent=2, ensure_ascii=False))
        return 0
    for model in models:
        print(f"{model.name}   {model.bytes / 2**20:.1f} MiB   {model.path}")
        for name, digest in model.sha256.items():
            print(f"    {name}   sha256 {digest}")
        if model.summary:
            print(f"    {model.summary}")
    if not models:
        print("no models ship with this installation")
    return 0
