"""What a person asks for: one change of a picture, or the same change by every method. Pure data, no torch, no Qt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import field_validator

from studio.host.request import Idle, Request, ui
from studio_plugins.inpaint.applies import idle_fields
from studio_plugins.inpaint.choices import (
    COLOUR_MATCHES, METHODS, MODES, OFF, PRECISIONS, SAMPLERS, ColourMatch, Method, Mode, Precision, Sampler,
)  # fmt: skip

MAX_SEED = 2**53 - 1  # the largest whole number that the JSON readers of other tools keep exact
DIGEST_OF: Mapping[str, str] = MappingProxyType({"model": "model_sha256", "upsample": "upsampler_sha256"})
"""Which field holds the digest of the weights that another field names."""
PIXELS_OF: Mapping[str, str] = MappingProxyType(
    {"picture": "picture_sha256", "mask": "mask_sha256", "hints": "hints_sha256"}
)
"""Which field holds the digest of the pixels in the file that another field names."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _file(title: str, told: str) -> str:
    """A hidden field for a file: in the panel, the canvas gives the pixels."""
    place: str = ui("", title=title, help=told, widget="hidden", sweepable=False, max_length=4096)
    return place


def _digest(title: str, told: str) -> str:
    """A hidden field for a SHA-256, filled in when the picture is made."""
    digest: str = ui("", title=title, help=told, widget="hidden", sweepable=False)
    return digest


def _weights(title: str) -> str:
    return _digest(title, "SHA-256 of the weights; a replay says so when they have changed since.")


def _pixels(title: str) -> str:
    return _digest(title, "SHA-256 of the pixels; by it they are found again among the results.")


