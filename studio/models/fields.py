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
Waiting = Literal["none", "model", "sequential"]

SAMPLERS: Mapping[str, str] = MappingProxyType(
    {"dpmpp_2m": "DPM-Solver++ 2M", "ddim": "DDIM", "ddpm": "DDPM (ancestral)"}
)
PRECISIONS: Mapping[str, str] = MappingProxyType(
    {"auto": "Auto", "float32": "32 bits", "bfloat16": "16 bits (bfloat16)", "float16": "16 bits (float16)"}
)
OFFLOADS: Mapping[str, str] = MappingProxyType(
    {"none": "None", "model": "Whole parts", "sequential": "Layer by layer"}
)
SCHEDULERS: Mapping[str, str] = MappingProxyType(
    {
        "default": "The model's own", "ddim": "DDIM", "ddpm": "DDPM (ancestral)", "pndm": "PNDM", "euler": "Euler",
        "euler_ancestral": "Euler, ancestral", "heun": "Heun", "dpmpp_2m": "DPM-Solver++ 2M",
        "dpmpp_2m_karras": "DPM-Solver++ 2M, Karras", "dpmpp_2m_sde": "DPM-Solver++ 2M, SDE", "unipc": "UniPC",
        "flow_euler": "Euler (flow)", "flow_euler_karras": "Euler (flow), Karras", "flow_heun": "Heun (flow)",
    }
)  # fmt: skip
"""What the schedulers of public models are called."""
PUBLIC = "Public model"
"""The group of the fields that only public models have."""
MAX_SIDE = 4096
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


def side_field(title: str) -> Any:
    """Width or height of a public model's pictures in pixels; None is the size it was trained at."""
    told = f"{title} of the pictures in pixels; empty: the size the model was trained at."
    own = "the model's own"
    return ui(None, title=title, help=told, ge=8, le=MAX_SIDE, step=8, placeholder=own, sweepable=False, group=PUBLIC)


def scheduler_field() -> Any:
    """How a public model removes the noise."""
    told = "How the noise is removed. The model's own is what its authors chose; all keep how it was trained."
    return ui(
        "default", title="Scheduler", help=told, widget="choice", choices_from="schedulers", min_length=1, group=PUBLIC
    )


def loras_field() -> Any:
    """Adapters of a public model."""
    told = "Adapters for the model: the place of each file, and perhaps its weight, “style.safetensors : 0.8”."
    return ui((), title="LoRA files", help=told, placeholder="none", sweepable=False, group=PUBLIC)


def offload_field() -> Any:
    """Which parts of a public model wait in main memory."""
    told = "Which parts wait in main memory while they are not used; saves memory on the device and takes time."
    return ui("none", title="Offload", help=told, widget="choice", choices=OFFLOADS, sweepable=False, group=PUBLIC)


def tiling_field() -> Any:
    """Whether a public model decodes in tiles."""
    told = "Pictures are decoded in tiles, which takes less memory for large ones; seams are blended."
    return ui(False, title="Decode in tiles", help=told, sweepable=False, group=PUBLIC)


def public_field() -> Any:
    """Hidden: whether the model is a public one."""
    told = "Whether a public checkpoint draws: filled in with the model."
    return ui(False, title="Public model", help=told, widget="hidden", sweepable=False)
