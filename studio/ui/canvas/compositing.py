"""Layers seen from above, as one picture. Plain numpy: safe on any thread, since the pixels of a layer never change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from studio.host.documents.content import LayerContent
from studio.ui.canvas.ink import over
from studio.ui.canvas.tiles import Raster

Layer = LayerContent
"""One layer: `name`, `pixels` uint8 [H, W, 4] with straight alpha (read-only), `visible`, `opacity` 0 to 1."""

_BAND = 256  # rows composed at once


def flatten(layers: Sequence[Layer], width: int, height: int) -> Raster:
    """The visible layers (bottom first) over each other: uint8 [H, W, 3] where all is opaque, else [H, W, 4]."""
    shown = [layer for layer in layers if layer.visible and layer.opacity > 0]
    if len(shown) == 1 and shown[0].opacity == 1:
        picture = shown[0].pixels
    else:
        picture = np.zeros((height, width, 4), np.uint8)
        for top in range(0, height, _BAND):
            rows = slice(top, top + _BAND)
            for layer in shown:
                picture[rows] = over(picture[rows], layer.pixels[rows, :, :3], _alpha(layer, rows))
    return np.ascontiguousarray(picture[..., :3]) if opaque(picture) else picture


def opaque(picture: Raster) -> bool:
    """Whether no pixel of [H, W, 4] lets anything through."""
    return bool((picture[..., 3] == 255).all())


def as_rgba(picture: Raster) -> Raster:
    """Grey [H, W], RGB [H, W, 3] or RGBA [H, W, 4] as RGBA that nobody writes to. Raises ValueError for anything else."""
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] not in (3, 4)):
        raise ValueError(f"a picture is uint8 [H, W], [H, W, 3] or [H, W, 4], not {picture.dtype} {list(picture.shape)}")
    if picture.ndim == 3 and picture.shape[2] == 4 and not picture.flags.writeable and picture.flags.c_contiguous:
        return picture
    if picture.ndim == 3 and picture.shape[2] == 4:
        rgba = picture.copy(order="C")
    else:
        rgba = np.empty((*picture.shape[:2], 4), np.uint8)
        for channel in range(3):
            rgba[..., channel] = picture[..., channel] if picture.ndim == 3 else picture
        rgba[..., 3] = 255
    rgba.setflags(write=False)
    return rgba


def _alpha(layer: Layer, rows: slice) -> Raster:
    alpha = layer.pixels[rows, :, 3]
    return alpha if layer.opacity == 1 else np.rint(alpha * np.float32(layer.opacity)).astype(np.uint8)
