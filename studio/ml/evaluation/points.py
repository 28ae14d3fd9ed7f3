"""The points of a trade-off between quality and diversity, and what they say of GLIDE's finding. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt, PositiveInt, model_validator

from studio.ml.evaluation.metrics import wilson_interval

Guidance = Literal["classifier-free", "classifier", "clip"]
Kind = Literal["renders", "unguided", "classifier-free", "classifier", "clip"]
Base = Literal["prompt", "nothing"]
"""What gradients are added to: eps(x|y), as in GLIDE, or eps(x|nothing)."""

GUIDANCES: tuple[Guidance, ...] = ("classifier-free", "classifier", "clip")
Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Setting:
    """One guidance at one scale; "unguided" is what all of them start from, "renders" are true scenes instead."""

    kind: Kind
    scale: float = 0.0


class Point(BaseModel):
    """What one setting came to, over `pictures` pictures of which the oracle found `right` as asked.

    clip_score is a mean cosine and clip_error its standard error; both are None without a CLIP. seconds: drawing alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    scale: FiniteFloat
    pictures: PositiveInt
    right: NonNegativeInt
    frechet: FiniteFloat
    diversity: FiniteFloat
    clip_score: FiniteFloat | None = None
    clip_error: FiniteFloat | None = None
    seconds: FiniteFloat = 0.0

    @model_validator(mode="after")
    def _share(self) -> Point:
        if self.right > self.pictures:
            raise ValueError(f"{self.right} of {self.pictures} pictures cannot be right")
        return self

    @property
    def accuracy(self) -> float:
        """Share of pictures that show what was asked."""
        return self.right / self.pictures

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy (Wilson)."""
        return wilson_interval(self.right, self.pictures)


@dataclass(frozen=True, eq=False)
class Measured:
    """A point and its pictures [N, H, W, 3], prompt by prompt; faults [N] are empty where the oracle agrees."""

    point: Point
    pictures: Pictures
    faults: tuple[str, ...]
