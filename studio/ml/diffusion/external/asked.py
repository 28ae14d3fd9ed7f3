"""What a run of a public checkpoint is asked for, and what each of its steps gives. numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from studio.ml.diffusion.external.errors import ExternalError

Role = Literal["text2im", "image2image", "inpaint"]
"""What a pipeline does: draw from text, change a picture, fill a hole in one."""

Pixels = NDArray[np.uint8]

DEFAULT = "default"
"""The scheduler that the model's authors chose."""

SEED_LIMIT = 2**63
"""torch's generators take this many seeds."""


@dataclass(frozen=True)
class Lora:
    """A low-rank adapter (Hu et al. 2021): a safetensors file, and how strongly its change of the weights counts."""

    file: Path
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Asked:
    """One run: as many pictures as seeds.

    scale: guidance scale; None is the pipeline's own. width, height: pixels; None is the model's native size.
    image: uint8 [H, W, 3], resized to width x height; mask: uint8 [H, W] of the same picture, 255 = draw here; an image
    with a mask is inpainting, without one image-to-image. strength in (0, 1]: how much of the noise is put on the
    image.
    """

    prompt: str
    seeds: tuple[int, ...]
    negative: str = ""
    steps: int = 20
    scale: float | None = None
    width: int | None = None
    height: int | None = None
    scheduler: str = DEFAULT
    image: Pixels | None = None
    mask: Pixels | None = None
    strength: float = 1.0
    loras: tuple[Lora, ...] = ()

    @property
    def role(self) -> Role:
        if self.mask is not None:
            return "inpaint"
        return "text2im" if self.image is None else "image2image"

    def check(self) -> None:
        """Raise ExternalError for what makes no sense with any model."""
        if not self.seeds:
            raise ExternalError("No picture was asked for; give at least one seed.")
        for seed in self.seeds:
            if not 0 <= seed < SEED_LIMIT:
                raise ExternalError(f"The seed {seed} is out of range; use a whole number from 0 to {SEED_LIMIT - 1}.")
        if self.steps < 1:
            raise ExternalError("Zero steps draw nothing; take at least one.")
        if not 0 < self.strength <= 1:
            raise ExternalError(f"The strength {self.strength:g} is out of range; use a number above 0 and at most 1.")
        if self.image is not None and (self.image.ndim != 3 or self.image.shape[2] != 3 or not self.image.size):
            raise ExternalError(f"A picture of {self.image.shape} was given; height, width, 3 colours are wanted.")
        if self.mask is not None:
            self._check_mask(self.mask)

    def _check_mask(self, mask: Pixels) -> None:
        if self.image is None:
            raise ExternalError("There is a mask and no picture to fill; open a picture first.")
        if mask.shape != self.image.shape[:2]:
            raise ExternalError(f"The mask is {mask.shape} and the picture {self.image.shape[:2]}; they must be equal.")
        if not mask.any():
            raise ExternalError("The mask is empty, so nothing would be drawn; paint over what should change.")


@dataclass(frozen=True, eq=False)
class ExternalStep:
    """One step of a run.

    index of total steps at time t, as the scheduler counts it; preview: uint8 [B, h, w, 3] at the size of the latents,
    an approximation (`preview.LatentToRgb`) of the picture predicted there, None where none can be made.
    pictures: uint8 [B, H, W, 3], only in the last record, which repeats the index of the last step and has decoded it.
    evaluations: of the drawing network, per picture, in this step. stage: which of several schedulers, where a
    pipeline draws in stages; each counts its own steps.
    """

    index: int
    total: int
    t: float
    preview: Pixels | None = None
    pictures: Pixels | None = None
    evaluations: float = 0.0
    stage: str = "scheduler"
