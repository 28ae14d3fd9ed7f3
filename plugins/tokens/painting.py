"""Maps as pictures: shares to colours, laid over the picture, and side by side. numpy only, safe on any thread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from studio.host.pictures import GridLabels, Pixels, enlarge, labelled_grid
from studio.ml.diffusion.attention_maps import Shares, enlarged

CANVAS = 256
"""Least side in pixels of a picture with a map over it, so that smooth maps look smooth."""
_SHEET = 2048


@cache
def lookup() -> NDArray[np.uint8]:
    """The 256 colours of the maps, [256, 3]: inferno, whose lightness rises evenly."""
    import pyqtgraph as pg

    table: NDArray[np.uint8] = pg.colormap.get("inferno").getLookupTable(0.0, 1.0, 256)
    return table


def heat(share: Shares, top: float) -> Pixels:
    """[h, w] -> [h, w, 3]: black at 0, bright at `top` and above."""
    scaled = np.clip(share / top if top > 0 else np.zeros_like(share), 0, 1)
    return lookup()[(scaled * 255 + 0.5).astype(np.uint8)]


def overlay(picture: Pixels, share: Shares, top: float, opacity: float, *, smooth: bool) -> Pixels:
    """The picture [H, W, 3] under the map [h, w], at least CANVAS pixels a side; opacity 0 is the picture alone."""
    large = enlarge(picture, max(1, CANVAS // len(picture)))
    colours = heat(enlarged(share, len(large) // len(share), smooth=smooth), top).astype(np.float32)
    return np.rint((1 - opacity) * large + opacity * colours).astype(np.uint8)


def small_maps(shares: Shares, side: int, *, smooth: bool, common: bool) -> list[Pixels]:
    """[n, h, w] -> n pictures of `side` pixels, each bright at its own maximum or all at that of the text's rows.

    The last row is the picture's own share, which would leave all others dark.
    """
    text = shares[:-1]
    top = float(text.max()) if common and text.size else None
    large = enlarged(shares, side // shares.shape[1], smooth=smooth)
    return [heat(map_, float(row.max()) if top is None else top) for map_, row in zip(large, shares, strict=True)]


def strip(picture: Pixels, maps: Sequence[Pixels], headings: Sequence[str], title: str) -> Pixels:
    """The picture and all maps in one row with headings; all [H, W, 3] of one size."""
    factor = max(1, min(4, _SHEET // (len(picture) * (len(maps) + 1))))
    return labelled_grid([picture, *maps], GridLabels(title, ("the picture", *headings)), factor)


def percent(share: float) -> str:
    """A share as people read it: 12.3 %, 0.45 %."""
    return f"{100 * share:.2f} %" if share < 0.01 else f"{100 * share:.1f} %"
