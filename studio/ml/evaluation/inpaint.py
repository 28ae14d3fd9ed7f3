"""How well a model inpaints: is the named object in the hole, and does what was drawn join what was there?

An object of a scene is erased with the box around it, and asked back by its caption. Compared are the inpainting model
and the two ways to inpaint with the text-to-image model it was made of, on the same scenes, masks and noise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from studio.ml.data import captions, masks, scenes
from studio.ml.diffusion.glide import TextToImage, load_text2im
from studio.ml.diffusion.inpainting import Inpainter, Method, load_inpainter
from studio.ml.diffusion.sampling import DEFAULT_STEPS, Sampling
from studio.ml.diffusion.upsampling import eight_bit
from studio.ml.evaluation.emoji import BATCH, PROMPT_SETS, Evaluation
from studio.ml.evaluation.metrics import wilson_interval
from studio.ml.evaluation.oracle import Oracle, Reading, as_tensor, load_oracle
from studio.resources import resource

RING = 2
"""Pixels inside the hole's edge that count as its seam. Outside the edge there is no error: known pixels come back."""
COMPARED_SCALE = 3.0
_LEAST_KNOWN = 0.1
_KINDS: tuple[scenes.Kind, ...] = ("single", "relation")
_BASE = "emoji-base"
_COLUMNS = (
    "model", "method", "scale", "scenes", "object in the hole", "interval", "one object", "of two", "seam", "interval",
    "known pixels exact", "s/picture",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A scene, the object that is erased and asked back, and what stays known [H, W] bool."""

    scene: scenes.Scene
    removed: scenes.Placed
    keep: masks.Mask

    @property
    def prompt(self) -> str:
        """What a person would ask for: the erased object on the scene's background."""
        return captions.plain_caption(scenes.alone(self.removed, self.scene))

    def shown(self, reading: Reading) -> bool:
        """Whether the oracle found the named object with its centre in the hole."""
        height, width = self.keep.shape
        places = [(int(o.y * height), int(o.x * width)) for o in reading.objects if o.noun == self.removed.noun]
        return any(not self.keep[place] for place in places)


@dataclass(frozen=True)
class Filled:
    """What came of many cases, one entry each: was the object shown, the seam's error in levels of 255, are known
    pixels exact.
    """

    shown: Sequence[bool]
    seam: Sequence[float]
    exact: Sequence[bool]
    seconds: float


def cases(vocabulary: scenes.Vocabulary, pixels: int, count: int) -> list[Case]:
    """Scenes of one object and of two, in turn; the same every time, and the first ones whatever the count."""
    return [_case(np.random.default_rng((79, i)), vocabulary, _KINDS[i % len(_KINDS)], pixels) for i in range(count)]


def _case(rng: np.random.Generator, vocabulary: scenes.Vocabulary, kind: scenes.Kind, pixels: int) -> Case:
    """A case in which something stays known: the box around a large object may cover the whole picture."""
    while True:
        scene = scenes.draw(rng, vocabulary, kind=kind, held=None)
        removed = scene.objects[rng.integers(len(scene.objects))]
        keep = masks.without_object(removed, pixels)
        if keep.mean() >= _LEAST_KNOWN:
            return Case(scene, removed, keep)


def fill(
    model: Inpainter, oracle: Oracle, asked: Sequence[Case], method: Method, scale: float, sampling: Sampling
) -> Filled:
    """Inpaint all cases, case i with seed i, and read the results."""
    shown, seam, exact = [], [], []
    started = time.perf_counter()
    for first in range(0, len(asked), BATCH):
        part = asked[first : first + BATCH]
        truth = as_tensor(np.stack([scenes.render(case.scene, model.image_size) for case in part]))
        keep = torch.from_numpy(np.stack([case.keep for case in part]))[:, None]
        prompts, seeds = [case.prompt for case in part], range(first, first + len(part))
        *_, last = model.sample(truth, keep, prompts, seeds, method=method, scale=scale, sampling=sampling)
        x = last.x.cpu()
        exact += [torch.equal(a[k], b[k]) for a, b, k in zip(x, truth, keep.expand_as(x), strict=True)]
        x = eight_bit(x)
        seam += seam_error(x, truth, keep).tolist()
        shown += [case.shown(reading) for case, reading in zip(part, oracle.read(x), strict=True)]
    return Filled(shown, seam, exact, (time.perf_counter() - started) / len(asked))


def seam_error(x: Tensor, truth: Tensor, keep: Tensor) -> Tensor:
    """Mean absolute difference in the RING pixels inside the hole's edge, in levels of 255: [B].

    x, truth [B, 3, H, W] in [-1, 1]; keep [B, 1, H, W] bool. The picture's border is no edge; without any edge the
    error is 0.
    """
    near = F.max_pool2d(keep.float(), 2 * RING + 1, stride=1, padding=RING).bool()
    ring = (near & ~keep).expand_as(x)
    difference = torch.where(ring, (x - truth).abs() * 127.5, 0.0)
    return difference.sum(dim=(1, 2, 3)) / ring.sum(dim=(1, 2, 3)).clamp(min=1)


def report(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Markdown lines about the inpainting model in `folder`. Raises WeightsError."""
    model = load_inpainter(folder)
    base = Inpainter.of(load_text2im(resource("models", _BASE)))
    oracle = load_oracle(options.oracle or resource("models", "emoji-oracle"))
    sampling = Sampling(options.sampler, options.steps)
    vocabulary = scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds)
    asked = cases(vocabulary, model.image_size, options.count)
    steps = options.steps or DEFAULT_STEPS[options.sampler]
    yield f"Sampler {options.sampler}, {steps} steps; fixed seeds, 95 % intervals. One object of a scene is erased with"
    yield "the box around it (margin 6 % of the side) and asked back by its caption; half the scenes hold a second one,"
    yield "which stays. A picture counts when the oracle finds the named object with its centre in the hole. Seam: mean"
    yield f"absolute difference from the true picture in the {RING} pixels inside the hole's edge, in levels of 255;"
    yield "outside the edge there is none."
    yield ""
    yield "| " + " | ".join(_COLUMNS) + " |"
    yield "|" + "---|" * len(_COLUMNS)
    for scale in options.scales:
        yield _row(model, "trained", scale, fill(model, oracle, asked, "trained", scale, sampling))
    fewer = asked[: max(len(_KINDS), len(asked) // 2)]
    replacing: tuple[Method, ...] = ("replace_x0", "replace_x_t")
    for method in replacing:
        yield _row(base, method, COMPARED_SCALE, fill(base, oracle, fewer, method, COMPARED_SCALE, sampling))
    yield ""
    yield from _from_text_alone(model, oracle, sampling, len(fewer))


def _row(model: Inpainter, method: Method, scale: float, filled: Filled) -> str:
    count, hits = len(filled.shown), sum(filled.shown)
    low, high = wilson_interval(hits, count)
    single, two = (float(np.mean(filled.shown[i :: len(_KINDS)])) for i in range(len(_KINDS)))
    seam, half = float(np.mean(filled.seam)), 1.96 * float(np.std(filled.seam)) / np.sqrt(count)
    named = f"**{hits / count:.1%}** | {low:.1%} to {high:.1%} | {single:.1%} | {two:.1%}"
    joined = f"**{seam:.1f}** | {seam - half:.1f} to {seam + half:.1f} | {sum(filled.exact)} of {count}"
    return f"| {model.name} | {method} | {scale:g} | {count} | {named} | {joined} | {filled.seconds:.2f} |"


def _from_text_alone(model: Inpainter, oracle: Oracle, sampling: Sampling, count: int) -> Iterator[str]:
    """What is left of the text-to-image model when everything is unknown."""
    yield f"With everything unknown it draws from text alone, at scale {COMPARED_SCALE:g}:"
    yield ""
    yield "| prompts | pictures | all right | interval |"
    yield "|---|---|---|---|"
    evaluation = Evaluation(TextToImage.of(model), oracle, sampling)
    for prompts in PROMPT_SETS[:2]:
        row = evaluation.accuracy(prompts, COMPARED_SCALE, count)
        yield f"| {prompts.name} | {count} | **{row.share:.1%}** | {row.low:.1%} to {row.high:.1%} |"
