"""What a person asks for: one run, in one stage or two. Pure data, no torch, no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, cast

from pydantic import ValidationInfo, field_validator

from studio.host.request import PROMPT_MAX, Idle, Request, ui
from studio.models.guiding import DEFAULT_CLASSIFIER, DEFAULT_CLIP, CourseKind, GuidanceKind
from studio.models.fields import (
    Digest, Precision, Sampler, Waiting, digest_field, eta_field, loras_field, model_field, offload_field,
    precision_field, public_field, sampler_field, scale_field, scheduler_field, seed_field, side_field, steps_field,
    tiling_field,
)  # fmt: skip
from studio_plugins.generate.applies import idle_fields
from studio_plugins.generate.choices import COURSES, GUIDANCES, OFF, SECOND_SAMPLERS, Guidance, SecondSampler

DIGEST_OF: Mapping[str, str] = MappingProxyType(
    {
        "model": "model_sha256",
        "clip_model": "clip_sha256",
        "classifier_model": "classifier_sha256",
        "upsample": "upsampler_sha256",
    }
)
"""Which field holds the digest of the weights that another field names."""
EXAMPLE_PROMPT = "a cat left of a red apple on a blue background"


class GenerateRequest(Request):
    """One run of text-to-image sampling: everything that determines its pictures on a given device."""

    kind: ClassVar[str] = "generate"

    prompt: str = ui(
        EXAMPLE_PROMPT,
        title="Prompt",
        help="What the picture should show. An empty prompt draws from the model without any condition.",
        widget="prompt",
        placeholder="a cat left of a red apple on a blue background",
    )
    negative_prompt: str = ui(
        "",
        title="Negative prompt",
        help=(
            "What to stay away from: it takes the place of ∅ in classifier-free guidance, "
            "ε̂ = ε(x|n) + s·(ε(x|y) − ε(x|n))."
        ),
        widget="prompt",
        lines=1,
        placeholder="what the picture should not show",
    )
    ignore_prompt: bool = ui(
        False,
        title="Unconditional",
        help="Draw without any condition: the network never sees the prompt, and nothing guides it.",
    )
    model: str = model_field(
        "emoji-base",
        "Which trained network draws: the name of a bundled model, the folder of your own, or a public model.",
    )
    guidance: Guidance = ui(
        "classifier-free",
        title="Guidance",
        help=(
            "What pulls the picture towards the prompt. Classifier-free: the network against itself without the "
            "prompt. CLIP and classifier: the gradient of another network's score. None: the network as it is."
        ),
        widget="choice",
        choices=GUIDANCES,
    )
    guidance_scale: float = scale_field(
        3.0,
        "Guidance scale",
        "s in ε̂ = ε(x|∅) + s·(ε(x|y) − ε(x|∅)). 1 is the plain conditional model, more follows the prompt "
        "harder, 0 ignores it. Public models are unguided at 1 and below; those distilled with guidance are told s.",
    )
    clip_scale: float = scale_field(
        3.0,
        "CLIP scale",
        "s in ε̂ = ε − s·√(1−ᾱ)·∇ₓ τ f(xₜ)·g(prompt), where f and g are CLIP's picture and text. 0 is unguided.",
    )
    classifier_scale: float = scale_field(
        1.0, "Classifier scale", "s in ε̂ = ε − s·√(1−ᾱ)·∇ₓ log p(class|xₜ). 0 is unguided."
    )
    classifier_class: str = ui(
        "",
        title="Class",
        help="What the classifier is to see. Automatic: the first thing in the prompt that it knows.",
        widget="choice",
        choices_from="classes",
        max_length=200,
    )
    steps: int = steps_field("Denoising steps. Time grows in proportion.")
    seed: int = seed_field(
        15,  # one of those whose picture shows what the example sentence says
        "Number from which all noise is drawn. The same seed and settings give the same picture; picture i "
        "of a batch has seed + i.",
    )
    batch: int = ui(
        1,
        title="Pictures",
        help="How many pictures are drawn at once, with seeds one after the other.",
        ge=1,
        le=64,
        step=1,
        sweepable=False,
    )
    width: int | None = side_field("Width")
    height: int | None = side_field("Height")
    scheduler: str = scheduler_field()
    loras: tuple[str, ...] = loras_field()
    offload: Waiting = offload_field()
    tiling: bool = tiling_field()
    upsample: str = ui(
        OFF,
        title="Up-sampling",
        help=(
            "A second network enlarges the picture fourfold and draws the details it lacks. Off: the picture as the "
            "first one draws it."
        ),
        widget="choice",
        choices_from="upsamplers",
        min_length=1,
    )
    upsample_sampler: SecondSampler = ui(
        "own",
        title="Stage 2 sampler",
        help="How the up-sampler removes the noise. Its own: as it was made to be used, number of steps included.",
        widget="choice",
        choices=SECOND_SAMPLERS,
        group="Second stage",
        advanced=True,
    )
    upsample_steps: int = ui(
        20,
        title="Stage 2 steps",
        help="Denoising steps of the up-sampler, unless its own sampler is used.",
        ge=1,
        le=1000,
        step=1,
        log=True,
        group="Second stage",
        advanced=True,
    )
    upsample_scale: float = scale_field(
        1.0,
        "Stage 2 guidance",
        "Classifier-free guidance of the up-sampler. 1 (GLIDE's choice) is unguided and twice as fast.",
        group="Second stage",
        advanced=True,
    )
    upsample_seed: int = ui(
        0,
        title="Stage 2 seed",
        help=(
            "Added to the seed for the noise of the up-sampler: another number draws other details of the same small "
            "picture."
        ),
        ge=0,
        le=999,
        step=1,
        group="Second stage",
        advanced=True,
    )
    sampler: Sampler = sampler_field(
        "How the noise is removed: DPM-Solver++ 2M (fewest steps), DDIM (eta sets the noise added back) or "
        "DDPM (ancestral, the original)."
    )
    eta: float = eta_field()
    guidance_course: CourseKind = ui(
        "constant",
        title="Guidance over time",
        help="Whether guidance acts at every step, only during a part of the way from noise to picture, or grows.",
        widget="choice",
        choices=COURSES,
        advanced=True,
    )
    guidance_start: float = ui(
        0.0,
        title="Guidance starts",
        help="Share of the way from noise (0) to picture (1) at which guidance begins.",
        ge=0.0,
        le=1.0,
        step=0.05,
        advanced=True,
    )
    guidance_stop: float = ui(
        1.0,
        title="Guidance stops",
        help="Share of the way at which guidance ends (interval) or has its full scale (ramp).",
        ge=0.0,
        le=1.0,
        step=0.05,
        advanced=True,
    )
    clip_prompt: str = ui(
        "",
        title="CLIP leads to",
        help=(
            "What CLIP compares the picture with; empty: the prompt. Several prompts have weights, "
            "“a cat : 1 | a dog : -0.5”; a negative one leads away."
        ),
        placeholder="the prompt",
        max_length=PROMPT_MAX,
        sweepable=False,  # the bar that separates the values of a sweep separates its prompts
        advanced=True,
    )
    clip_model: str = model_field(
        DEFAULT_CLIP, "The noise-aware CLIP that guides.", title="CLIP model", offered="clips", advanced=True
    )
    classifier_model: str = model_field(
        DEFAULT_CLASSIFIER,
        "The noise-aware classifier that guides.",
        title="Classifier model",
        offered="classifiers",
        advanced=True,
    )
    precision: Precision = precision_field()
    public: bool = public_field()
    model_sha256: Digest = digest_field()
    clip_sha256: Digest = digest_field("Weights of the CLIP model")
    classifier_sha256: Digest = digest_field("Weights of the classifier")
    upsampler_sha256: Digest = digest_field("Weights of the up-sampler")

    @field_validator("guidance_stop")
    @classmethod
    def _after_start(cls, value: float, info: ValidationInfo) -> float:
        start = info.data.get("guidance_start", 0.0)
        if info.data.get("guidance_course", "constant") != "constant" and value <= start:
            raise ValueError(f"guidance must stop after it starts, at {start:g}")
        return value

    def without_effect(self) -> Mapping[str, Idle]:
        return idle_fields(self)

    @property
    def unconditional(self) -> bool:
        """True when there is no prompt to follow: the empty text is the condition ∅ itself."""
        return self.ignore_prompt or not self.prompt.strip()

    @property
    def condition(self) -> str:
        """The text the networks are given: the prompt, unless it is ignored."""
        return "" if self.unconditional else self.prompt

    @property
    def chosen_kinds(self) -> tuple[GuidanceKind, ...]:
        """The guidances chosen."""
        return () if self.guidance == "none" else cast(tuple[GuidanceKind, ...], tuple(self.guidance.split(" + ")))

    @property
    def kinds(self) -> tuple[GuidanceKind, ...]:
        """The guidances that act: those chosen that have something to guide towards.

        Without a prompt that is a classifier whose class was chosen, or CLIP with words of its own; they guide ε(x|∅).
        A public model knows classifier-free guidance alone.
        """
        if self.public:
            return () if self.unconditional or "classifier-free" not in self.chosen_kinds else ("classifier-free",)
        if not self.unconditional:
            return self.chosen_kinds
        if self.ignore_prompt:
            return ()
        own = {"classifier": self.classifier_class, "clip": self.clip_prompt, "clip-x0": self.clip_prompt}
        return tuple(kind for kind in self.chosen_kinds if own.get(kind, "").strip())

    def without_classifier_free(self) -> GenerateRequest:
        """For a model that knows one condition only: the other guidances stay."""
        rest = " + ".join(kind for kind in self.chosen_kinds if kind != "classifier-free")
        return self.replace(guidance=rest or "none")

    @property
    def upsampled(self) -> bool:
        """Whether a second stage enlarges the picture."""
        return self.upsample != OFF and not self.public

    @property
    def upsample_guided(self) -> bool:
        """Whether classifier-free guidance acts in the second stage."""
        return self.upsampled and self.upsample_scale != 1 and not self.unconditional

    @property
    def evaluations_per_step(self) -> int:
        """Evaluations of the drawing network per step and picture of the first stage while all guidances act."""
        return 1 + ("classifier-free" in self.kinds) + ("clip-x0" in self.kinds)
