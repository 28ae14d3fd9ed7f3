"""What a person compares: one prompt, one noise, several columns of guidance. Pure data, no torch, no Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from studio.host.request import Idle, Request, ui
from studio.models.fields import (
    Digest, Precision, Sampler, eta_field, model_field, precision_field, sampler_field, seed_field,
    steps_field,
)  # fmt: skip
from studio.models.guiding import GuidanceKind

Course = Literal["constant", "interval", "ramp"]

COURSES: Mapping[str, str] = MappingProxyType(
    {"constant": "Throughout", "interval": "From … to …", "ramp": "Rising from … to …"}
)
MAX_COLUMNS = 6
MAX_CELLS = 1500
"""Most steps × columns × pictures of one run, all of which are kept to look at and to fork from."""
EXAMPLE_PROMPT = "a cat left of a red apple on a blue background"


class Guidance(Request):
    """How eps is guided: any combination of the four kinds, over all steps or a part of the way.

    Scales of gradients are neutral at 0, that of classifier-free guidance at 1. `start` and `stop` are shares of the
    way from noise (0) to picture (1) and belong to all kinds alike.
    """

    prompted: bool = ui(
        True,
        title="Give the network the prompt",
        help="On: ε(x|y). Off: the unconditional ε(x|∅), so that whatever follows the prompt comes from guidance.",
    )
    free: bool = ui(False, title="Classifier-free", help="ε̂ = ε(x|∅) + s·(ε(x|y) − ε(x|∅)): two evaluations a step.")
    free_scale: float = ui(
        3.0,
        title="Scale s",
        help="Scale of classifier-free guidance: 1 is unguided, more follows the prompt harder, 0 ignores it.",
        ge=0.0,
        le=20.0,
        step=0.1,
    )
    negative: str = ui(
        "",
        title="Negative prompt",
        help="What to lead away from: takes the place of the empty prompt ∅.",
        max_length=500,
        placeholder="none",
    )
    classifier: bool = ui(
        False, title="Classifier", help="The gradient of log p(y|x_t) of a classifier that knows noise."
    )
    classifier_scale: float = ui(
        4.0, title="Scale s", help="Scale of the classifier's gradient: 0 is unguided.", ge=0.0, le=100.0, step=0.1
    )
    classifier_class: str = ui(
        "",
        title="Class y",
        help="What the classifier is to see. Automatic: the first thing in the prompt that it knows.",
        widget="choice",
        choices_from="classes",
    )
    clip: bool = ui(
        False, title="CLIP", help="The gradient of f(x_t)·g(c): how well a CLIP that knows noise finds x_t described."
    )
    clip_scale: float = ui(
        5.0, title="Scale s", help="Scale of CLIP's gradient: 0 is unguided.", ge=0.0, le=100.0, step=0.1
    )
    clip_x0: bool = ui(
        False,
        title="Plain CLIP on x₀",
        help=(
            "The gradient of f(x₀(x_t))·g(c): CLIP looks at the predicted clean picture, and the gradient runs back "
            "through the denoiser. A contrast to CLIP that knows noise."
        ),
    )
    clip_x0_scale: float = ui(
        1.0, title="Scale s", help="Scale of the gradient of CLIP on x₀: 0 is unguided.", ge=0.0, le=100.0, step=0.1
    )
    clip_prompt: str = ui(
        "",
        title="CLIP prompt",
        help=(
            "What CLIP is to see; empty: the prompt. Several prompts with weights: “a cat : 2 | a dog : -1” leads "
            "towards the first and away from the second."
        ),
        max_length=500,
        placeholder="the prompt",
    )
    course: Course = ui(
        "constant",
        title="When",
        help="Guide throughout, only in a part of the way (stop early, start late), or rising.",
        widget="choice",
        choices=COURSES,
    )
    start: float = ui(
        0.0, title="From", help="Share of the way from noise (0) to picture (1).", ge=0.0, le=1.0, step=0.05
    )
    stop: float = ui(
        1.0, title="To", help="Share of the way from noise (0) to picture (1).", ge=0.0, le=1.0, step=0.05
    )

    @model_validator(mode="after")
    def _in_order(self) -> Guidance:
        if self.course != "constant" and not self.start < self.stop:
            raise ValueError("guidance must start before it stops: make “From” smaller than “To”")
        if self.free and not self.prompted:
            raise ValueError("Classifier-free guidance needs the prompt: tick “Give the network the prompt” too.")
        return self

    def without_effect(self) -> Mapping[str, Idle]:
        shown = {
            "free_scale": self.free,
            "negative": self.free,
            "classifier_scale": self.classifier,
            "classifier_class": self.classifier,
            "clip_scale": self.clip,
            "clip_x0_scale": self.clip_x0,
            "clip_prompt": self.needs_clip,
            "course": bool(self.terms),
            "start": bool(self.terms) and self.course != "constant",
            "stop": bool(self.terms) and self.course != "constant",
        }
        return {name: Idle("", hidden=True) for name, relevant in shown.items() if not relevant}

    @property
    def terms(self) -> tuple[GuidanceKind, ...]:
        """The kinds that act, by the names their terms have."""
        on: dict[GuidanceKind, bool] = {
            "classifier-free": self.free,
            "classifier": self.classifier,
            "clip": self.clip,
            "clip-x0": self.clip_x0,
        }
        return tuple(name for name, ticked in on.items() if ticked)

    @property
    def needs_clip(self) -> bool:
        return self.clip or self.clip_x0

    def scale_of(self, term: str) -> float:
        """The scale set for a kind of guidance, whether or not it acts. Raises KeyError."""
        return {
            "classifier-free": self.free_scale,
            "classifier": self.classifier_scale,
            "clip": self.clip_scale,
            "clip-x0": self.clip_x0_scale,
        }[term]


class Segment(BaseModel):
    """The guidance of a column's steps up to and including `until` (0-based): what a fork has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    until: int
    guidance: Guidance

    @field_validator("until")
    @classmethod
    def _a_step(cls, value: int) -> int:
        if value < 0:
            raise ValueError("a fork shares at least the first step")
        return value


