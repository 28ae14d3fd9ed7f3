"""What paint does to a raster where it covers it. Plain numpy; pixels without coverage stay equal to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from studio.ui.canvas.tiles import Raster, words


class Ink(Protocol):
    def lay(self, out: Raster, before: Raster, coverage: Raster) -> None:
        """Write into `out` what `before` becomes under `coverage` [h, w], 255 = covered entirely."""


@dataclass(frozen=True)
class MaskInk:
    """Draws a mask [h, w] towards a value: 255 selects, 0 lets go."""

    value: int = 255

    def lay(self, out: Raster, before: Raster, coverage: Raster) -> None:
        cover = coverage.astype(np.uint16)
        out[...] = _over_255(before * (255 - cover) + self.value * cover)


@dataclass(frozen=True)
class ColourInk:
    """Paints an opaque colour over straight-alpha RGBA [h, w, 4]."""

    red: int
    green: int
    blue: int

    def lay(self, out: Raster, before: Raster, coverage: Raster) -> None:
        opaque = np.uint32(self.red | self.green << 8 | self.blue << 16 | 255 << 24)
        if (coverage == 255).all():  # the inside of a large shape
            words(out)[...] = opaque
        elif not before[..., 3].any():  # nothing below, as nearly everywhere
            paint = (opaque & np.uint32(0xFFFFFF)) | coverage.astype(np.uint32) << np.uint32(24)
            words(out)[...] = np.where(coverage > 0, paint, words(before))
        else:
            out[...] = over(before, np.array([self.red, self.green, self.blue], np.uint8), coverage)


@dataclass(frozen=True)
class Erase:
    """Takes the alpha of RGBA [h, w, 4] away."""

    def lay(self, out: Raster, before: Raster, coverage: Raster) -> None:
        out[..., :3] = before[..., :3]
        out[..., 3] = _over_255(before[..., 3] * (255 - coverage.astype(np.uint16)))


def over(below: Raster, colour: Raster, alpha: Raster) -> Raster:
    """Porter and Duff's "over" with straight alpha: `colour` [3] or [h, w, 3] with `alpha` [h, w] on `below` [h, w, 4].

    α = α₁ + α₀(1 − α₁), c = (c₁α₁ + c₀α₀(1 − α₁)) / α. Where α₁ = 0 the pixel below stays as it is, where α₁ = 1 the
    colour is exact.
    """
    top = alpha.astype(np.float32) / 255
    rest = below[..., 3] * np.float32(1 / 255) * (1 - top)
    total = top + rest
    share = np.divide(top, total, out=np.zeros_like(top), where=total > 0)
    result = np.empty_like(below)
    for channel in range(3):
        under = below[..., channel]
        result[..., channel] = under + (colour[..., channel].astype(np.float32) - under) * share + np.float32(0.5)
    result[..., 3] = total * 255 + np.float32(0.5)
    return result


def _over_255(product: np.ndarray) -> np.ndarray:
    """round(product / 255) for products of two bytes, uint16, without a division (Blinn 1994)."""
    product = product + np.uint16(128)
    return ((product + (product >> 8)) >> 8).astype(np.uint8)
