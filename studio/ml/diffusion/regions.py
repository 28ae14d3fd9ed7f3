"""Regions: the square of a picture that a network works on, and the masks that say what is drawn and what is pasted.

A network knows pictures of one size only, a person's photo has any. So the network is given a padded square around
the selection, at its own size, and what it drew is laid back over that square. Two masks, both made of the selection
and both opaque inside it: what is *drawn* reaches further than what is *pasted*, so that every pasted pixel of the
seam was drawn by a network that saw both of its sides.

A selection and all masks are uint8 [H, W]: 255 = draw here, 0 = keep, between = soft. GLIDE's own masks say 1 = keep;
`View.keep` is the only place where one becomes the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.ml.vision.masks import bounds, feather, grow

Pixels = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Cells = NDArray[np.bool_]

ABOUT = 1.25
"""A square this much larger than the network's size at most gives up some padding rather than be resampled."""
HALF = 128
"""From this value on a soft mask counts as drawn, where a network knows only drawn and kept."""
LEAST: Mapping[str, int] = MappingProxyType({"padding": 4, "grow": 2, "feather": 0, "paste": 1, "blend": 2})
"""The least pixels of each margin that is not 0, of the picture or of the network, whichever are larger."""
_WORKING_SIDE = 1024
_WHITE = 255


class RegionError(ValueError):
    """A picture and a selection from which no region can be cut; the message says what to do."""


@dataclass(frozen=True)
class Margins:
    """How far things reach beyond a selection, as shares of the diagonal of the box around it; 0 is none at all.

    padding: what the network sees around it. grow, feather: how far what is drawn reaches, and its softness (the
    standard deviation of a Gaussian). paste, blend: how far what is pasted back reaches, and the width of its seam.
    """

    padding: float = 0.25
    grow: float = 0.06
    feather: float = 0.0
    paste: float = 0.03
    blend: float = 0.04

    def pixels(self, name: str, diagonal: float, factor: float = 1.0) -> float:
        """One margin in pixels of the picture; factor: how many of them are one of the network's."""
        share: float = getattr(self, name)
        return max(LEAST[name] * max(1.0, factor), share * diagonal) if share else 0.0

    def reach(self, diagonal: float) -> float:
        """Pixels that a region must reach beyond a selection, so that its seam and what is drawn lie inside."""
        padding, grow, feather, paste, blend = (self.pixels(name, diagonal) for name in LEAST)
        return max(padding, grow + 2 * feather, paste + blend / 2)