class Column(BaseModel):
    """One way to guide. `earlier`: the guidance of the steps before the column was forked off, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    guidance: Guidance = Guidance()
    earlier: tuple[Segment, ...] = ()
    name: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> Column:
        ends = [segment.until for segment in self.earlier]
        if ends != sorted(set(ends)):
            raise ValueError("the steps at which a column was forked must follow one another")
        return self

    @property
    def forked_at(self) -> int | None:
        """The last step shared with the column this one was forked from."""
        return self.earlier[-1].until if self.earlier else None

    def guidance_at(self, step: int) -> Guidance:
        """What guides a step, 0-based."""
        return next((segment.guidance for segment in self.earlier if step <= segment.until), self.guidance)

    def fork(self, step: int) -> Column:
        """A column that shares steps 0..step and then is free to differ."""
        shared = tuple(segment for segment in self.earlier if segment.until < step)
        here, onwards = self.guidance_at(step), self.guidance_at(step + 1)
        return Column(guidance=onwards, earlier=(*shared, Segment(until=step, guidance=here)))

    def alike(self, other: Column) -> bool:
        """Whether both are guided the same throughout, and forked the same; names do not matter."""
        return (self.guidance, self.earlier) == (other.guidance, other.earlier)

    def same_steps(self, other: Column, steps: int) -> int:
        """How many leading steps of a run of `steps` are guided exactly as in the other column."""
        return next((i for i in range(steps) if self.guidance_at(i) != other.guidance_at(i)), steps)


def shared_steps(columns: Sequence[Column], c: int, steps: int) -> tuple[int, int] | None:
    """(column left of column c with the most leading steps in common, how many of `steps`); None where none has any."""
    most, place = max(((columns[c].same_steps(columns[b], steps), -b) for b in range(c)), default=(0, 0))
    return (-place, most) if most else None


DEFAULT_COLUMNS = (
    Column(),
    Column(guidance=Guidance(classifier=True)),
    Column(guidance=Guidance(clip=True)),
    Column(guidance=Guidance(free=True)),
    Column(guidance=Guidance(free=True, clip=True)),
)


class GuidanceRequest(Request):
    """One comparison: everything that determines its pictures on a given device."""

    kind: ClassVar[str] = "guidance"

    prompt: str = ui(
        EXAMPLE_PROMPT,
        title="Prompt",
        help="What the pictures should show; the same for every column.",
        widget="prompt",
        placeholder=EXAMPLE_PROMPT,
        lines=3,
    )
    columns: tuple[Column, ...] = ui(DEFAULT_COLUMNS, title="Columns", widget="hidden", sweepable=False)
    seed: int = seed_field(
        15, "Number from which all noise is drawn, the same for every column. Picture i has seed + i."
    )
    batch: int = ui(
        1,
        title="Pictures",
        help="Pictures per column, with seeds one after the other; the stage shows one of them.",
        ge=1,
        le=8,
        step=1,
        sweepable=False,
    )
    sampler: Sampler = sampler_field(
        "DDPM shifts its mean by s·Σ·g; DDIM and DPM-Solver++ shift ε by −s·√(1 − ᾱ)·g.", advanced=False
    )
    steps: int = steps_field("Denoising steps of every column.", least=2, most=250)
    probes: bool = ui(
        True,
        title="Score every column",
        help=(
            "CLIP, classifier and oracle look at each step of each column, also where they do not guide. "
            "Not counted in the cost."
        ),
    )
    model: str = model_field(
        "emoji-base", "Which network draws: a bundled model, or the folder of your own.", group="Models"
    )
    clip_model: str = model_field(
        "emoji-clip",
        "Which CLIP guides and scores; it must know noise and see pictures of the model's size.",
        title="CLIP",
        offered="clips",
        needed=False,
        group="Models",
    )
    classifier_model: str = model_field(
        "emoji-classifier",
        "Which classifier guides and scores; it must know noise and see pictures of the model's size.",
        title="Classifier",
        offered="classifiers",
        needed=False,
        group="Models",
    )
    eta: float = eta_field()
    precision: Precision = precision_field()
    weights: tuple[Digest, ...] = ui(
        (),
        title="Weights",
        help="SHA-256 of model, CLIP and classifier, filled in when the pictures are made.",
        widget="hidden",
        sweepable=False,
    )

    @field_validator("weights")
    @classmethod
    def _three(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) not in (0, 3):
            raise ValueError("three SHA-256 are expected, or none")
        return value

    @model_validator(mode="after")
    def _bounded(self) -> GuidanceRequest:
        if not 1 <= len(self.columns) <= MAX_COLUMNS:
            raise ValueError(f"compare one to {MAX_COLUMNS} columns")
        cells = self.steps * len(self.columns) * self.batch
        if cells > MAX_CELLS:
            raise ValueError(
                f"{self.steps} steps × {len(self.columns)} columns × {self.batch} pictures are too many to keep them "
                f"all; together {MAX_CELLS} are possible"
            )
        for column in self.columns:
            if column.forked_at is not None and column.forked_at >= self.steps - 1:
                raise ValueError("a column was forked after the last step; take more steps or remove the column")
        return self

    def without_effect(self) -> Mapping[str, Idle]:
        return {} if self.sampler == "ddim" else {"eta": Idle("Only DDIM uses it.")}

    def same_noise(self, other: GuidanceRequest) -> bool:
        """Whether all but the columns (and whether they are scored) is the same, so that steps can be shared.

        Weights are compared where both know theirs: those of networks that were not needed are not filled in.
        """
        if any(mine and theirs and mine != theirs for mine, theirs in zip(self.weights, other.weights, strict=False)):
            return False
        return self.replace(columns=other.columns, probes=other.probes, weights=other.weights) == other
