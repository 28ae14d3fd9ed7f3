"""Mipmaps: a raster halved again and again, so that a large picture shown small costs what the screen costs. Numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.ui.canvas.tiles import Box, Raster, part, words

SMALLEST = 256  # pixels; a picture this small is drawn quickly anyway


def level_for(scale: float) -> int:
    """The level to draw at so many device pixels per picture pixel: each of its pixels becomes 1/2 to 1 on the screen."""
    level = 0
    while scale * 2 ** (level + 1) <= 1:
        level += 1
    return level


def halved(pixels: Raster) -> Raster:
    """Means of 2 × 2 pixels, uint8 [⌈h/2⌉, ⌈w/2⌉(, 4)]; a last odd row or column is repeated.

    Four bytes are averaged in one number (a + b = 2(a & b) + (a ^ b)), rows rounding down and columns up. Colours must be
    premultiplied. At most one level from the exact mean.
    """
    if pixels.shape[0] % 2:
        pixels = np.concatenate([pixels, pixels[-1:]])
    if pixels.shape[1] % 2:
        pixels = np.concatenate([pixels, pixels[:, -1:]], axis=1)
    plain = words(np.ascontiguousarray(pixels))
    high_bits = plain.dtype.type(0xFE if plain.dtype.itemsize == 1 else 0xFEFEFEFE)
    upper, lower = plain[::2], plain[1::2]
    rows = (upper & lower) + (((upper ^ lower) & high_bits) >> 1)
    left, right = rows[:, ::2], rows[:, 1::2]
    means = (left | right) - (((left ^ right) & high_bits) >> 1)
    return means if pixels.ndim == 2 else means.view(np.uint8).reshape(*means.shape, 4)


def premultiplied(pixels: Raster) -> Raster:
    """Straight alpha RGBA with its colours multiplied by alpha."""
    result = np.empty_like(pixels)
    alpha = pixels[..., 3].astype(np.uint16)
    for channel in range(3):
        result[..., channel] = (pixels[..., channel] * alpha + 127) // 255
    result[..., 3] = pixels[..., 3]
    return result


class Pyramid:
    """`levels[0]` is the raster itself, the next ones are half as large each and, for RGBA, premultiplied."""

    def __init__(self, raster: Raster) -> None:
        self.levels: list[Raster] = [raster]
        while min(self.levels[-1].shape[:2]) > SMALLEST:
            height, width = self.levels[-1].shape[:2]
            self.levels.append(np.zeros(((height + 1) // 2, (width + 1) // 2, *raster.shape[2:]), np.uint8))

    def update(self, box: Box) -> None:
        """The raster changed inside a box."""
        left, top, right, bottom = box
        for level in range(1, len(self.levels)):
            left, top, right, bottom = left // 2, top // 2, (right + 1) // 2, (bottom + 1) // 2
            source: NDArray[Any] = part(self.levels[level - 1], (2 * left, 2 * top, 2 * right, 2 * bottom))
            if level == 1 and source.ndim == 3:
                source = premultiplied(source)
            part(self.levels[level], (left, top, right, bottom))[...] = halved(source)
