"""What the choice fields of a run offer, and what each entry is called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from studio.models.fields import SAMPLERS

Guidance = Literal[
    "classifier-free", "none", "clip", "classifier", "classifier-free + clip", "classifier-free + classifier", "clip-x0"
]
SecondSampler = Literal["own", "dpmpp_2m", "ddim", "ddpm"]

GUIDANCES: Mapping[str, str] = MappingProxyType(
    {
        "classifier-free": "Classifier-free",
        "none": "None",
        "clip": "CLIP",
        "classifier": "Classifier",
        "classifier-free + clip": "Classifier-free + CLIP",
        "classifier-free + classifier": "Classifier-free + classifier",
        "clip-x0": "Plain CLIP on the predicted x₀",
    }
)
PUBLIC_GUIDANCES: tuple[Guidance, ...] = ("classifier-free", "none")
"""Those that public models know."""
COURSES: Mapping[str, str] = MappingProxyType(
    {"constant": "Constant", "interval": "Only from start to stop", "ramp": "Rising from start to stop"}
)
SECOND_SAMPLERS: Mapping[str, str] = MappingProxyType({"own": "Its own", **SAMPLERS})
OFF = "off"
"""The up-sampler of a run without a second stage."""
