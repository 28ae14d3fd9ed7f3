"""Numbers as colours: matplotlib's inferno, of which nothing is black but nought."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from studio.host.pictures import Pixels

# inferno at nine places
_STOPS = ("000004", "1b0c41", "4a0c6b", "781c6d", "a52c60", "cf4446", "ed6925", "fb9b06", "fcffa4")


@cache
def colours() -> Pixels:
    """The 256 colours of the map, uint8 [256, 3]."""
    stops = np.array([[int(stop[i : i + 2], 16) for i in (0, 2, 4)] for stop in _STOPS], np.float64)
    places = np.linspace(0, len(stops) - 1, 256)
    table = np.stack([np.interp(places, np.arange(len(stops)), stops[:, channel]) for channel in range(3)], axis=1)
    return np.rint(table).astype(np.uint8)


def paint(values: NDArray[np.floating], high: float) -> Pixels:
    """Values [..., H, W] from 0 to `high` as colours [..., H, W, 3]."""
    share = np.clip(np.nan_to_num(values.astype(np.float32)) / max(high, 1e-12), 0, 1)
    painted: Pixels = colours()[(share * 255 + 0.5).astype(np.uint8)]
    return painted
