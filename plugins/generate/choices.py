"""What the choice fields of a run offer, and what each entry is called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Guidance = Literal[
    "classifier-free", "none", "clip", "classifier", "classifier-free + clip", "classifier-free + classifier", "clip-x0"
]
Sampler = Literal["dpmpp_2m", "ddim", "ddpm"]
SecondSampler = Literal["own", "dpmpp_2m", "ddim", "ddpm"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

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
COURSES: Mapping[str, str] = MappingProxyType(
    {"constant": "Constant", "interval": "Only from start to stop", "ramp": "Rising from start to stop"}
)
SAMPLERS: Mapping[str, str] = MappingProxyType(
    {"dpmpp_2m": "DPM-Solver++ 2M", "ddim": "DDIM", "ddpm": "DDPM (ancestral)"}
)
PRECISIONS: Mapping[str, str] = MappingProxyType(
    {"auto": "Auto", "float32": "32 bits", "bfloat16": "16 bits (bfloat16)", "float16": "16 bits (float16)"}
)
SECOND_SAMPLERS: Mapping[str, str] = MappingProxyType({"own": "Its own", **SAMPLERS})
OFF = "off"
"""The up-sampler of a run without a second stage."""