class InpaintRequest(Request):
    """One run that changes a part of a picture: everything that determines what comes of it on a given device.

    The pixels themselves are inputs: `picture`, `mask` and `hints` name files, and the digests beside them say which
    pixels are meant wherever the files are by then.
    """

    kind: ClassVar[str] = "inpaint"

    prompt: str = ui(
        "",
        title="Prompt",
        help="What should be there. The model sees what surrounds the selection, and draws this into it.",
        widget="prompt",
        placeholder="a red apple on a blue background",
    )
    negative_prompt: str = ui(
        "",
        title="Negative prompt",
        help="What to stay away from: it takes the place of ∅ in ε̂ = ε(x|n) + s·(ε(x|y) − ε(x|n)).",
        widget="prompt",
        lines=1,
        placeholder="what should not be there",
    )
    mode: Mode = ui(
        "replace",
        title="Mode",
        help=(
            "Replace: the selection is drawn anew. Refine: it is drawn from what is there, paint hints included. "
            "Extend: transparent parts are drawn. Remove: drawn anew without a prompt."
        ),
        widget="choice",
        choices=MODES,
    )
    model: str = ui(
        "emoji-inpaint",
        title="Model",
        help="Which trained network draws: the name of a bundled model, or the folder of your own.",
        widget="choice",
        choices_from="models",
        min_length=1,
    )
    method: Method = ui(
        "trained",
        title="Method",
        help=(
            "Trained: the network sees the known pixels beside xₜ. x₀ replacement: it does not; they are put into "
            "every predicted x₀. xₜ replacement: into xₜ as well, noised to its level."
        ),
        widget="choice",
        choices=METHODS,
    )
    strength: float = ui(
        0.6,
        title="Strength",
        help=(
            "Share of the way from noise to picture that is drawn anew. Less keeps more of what is there; 1 keeps "
            "nothing of it."
        ),
        gt=0.0,
        le=1.0,
        step=0.05,
    )
    guidance_scale: float = ui(
        3.0,
        title="Guidance scale",
        help="s in ε̂ = ε(x|∅) + s·(ε(x|y) − ε(x|∅)). 1 is the plain model, more follows the prompt harder.",
        ge=0.0,
        le=20.0,
        step=0.1,
    )
    steps: int = ui(
        20, title="Steps", help="Denoising steps. Time grows in proportion.", ge=1, le=1000, step=1, log=True
    )
    seed: int = ui(
        0,
        title="Seed",
        help="Number from which all noise is drawn; variant i of a batch has seed + i.",
        widget="seed",
        ge=0,
        le=MAX_SEED,
    )
    batch: int = ui(
        1,
        title="Variants",
        help="How many are drawn at once, with seeds one after the other.",
        ge=1,
        le=16,
        step=1,
        sweepable=False,
    )
    whole: bool = ui(
        False,
        title="Whole picture",
        help="The model sees all of the picture, however large, instead of the part around the selection.",
        group="Region",
    )
    padding: float = ui(
        0.25,
        title="Padding",
        help="How far the model sees beyond the selection, as a share of the selection's diagonal.",
        ge=0.0,
        le=4.0,
        step=0.05,
        group="Region",
        advanced=True,
    )
    grow: float = ui(
        0.06,
        title="Draw beyond",
        help="How far beyond the selection the model draws, as a share of its diagonal; it joins both sides there.",
        ge=0.0,
        le=1.0,
        step=0.01,
        group="Region",
        advanced=True,
    )
    feather: float = ui(
        0.0,
        title="Draw softly",
        help=(
            "Softness of the edge of what is drawn, as a share of the selection's diagonal. Networks that know only "
            "drawn and kept cut it at one half."
        ),
        ge=0.0,
        le=0.5,
        step=0.01,
        group="Region",
        advanced=True,
    )
    paste_grow: float = ui(
        0.03,
        title="Paste beyond",
        help="How far beyond the selection the picture is replaced, as a share of the selection's diagonal.",
        ge=0.0,
        le=1.0,
        step=0.01,
        group="Region",
        advanced=True,
    )
    blend: float = ui(
        0.04,
        title="Seam",
        help="Width of the soft edge of what is pasted, as a share of the selection's diagonal. 0 is a hard edge.",
        ge=0.0,
        le=1.0,
        step=0.01,
        group="Region",
        advanced=True,
    )
    colour_match: ColourMatch = ui(
        "off",
        title="Colour match",
        help=(
            "Moves the colours of what was drawn until they meet the picture's on the rim around the selection: their "
            "mean, mean and spread, or as a smooth membrane stretched over the rim."
        ),
        widget="choice",
        choices=COLOUR_MATCHES,
        group="Region",
    )
    upsample: str = ui(
        OFF,
        title="Up-sampling",
        help="A second network enlarges what was drawn fourfold and draws the details it lacks.",
        widget="choice",
        choices_from="upsamplers",
        min_length=1,
        group="Second stage",
        advanced=True,
    )
    sampler: Sampler = ui(
        "dpmpp_2m",
        title="Sampler",
        help="How the noise is removed: DPM-Solver++ 2M (fewest steps), DDIM, or DDPM (ancestral, the original).",
        widget="choice",
        choices=SAMPLERS,
        advanced=True,
    )
    eta: float = ui(
        0.0,
        title="Eta",
        help="Noise DDIM adds back at each step: 0 none (deterministic), 1 as much as DDPM.",
        ge=0.0,
        le=1.0,
        step=0.05,
        advanced=True,
    )
    precision: Precision = ui(
        "auto",
        title="Precision",
        help="Number format of the network. Auto: float32 on the CPU, 16 bits on an accelerator.",
        widget="choice",
        choices=PRECISIONS,
        advanced=True,
    )
    picture: str = _file("Picture", "The file of the picture to change.")
    mask: str = _file("Mask", "The file of the selection, as large as the picture: white = draw here, black = keep.")
    hints: str = _file("Paint hints", "The file of a transparent picture laid over the picture before it is refined.")
    picture_sha256: str = _pixels("Pixels of the picture")
    mask_sha256: str = _pixels("Pixels of the mask")
    hints_sha256: str = _pixels("Pixels of the paint hints")
    model_sha256: str = _weights("Weights")
    upsampler_sha256: str = _weights("Weights of the up-sampler")

    @field_validator(*DIGEST_OF.values(), *PIXELS_OF.values())
    @classmethod
    def _is_digest(cls, value: str) -> str:
        if value and not _SHA256.fullmatch(value):
            raise ValueError("a SHA-256 is 64 digits from 0-9 and a-f, or empty")
        return value

    def without_effect(self) -> Mapping[str, Idle]:
        return idle_fields(self)

    @property
    def condition(self) -> str:
        """The text the network is given: nothing in the mode that removes."""
        return "" if self.mode == "remove" or not self.prompt.strip() else self.prompt

    @property
    def scale(self) -> float | None:
        """Classifier-free guidance, None where there is nothing to guide towards or away from."""
        return None if not self.condition and not self.negative_prompt.strip() else self.guidance_scale

    @property
    def negative(self) -> str:
        """What is led away from; nothing where no guidance acts."""
        return self.negative_prompt.strip()

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each variant."""
        return tuple(self.seed + i for i in range(self.batch))

    @property
    def upsampled(self) -> bool:
        """Whether a second stage enlarges what was drawn."""
        return self.upsample != OFF


class MethodsRequest(InpaintRequest):
    """The same selection, seed and settings drawn by every method; `method` itself has no effect."""

    kind: ClassVar[str] = "inpaint-methods"
