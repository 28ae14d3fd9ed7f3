"""The job behind the panel: open the models, draw every point, measure it, show it, keep all of them."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.engine import Event, JobContext, Offload, Preview, Progress, Snapshot
from studio.ml.evaluation.points import Measured, Pictures, Setting
from studio.models.companions import check_same_noise, open_classifier, open_clip
from studio.models.opening import open_drawing, open_folder
from studio.models.provenance import provenance_of
from studio_plugins.tradeoff.keeping import keep
from studio_plugins.tradeoff.request import TradeoffRequest
from studio_plugins.tradeoff.results import Begun, TradeoffResult
from studio_plugins.tradeoff.words import words

if TYPE_CHECKING:
    from studio.ml.evaluation.oracle import Oracle
    from studio.ml.evaluation.tradeoff import Tradeoff

Running = Generator[Event | Offload, Any, TradeoffResult]
ORACLE = "emoji-oracle"
GREY = 128
"""Brightness of pictures still to come."""


class UnfitModel(ValueError):
    """A model that cannot take part in this measurement; the message says which one to choose."""


def tradeoff(request: TradeoffRequest, ctx: JobContext) -> Running:
    """Draw and measure every point.

    Yields Snapshot "begun" (Begun), per step Progress over all of them and Preview [N, H, W, 3] of the point being
    drawn, and Snapshot "point <i>" (Measured) of each. Returns a TradeoffResult that is in the results store already
    (services["results"]), or says why it is not. Raises UnfitModel, ModelMissing, CompanionMismatch, WeightsError.
    """
    result = yield from sweep(request, ctx)
    yield Progress(1, 1, "saving")
    kept: TradeoffResult = yield Offload(keep, result, ctx.services.get("results"))
    return kept


def sweep(request: TradeoffRequest, ctx: JobContext) -> Running:
    """As `tradeoff`, but nothing is kept."""
    total = len(request.settings) * request.pictures * request.steps
    yield Progress(0, total, "opening the models")
    experiment = yield from _opened(request, ctx)
    yield Snapshot("begun", Begun(tuple(experiment.texts)))
    yield Progress(0, total, "rendering true scenes to compare with")
    begin = time.perf_counter()
    measured: list[Measured] = [(yield Offload(experiment.renders))]
    yield Snapshot("point 0", measured[0])
    for i, setting in enumerate(request.settings):
        done = i * request.pictures * request.steps
        measured.append((yield from _point(experiment, setting, done, total)))
        yield Snapshot(f"point {i + 1}", measured[-1])
    seconds = time.perf_counter() - begin
    made = {**provenance_of(experiment.model, ctx), "companions": _digests(experiment)}
    return TradeoffResult(request, tuple(experiment.texts), tuple(measured), seconds, made)


def _point(
    experiment: Tradeoff, setting: Setting, done: int, total: int
) -> Generator[Event | Offload, Any, Measured]:
    """Draw one setting, a small batch after another, and measure it."""
    from studio.ml.evaluation.oracle import as_pixels

    size = experiment.model.image_size
    pictures: Pictures = np.full((len(experiment), size, size, 3), GREY, np.uint8)
    seconds = 0.0
    for part in experiment.batches():
        records = experiment.steps(setting, part)
        while True:
            begin = time.perf_counter()
            record = next(records, None)
            seconds += time.perf_counter() - begin
            if record is None:
                break
            done += len(part)
            seen = record.x0 if record.index + 1 < record.total else record.x
            pictures[part.start : part.stop] = as_pixels(seen)
            yield Progress(done, total, words(setting))
            yield Preview(pictures)
    measured: Measured = yield Offload(experiment.measure, setting, pictures, seconds)
    return measured


def _opened(request: TradeoffRequest, ctx: JobContext) -> Generator[Event | Offload, Any, Tradeoff]:
    """The experiment with all models it needs, through the engine's cache."""
    from studio.ml.diffusion.glide import TextToImage
    from studio.ml.diffusion.sampling import Sampling
    from studio.ml.evaluation.tradeoff import Tradeoff

    model = yield from open_drawing(request.model, ctx)
    oracle = yield from open_folder(ORACLE, _oracle, ctx)
    if not isinstance(model, TextToImage) or model.image_size != oracle.config.pixels:
        raise UnfitModel(
            f"“{model.name}” cannot be measured: the oracle reads pictures of {oracle.config.pixels} pixels that were "
            "drawn from a prompt. Choose emoji-base."
        )
    classifier = None
    if request.classifier:
        classifier = yield from open_classifier(request.classifier_model, ctx)
        check_same_noise(classifier, model, "classifier guidance")
    clip = yield from open_clip(request.clip_model, ctx)
    check_same_noise(clip, model, "CLIP guidance")
    return Tradeoff(
        model,
        oracle,
        classifier=classifier,
        clip=clip,
        base=request.base,
        prompts=request.prompts,
        per_prompt=request.per_prompt,
        seed=request.seed,
        sampling=Sampling(request.sampler, request.steps),
    )


def _oracle(folder: Path, *, device: str, dtype: Any) -> Oracle:
    """The oracle always reads on the CPU in full precision, so that its marks are the same everywhere."""
    from studio.ml.evaluation.oracle import load_oracle

    return load_oracle(folder)


def _digests(experiment: Tradeoff) -> dict[str, str]:
    """SHA-256 of the weights of the networks that guide, by kind."""
    found = {"classifier": experiment.classifier, "clip": experiment.clip}
    return {kind: model.sha256 for kind, model in found.items() if model is not None}
