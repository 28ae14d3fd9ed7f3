"""How well a noise-aware CLIP of emoji scenes finds the caption of a picture, at each step of the diffusion."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from studio.ml.clip.model import ClipConfig, NoisedClip, load_clip
from studio.ml.data import captions, scenes
from studio.ml.diffusion.model_folder import parse_config
from studio.ml.diffusion.noise import NoiseSource, noised
from studio.ml.evaluation.classifier import SceneVocabulary, share
from studio.ml.evaluation.oracle import as_tensor

STEPS = (0, 100, 250, 500, 750, 900)
CANDIDATES = 64
BATCH = 128
SEED = 93

Hits = NDArray[np.bool_]


class EmojiClipConfig(ClipConfig):
    """config.json of a CLIP that was trained on emoji scenes."""

    vocabulary: SceneVocabulary


@dataclass(frozen=True)
class Trial:
    """One picture and the captions it is to choose from; the first is its own."""

    scene: scenes.Scene
    captions: tuple[str, ...]


def among_scenes(vocabulary: scenes.Vocabulary, count: int) -> list[Trial]:
    """Trials whose other captions are those of 63 other scenes of any kind, all distinct."""
    rng = np.random.default_rng(SEED)
    return [_trial(rng, vocabulary, CANDIDATES) for _ in range(count)]


def among_relations(vocabulary: scenes.Vocabulary, count: int) -> list[Trial]:
    """Trials whose captions differ in the relation alone: "a cat left of a dog", "right of", "above", "below"."""
    rng = np.random.default_rng(SEED + 1)
    asked = [scenes.draw(rng, vocabulary, kind="relation", held=None) for _ in range(count)]
    return [Trial(scene, (captions.plain_caption(scene), *_other_relations(scene))) for scene in asked]


class Retrieval:
    """Lets a CLIP choose among the captions of each trial; pictures, noise and captions are the same at every step."""

    def __init__(self, clip: NoisedClip, trials: Sequence[Trial]) -> None:
        self.clip = clip
        self.x0 = as_tensor(np.stack([scenes.render(trial.scene, clip.image_size) for trial in trials]))
        self.noise = NoiseSource(SEED, range(len(trials))).initial(self.x0.shape[1:])
        known = _texts(clip, trials)
        self.candidates = torch.stack([torch.stack([known[text] for text in trial.captions]) for trial in trials])

    @torch.no_grad()
    def hits(self, t: int) -> Hits:
        """Whether each picture at step t is nearer to its own caption than to any other, [trials]."""
        x = noised(self.x0, self.noise, self.clip.schedule, t).to(self.clip.device)
        steps = torch.full((len(x),), t, device=x.device)
        parts = zip(x.split(BATCH), steps.split(BATCH), strict=True)
        pictures = torch.cat([self.clip.encode_image(*part) for part in parts]).cpu()
        cosines = (self.candidates @ pictures[:, :, None])[..., 0]
        return (cosines[:, 0] > cosines[:, 1:].amax(dim=1)).numpy()


def report(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """A table in Markdown: shares of right choices by step with 95 % intervals, `options.count` trials a figure.

    Raises WeightsError.
    """
    config = parse_config(folder, EmojiClipConfig)
    clip = load_clip(folder)
    vocabulary = scenes.Vocabulary(config.vocabulary.nouns, config.vocabulary.backgrounds)
    tasks = [Retrieval(clip, trials(vocabulary, options.count)) for trials in (among_scenes, among_relations)]
    yield f"Each picture chooses the nearest caption; {options.count} trials a figure, fixed seeds, 95 % intervals."
    yield f"Of {CANDIDATES}: distinct captions of scenes of all kinds; guessing is right in {1 / CANDIDATES:.1%}."
    yield "Of 4: captions of two objects that differ in the relation alone; guessing is right in 25%."
    yield ""
    yield f"| t | signal sqrt(abar) | of {CANDIDATES} captions | interval | of 4 relations | interval |"
    yield "|---|---|---|---|---|---|"
    for t in STEPS:
        shares = " | ".join(share(task.hits(t)) for task in tasks)
        yield f"| {t} | {clip.schedule.alphas_cumprod[t] ** 0.5:.2f} | {shares} |"


def _trial(rng: np.random.Generator, vocabulary: scenes.Vocabulary, candidates: int) -> Trial:
    scene = scenes.draw(rng, vocabulary, held=None)
    known = {captions.plain_caption(scene): None}
    while len(known) < candidates:
        known[captions.plain_caption(scenes.draw(rng, vocabulary, held=None))] = None
    return Trial(scene, tuple(known))


def _other_relations(scene: scenes.Scene) -> Iterator[str]:
    for relation in scenes.RELATIONS:
        if relation != scene.relation:
            yield captions.plain_caption(replace(scene, relation=relation))


def _texts(clip: NoisedClip, trials: Sequence[Trial]) -> dict[str, Tensor]:
    """g(c) of every caption of the trials."""
    known = list(dict.fromkeys(caption for trial in trials for caption in trial.captions))
    parts = [clip.encode_text(known[start : start + BATCH]).cpu() for start in range(0, len(known), BATCH)]
    return dict(zip(known, torch.cat(parts), strict=True))
