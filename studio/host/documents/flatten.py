"""A document seen from above: its visible layers as one picture."""

from __future__ import annotations

import numpy as np

from studio.host.documents.content import DocumentContent, LayerContent, Pixels


_BAND = 64  # rows at once: Pillow composes without letting other threads run, the one of the window among them


def flatten(content: DocumentContent) -> Pixels:
    """The visible layers over each other (Porter and Duff's "over", in whole numbers): uint8 [H, W, 4], straight alpha.

    A single opaque layer comes out to the bit; hints and mask are not part of the picture.
    """
    shown = [layer for layer in content.layers if layer.visible and layer.opacity > 0]
    picture = np.zeros((content.height, content.width, 4), np.uint8)
    for top in range(0, content.height, _BAND):
        _compose(shown, slice(top, top + _BAND), picture)
    return picture


def _compose(layers: list[LayerContent], rows: slice, picture: Pixels) -> None:
    from PIL import Image as pil

    band: pil.Image | None = None
    for layer in layers:
        seen = pil.fromarray(_faded(layer, rows))
        band = seen if band is None else pil.alpha_composite(band, seen)
    if band is not None:
        picture[rows] = np.asarray(band)


def _faded(layer: LayerContent, rows: slice) -> Pixels:
    if layer.opacity == 1:
        return np.ascontiguousarray(layer.pixels[rows])
    levels = np.rint(np.arange(256, dtype=np.float32) * np.float32(layer.opacity)).astype(np.uint8)
    pixels = layer.pixels[rows].copy()
    pixels[..., 3] = levels[pixels[..., 3]]
    return pixels
