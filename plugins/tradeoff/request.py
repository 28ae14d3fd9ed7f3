"""What a person asks for: which scales of which guidance, and how many pictures each. Pure data, no torch, no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import field_validator, model_validator

from studio.host.request import Request, ui
from studio.ml.evaluation.points import Base, Setting
from studio.models.fields import Sampler, model_field, sampler_field, seed_field, steps_field

BASES: Mapping[str, str] = MappingProxyType(
    {"prompt": "the model that knows the prompt", "nothing": "the model without a prompt"}
)
MAX_SCALE, MAX_SCALES, MAX_PICTURES = 1000.0, 16, 1000
_SCALES = "Scales s to try, separated with commas; empty leaves this guidance out. "


class TradeoffRequest(Request):
    """A sweep of guidance scales: everything that determines its points on a given device."""

    kind: ClassVar[str] = "tradeoff"

    model: str = model_field(
        "emoji-base", "The text-to-image model that draws. It must draw emoji scenes, which the oracle can read."
    )
    classifier_free: tuple[float, ...] = ui(
        (1.5, 2.0, 3.0, 5.0, 8.0),
        title="Classifier-free scales",
        help=_SCALES + "ε(x|∅) + s·(ε(x|y) − ε(x|∅)); s = 1 is unguided.",
    )
    classifier: tuple[float, ...] = ui(
        (1.0, 3.0, 10.0),
        title="Classifier scales",
        help=_SCALES + "s·∇ log p(y|xₜ) of a noise-aware classifier, y being the noun; s = 0 is unguided.",
    )
    clip: tuple[float, ...] = ui(
        (0.3, 1.0, 3.0, 10.0),
        title="CLIP scales",
        help=_SCALES + "s·∇ τ·f(xₜ)·g(c) of a noise-aware CLIP, c being the whole prompt; s = 0 is unguided.",
    )
    base: Base = ui(
        "prompt",
        title="Gradients act on",
        help=(
            "What classifier and CLIP guidance are added to. With the prompt, as in GLIDE, the model already knows "
            "what is asked; without it, the gradient alone says so, and unguided means without any condition."
        ),
        widget="choice",
        choices=BASES,
    )
    prompts: int = ui(
        12,
        title="Prompts",
        help="How many prompts of one object, drawn from combinations the model was trained on.",
        ge=2,
        le=250,
        step=1,
    )
    per_prompt: int = ui(
        4,
        title="Pictures per prompt",
        help="Pictures of each prompt, from different noise. Diversity is measured between them.",
        ge=2,
        le=16,
        step=1,
    )
    steps: int = steps_field("Denoising steps of each picture.")
    seed: int = seed_field(
        0, "Number from which prompts and noise are drawn; they are the same for every point."
    )
    sampler: Sampler = sampler_field("How the noise is removed.")
    classifier_model: str = model_field(
        "emoji-classifier",
        "The noise-aware classifier whose gradient guides.",
        title="Classifier",
        offered="classifiers",
        advanced=True,
    )
    clip_model: str = model_field(
        "emoji-clip",
        "The noise-aware CLIP whose gradient guides, and which gives the CLIP score of every point.",
        title="CLIP",
        offered="clips",
        advanced=True,
    )

    @field_validator("classifier_free", "classifier", "clip")
    @classmethod
    def _scales(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        """In rising order, each once."""
        if len(values) > MAX_SCALES:
            raise ValueError(f"{len(values)} scales are too many; {MAX_SCALES} are the most")
        if any(not 0 <= value <= MAX_SCALE for value in values):
            raise ValueError(f"a scale is a number from 0 to {MAX_SCALE:g}")
        return tuple(sorted(set(values)))

    @model_validator(mode="after")
    def _possible(self) -> TradeoffRequest:
        if not (self.classifier_free or self.classifier or self.clip):
            raise ValueError("write at least one scale for one guidance")
        if self.pictures > MAX_PICTURES:
            raise ValueError(f"{self.pictures} pictures a point are too many; {MAX_PICTURES} are the most")
        return self

    @property
    def pictures(self) -> int:
        """Pictures a point."""
        return self.prompts * self.per_prompt

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every point to draw: the unguided one that all curves share, then each guidance by rising scale."""
        neutral = 1.0 if self.base == "prompt" else 0.0
        free = [Setting("classifier-free", scale) for scale in self.classifier_free if scale != neutral]
        gradients = [Setting("classifier", scale) for scale in self.classifier if scale]
        gradients += [Setting("clip", scale) for scale in self.clip if scale]
        return (Setting("unguided"), *free, *gradients)
