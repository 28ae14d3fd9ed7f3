"""The networks of a comparison: what draws, what guides, what only looks."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Log, Offload
from studio.models.catalog import ModelMissing, locate
from studio.models.companions import CompanionMismatch, check_same_noise, open_classifier, open_clip
from studio.models.guiding import Guiding, first_class, open_guidance
from studio.models.opening import open_drawing
from studio_plugins.guidance.cost import DENOISER, denoiser_gflop, gradient_gflop
from studio_plugins.guidance.drawing import prompts_of, settings_of
from studio_plugins.guidance.request import Guidance, GuidanceRequest
from studio_plugins.guidance.scoring import Scorer

if TYPE_CHECKING:
    from studio.ml.data.scenes import Scene
    from studio.ml.evaluation.oracle import Oracle
    from studio.models.opening import Drawing

ORACLE = "emoji-oracle"


@dataclass(frozen=True, eq=False)
class Bench:
    """Everything a comparison runs on. `request` has the digests of the weights filled in."""

    request: GuidanceRequest
    model: Drawing
    guidings: dict[Guidance, Guiding]
    scorer: Scorer


Opening = Generator[Event | Offload, Any, Bench]


def open_bench(request: GuidanceRequest, ctx: JobContext) -> Opening:
    """Open all networks. Raises what opening raises for a network that guides; one that only looks may be missing."""
    model = yield from open_drawing(request.model, ctx, precision=request.precision)
    digests = {"model": model.sha256, "clip": "", "classifier": ""}
    guidings: dict[Guidance, Guiding] = {}
    for guidance in every_guidance(request):
        guiding = yield from open_guidance(
            model,
            [request.prompt] * request.batch,
            settings_of(guidance, request),
            ctx,
            precision=request.precision,
            drawn=prompts_of(guidance, request),
        )
        guidings[guidance] = guiding
        digests |= guiding.companions
    scorer = Scorer()
    if request.probes:
        scorer = yield from _open_scorer(request, model, ctx)
        digests |= scorer.digests
    weights = tuple(digests.values())
    then = request.weights or weights
    if any(old and new and old != new for old, new in zip(then, weights, strict=True)):
        yield Log("The weights are not those these settings were made with: the pictures will differ.", "warning")
    return Bench(request.replace(weights=weights), model, guidings, scorer)


def every_guidance(request: GuidanceRequest) -> list[Guidance]:
    """The different ways in which the steps of the columns are guided."""
    found = [segment.guidance for column in request.columns for segment in column.earlier]
    return list(dict.fromkeys([*found, *(column.guidance for column in request.columns)]))


def measure(bench: Bench, ctx: JobContext) -> Generator[Event | Offload, Any, dict[str, float]]:
    """GFLOP per picture of one evaluation of the denoiser and of each gradient in use; counted once a setup."""
    request, model = bench.request, bench.model

    def kept(name: str, counted: Any) -> float:
        gflop: float = ctx.models.get(("gflop", name, *request.weights, model.image_size), counted, nbytes=64)
        return gflop

    units = {DENOISER: kept(DENOISER, lambda: denoiser_gflop(model, request.prompt))}
    for name in sorted({name for guidance in every_guidance(request) for name in guidance.terms} - {"classifier-free"}):
        guidance = next(g for g in every_guidance(request) if name in g.terms)
        alone = guidance.replace(
            free=False, classifier=name == "classifier", clip=name == "clip", clip_x0=name == "clip-x0",
            course="constant", **{f"{name.replace('-', '_')}_scale": 1.0},
        )  # fmt: skip
        guiding = yield from open_guidance(
            model, [request.prompt], settings_of(alone, request), ctx, precision=request.precision,
            drawn=prompts_of(alone, request)[:1],
        )  # fmt: skip
        units[name] = kept(name, lambda guiding=guiding: gradient_gflop(model, guiding))
    return units


def _open_scorer(request: GuidanceRequest, model: Drawing, ctx: JobContext) -> Generator[Event | Offload, Any, Scorer]:
    clip = classifier = text = target = oracle = None
    try:
        clip = yield from open_clip(request.clip_model, ctx, precision=request.precision)
        check_same_noise(clip, model, "CLIP scores")
        text = clip.encode_text([request.prompt])
    except (ModelMissing, CompanionMismatch):  # its scores are then missing, which the window says
        clip = text = None
    try:
        classifier = yield from open_classifier(request.classifier_model, ctx, precision=request.precision)
        check_same_noise(classifier, model, "the classifier's score")
        target = first_class(request.prompt, classifier.classes)
    except (ModelMissing, CompanionMismatch):
        classifier = None
    try:
        oracle = yield from _open_oracle(ctx)
        if oracle.config.pixels != model.image_size:
            oracle = None
    except ModelMissing:
        oracle = None
    return Scorer(clip, text, classifier, target, oracle, _scene(request.prompt, oracle))


def _open_oracle(ctx: JobContext) -> Generator[Event | Offload, Any, Oracle]:
    place = locate(ORACLE)
    oracle: Oracle = yield Offload(ctx.models.get, ("oracle", str(place)), lambda: _load_oracle(place))
    return oracle


def _load_oracle(place: Any) -> Oracle:
    from studio.ml.evaluation.oracle import load_oracle  # torch is imported on the worker

    return load_oracle(place)


def _scene(prompt: str, oracle: Oracle | None) -> Scene | None:
    from studio.ml.data.asked import asked_for
    from studio.ml.data.scenes import Vocabulary

    return None if oracle is None else asked_for(prompt, Vocabulary(oracle.config.nouns, oracle.config.backgrounds))
