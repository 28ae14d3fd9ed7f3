"""A model folder of any kind as the model it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel, ConfigDict

from studio.ml.clip.model import load_clip
from studio.ml.diffusion.classifier import load_classifier
from studio.ml.diffusion.glide import load_text2im
from studio.ml.diffusion.inpainting import Inpainter, load_inpainter
from studio.ml.diffusion.model_folder import BadModelFolder, load_text_model, parse_config
from studio.ml.diffusion.unconditional import load_class_conditional, load_unconditional
from studio.ml.diffusion.upsampling import load_upsampler


class Loader(Protocol):
    """Reads a model folder. Raises WeightsError."""

    def __call__(self, folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Any: ...


class _Kind(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str


def load_inpainting_upsampler(
    folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Inpainter:
    """A model that enlarges and fills holes at once. Raises WeightsError, as `load_text_model`."""
    return load_text_model(folder, Inpainter, "upsample-inpaint", device=device, dtype=dtype)


def loaders() -> dict[str, Loader]:
    """How a model of each kind is read."""
    return {
        "text2im": load_text2im,
        "upsample": load_upsampler,
        "inpaint": load_inpainter,
        "upsample-inpaint": load_inpainting_upsampler,
        "unconditional": load_unconditional,
        "class-conditional": load_class_conditional,
        "classifier": load_classifier,
        "clip": load_clip,
    }


def load_model(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Any:
    """The model in `folder`, of the class its config.json names. Raises WeightsError."""
    kind = parse_config(folder, _Kind).kind
    known = loaders()
    if kind not in known:
        raise BadModelFolder(f"The model in {folder} is of the kind “{kind}”; known are {', '.join(sorted(known))}.")
    return known[kind](folder, device=device, dtype=dtype)
