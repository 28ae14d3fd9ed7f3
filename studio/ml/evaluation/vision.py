"""What a vision transformer of emoji scenes names rightly, beside its variant with other places if that lies beside it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from studio.ml.data import scenes
from studio.ml.diffusion.model_folder import BadModelFolder, parse_config
from studio.ml.evaluation.classifier import SceneVocabulary, share
from studio.ml.evaluation.oracle import as_tensor
from studio.ml.vision.vit import VisionModel, VitModelConfig, load_vit

SEED = 93
BATCH = 128
VARIANT = "-2d"
"""End of the folder's name of the model with places by row and column."""

Hits = NDArray[np.bool_]


class EmojiVitConfig(VitModelConfig):
    """config.json of a vision transformer whose classes are the nouns of emoji scenes."""

    vocabulary: SceneVocabulary


@dataclass(frozen=True)
class Asked:
    """A set of scenes: of which kind, of which size (None: any), of combinations seen in training or held out."""

    kind: scenes.Kind = "single"
    size: str | None = None
    held: bool = False


SETS = {
    "one object": Asked(),
    "one object, held-out combination": Asked(held=True),
    "one small object": Asked(size="small"),
    "one large object": Asked(size="large"),
    "two or three alike": Asked("count"),
}


def drawn_scenes(vocabulary: scenes.Vocabulary, asked: Asked, count: int, seed: int) -> list[scenes.Scene]:
    """`count` fresh scenes of a set."""
    rng = np.random.default_rng((SEED, seed))
    drawn: list[scenes.Scene] = []
    while len(drawn) < count:
        scene = scenes.draw(rng, vocabulary, kind=asked.kind, held=asked.held)
        if asked.size in (None, scene.size):
            drawn.append(scene)
    return drawn


def named_rightly(model: VisionModel, drawn: list[scenes.Scene]) -> Hits:
    """Whether the noun of each scene is the likeliest class, [N]."""
    x = as_tensor(np.stack([scenes.render(scene, model.image_size) for scene in drawn]))
    with torch.no_grad():
        named = torch.cat([model(part.to(model.device)).argmax(dim=1).cpu() for part in x.split(BATCH)])
    return (named == torch.tensor([model.classes.index(scene.objects[0].noun) for scene in drawn])).numpy()


def report(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Tables in Markdown: accuracy by kind of scene with 95 % intervals; `options.count` pictures a figure.

    Raises WeightsError.
    """
    config = parse_config(folder, EmojiVitConfig)
    model = load_vit(folder)
    models: dict[str, VisionModel] = {model.net.config.positions: model}
    beside = folder.with_name(folder.name + VARIANT)
    if beside.is_dir():
        models["2d"] = load_vit(beside)
        if any(other.classes != config.classes for other in models.values()):
            text = f"The models in {folder} and {beside} tell different things apart; they cannot be compared."
            raise BadModelFolder(text)
    vocabulary = scenes.Vocabulary(config.vocabulary.nouns, config.vocabulary.backgrounds)
    yield f"{options.count:,} fresh scenes a figure, the same for all models, fixed seeds, 95 % intervals; guessing would be"
    yield f"right {1 / len(config.classes):.1%} of the time. Held out: noun and background never seen together in training."
    yield ""
    yield "| scenes | " + " | ".join(f"{places[0]}-D places | interval" for places in models) + " |"
    yield "|---" * (1 + 2 * len(models)) + "|"
    every: dict[str, list[Hits]] = {places: [] for places in models}
    for seed, (what, asked) in enumerate(SETS.items()):
        drawn = drawn_scenes(vocabulary, asked, options.count, seed)
        for places, one in models.items():
            every[places].append(named_rightly(one, drawn))
        yield f"| {what} | " + " | ".join(share(parts[-1]) for parts in every.values()) + " |"
    joined = {places: np.concatenate(parts) for places, parts in every.items()}
    yield "| all of these | " + " | ".join(map(share, joined.values())) + " |"
    if len(joined) == 2:
        yield ""
        yield compared(joined["1d"], joined["2d"])


def compared(row: Hits, grid: Hits) -> str:
    """Two models on the same pictures, places in a row and on a grid: where they differ, one is better (McNemar 1947)."""
    from scipy.stats import binomtest

    row_only, grid_only = int((row & ~grid).sum()), int((grid & ~row).sum())
    chance = float(binomtest(row_only, row_only + grid_only).pvalue) if row_only + grid_only else 1.0
    likely = f"of {chance:.2f}" if chance >= 0.01 else "below 0.01" if chance >= 0.001 else "below 0.001"
    return (
        "1-D against 2-D places, trained on the same pictures for as many steps with the same seed: of "
        f"{row.size:,} pictures, {row_only} are named rightly with 1-D places only, {grid_only} with 2-D places only; "
        f"if both were equally good, a difference as large would come up with a probability {likely}. That is about "
        "these two trainings: another seed gives another pair."
    )
