"""What a person asks for: one run (GenerateRequest) or a grid of runs (SweepRequest). Pure data, no torch, no Qt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from studio.host.request import Request, ui

Sampler = Literal["dpmpp_2m", "ddim", "ddpm"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

SAMPLERS: Mapping[str, str] = MappingProxyType(
    {"dpmpp_2m": "DPM-Solver++ 2M", "ddim": "DDIM", "ddpm": "DDPM (ancestral)"}
)
PRECISIONS: Mapping[str, str] = MappingProxyType(
    {"auto": "Auto", "float32": "32 bits", "bfloat16": "16 bits (bfloat16)", "float16": "16 bits (float16)"}
)
MAX_SEED = 2**53 - 1  # the largest whole number that the JSON readers of other tools keep exact
MAX_CELLS = 256
EXAMPLE_PROMPT = "a cat left of a red apple on a blue background"
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
    model: str = ui(
        "emoji-base",
        title="Model",
        help="Which trained network draws: the name of a bundled model, or the folder of your own.",
        widget="choice",
        choices_from="models",
        min_length=1,
    )
    guidance_scale: float = ui(
        3.0,
        title="Guidance scale",
        help=(
            "s in ε̂ = ε(x|∅) + s·(ε(x|y) − ε(x|∅)). 1 is the plain conditional model, more follows the prompt "
            "harder, 0 ignores it."
        ),
        ge=0.0,
        le=20.0,
        step=0.1,
    )
    sampler: Sampler = ui(
        "dpmpp_2m",
        title="Sampler",
        help=(
            "How the noise is removed: DPM-Solver++ 2M (fewest steps), DDIM (eta sets the noise added back) or "
            "DDPM (ancestral, the original)."
        ),
        widget="choice",
        choices=SAMPLERS,
    )
    steps: int = ui(
        20, title="Steps", help="Denoising steps. Time grows in proportion.", ge=1, le=1000, step=1, log=True
    )
    seed: int = ui(
        15,  # one of those whose picture shows what the example sentence says
        title="Seed",
        help=(
            "Number from which all noise is drawn. The same seed and settings give the same picture; picture i "
            "of a batch has seed + i."
        ),
        widget="seed",
        ge=0,
        le=MAX_SEED,
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
    eta: float = ui(
        0.0,
        title="Eta",
        help=(
            "Noise DDIM adds back at each step: 0 none (deterministic), 1 as much as DDPM. Other samplers do "
            "not use it."
        ),
        ge=0.0,
        le=1.0,
        step=0.05,
        advanced=True,
    )
    precision: Precision = ui(
        "auto",
        title="Precision",
        help=(
            "Number format of the network. Auto: float32 on the CPU, 16 bits on an accelerator. Less needs "
            "less memory and changes the picture slightly."
        ),
        widget="choice",
        choices=PRECISIONS,
        advanced=True,
    )
    model_sha256: str = ui(
        "",
        title="Weights",
        help=(
            "SHA-256 of the weights. Filled in when the picture is made; a replay says so when the weights "
            "have changed since."
        ),
        widget="hidden",
        sweepable=False,
    )

    @field_validator("model_sha256")
    @classmethod
    def _digest(cls, value: str) -> str:
        if value and not _SHA256.fullmatch(value):
            raise ValueError("a SHA-256 is 64 digits from 0-9 and a-f, or empty")
        return value

    @property
    def unconditional(self) -> bool:
        """True when there is no prompt to follow: the empty text is the condition ∅ itself."""
        return not self.prompt.strip()

    @property
    def evaluations_per_step(self) -> int:
        """Network evaluations per step and picture: ε(x|y) and ε(x|∅) with a prompt, ε(x|∅) alone without."""
        return 1 if self.unconditional else 2


class SweepAxis(BaseModel):
    """One field of the base request and the values it takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    values: tuple[str | int | float, ...]


class SweepRequest(Request):
    """The base request with one or two fields varied: rows × columns runs, same seed unless the seed is what varies."""

    kind: ClassVar[str] = "sweep"

    base: GenerateRequest = GenerateRequest()
    axes: tuple[SweepAxis, ...] = ()

    @model_validator(mode="after")
    def _valid(self) -> SweepRequest:
        if not 1 <= len(self.axes) <= 2:
            raise ValueError("a sweep varies one or two settings")
        names = [axis.field for axis in self.axes]
        if len(set(names)) < len(names):
            raise ValueError("choose two different settings to vary")
        cells = 1
        for axis in self.axes:
            if axis.field not in GenerateRequest.model_fields or axis.field in ("batch", "model_sha256"):
                raise ValueError(f"“{axis.field}” is not a setting that can be varied")
            if not axis.values:
                raise ValueError(f"write at least one value for {axis.field}")
            cells *= len(axis.values)
        if cells > MAX_CELLS:
            raise ValueError(f"{cells} pictures are too many for one grid; {MAX_CELLS} is the most")
        for _ in self.cells():
            pass  # making a cell validates it: a bad value is refused here and not half-way through the run
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns): the first axis runs along the columns, the second along the rows."""
        return (len(self.axes[1].values) if len(self.axes) == 2 else 1, len(self.axes[0].values))

    def cells(self) -> Iterator[tuple[int, int, GenerateRequest]]:
        """(row, column, request) of every cell, row by row; one picture each."""
        base = self.base.model_dump()
        base["batch"] = 1
        first, second = self.axes[0], self.axes[1] if len(self.axes) == 2 else None
        for row in range(self.shape[0]):
            for column in range(self.shape[1]):
                changed = {first.field: first.values[column]}
                if second is not None:
                    changed[second.field] = second.values[row]
                if changed.get("model", base["model"]) != base["model"]:
                    changed["model_sha256"] = ""
                yield row, column, GenerateRequest.model_validate({**base, **changed})
