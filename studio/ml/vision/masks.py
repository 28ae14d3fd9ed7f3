"""Masks of a canvas: uint8 [H, W], 255 = draw here, 0 = keep, between = soft. Nothing is changed in place.

Distances are pixels of the picture. Beyond its edges a mask goes on as it is at the edge, so that a selection that reaches
the edge stays there when it is shrunk or feathered. scipy is imported where it is used: the rest serves windows, too, which
do not load it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
Picture = NDArray[np.uint8]

_EXACT_SIGMA = 8.0
_SIGMA_AFTER_AVERAGING = 6.0
_TRUNCATE = 3.5  # the tail left out weighs 5e-4 of a Gaussian: an eighth of one level


def grow(mask: Mask, radius: float) -> Mask:
    """Dilation by a disc: each pixel takes the largest value within `radius`. Exact, soft edges keep their shape.

    The disc of radius r is a stack of rows |dx| ≤ √(r² − dy²), dy = −r … r. Rows are widened one pixel at a time, so the
    cost is 4r passes over the surroundings of the selection. Raises ValueError for a mask of another kind, radius < 0.
    """
    _check(mask, radius)
    box, reach = bounds(mask), int(radius)
    if box is None or reach == 0:
        return mask.copy()
    window = _surroundings(box, reach, mask.shape)
    source = mask[window]
    rows, grown = source.copy(), np.zeros_like(source)
    height, width = source.shape
    half = 0
    for dy in range(reach, -1, -1):
        while half < int(math.sqrt(radius * radius - dy * dy)):
            half += 1
            if half < width:
                np.maximum(rows[:, half:], source[:, :-half], out=rows[:, half:])
                np.maximum(rows[:, :-half], source[:, half:], out=rows[:, :-half])
        if dy < height:
            np.maximum(grown[dy:], rows[: height - dy], out=grown[dy:])
            np.maximum(grown[: height - dy], rows[dy:], out=grown[: height - dy])
    result = mask.copy()
    result[window] = grown
    return result


def shrink(mask: Mask, radius: float) -> Mask:
    """Erosion by a disc: each pixel takes the smallest value within `radius`; what `grow` does to the unselected part."""
    return invert(grow(invert(mask), radius))


def feather(mask: Mask, sigma: float) -> Mask:
    """Soften the edges: convolution with a Gaussian of standard deviation `sigma` pixels.

    Above 8 pixels the mask is first averaged over squares of σ/6 pixels and interpolated back, the variances of both
    taken off σ²: at most 1 of 255 levels from the exact convolution, and as fast for any σ. Raises ValueError as `grow`.
    """
    _check(mask, sigma)
    box = bounds(mask)
    if box is None or sigma == 0:
        return mask.copy()
    window = _surroundings(box, math.ceil(_TRUNCATE * sigma) + 1, mask.shape)
    source = mask[window]
    exact = sigma <= _EXACT_SIGMA
    soft = _gaussian(source.astype(np.float32), sigma) if exact else _gaussian_of_averages(source, sigma)
    result = mask.copy()
    result[window] = np.rint(soft)
    return result


def invert(mask: Mask) -> Mask:
    """What was kept is drawn and the other way round."""
    _check(mask)
    inverse: Mask = np.subtract(np.uint8(255), mask, dtype=np.uint8)
    return inverse


def flood(picture: Picture, seed: tuple[int, int], tolerance: int, contiguous: bool = True) -> Mask:
    """255 where the picture has about the colour at `seed`: no channel differs by more than `tolerance` (0 … 255).

    `picture` [H, W, 3] or [H, W, 4] with straight alpha, `seed` (x, y). `contiguous`: only what is connected to the seed
    over edges of pixels. A fully transparent seed has no colour: there alpha alone is compared. Raises ValueError for
    another kind of picture or a seed outside it.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (3, 4):
        raise ValueError(f"a picture is uint8 [H, W, 3] or [H, W, 4], not {picture.dtype} {list(picture.shape)}")
    x, y = seed
    if not (0 <= x < picture.shape[1] and 0 <= y < picture.shape[0]):
        raise ValueError(f"({x}, {y}) lies outside the picture of {picture.shape[1]} × {picture.shape[0]} pixels")
    wanted = [int(value) for value in picture[y, x]]
    colourless = len(wanted) == 4 and wanted[3] == 0
    alike = np.ones(picture.shape[:2], dtype=np.bool_)
    for channel in (3,) if colourless else range(len(wanted)):
        values = picture[..., channel]
        alike &= values >= max(0, wanted[channel] - tolerance)
        alike &= values <= min(255, wanted[channel] + tolerance)
    if contiguous:
        from scipy import ndimage

        regions, _ = ndimage.label(alike)
        alike = regions == regions[y, x]
    return alike.astype(np.uint8) * np.uint8(255)


def bounds(mask: Mask) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of what is selected at all, right and bottom exclusive; None when nothing is."""
    _check(mask)
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _check(mask: Mask, length: float = 0.0) -> None:
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"a mask is uint8 [H, W], not {mask.dtype} {list(mask.shape)}")
    if not 0 <= length < math.inf:
        raise ValueError(f"{length} is no distance: give pixels, 0 or more")


def _surroundings(box: tuple[int, int, int, int], reach: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the box and `reach` pixels around it, inside the picture."""
    left, top, right, bottom = box
    rows = slice(max(0, top - reach), min(shape[0], bottom + reach))
    return rows, slice(max(0, left - reach), min(shape[1], right + reach))


def _gaussian(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    from scipy import ndimage

    soft: NDArray[np.float32] = ndimage.gaussian_filter(values, sigma, mode="nearest", truncate=_TRUNCATE)
    return soft


def _gaussian_of_averages(source: Mask, sigma: float) -> NDArray[np.float32]:
    """Mean over f × f squares (variance (f² − 1)/12), Gaussian, linear interpolation (variance f²/6)."""
    factor = int(sigma / _SIGMA_AFTER_AVERAGING)
    height, width = source.shape
    # A square beyond each edge, so that the outermost half squares are interpolated like all others.
    padded = np.pad(source, [(factor, factor + -length % factor) for length in (height, width)], mode="edge")
    squares = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    averages = squares.mean(axis=(1, 3), dtype=np.float32)
    rest = math.sqrt(sigma**2 - (factor**2 - 1) / 12 - factor**2 / 6)
    return _enlarge(_gaussian(averages, rest / factor), factor, (height, width))


def _enlarge(values: NDArray[np.float32], factor: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Linear interpolation between the centres of f × f squares; the first square lies before the picture."""
    for axis, length in enumerate(shape):
        place = (np.arange(length) + 0.5) / factor + 0.5
        low = place.astype(np.intp)
        weight = (place - low).astype(np.float32)
        weight = weight[:, None] if axis == 0 else weight
        values = np.take(values, low, axis) * (1 - weight) + np.take(values, low + 1, axis) * weight
    return values
