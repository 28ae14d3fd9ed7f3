"""What may lie over a grid world, and how its numbers become colours of the theme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor

from studio.ml.rl.grid import GridWorld
from studio.ml.rl.learner import TableLook
from studio.ui.theme import theme

Heat = Literal["value", "actions", "visits", "error", "none"]
HEATS: Mapping[Heat, str] = {
    "value": "Value V(s)",
    "actions": "Action values Q(s, a)",
    "visits": "Visits",
    "error": "TD error",
    "none": "No map",
}
TIPS: Mapping[Heat, str] = {
    "value": "V(s) = max over a of Q(s, a), in every cell that was visited",
    "actions": "Q(s, a) of the four moves as four triangles in each cell",
    "visits": "How often each cell was left, on a logarithmic scale",
    "error": "Running mean of |TD error|: where values are still moving",
    "none": "The world alone",
}
_HUES: Mapping[Heat, tuple[str, float]] = {
    "value": ("accent", -1.5), "actions": ("accent", -1.5), "visits": ("series.2", 1.0), "error": ("series.1", 0.8),
}  # fmt: skip
"""A colour of the theme for each map, and how far (radians) the hue of its light end lies from it, towards yellow."""
_TOP_LIGHT, _TOP_DARK = 0.30, 0.96
"""OKLab lightness of the highest number in the light and in the dark theme."""
_EASE = 0.12
"""Share of the way that a range shrinks at each look: it grows at once, and never flickers."""


@dataclass(frozen=True)
class Overlays:
    """What is drawn. behaviour: arrows by the probabilities acted by. target: the greedy actions. optimal: outlines of
    the best actions, where the world's table is known. trail: the present episode. numbers: written into large cells."""

    heat: Heat = "value"
    behaviour: bool = True
    target: bool = True
    optimal: bool = False
    trail: bool = True
    numbers: bool = True

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, stored: Any) -> Overlays:
        """What `to_dict` gave; anything malformed is as usual."""
        if not isinstance(stored, Mapping):
            return cls()
        kept = {f.name: stored[f.name] for f in fields(cls) if f.name != "heat" and isinstance(stored.get(f.name), bool)}
        heat = stored.get("heat")
        return cls(**kept, heat=heat) if heat in HEATS else cls(**kept)


@dataclass(frozen=True, eq=False)
class Shades:
    """Numbers on a colour scale. share: [rows, columns] or [rows, columns, moves] from 0 to 1, NaN where nothing is
    known. values: the numbers themselves. low, high: ends of the scale; below, above: whether numbers lie beyond."""

    heat: Heat
    values: NDArray[np.float64]
    share: NDArray[np.float64]
    low: float
    high: float
    below: bool = False
    above: bool = False

    def ends(self) -> tuple[str, str]:
        """What stands at the two ends of the legend."""
        return ("≤ " if self.below else "") + short(self.low), ("≥ " if self.above else "") + short(self.high)


def shades(heat: Heat, grid: GridWorld, table: TableLook, before: Shades | None = None) -> Shades | None:
    """A map of the table; None for "none", and where nothing is known yet. before: the one shown until now."""
    shape = (grid.rows, grid.columns)
    if heat == "none" or len(table.q) != grid.rows * grid.columns:
        return None
    known = table.visits > 0
    if not known.any():
        return None
    if heat == "actions":
        values = np.where(known[:, None], table.q, np.nan).reshape(*shape, -1)
    else:
        source = {"value": table.q.max(axis=1), "visits": table.visits, "error": table.error}[heat]
        values = np.where(known, source, np.nan).reshape(shape)
    found = values[np.isfinite(values)]
    if not found.size:
        return None
    if heat == "visits":
        high = float(found.max())
        return Shades(heat, values, np.log1p(values) / np.log1p(high), 0.0, high)
    low, high = _ends(found)
    if heat == "error":
        low = 0.0
    if before is not None and before.heat == heat and before.values.shape == values.shape:
        low = min(low, before.low + _EASE * (low - before.low))
        high = max(high, before.high + _EASE * (high - before.high))
    share = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    slack = 1e-9 * max(1.0, abs(low), abs(high))
    return Shades(heat, values, share, low, high, bool(found.min() < low - slack), bool(found.max() > high + slack))


