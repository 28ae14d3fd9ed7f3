"""From plain settings to guidance that acts: which kinds, how strongly, when, and the networks they need."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from studio.engine import Event, JobContext, Offload
from studio.ml.data.nouns import ALIASES, plural
from studio.models.companions import check_same_noise, check_same_size, open_classifier, open_clip

if TYPE_CHECKING:
    from studio.ml.diffusion.denoiser import Denoiser
    from studio.ml.diffusion.gradients import GradientGuidance
    from studio.ml.diffusion.guidance import GradientFn, Scale
    from studio.models.opening import Drawing

GuidanceKind = Literal["classifier-free", "classifier", "clip", "clip-x0"]
CourseKind = Literal["constant", "interval", "ramp"]

KINDS: Mapping[GuidanceKind, str] = MappingProxyType(
    {
        "classifier-free": "Classifier-free",
        "classifier": "Classifier",
        "clip": "CLIP",
        "clip-x0": "CLIP on the predicted x₀",
    }
)
DEFAULT_CLIP, DEFAULT_CLASSIFIER = "emoji-clip", "emoji-classifier"


class NoClass(ValueError):
    """A prompt that names nothing the classifier knows; the message says what it knows."""


@dataclass(frozen=True)
class Strength:
    """A guidance scale and its course from noise (0) to picture (1): `studio.ml.diffusion.guidance.Scale`, unopened."""

    value: float
    course: CourseKind = "constant"
    start: float = 0.0
    stop: float = 1.0


@dataclass(frozen=True)
class GuidanceSettings:
    """What guides a run: the kinds in `strengths` act together, none means eps(x|y) as it is.

    negative: the prompt that classifier-free guidance leads away from. target: the class a classifier guides to, ""
    for the first thing in the prompt that it knows. clip_prompt: what CLIP leads to, in the words of
    `studio.ml.clip.prompts`, "" for the prompt. clip, classifier: models by bundled name or folder.
    """

    strengths: Mapping[GuidanceKind, Strength] = field(
        default_factory=lambda: MappingProxyType({"classifier-free": Strength(3.0)})
    )
    negative: str = ""
    target: str = ""
    clip: str = DEFAULT_CLIP
    clip_prompt: str = ""
    classifier: str = DEFAULT_CLASSIFIER


@dataclass(frozen=True, eq=False)
class Guiding:
    """Guidance ready for `TextToImage.sample(..., scale=, negative=, cond_fn=)`.

    targets: the class of each picture, empty without classifier guidance. companions: SHA-256 of the weights of the
    networks that guide, by kind ("clip", "classifier").
    """

    scale: Scale | None = None
    negative: str = ""
    cond_fn: GradientFn | None = None
    targets: tuple[str, ...] = ()
    companions: Mapping[str, str] = field(default_factory=dict)


def open_guidance(
    model: Drawing,
    prompts: Sequence[str],
    settings: GuidanceSettings,
    ctx: JobContext,
    *,
    precision: str = "auto",
    drawn: Sequence[str] | None = None,
) -> Generator[Event | Offload, Any, Guiding]:
    """Guidance of a batch that `model` draws, picture i towards prompts[i]; companions come through the engine's cache.

    drawn: the prompts the model itself is given, where they are others. A model that does not draw from text takes no
    classifier-free guidance. Raises ModelMissing and CompanionMismatch for a companion that is not there or does not
    fit, NoClass, PromptError for a CLIP prompt that cannot be understood, and what the loaders raise.
    """
    from studio.ml.clip.prompts import encode_weighted
    from studio.ml.diffusion.classifier import UnknownClass
    from studio.ml.diffusion.glide import TextToImage
    from studio.ml.diffusion.gradients import ClassifierGuidance, ClipGuidance, PlainClipGuidance, together

    scales = {kind: _scale(strength) for kind, strength in settings.strengths.items()}
    guides: list[GradientGuidance] = []
    companions: dict[str, str] = {}
    targets: tuple[str, ...] = ()
    if "classifier" in scales:
        classifier = yield from open_classifier(settings.classifier, ctx, precision=precision)
        check_same_noise(classifier, model, "classifier guidance")
        companions["classifier"] = classifier.sha256
        targets = tuple(settings.target or target_of(prompt, classifier.classes) for prompt in prompts)
        try:
            y = _indices([classifier.index(target) for target in targets], model)
        except UnknownClass as error:
            raise NoClass(f"{error} Choose one of these.") from error
        guides.append(ClassifierGuidance(classifier, y, scales["classifier"], T=model.schedule.T))
    if "clip" in scales or "clip-x0" in scales:
        clip = yield from open_clip(settings.clip, ctx, precision=precision)
        companions["clip"] = clip.sha256
        if settings.clip_prompt:
            text = encode_weighted(clip, [settings.clip_prompt]).expand(len(prompts), -1)
        else:
            text = clip.encode_text(prompts)
        if "clip" in scales:
            check_same_noise(clip, model, "CLIP guidance")
            guides.append(ClipGuidance(clip, text, scales["clip"], T=model.schedule.T))
        if "clip-x0" in scales:
            check_same_size(clip, model, "CLIP guidance")
            denoiser = denoiser_of(model, prompts if drawn is None else drawn)
            guides.append(PlainClipGuidance(clip, text, denoiser, model.schedule, scales["clip-x0"]))
    of_text = isinstance(model, TextToImage)
    return Guiding(
        scale=scales.get("classifier-free") if of_text else None,
        negative=settings.negative if of_text else "",
        cond_fn=together(guides),
        targets=targets,
        companions=companions,
    )


def target_of(prompt: str, classes: Sequence[str]) -> str:
    """The class that the prompt names first. Raises NoClass when it names none."""
    found = first_class(prompt, classes)
    if found is None:
        some = ", ".join(classes[:8]) + (", …" if len(classes) > 8 else "")
        raise NoClass(
            f"The prompt names nothing the classifier knows ({some}). "
            "Choose the class to guide to, or name one of these."
        )
    return found


def first_class(prompt: str, classes: Sequence[str]) -> str | None:
    """The class a prompt names first, by its name, its plural or what people say for it; None when it names none."""
    names = {alias: noun for alias, noun in ALIASES.items() if noun in classes}
    names |= {plural(name): noun for name, noun in names.items()}
    names |= {plural(noun): noun for noun in classes} | {noun: noun for noun in classes}
    longest_first = sorted(names, key=len, reverse=True)
    found = re.search(r"\b(" + "|".join(map(re.escape, longest_first)) + r")\b", prompt.lower()) if names else None
    return names[found[1]] if found else None


def _scale(strength: Strength) -> Scale:
    from studio.ml.diffusion.guidance import Scale

    return Scale(strength.value, strength.course, strength.start, strength.stop)


def _indices(classes: Sequence[int], model: Drawing) -> Any:
    import torch

    return torch.tensor(classes, device=model.device)


def denoiser_of(model: Drawing, prompts: Sequence[str]) -> Denoiser:
    """eps(x_t | y) of the network that draws, without guidance."""
    return model.denoiser(prompts)