@dataclass(frozen=True)
class Region:
    """A square of a picture, its corner perhaps beyond the picture's, and the network's size it is brought to.

    Pixels beyond the picture are those of its nearest edge.
    """

    left: int
    top: int
    side: int
    size: int

    @property
    def factor(self) -> float:
        """Pixels of the picture to one of the network's; 1 where nothing is resampled."""
        return self.side / self.size

    def inside(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Rows and columns of a picture [H, W, ...] that the region covers."""
        return _within(self.top, self.side, shape[0]), _within(self.left, self.side, shape[1])

    def within(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Rows and columns of the region itself that lie on the picture: those `inside` names, counted from here."""
        rows, columns = self.inside(shape)
        return (
            slice(rows.start - self.top, rows.stop - self.top),
            slice(columns.start - self.left, columns.stop - self.left),
        )

    def cut(self, picture: Pixels) -> Pixels:
        """The region of a picture or mask [H, W, ...] -> [side, side, ...]."""
        crop = picture[self.inside(picture.shape)]
        rows, columns = self.within(picture.shape)
        beyond = [(part.start, self.side - part.stop) for part in (rows, columns)]
        if not any(map(any, beyond)):
            return crop
        return np.pad(crop, beyond + [(0, 0)] * (picture.ndim - 2), mode="edge")


def check(picture: Pixels, selection: Mask) -> None:
    """Raise RegionError unless a picture [H, W, 3 or 4] and a selection [H, W] belong together and select something."""
    for name, array, shapes in (("picture", picture, "[H, W, 3] or [H, W, 4]"), ("mask", selection, "[H, W]")):
        if array.dtype != np.uint8 or 0 in array.shape:
            raise RegionError(f"The {name} must hold bytes {shapes}, not {array.dtype} of shape {list(array.shape)}.")
    if picture.ndim != 3 or picture.shape[2] not in (3, 4):
        raise RegionError(f"The picture must be [H, W, 3] or [H, W, 4], not {list(picture.shape)}.")
    if selection.shape != picture.shape[:2]:
        given = " × ".join(map(str, reversed(selection.shape)))
        wanted = " × ".join(map(str, reversed(picture.shape[:2])))
        raise RegionError(f"The mask is {given} pixels and the picture {wanted}. Use the mask of this very picture.")
    if not selection.any():
        raise RegionError("Nothing is selected. Paint over what should change.")


def region_of(selection: Mask, size: int, margins: Margins = Margins(), *, whole: bool = False) -> Region:
    """The square around a selection [H, W] for a network of this size, moved inside the picture where it fits.

    It is at least as large as the network's size where the picture is, so that a small selection keeps the picture's
    own pixels. whole: all of the picture, whatever is selected. Raises RegionError where nothing is selected.
    """
    height, width = selection.shape
    box = bounds(selection)
    if box is None:
        raise RegionError("Nothing is selected. Paint over what should change.")
    left, top, right, bottom = box
    extent = max(right - left, bottom - top)
    wanted = math.ceil(extent + 2 * margins.reach(math.hypot(right - left, bottom - top)))
    if extent + 2 * LEAST["padding"] <= size < wanted <= ABOUT * size:
        wanted = size
    side = max(height, width) if whole else min(max(wanted, min(size, height, width)), max(height, width))
    return Region(_placed(left, right, side, width), _placed(top, bottom, side, height), side, size)


def diagonal(selection: Mask) -> float:
    """Length in pixels of the diagonal of the box around a selection; 0 without one."""
    box = bounds(selection)
    return 0.0 if box is None else math.hypot(box[2] - box[0], box[3] - box[1])


def denoise_mask(selection: Mask, grow_by: float, softness: float) -> Mask:
    """What is drawn: everything selected, however faintly, grown by so many pixels, then softened.

    Opaque inside the selection. [H, W] -> [H, W].
    """
    core = np.where(selection > 0, np.uint8(_WHITE), np.uint8(0))
    return np.maximum(_in_good_time(core, lambda mask, scale: _grown(mask, grow_by * scale, softness * scale)), core)


def composite_mask(selection: Mask, grow_by: float, blend: float) -> Mask:
    """What is pasted back: the selection grown by so many pixels, its edge a seam `blend` pixels wide.

    The seam is the edge of a Gaussian of blend / 4, of which it spans two standard deviations to either side. Nowhere
    less than the selection. [H, W] -> [H, W].
    """
    soft = _in_good_time(selection, lambda mask, scale: _grown(mask, grow_by * scale, blend * scale / 4))
    return np.maximum(soft, selection)


def drawn_cells(mask: Mask, size: int) -> Cells:
    """A mask [N, N] as a network that knows no soft ones takes it, [size, size]: True where any pixel is drawn.

    Cell i covers the pixels from i N / size to (i + 1) N / size, in part or whole.
    """
    hard = mask >= HALF
    cells = np.arange(size)
    starts, lasts = cells * len(mask) // size, -(-(cells + 1) * len(mask) // size) - 1
    for axis in (0, 1):
        inner = np.logical_or.reduceat(hard, starts, axis=axis)
        hard = inner | np.take(hard, lasts, axis=axis)
    return hard


def resampled(pixels: Pixels, side: int) -> Pixels:
    """A square [N, N] or [N, N, C] at another size: means of blocks where it divides, else Lanczos, antialiased."""
    if len(pixels) == side:
        return pixels
    how = Image.Resampling.BOX if len(pixels) % side == 0 else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((side, side), how))


def flat(pixels: Pixels) -> Pixels:
    """A picture [H, W, 3 or 4] as networks know pictures, [H, W, 3]: what is transparent lies over white."""
    if pixels.shape[2] == 3:
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))


def _grown(mask: Mask, by: float, softness: float) -> Mask:
    mask = grow(mask, by) if by else mask
    return feather(mask, softness) if softness else mask


def _in_good_time(mask: Mask, make: Callable[[Mask, float], Mask]) -> Mask:
    """`make(mask, scale)`, at a smaller scale where a square mask is so large that its pixels are lost in a seam."""
    side = len(mask)
    if side <= _WORKING_SIDE or mask.shape != (side, side):
        return make(mask, 1.0)
    # Reduced to the brightest pixel of each cell: what is selected stays so.
    small = np.where(drawn_cells(mask, _WORKING_SIDE), np.uint8(_WHITE), np.uint8(0))
    made = make(small, _WORKING_SIDE / side)
    return np.asarray(Image.fromarray(made).resize((side, side), Image.Resampling.BILINEAR))


def _within(start: int, length: int, limit: int) -> slice:
    return slice(max(0, start), min(limit, start + length))


def _placed(first: int, last: int, side: int, length: int) -> int:
    """Where a square's edge lies, so that first..last is in its middle and as much of it as possible on the picture."""
    if side > length:
        return -((side - length) // 2)
    return min(max(0, (first + last - side) // 2), length - side)
