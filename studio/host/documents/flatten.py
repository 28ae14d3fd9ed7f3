"""A document seen from above: its visible layers as one picture."""

from __future__ import annotations

import numpy as np

from studio.host.documents.content import DocumentContent, LayerContent, Pixels


def flatten(content: DocumentContent) -> Pixels:
    """The visible layers over each other (Porter and Duff's "over", in whole numbers): uint8 [H, W, 4], straight alpha.

    A single opaque layer comes out to the bit; hints and mask are not part of the picture.
    """
    from PIL import Image as pil

    picture: pil.Image | None = None
    for layer in content.layers:
        if layer.visible and layer.opacity > 0:
            seen = pil.fromarray(_faded(layer))
            picture = seen if picture is None else pil.alpha_composite(picture, seen)
    if picture is None:
        return np.zeros((content.height, content.width, 4), np.uint8)
    return np.array(picture)


def _faded(layer: LayerContent) -> Pixels:
    if layer.opacity == 1:
        return np.ascontiguousarray(layer.pixels)
    pixels = layer.pixels.copy()
    pixels[..., 3] = np.rint(np.arange(256, dtype=np.float32) * np.float32(layer.opacity)).astype(np.uint8)[pixels[..., 3]]
    return pixels
