"""How well a text-to-image model draws emoji scenes: prompt accuracy, diversity and Frechet distance in the oracle's features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.ml.data import captions, scenes
from studio.ml.diffusion.glide import TextToImage
from studio.ml.diffusion.sampling import Sampling
from studio.ml.evaluation.judge import Verdict, judge
from studio.ml.evaluation.metrics import diversity, frechet_distance, wilson_interval
from studio.ml.evaluation.oracle import Oracle, Reading, as_pixels, as_tensor, features_of

BATCH = 25
REAL_PICTURES = 5000
GROUPS, GROUP = 50, 4
"""Diversity is measured over so many prompts, so many pictures each."""


@dataclass(frozen=True)
class PromptSet:
    """A kind of scene, drawn from combinations that training saw (held = False) or never saw (True)."""

    name: str
    kind: scenes.Kind
    held: bool


PROMPT_SETS = (
    PromptSet("one object, seen", "single", False),
    PromptSet("one object, held out", "single", True),
    PromptSet("two objects with relation, seen", "relation", False),
    PromptSet("two objects with relation, held out", "relation", True),
    PromptSet("two or three alike", "count", False),
)


@dataclass(frozen=True)
class Accuracy:
    """Share of pictures that show everything asked for, its 95 % interval, and the shares of the single parts."""

    prompts: str
    scale: float
    trials: int
    share: float
    low: float
    high: float
    nouns: float
    background: float
    relation: float
    size: float


@dataclass(frozen=True)
class Spread:
    """Diversity within a prompt and Frechet distance to fresh renders, both in the oracle's features."""

    scale: float
    diversity: float
    real_diversity: float
    frechet: float
    real_frechet: float


class Evaluation:
    """Draws with one model and sampler setting, and lets an oracle read the result. Seeds are fixed: the same every time."""

    def __init__(self, model: TextToImage, oracle: Oracle, sampling: Sampling = Sampling()) -> None:
        self.model, self.oracle, self.sampling = model, oracle, sampling
        self.vocabulary = scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds)

    def accuracy(self, prompts: PromptSet, scale: float, count: int) -> Accuracy:
        """Prompt accuracy over `count` prompts, one picture each."""
        rng = np.random.default_rng((77, PROMPT_SETS.index(prompts)))
        asked = [scenes.draw(rng, self.vocabulary, kind=prompts.kind, held=prompts.held) for _ in range(count)]
        texts = [captions.plain_caption(scene) for scene in asked]
        verdicts: list[Verdict] = []
        for start in range(0, count, BATCH):
            part = slice(start, start + BATCH)
            pictures = self.draw(texts[part], range(start, start + len(texts[part])), scale)
            readings = self.read(pictures)
            verdicts += [judge(scene, reading) for scene, reading in zip(asked[part], readings, strict=True)]
        hits = sum(v.all for v in verdicts)
        parts = [float(np.mean([getattr(v, name) for v in verdicts])) for name in ("nouns", "background", "relation", "size")]
        return Accuracy(prompts.name, scale, count, hits / count, *wilson_interval(hits, count), *parts)

    def spread(self, scale: float) -> Spread:
        """Diversity over GROUPS prompts with GROUP pictures each, and Frechet distance of all of them to fresh renders."""
        rng = np.random.default_rng(78)
        asked = [scenes.draw(rng, self.vocabulary, kind="single") for _ in range(GROUPS)]
        texts = [captions.plain_caption(scene) for scene in asked for _ in range(GROUP)]
        parts = [range(i, min(i + BATCH, len(texts))) for i in range(0, len(texts), BATCH)]
        drawn = features_of(self.oracle, np.concatenate([self.draw([texts[i] for i in part], part, scale) for part in parts]))
        again = [like(rng, scene, self.vocabulary) for scene in asked for _ in range(GROUP)]
        same_prompts = features_of(self.oracle, self.render(again))
        fresh = [scenes.draw(rng, self.vocabulary, kind="single") for _ in range(REAL_PICTURES)]
        real = features_of(self.oracle, self.render(fresh))
        grouped = (len(asked), GROUP, -1)
        return Spread(
            scale,
            diversity(drawn.reshape(grouped)),
            diversity(same_prompts.reshape(grouped)),
            frechet_distance(drawn, real),
            frechet_distance(same_prompts, real),
        )

    def draw(self, prompts: Sequence[str], seeds: Sequence[int], scale: float) -> NDArray[np.uint8]:
        """Pictures [B, H, W, 3] for the prompts."""
        for record in self.model.sample(list(prompts), list(seeds), scale=scale, sampling=self.sampling):
            last = record.x
        return as_pixels(last)

    def read(self, pictures: NDArray[np.uint8]) -> list[Reading]:
        """The oracle's reading of each picture."""
        return self.oracle.read(as_tensor(pictures))

    def render(self, drawn: Sequence[scenes.Scene]) -> NDArray[np.uint8]:
        """The scenes themselves, as large as the oracle reads them."""
        return np.stack([scenes.render(scene, self.oracle.config.pixels) for scene in drawn])


def like(rng: np.random.Generator, asked: scenes.Scene, vocabulary: scenes.Vocabulary) -> scenes.Scene:
    """Another scene that the same caption describes: same noun, size and background, elsewhere in the picture."""
    alone = scenes.Vocabulary(vocabulary.nouns, (asked.background,))
    while True:
        scene = scenes.draw(rng, alone, kind="single", held=None)
        if scene.size == asked.size:
            placed = scene.objects[0]
            same = scenes.Placed(asked.objects[0].noun, placed.x, placed.y, placed.side)
            return scenes.Scene(scene.kind, (same,), asked.background, size=scene.size, tint=scene.tint)
