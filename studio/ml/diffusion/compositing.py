"""Compositing: what a network drew, laid back over the picture it was cut from.

Where the composite mask is 0 no pixel of the picture changes by a bit. Elsewhere the patch lies over the picture with
the mask as its coverage (Porter & Duff 1984, "over"): with coverage c, patch p (opaque) and a picture q of opacity a,
a' = c + a (1 - c) and a' q' = c p + a (1 - c) q. Colours are not premultiplied.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.linalg import cg

from studio.ml.diffusion.regions import Cells, Mask, Pixels, Region, RegionError, resampled

Floats = NDArray[np.float32]
ColourMatch = Literal["off", "shift", "membrane"]
"""How what was drawn takes on the colours of what surrounds it; see `colour_matched`."""

ALIKE = 8
"""Levels by which the colours of one thing may differ from cell to cell."""
_BAND = 256
_TOLERANCE = 1e-4
_QUICK = 32 * 32


def paste_back(picture: Pixels, patch: Pixels, region: Region, composite: Mask) -> Pixels:
    """A copy of the picture [H, W, 3 or 4] with a patch [n, n, 3] in its region, as far as the mask [side, side] says.

    The patch is brought to the region's side, or is of it already. Raises RegionError for other shapes.
    """
    if composite.shape != (region.side, region.side) or patch.shape != (len(patch), len(patch), 3):
        raise RegionError(
            f"The patch must be [n, n, 3] and its mask [{region.side}, {region.side}], "
            f"not {list(patch.shape)} and {list(composite.shape)}."
        )
    pasted = picture.copy()
    target = pasted[region.inside(picture.shape)]
    within = region.within(picture.shape)
    source, cover = resampled(patch, region.side)[within], composite[within]
    for top in range(0, len(target), _BAND):  # a band at a time: a large region never becomes floating point as a whole
        rows = slice(top, top + _BAND)
        _lay_over(target[rows], source[rows], cover[rows])
    return pasted


def layer(patch: Pixels, region: Region, composite: Mask, shape: tuple[int, ...]) -> tuple[Pixels, int, int]:
    """The patch as a layer over a picture [H, W, ...]: straight RGBA [h, w, 4], and its left and top on the picture."""
    within, (rows, columns) = region.within(shape), region.inside(shape)
    drawn = resampled(patch, region.side)[within]
    return np.dstack([drawn, composite[within]]), columns.start, rows.start


def colour_matched(patch: Pixels, picture: Pixels, drawn: Cells, ring: Cells, how: ColourMatch) -> Pixels:
    """The patch [n, n, 3] with the colours of its drawn cells moved, so that on the ring they are the picture's.

    ring [n, n]: cells that were drawn though nobody asked for another content there, the rim of what is drawn; where
    patch and picture [n, n, 3] show the same there, what differs is colour (`_same`). shift: each channel moves by the
    median of that. membrane: it is spread over what is drawn as smoothly as can be, a solution of Laplace's equation
    (Pérez et al. 2003, "Poisson image editing", eq. 4, with the patch for a guidance field). Without a ring nothing
    changes.
    """
    if how not in get_args(ColourMatch):
        raise RegionError(f"Unknown colour match {how!r}; known are {', '.join(get_args(ColourMatch))}.")
    if how == "off" or not ring.any():
        return patch
    missing = picture.astype(np.float32) - patch
    rim = ring.copy()
    rim[ring] = _same(missing[ring])
    moved = harmonic(missing, rim, drawn & ~rim) if how == "membrane" else np.median(missing[rim], axis=0)
    return np.where(drawn[..., None], _bytes(patch + moved), patch)


def _same(missing: Floats) -> Cells:
    """Of differences [K, 3] those of colour, [K]; the others are where the patch shows another thing.

    In every channel within three standard deviations of the median, these estimated by 1.4826 times the median
    absolute deviation (Rousseeuw & Croux 1993), with ALIKE levels granted besides.
    """
    median = np.median(missing, axis=0)
    away = np.abs(missing - median)
    return np.asarray((away <= 3 * 1.4826 * np.median(away, axis=0) + ALIKE).all(axis=1))


def harmonic(values: Floats, known: Cells, unknown: Cells) -> Floats:
    """values [H, W, C] on the known cells, continued harmonically over the unknown ones; 0 elsewhere.

    At every unknown cell the result is the mean of its neighbours (of four, those that are known or unknown): the
    five-point Laplacian is 0, and nothing flows over edges beyond which nothing is known. Unknown cells that touch no
    known one, directly or through others, stay 0.
    """
    continued = np.where(known[..., None], values, np.float32(0)).astype(np.float32)
    unknown = unknown & _reached(known, unknown)
    count = int(unknown.sum())
    if not count:
        return continued
    number = np.full(known.shape, -1)
    number[unknown] = np.arange(count)
    degree, given = np.zeros(count), np.zeros((count, values.shape[2]))
    pairs = []
    for neighbour_number, neighbour_known, neighbour_values in _neighbours(number, known, continued):
        inner = unknown & (neighbour_number >= 0)
        border = unknown & neighbour_known
        degree[number[inner | border]] += 1
        given[number[border]] += neighbour_values[border]
        pairs.append((number[inner], neighbour_number[inner]))
    rows = np.concatenate([np.arange(count), *(row for row, _ in pairs)])
    columns = np.concatenate([np.arange(count), *(column for _, column in pairs)])
    entries = np.concatenate([degree, -np.ones(len(rows) - count)])
    laplacian = csr_array((entries, (rows, columns)), shape=(count, count))
    begin = _from_coarser(continued, known, unknown)[unknown].T
    solved = [cg(laplacian, b, x0=guess, rtol=_TOLERANCE)[0] for b, guess in zip(given.T, begin, strict=True)]
    continued[unknown] = np.stack(solved, axis=1)
    return continued


def _from_coarser(values: Floats, known: Cells, unknown: Cells) -> Floats:
    """Where the solver begins, [H, W, C]: the membrane over squares of two by two cells, or 0 where that is quick."""
    height, width = known.shape
    if height * width <= _QUICK:
        return np.zeros_like(values)
    padding = ((0, height % 2), (0, width % 2))
    squares = (-(-height // 2), 2, -(-width // 2), 2)
    there = np.pad(known, padding).reshape(squares)
    total = np.pad(np.where(known[..., None], values, 0), (*padding, (0, 0))).reshape(*squares, -1).sum(axis=(1, 3))
    number = there.sum(axis=(1, 3))
    open_ = np.pad(unknown, padding).reshape(squares).any(axis=(1, 3)) & (number == 0)
    means = (total / np.maximum(number, 1)[..., None]).astype(np.float32)
    coarse = harmonic(means, number > 0, open_)
    return coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]


def _reached(known: Cells, unknown: Cells) -> Cells:
    """The unknown cells from which a known one can be reached over unknown ones."""
    pieces, count = ndimage.label(unknown)
    touching = np.zeros(count + 1, dtype=np.bool_)
    touching[pieces[ndimage.binary_dilation(known) & unknown]] = True
    return np.asarray(touching[pieces])


def _neighbours(
    number: NDArray[np.int64], known: Cells, values: Floats
) -> list[tuple[NDArray[np.int64], Cells, Floats]]:
    """Number, known and values of the cell above, below, left and right of each; nothing beyond the edges."""
    height, width = number.shape
    framed = np.pad(number, 1, constant_values=-1), np.pad(known, 1), np.pad(values, ((1, 1), (1, 1), (0, 0)))
    shifts = ((0, 1), (2, 1), (1, 0), (1, 2))
    return [
        (
            framed[0][y : y + height, x : x + width],
            framed[1][y : y + height, x : x + width],
            framed[2][y : y + height, x : x + width],
        )
        for y, x in shifts
    ]


def _lay_over(target: Pixels, patch: Pixels, cover: Mask) -> None:
    """Porter and Duff's "over" in place: target [h, w, 3 or 4], patch [h, w, 3], cover [h, w]."""
    touched = cover > 0
    under = target[touched].astype(np.float32)
    c = cover[touched].astype(np.float32)[:, None] / 255
    over = patch[touched].astype(np.float32)
    if target.shape[2] == 3:
        target[touched] = _bytes(c * over + (1 - c) * under)
        return
    left = (1 - c) * under[:, 3:] / 255
    opacity = c + left
    colour = (c * over + left * under[:, :3]) / opacity
    target[touched] = np.concatenate([_bytes(colour), _bytes(opacity * 255)], axis=1)


def _bytes(values: NDArray[np.floating[Any]]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