def _ends(found: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of a scale that a few far numbers (a cliff's −100) do not flatten: three quartile ranges beyond the quartiles."""
    low, first, third, high = (float(x) for x in np.quantile(found, (0, 0.25, 0.75, 1)))
    reach = third - first
    if reach <= 0.02 * (high - low):  # most are equal: those that differ are what is to be seen
        return low, high
    return max(low, first - 3 * reach), min(high, third + 3 * reach)


def painted(shown: Shades) -> NDArray[np.uint32]:
    """The colours as RGB32, of the shape of `share`; the floor's where nothing is known."""
    table = _packed(ramp(shown.heat))
    index = np.nan_to_num(shown.share * 255 + 0.5).astype(np.intp)
    colours: NDArray[np.uint32] = np.where(np.isnan(shown.share), np.uint32(theme().color("raised").rgb()), table[index])
    return colours


def ramp(heat: Heat) -> NDArray[np.uint8]:
    """256 colours [256, 3] of a map in the present theme: lightness runs evenly from the floor to the strongest."""
    colours = theme()
    hue, turn = _HUES.get(heat, _HUES["value"])
    return _ramp(colours.color("raised").name(), colours.color(hue).name(), colours.dark, turn)


@cache
def _ramp(floor: str, hue: str, dark: bool, turn: float) -> NDArray[np.uint8]:
    """From the floor through the hue: its light end turned by `turn` radians, its dark end by half of that the other way."""
    start, (lightness, *ab) = _oklab(floor)[0], _oklab(hue)
    top = _TOP_DARK if dark else _TOP_LIGHT
    # A first step away from the floor, so that the lowest number is seen to be one.
    levels = np.linspace(start + 0.07 * (top - start), top, 256)
    middle = float(np.hypot(*ab))
    to_light = np.clip((levels - lightness) / (1 - lightness), 0, 1)
    to_dark = np.clip((lightness - levels) / lightness, 0, 1)
    chroma = middle * (1 - to_light) ** 0.6 * (1 - 0.6 * to_dark)
    angle = np.arctan2(ab[1], ab[0]) + turn * to_light - 0.5 * turn * to_dark
    return _srgb(np.stack([levels, chroma * np.cos(angle), chroma * np.sin(angle)], axis=1))


def _packed(colours: NDArray[np.uint8]) -> NDArray[np.uint32]:
    wide = colours.astype(np.uint32)
    packed: NDArray[np.uint32] = np.uint32(0xFF000000) | wide[:, 0] << 16 | wide[:, 1] << 8 | wide[:, 2]
    return packed


# Björn Ottosson, "A perceptual color space for image processing" (2020): sRGB to OKLab and back.
_TO_LMS = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # fmt: skip
_TO_LAB = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip


def _oklab(colour: str) -> NDArray[np.float64]:
    code = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    lab: NDArray[np.float64] = _TO_LAB @ np.cbrt(_TO_LMS @ linear)
    return lab


def _srgb(lab: NDArray[np.float64]) -> NDArray[np.uint8]:
    linear = ((lab @ np.linalg.inv(_TO_LAB).T) ** 3) @ np.linalg.inv(_TO_LMS).T
    linear = np.clip(linear, 0, 1)
    code = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(code * 255).astype(np.uint8)


def bright(rgb: int) -> bool:
    """Whether black is read better than white on a colour (0xRRGGBB)."""
    red, green, blue = rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255
    return 0.299 * red + 0.587 * green + 0.114 * blue > 140


def ink(rgb: int) -> QColor:
    """What is read on a colour."""
    return QColor("#14181d") if bright(rgb) else QColor("#ffffff")


def brief(number: float, *, fewer: bool = False) -> str:
    """As few digits as tell neighbouring cells apart: −11, −9.8, 0.35; fewer: one digit less, −10 and 0.4."""
    size = abs(number)
    if size >= 10_000:
        return f"{number / 1000:,.0f}k".replace("-", "−") if size < 1e6 else short(number)
    if size < 0.005:
        return "0"
    digits = (0 if size >= 10 else 1 if size >= 1 else 2) - fewer
    return f"{number:.{max(0, digits)}f}".replace("-", "−")


def short(number: float) -> str:
    """Three digits, with a true minus: −12.3."""
    if abs(number) < 5e-5:
        return "0"
    text = f"{number:.3g}" if abs(number) < 1000 else f"{number:,.0f}" if abs(number) < 1e6 else f"{number:.2e}"
    return text.replace("-", "−")
