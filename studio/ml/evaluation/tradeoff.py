"""What a guidance buys in quality and costs in diversity: the same prompts in the same noise, drawn at every scale.

The question of GLIDE's figure 6 (Nichol et al. 2021, arXiv 2112.10741) in small. Quality is the share of pictures in
which the oracle finds what was asked, and the Frechet distance to true scenes of the same prompts; diversity is the
mean distance between pictures of one prompt; both distances are in the oracle's features. The CLIP score is the mean
cosine of picture and prompt in a CLIP at t = 0, the very number that CLIP guidance climbs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from studio.ml.data import captions, scenes
from studio.ml.diffusion.classifier import NoisyClassifier
from studio.ml.diffusion.glide import TextToImage
from studio.ml.diffusion.gradients import ClassifierGuidance, ClipGuidance, ImageEncoder, together
from studio.ml.diffusion.guidance import GradientFn
from studio.ml.diffusion.sampler import StepRecord
from studio.ml.diffusion.sampling import Sampling
from studio.ml.evaluation.emoji import like
from studio.ml.evaluation.judge import Verdict, judge
from studio.ml.evaluation.metrics import diversity, frechet_distance
from studio.ml.evaluation.oracle import Oracle, as_tensor, features_of
from studio.ml.evaluation.points import Base, Measured, Pictures, Point, Setting

BATCH = 12
REFERENCE_PICTURES = 1200


class Clip(ImageEncoder, Protocol):
    """The part of a noise-aware CLIP that is needed here."""

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Unit vectors [B, E]."""
        ...


class MissingModel(ValueError):
    """A guidance that was asked for without the model it needs."""


class Tradeoff:
    """Draws `prompts` prompts `per_prompt` times under any setting, always from the same noise, and measures.

    Prompts are of one object, drawn from the combinations that training saw. Everything follows from `seed`; picture i
    is drawn from the noise of seed + i. classifier and clip are needed for the guidances of their names; with a CLIP
    every setting has a CLIP score. base: what gradients are added to.
    """

    def __init__(
        self,
        model: TextToImage,
        oracle: Oracle,
        *,
        classifier: NoisyClassifier | None = None,
        clip: Clip | None = None,
        base: Base = "prompt",
        prompts: int = 12,
        per_prompt: int = 4,
        seed: int = 0,
        sampling: Sampling = Sampling(),
    ) -> None:
        self.model, self.oracle, self.classifier, self.clip = model, oracle, classifier, clip
        self.base, self.per_prompt, self.seed, self.sampling = base, per_prompt, seed, sampling
        self.vocabulary = scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds)
        rng = np.random.default_rng(seed)
        self.asked = [scenes.draw(rng, self.vocabulary, kind="single") for _ in range(prompts)]
        self.scenes = [scene for scene in self.asked for _ in range(per_prompt)]
        self.texts = [captions.plain_caption(scene) for scene in self.scenes]

    def __len__(self) -> int:
        """Pictures a setting."""
        return len(self.scenes)

    def batches(self) -> list[range]:
        """The pictures in parts small enough that a step is short."""
        return [range(i, min(i + BATCH, len(self))) for i in range(0, len(self), BATCH)]

    def steps(self, setting: Setting, part: range) -> Iterator[StepRecord]:
        """Draw these pictures; the last record's `x` are they. Raises MissingModel."""
        texts = [self.texts[i] for i in part]
        free = setting.kind == "classifier-free"
        prompts = texts if free or self.base == "prompt" else [""] * len(texts)
        return self.model.sample(
            prompts,
            [self.seed + i for i in part],
            scale=setting.scale if free else None,
            sampling=self.sampling,
            cond_fn=self._gradient(setting, part),
        )

    def measure(self, setting: Setting, pictures: Pictures, seconds: float = 0.0) -> Measured:
        """Mark all pictures [N, H, W, 3] of a setting."""
        x = as_tensor(pictures)
        verdicts = [judge(scene, reading) for scene, reading in zip(self.scenes, self.oracle.read(x), strict=True)]
        features = features_of(self.oracle, pictures)
        score = self._clip_scores(x)
        point = Point(
            kind=setting.kind,
            scale=setting.scale,
            pictures=len(pictures),
            right=sum(verdict.all for verdict in verdicts),
            frechet=frechet_distance(features, self.reference),
            diversity=diversity(features.reshape(len(self.asked), self.per_prompt, -1)),
            clip_score=None if score is None else float(score.mean()),
            clip_error=None if score is None else float(score.std(ddof=1) / len(score) ** 0.5),
            seconds=seconds,
        )
        return Measured(point, pictures, tuple(_fault(verdict) for verdict in verdicts))

    def renders(self) -> Measured:
        """True scenes of the same prompts: what a perfect model would reach with as many pictures."""
        return self.measure(Setting("renders"), self._true_scenes(len(self), 1))

    @cached_property
    def reference(self) -> NDArray[np.float64]:
        """Features of many true scenes of the same prompts, to which the Frechet distance is taken. [N, F]"""
        return features_of(self.oracle, self._true_scenes(REFERENCE_PICTURES, 2))

    def _gradient(self, setting: Setting, part: range) -> GradientFn | None:
        T = self.model.schedule.T
        if setting.kind == "classifier":
            if self.classifier is None:
                raise MissingModel("Classifier guidance needs a classifier; choose one.")
            y = [self.classifier.index(self.scenes[i].objects[0].noun) for i in part]
            target = torch.tensor(y, device=self.model.device)
            return together([ClassifierGuidance(self.classifier, target, setting.scale, T=T)])
        if setting.kind == "clip":
            if self.clip is None:
                raise MissingModel("CLIP guidance needs a CLIP; choose one.")
            return together([ClipGuidance(self.clip, self._embedded[part.start : part.stop], setting.scale, T=T)])
        return None

    @cached_property
    def _embedded(self) -> Tensor:
        """The prompts in CLIP's space, one row for each picture."""
        assert self.clip is not None
        with torch.no_grad():
            return self.clip.encode_text(self.texts)

    def _clip_scores(self, x: Tensor) -> NDArray[np.float64] | None:
        """Cosine of each picture with its prompt [N], None without a CLIP."""
        if self.clip is None:
            return None
        x = x.to(self.model.device)
        with torch.no_grad():
            seen = self.clip.encode_image(x, torch.zeros(len(x), dtype=torch.long, device=x.device)).float()
        scores: NDArray[np.float64] = (seen * self._embedded).sum(dim=1).double().cpu().numpy()
        return scores

    def _true_scenes(self, count: int, stream: int) -> Pictures:
        """`count` fresh renders of the prompts, each as often as the others. [count, H, W, 3]"""
        rng = np.random.default_rng((self.seed, stream))
        drawn = [like(rng, self.asked[i * len(self.asked) // count], self.vocabulary) for i in range(count)]
        return np.stack([scenes.render(scene, self.oracle.config.pixels) for scene in drawn])


def _fault(verdict: Verdict) -> str:
    """What a picture lacks, in a few words; empty when nothing."""
    if not verdict.nouns:
        return "other objects"
    missing = [name for name in ("background", "size") if not getattr(verdict, name)]
    return "another " + " and ".join(missing) if missing else ""
