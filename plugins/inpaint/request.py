"""What a person asks for: one change of a picture, or the same change by every method. Pure data, no torch, no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from studio.host.request import Idle, Request, ui
from studio.models.fields import (
    OFFLOADS, Digest, Precision, Sampler, Waiting, digest_field, eta_field, model_field, precision_field, sampler_field,
    scale_field, seed_field, steps_field,
)  # fmt: skip
from studio_plugins.inpaint.applies import idle_fields
from studio_plugins.inpaint.choices import COLOUR_MATCHES, METHODS, MODES, OFF, ColourMatch, Method, Mode

DIGEST_OF: Mapping[str, str] = MappingProxyType({"model": "model_sha256", "upsample": "upsampler_sha256"})
"""Which field holds the digest of the weights that another field names."""
PIXELS_OF: Mapping[str, str] = MappingProxyType(
    {"picture": "picture_sha256", "mask": "mask_sha256", "hints": "hints_sha256"}
)
"""Which field holds the digest of the pixels in the file that another field names."""


def _file(title: str, told: str) -> str:
    """A hidden field for a file: in the panel, the canvas gives the pixels."""
    place: str = ui("", title=title, help=told, widget="hidden", sweepable=False, max_length=4096)
    return place


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
    model: str = model_field(
        "emoji-inpaint", "Which trained network draws: the name of a bundled model, or the folder of your own."
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
    guidance_scale: float = scale_field(
        3.0,
        "Guidance scale",
        "s in ε̂ = ε(x|∅) + s·(ε(x|y) − ε(x|∅)). 1 is the plain conditional model, more follows the prompt harder.",
    )
    steps: int = steps_field("Denoising steps. Time grows in proportion.")
    seed: int = seed_field(0, "Number from which all noise is drawn; variant i of a batch has seed + i.")
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
        "membrane",
        title="Colour match",
        help=(
            "Moves the colours of what was drawn until they meet the picture's on the rim around the selection: all by "
            "the same, or as a smooth membrane stretched over the rim."
        ),
        widget="choice",
        choices=COLOUR_MATCHES,
        group="Region",
    )
    upsample: str = model_field(
        OFF,
        "A second network enlarges what was drawn fourfold and draws the details it lacks.",
        title="Up-sampling",
        offered="upsamplers",
        group="Second stage",
        advanced=True,
    )
    sampler: Sampler = sampler_field(
        "How the noise is removed: DPM-Solver++ 2M (fewest steps), DDIM, or DDPM (ancestral, the original)."
    )
    eta: float = eta_field()
    precision: Precision = precision_field()
    scheduler: str = ui(
        "default",
        title="Scheduler",
        help="How a public model removes the noise; default is what its authors chose.",
        widget="choice",
        choices_from="schedulers",
        min_length=1,
        group="Public models",
        advanced=True,
    )
    loras: tuple[str, ...] = ui(
        (),
        title="LoRA files",
        help="Adapters for a public model: the place of each file, and perhaps its weight, “style.safetensors : 0.8”.",
        sweepable=False,
        group="Public models",
        advanced=True,
    )
    offload: Waiting = ui(
        "none",
        title="Offload",
        help="Which parts of a public model wait in main memory while they are not used; saves memory on the device.",
        widget="choice",
        choices=OFFLOADS,
        sweepable=False,
        group="Public models",
        advanced=True,
    )
    tiling: bool = ui(
        False,
        title="Tiles",
        help="Pictures of a public model are coded in tiles, which takes less memory for large ones.",
        sweepable=False,
        group="Public models",
        advanced=True,
    )
    picture: str = _file("Picture", "The file of the picture to change.")
    mask: str = _file("Mask", "The file of the selection, as large as the picture: white = draw here, black = keep.")
    hints: str = _file("Paint hints", "The file of a transparent picture laid over the picture before it is refined.")
    picture_sha256: Digest = digest_field("Pixels of the picture", "its pixels")
    mask_sha256: Digest = digest_field("Pixels of the mask", "its pixels")
    hints_sha256: Digest = digest_field("Pixels of the paint hints", "their pixels")
    model_sha256: Digest = digest_field()
    upsampler_sha256: Digest = digest_field("Weights of the up-sampler")

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
