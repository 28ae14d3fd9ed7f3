"""Numbers to colours: which range is spread over the map, and the maps themselves."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal

import numpy as np

from studio_plugins.inspector.dtypes import Array

MapName = Literal["auto", "diverging", "sequential", "grey"]
RangeName = Literal["robust", "full"]

MAPS: Mapping[MapName, str] = MappingProxyType(
    {"auto": "Automatic", "diverging": "Blue to red, zero in the middle", "sequential": "Dark to bright", "grey": "Grey"}
)
RANGES: Mapping[RangeName, str] = MappingProxyType({"robust": "Without outliers (0.5 to 99.5 %)", "full": "Smallest to largest"})
NOT_FINITE = (255, 0, 200)
"""Colour of NaN and infinity: in no map."""

# Sequential: matplotlib's viridis at nine places. Diverging: ColorBrewer RdBu, blue for negative values.
_STOPS = {
    "sequential": ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"),
    "diverging": ("053061", "2166ac", "4393c3", "92c5de", "f7f7f7", "f4a582", "d6604d", "b2182b", "67001f"),
    "grey": ("000000", "ffffff"),
}


@cache
def lookup(name: str) -> Array:
    """The 256 colours of a map, uint8 [256, 3]."""
    stops = np.array([[int(stop[i : i + 2], 16) for i in (0, 2, 4)] for stop in _STOPS[name]], np.float64)
    places = np.linspace(0, len(stops) - 1, 256)
    table = np.stack([np.interp(places, np.arange(len(stops)), stops[:, channel]) for channel in range(3)], axis=1)
    return np.rint(table).astype(np.uint8)


def real(values: Array) -> Array:
    """What is coloured: the numbers as float64, the magnitude of complex ones."""
    return np.abs(values).astype(np.float64) if values.dtype.kind == "c" else values.astype(np.float64)


def limits(values: Array, name: MapName, spread: RangeName) -> tuple[str, float, float]:
    """(map, low, high) for float64 values: "auto" takes diverging, symmetric about zero, where both signs occur."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return ("grey" if name == "auto" else name), 0.0, 1.0
    low, high = (np.percentile(finite, (0.5, 99.5)) if spread == "robust" else (finite.min(), finite.max()))
    low, high = float(low), float(high)
    chosen = ("diverging" if low < 0 < high else "sequential") if name == "auto" else name
    if chosen == "diverging":
        reach = max(abs(low), abs(high))
        low, high = -reach, reach
    if low == high:
        room = abs(low) / 2 or 0.5
        low, high = low - room, high + room
    return chosen, low, high


def paint(values: Array, name: str, low: float, high: float) -> Array:
    """uint8 [H, W, 3] of float64 values [H, W]; what lies outside low..high takes the colour of the nearer end."""
    finite = np.isfinite(values)
    # Halves, because the distance of two huge numbers would overflow.
    share = (np.where(finite, values, low) / 2 - low / 2) / (high / 2 - low / 2)
    picture = lookup(name)[(np.clip(share, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)]
    if not finite.all():
        picture[~finite] = NOT_FINITE
    return picture
