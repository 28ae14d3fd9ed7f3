"""Weights as colours. What the mask forbids, and what is hidden, has no colour: it is not nought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

from studio.ui.heat import colours
from studio.ui.theme import theme
from studio_plugins.attention.results import Array, Pixels

Scale = Literal["map", "row", "one"]
Curve = Literal["linear", "gamma", "log"]
SCALES: Mapping[Scale, str] = {"map": "By the map", "row": "By each row", "one": "0 to 1"}
CURVES: Mapping[Curve, str] = {"linear": "Linear", "gamma": "Gamma ½", "log": "Logarithmic"}
GAMMA, LOWEST = 0.5, 1e-4
"""Exponent of the gamma curve; the share of the brightest at which the logarithmic one begins."""


@dataclass(frozen=True)
class Shading:
    """How numbers become colours. sink, diagonal: whether the first column, and each token's own cell, are shown."""

    scale: Scale = "map"
    curve: Curve = "gamma"
    sink: bool = True
    diagonal: bool = True

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, stored: Any) -> Shading:
        """What `to_dict` gave; anything malformed is as usual."""
        if not isinstance(stored, Mapping):
            return cls()
        offered: Mapping[str, Any] = {"scale": SCALES, "curve": CURVES, "sink": (True, False), "diagonal": (True, False)}
        return cls(**{f.name: stored[f.name] for f in fields(cls) if stored.get(f.name) in offered[f.name]})


def shown(values: Array, shading: Shading, *, factor: int = 1, top: int = 0, left: int = 0, square: bool = True) -> Array:
    """The values with NaN where they are hidden. A cell of a coarser level is hidden where it holds only hidden cells,
    or the first column. top, left: of the first cell, counted in cells of this level."""
    if (shading.sink or left) and (shading.diagonal or not square):
        return values
    kept = np.array(values, np.float32)
    if not shading.sink and left == 0 and kept.shape[1] > 1:
        kept[:, 0] = np.nan
    if not shading.diagonal and square and factor == 1:
        rows = np.arange(kept.shape[0])
        columns = rows + top - left
        inside = (columns >= 0) & (columns < kept.shape[1])
        kept[rows[inside], columns[inside]] = np.nan
    return kept


def tops(values: Array, shading: Shading) -> NDArray[np.float32]:
    """What is brightest, for each row [h, 1] or all of them alike [1, 1]."""
    if shading.scale == "one":
        return np.ones((1, 1), np.float32)
    filled = np.where(np.isnan(values), np.float32(0), values).astype(np.float32, copy=False)
    if not filled.size:
        return np.ones((1, 1), np.float32)
    top = filled.max(axis=1, keepdims=True) if shading.scale == "row" else filled.max(keepdims=True)
    return np.maximum(top, np.float32(1e-12))


def indices(values: Array, shading: Shading, top: NDArray[np.float32] | None = None) -> NDArray[np.uint8]:
    """uint8: 0 where there is nothing to show, 1 (nought) to 255 (brightest) elsewhere."""
    values = np.asarray(values, np.float32)
    share = values / (tops(values, shading) if top is None else top)
    nothing = np.isnan(share)
    share = np.clip(np.where(nothing, np.float32(0), share), 0, 1)
    if shading.curve == "gamma":
        share = np.sqrt(share)
    elif shading.curve == "log":
        share = np.clip(1 - np.log(np.maximum(share, LOWEST)) / np.float32(np.log(LOWEST)), 0, 1)
    return np.where(nothing, 0, 1 + share * 254 + 0.5).astype(np.uint8)


def table(ground: QColor) -> NDArray[np.uint32]:
    """Index -> colour as QImage's RGB32; `ground` where there is nothing."""
    palette = colours()[np.linspace(0, 255, 255).round().astype(int)].astype(np.uint32)
    own = np.array([ground.red(), ground.green(), ground.blue()], np.uint32)[None]
    whole = np.concatenate([own, palette])
    return (np.uint32(0xFF000000) | whole[:, 0] << 16 | whole[:, 1] << 8 | whole[:, 2]).astype(np.uint32)


def ground() -> QColor:
    """What is seen where there is nothing to show."""
    return theme().color("raised")


def image_of(pixels: NDArray[np.uint32]) -> QImage:
    """RGB32 pixels [h, w] as a picture of its own."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32).copy()


def picture(values: Array, shading: Shading, *, square: bool = True, paper: tuple[int, int, int] = (255, 255, 255)) -> Pixels:
    """A map as colours [h, w, 3], white where there is nothing: for files."""
    found = table(QColor(*paper))[indices(shown(values, shading, square=square), shading)]
    return np.stack([(found >> shift & 255).astype(np.uint8) for shift in (16, 8, 0)], axis=-1)


def fitted(values: Array, height: int, width: int) -> Array:
    """[height, width] of a small map: cells repeated where there is more room, maxima where there is less."""
    for axis, room in ((0, height), (1, width)):
        count = values.shape[axis]
        if room >= count:
            values = np.take(values, np.arange(room) * count // room, axis=axis)
        else:
            starts = np.arange(room) * count // room
            values = np.fmax.reduceat(values, starts, axis=axis)
    return values
