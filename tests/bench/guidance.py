"""What each kind of guidance costs per step beside what its arithmetic says it should.

The arithmetic is counted as the Guidance lab counts it, while a step runs; the time is that of whole sampling runs, of
which the kinds take turns.

Many pictures at once, so that the networks fill the processor: of a few, each call of a network has a fixed share, and the
one call of classifier-free guidance with twice the batch then costs less than twice (1.7 times for 8 pictures on two cores).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch

from studio.ml.clip.model import load_clip
from studio.ml.diffusion.classifier import load_classifier
from studio.ml.diffusion.glide import TextToImage, load_text2im
from studio.ml.diffusion.gradients import (
    ClassifierGuidance,
    ClipGuidance,
    GradientGuidance,
    PlainClipGuidance,
    together,
)
from studio.ml.diffusion.sampler import StepRecord
from studio.ml.diffusion.sampling import Sampling
from studio.resources import resource
from studio_plugins.guidance.cost import count
from tests.bench.figure import Figure

BATCH, STEPS, ROUNDS = 32, 2, 5
PROMPT, CLASS = "a cat on a blue background", "cat"
LIMIT_PERCENT = 10.0

Run = Callable[[], Iterator[StepRecord]]


def run(rounds: int = ROUNDS) -> list[Figure]:
    """Cost of each kind relative to unguided sampling: measured over counted, in percent away from 1."""
    base = load_text2im(resource("models", "emoji-base"))
    classifier = load_classifier(resource("models", "emoji-classifier"))
    clip = load_clip(resource("models", "emoji-clip"))
    classes, text = torch.full((BATCH,), classifier.index(CLASS)), clip.encode_text([PROMPT] * BATCH)
    gradients = {
        "classifier": ClassifierGuidance(classifier, classes, 1.0),
        "CLIP": ClipGuidance(clip, text, 1.0),
        "plain CLIP on x0": PlainClipGuidance(clip, text, base.denoiser([PROMPT] * BATCH), base.schedule, 1.0),
    }
    return compared(kinds(base, gradients), rounds)


def kinds(base: TextToImage, gradients: Mapping[str, GradientGuidance]) -> dict[str, Run]:
    """A short sampling run unguided, without a classifier, and with each gradient; same prompts, seeds and steps."""
    sample = partial(base.sample, [PROMPT] * BATCH, range(BATCH), sampling=Sampling("ddim", STEPS))
    guided = {name: partial(sample, scale=None, cond_fn=together([guide])) for name, guide in gradients.items()}
    return {"unguided": partial(sample, scale=None), "classifier-free": partial(sample, scale=3.0), **guided}


def compared(runs: Mapping[str, Run], rounds: int) -> list[Figure]:
    """One figure for each kind but the first, which the others are divided by."""
    counted = {name: gflop_per_step(begin) for name, begin in runs.items()}
    for begin in runs.values():
        seconds_per_step(begin)  # warm up
    timed = [{name: seconds_per_step(begin) for name, begin in runs.items()} for _ in range(rounds)]
    unguided, *others = runs
    figures = []
    for name in others:
        arithmetic = counted[name] / counted[unguided]
        measured = statistics.median(times[name] / times[unguided] for times in timed)
        milliseconds = 1000 * statistics.median(times[name] for times in timed)
        note = (
            f"{milliseconds:.0f} ms a step of {BATCH} pictures: {measured:.2f} of unguided, "
            f"{arithmetic:.2f} by arithmetic ({counted[name]:.1f} GFLOP)"
        )
        difference = 100 * abs(measured / arithmetic - 1)
        title = f"cost of {name} guidance against its arithmetic"
        figures.append(Figure.at_most(title, difference, "%", LIMIT_PERCENT, note))
    return figures


def gflop_per_step(begin: Run) -> float:
    """Arithmetic of a run's first step, which is that of every step."""
    steps = begin()
    return count(lambda: next(steps))


def seconds_per_step(begin: Run) -> float:
    """Mean wall time of a step over a whole run."""
    start = time.perf_counter()
    total = [record.total for record in begin()][-1]
    return (time.perf_counter() - start) / total
