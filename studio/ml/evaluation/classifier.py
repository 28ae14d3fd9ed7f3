"""What a noise-aware classifier of emoji scenes knows at each step of the diffusion."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from studio.ml.data import scenes
from studio.ml.diffusion.classifier import ClassifierModelConfig, NoisyClassifier, load_classifier
from studio.ml.diffusion.model_folder import parse_config
from studio.ml.diffusion.noise import NoiseSource, noised
from studio.ml.evaluation.metrics import wilson_interval
from studio.ml.evaluation.oracle import as_tensor

STEPS = (0, 100, 250, 500, 750, 900)
BATCH = 128
SEED = 91

Hits = NDArray[np.bool_]


class SceneVocabulary(BaseModel):
    """What the scenes a model was trained on show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nouns: tuple[str, ...]
    backgrounds: tuple[str, ...]


class EmojiClassifierConfig(ClassifierModelConfig):
    """config.json of a classifier whose classes are the nouns of emoji scenes."""

    vocabulary: SceneVocabulary


def classified(
    model: NoisyClassifier, backgrounds: Sequence[str], per_class: int, *, kind: scenes.Kind = "single", t: int = 0
) -> Hits:
    """Whether each of `per_class` fresh scenes of each class is named rightly at step t, [K, per_class].

    The same scenes and the same noise at every t. Combinations held out from training are among them.
    """
    asked = _scenes(model.classes, backgrounds, per_class, kind)
    x0 = as_tensor(np.stack([scenes.render(scene, model.image_size) for scene in asked]))
    noise = NoiseSource(SEED, range(len(asked))).initial(x0.shape[1:])
    x = noised(x0, noise, model.schedule, t)
    with torch.no_grad():
        named = torch.cat([_named(model, part, t) for part in x.split(BATCH)])
    truth = torch.arange(len(model.classes)).repeat_interleave(per_class)
    return (named == truth).numpy().reshape(len(model.classes), per_class)


def report(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Tables in Markdown: accuracy by step with 95 % intervals, then by class. `options.count` pictures a figure.

    Raises WeightsError.
    """
    config = parse_config(folder, EmojiClassifierConfig)
    model = load_classifier(folder)
    per_class = max(1, round(options.count / len(model.classes)))
    yield f"{per_class} fresh scenes of each of {len(model.classes)} classes a figure, fixed seeds, 95 % intervals; "
    yield f"guessing would be right {1 / len(model.classes):.1%} of the time."
    yield ""
    yield "| t | signal sqrt(abar) | one object | interval | two or three alike | interval |"
    yield "|---|---|---|---|---|---|"
    by_step = []
    for t in STEPS:
        single, alike = (
            classified(model, config.vocabulary.backgrounds, per_class, kind=kind, t=t) for kind in ("single", "count")
        )
        by_step.append(single)
        yield f"| {t} | {model.schedule.alphas_cumprod[t] ** 0.5:.2f} | {share(single)} | {share(alike)} |"
    yield ""
    yield "One object, by class:"
    yield ""
    yield "| class | " + " | ".join(f"t = {t}" for t in STEPS) + " |"
    yield "|---" * (len(STEPS) + 1) + "|"
    for i, name in enumerate(model.classes):
        yield f"| {name} | " + " | ".join(f"{hits[i].mean():.0%}" for hits in by_step) + " |"


def _named(model: NoisyClassifier, x: torch.Tensor, t: int) -> torch.Tensor:
    return model(x.to(model.device), torch.full((len(x),), t, device=model.device)).argmax(dim=1).cpu()


def _scenes(
    nouns: Sequence[str], backgrounds: Sequence[str], per_class: int, kind: scenes.Kind
) -> list[scenes.Scene]:
    """`per_class` scenes of each noun, in the order of the nouns."""
    rng = np.random.default_rng(SEED)
    alone = [scenes.Vocabulary((noun,), tuple(backgrounds)) for noun in nouns]
    return [scenes.draw(rng, noun, kind=kind, held=None) for noun in alone for _ in range(per_class)]


def share(hits: Hits) -> str:
    """Two cells of a table: the share of hits, and its 95 % interval."""
    low, high = wilson_interval(int(hits.sum()), hits.size)
    return f"**{hits.mean():.1%}** | {low:.1%} to {high:.1%}"
