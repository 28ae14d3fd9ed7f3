"""Fields that requests to diffusion models share, declared once: a seed is a seed in every panel. No torch, no Qt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from studio.host.request import ui

Sampler = Literal["dpmpp_2m", "ddim", "ddpm"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

SAMPLERS: Mapping[str, str] = MappingProxyType(
    {"dpmpp_2m": "DPM-Solver++ 2M", "ddim": "DDIM", "ddpm": "DDPM (ancestral)"}
)
PRECISIONS: Mapping[str, str] = MappingProxyType(
    {"auto": "Auto", "float32": "32 bits", "bfloat16": "16 bits (bfloat16)", "float16": "16 bits (float16)"}
)
MAX_SEED = 2**53 - 1
"""The largest whole number that the JSON readers of other tools keep exact."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _checked_digest(value: str) -> str:
    if value and not _SHA256.fullmatch(value):
        raise ValueError("a SHA-256 is 64 digits from 0-9 and a-f, or empty")
    return value


Digest = Annotated[str, AfterValidator(_checked_digest)]
"""A SHA-256 in hexadecimal digits, or "" where it is not known yet."""


def model_field(
    default: str, told: str, *, title: str = "Model", offered: str = "models", needed: bool = True, **options: Any
) -> Any:
    """A model by name or place; `offered` names the list that the panel fills in. Not `needed`: "" is none."""
    least: dict[str, Any] = {"min_length": 1} if needed else {}
    return ui(default, title=title, help=told, widget="choice", choices_from=offered, **least, **options)


def digest_field(title: str = "Weights", of: str = "the weights") -> Any:
    """A hidden SHA-256."""
    told = f"SHA-256 of {of}, filled in when the picture is made; a replay says so when they have changed since."
    return ui("", title=title, help=told, widget="hidden", sweepable=False)


def seed_field(default: int, told: str) -> Any:
    """The number from which all noise is drawn."""
    return ui(default, title="Seed", help=told, widget="seed", ge=0, le=MAX_SEED)


def steps_field(told: str, *, least: int = 1, most: int = 1000) -> Any:
    """Denoising steps."""
    return ui(20, title="Steps", help=told, ge=least, le=most, step=1, log=True)


def scale_field(default: float, title: str, told: str, *, most: float = 20.0, **options: Any) -> Any:
    """A scale of guidance."""
    return ui(default, title=title, help=told, ge=0.0, le=most, step=0.1, **options)


def sampler_field(told: str, *, advanced: bool = True) -> Any:
    """How the noise is removed."""
    return ui("dpmpp_2m", title="Sampler", help=told, widget="choice", choices=SAMPLERS, advanced=advanced)


def eta_field() -> Any:
    """DDIM's η."""
    told = "Noise DDIM adds back at each step: 0 none (deterministic), 1 as much as DDPM. Other samplers do not use it."
    return ui(0.0, title="Eta", help=told, ge=0.0, le=1.0, step=0.05, advanced=True)


def precision_field() -> Any:
    """The number format of the networks."""
    told = (
        "Number format of the network. Auto: float32 on the CPU, 16 bits on an accelerator. Less needs less memory and "
        "changes the picture slightly."
    )
    return ui("auto", title="Precision", help=told, widget="choice", choices=PRECISIONS, advanced=True)
