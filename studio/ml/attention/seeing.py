"""Pictures and sound as transformers' own processors prepare them, and the picture as the model sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from studio.ml.attention.errors import NotForThisModel, WrongInput
from studio.ml.attention.values import Reading


def read_picture(processor: Any, picture: NDArray[np.uint8] | None) -> Tensor:
    """[1, 3, H, W]. Raises WrongInput for no picture, or an array that is none."""
    from PIL import Image

    image = Image.fromarray(required(picture))
    pixels: Tensor = processor(images=image, return_tensors="pt")["pixel_values"]
    return pixels


def required(picture: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """The same picture. Raises WrongInput for none, or an array that is none."""
    if picture is None:
        raise WrongInput("This model looks at a picture. Drop one first.")
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
        raise WrongInput(f"A picture is uint8 [height, width, 3]; this is {picture.dtype} {list(picture.shape)}.")
    return picture


def seen_picture(processor: Any, pixels: Tensor) -> NDArray[np.uint8]:
    """[1, 3, H, W] -> uint8 [H, W, 3]: the scaled and cut picture with its colours put back."""
    mean = np.asarray(getattr(processor, "image_mean", None) or 0.0)
    std = np.asarray(getattr(processor, "image_std", None) or 1.0)
    values = pixels[0].detach().float().cpu().numpy().transpose(1, 2, 0)
    if getattr(processor, "do_normalize", True):
        values = values * std + mean
    scale = 255.0 if getattr(processor, "do_rescale", True) else 1.0
    return np.clip(np.rint(values * scale), 0, 255).astype(np.uint8)


def patch_grid(config: Mapping[str, Any], pixels: Tensor) -> tuple[int, int] | None:
    """Rows and columns of patches, or None for a model without patches of one size."""
    size = config.get("patch_size")
    height, width = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, list | tuple) else (0, 0)
    return (pixels.shape[-2] // height, pixels.shape[-1] // width) if height and width else None


def on_grid(reading: Reading, shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """A number for each token [T] -> for each patch [rows, columns], to be laid over the picture."""
    if reading.grid is None:
        raise NotForThisModel("These are not the tokens of a picture.")
    return shares[reading.first :].reshape(reading.grid)


def read_sound(extractor: Any, sound: NDArray[np.float32] | None) -> Tensor:
    """[1, mel bands, frames]. Raises WrongInput for no sound."""
    if sound is None or sound.ndim != 1 or not len(sound):
        raise WrongInput("This model listens. Give it sound: float32 [samples] at 16 kHz.")
    features: Tensor = extractor(sound, sampling_rate=16000, return_tensors="pt")["input_features"]
    return features
