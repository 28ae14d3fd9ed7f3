"""Rasters cut into tiles: what undo keeps of a change is the former content of the tiles it touched, packed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Raster = NDArray[np.uint8]  # [H, W] or [H, W, 4]
AnyRaster = TypeVar("AnyRaster", bound=NDArray[Any])
Box = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom exclusive
Place = tuple[int, int]  # row and column of a tile

TILE = 128
_LEVEL = 1  # zlib's fastest: strokes shrink to a few percent at any level


def common(one: Box, other: Box) -> Box:
    """Where two boxes overlap; empty or inside out when they do not."""
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def clipped(box: Box, raster: Raster) -> Box | None:
    """The part of a box inside a raster, or None when there is none."""
    inside = common(box, (0, 0, raster.shape[1], raster.shape[0]))
    return inside if inside[0] < inside[2] and inside[1] < inside[3] else None


def united(boxes: Iterable[Box]) -> Box | None:
    """The smallest box around all, or None for none."""
    every = list(boxes)
    if not every:
        return None
    lefts, tops, rights, bottoms = zip(*every, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def part(raster: Raster, box: Box) -> Raster:
    """A view of a raster."""
    left, top, right, bottom = box
    return raster[top:bottom, left:right]


def tiles_in(box: Box) -> Iterator[Place]:
    """The tiles that a box inside the raster touches."""
    left, top, right, bottom = box
    for row in range(top // TILE, (bottom - 1) // TILE + 1):
        for column in range(left // TILE, (right - 1) // TILE + 1):
            yield row, column


def tile(raster: AnyRaster, place: Place) -> AnyRaster:
    """A view of one tile; those at the right and lower edge may be smaller."""
    row, column = place[0] * TILE, place[1] * TILE
    return raster[row : row + TILE, column : column + TILE]


def tile_box(place: Place) -> Box:
    """Where a tile lies (it may reach beyond the raster)."""
    return place[1] * TILE, place[0] * TILE, (place[1] + 1) * TILE, (place[0] + 1) * TILE


def words(raster: Raster) -> NDArray[Any]:
    """A view with one number a pixel (RGBA: red in the lowest byte): numpy goes through rows of numbers much faster than
    through fours of bytes.
    """
    return raster if raster.ndim == 2 else raster.view("<u4")[..., 0]


class StoredTile:
    """A copy of a tile in as little memory as is quick: one pixel where all are equal, else the pixels until `pack`."""

    __slots__ = ("_content", "_shape")

    def __init__(self, pixels: Raster) -> None:
        plain = words(pixels)
        self._shape = pixels.shape
        self._content: Raster | bytes = (pixels[:1, :1] if (plain == plain[0, 0]).all() else pixels).copy()

    @property
    def nbytes(self) -> int:
        return len(self._content) if isinstance(self._content, bytes) else self._content.nbytes

    def pixels(self) -> Raster:
        """The tile again; read-only."""
        if isinstance(self._content, bytes):
            return np.frombuffer(zlib.decompress(self._content), np.uint8).reshape(self._shape)
        return np.broadcast_to(self._content, self._shape)

    def pack(self) -> None:
        """Compress the pixels."""
        if not isinstance(self._content, bytes) and self._content.shape == self._shape:
            self._content = zlib.compress(self._content, _LEVEL)


class Patch:
    """The other state of some tiles of a raster: `swap` exchanges it with the present one, there and back.

    One state is kept, not two: after an undo the patch holds what redo needs. `nbytes` is what it takes now.
    """

    def __init__(self, pixels: Mapping[Place, Raster]) -> None:
        self._tiles: dict[Place, StoredTile] = {}
        self._raw: list[StoredTile] = []
        self.nbytes = 0
        for place, content in pixels.items():
            self._store(place, content)

    def _store(self, place: Place, pixels: Raster) -> None:
        stored = self._tiles[place] = StoredTile(pixels)
        self.nbytes += stored.nbytes
        self._raw.append(stored)

    def __bool__(self) -> bool:
        return bool(self._tiles)

    @property
    def box(self) -> Box | None:
        """Around all tiles; may reach beyond the raster's right and lower edge."""
        return united(tile_box(place) for place in self._tiles)

    def swap(self, raster: Raster) -> None:
        """Put the kept state into the raster and keep what was there."""
        self.nbytes = 0
        self._raw.clear()
        for place, stored in list(self._tiles.items()):
            present = tile(raster, place)
            self._store(place, present)
            present[...] = stored.pixels()

    def pack_one(self) -> bool:
        """Compress one more tile; False when all are."""
        if self._raw:
            stored = self._raw.pop()
            self.nbytes -= stored.nbytes
            stored.pack()
            self.nbytes += stored.nbytes
        return bool(self._raw)


def changed_tiles(before: Raster, after: Raster, places: Iterable[Place]) -> list[Place]:
    """Those of the tiles in which two rasters of one size differ."""
    one, other = words(before), words(after)
    return [place for place in places if (tile(one, place) != tile(other, place)).any()]


def used_tiles(raster: Raster) -> list[Place]:
    """The tiles that are not all zero."""
    if not raster.size:
        return []
    plain = words(raster)
    return [place for place in tiles_in((0, 0, raster.shape[1], raster.shape[0])) if tile(plain, place).any()]
