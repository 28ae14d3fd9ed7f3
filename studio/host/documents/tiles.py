"""Pictures kept in small pieces: tiles of 512 × 512 pixels, each a file named by the digest of what it shows.

The same tile is never written twice, whichever picture it is part of. So after a stroke on a picture of 4096 × 4096
pixels only the few tiles under the stroke are new, and files never change once they are whole.
"""

from __future__ import annotations

import hashlib
import re
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from studio.host.atomic import fsync_file, fsync_folder, remove_quietly, write_new
from studio.host.documents.content import Pixels
from studio.host.documents.png import decode, encode
from studio.host.documents.schema import Damage, Raster

SIDE = 512
_KEY = re.compile(r"^[0-9a-f]{40}$")


class Tiles:
    """The tiles in a folder. Not thread-safe. `present`: keys of the files there that are known to be whole."""

    def __init__(self, folder: Path, present: Iterable[str] = ()) -> None:
        self.folder = folder
        self.written = 0  # bytes since this object was made
        self._whole = set(present)
        self._fresh: list[str] = []  # written, but perhaps not yet on the disk
        self._known: dict[int, tuple[weakref.ref[Pixels], tuple[str, ...]]] = {}

    def put(self, pixels: Pixels) -> tuple[str, ...]:
        """Keep a picture [H, W, 4] or [H, W]; returns the keys of its tiles, row by row. Raises OSError.

        A read-only array that was put before, as the same object, is not looked at again.
        """
        seen = self._known.get(id(pixels))
        if seen is not None and seen[0]() is pixels and not pixels.flags.writeable:
            return seen[1]
        keys = tuple(self._put_tile(pixels[place]) for place in _places(pixels.shape))
        self._known[id(pixels)] = (weakref.ref(pixels), keys)
        return keys

    def _put_tile(self, part: Pixels) -> str:
        tile = np.ascontiguousarray(part)
        key = _digest(tile)
        if key not in self._whole:
            path, data = self._path(key), encode(tile)
            remove_quietly(path)  # a file that is not known to be whole was cut off by the end of another process
            self._whole.add(key)  # before it is written: when that fails, `keep_only` takes the rest away again
            self._fresh.append(key)
            write_new(path, data, flush=False)
            self.written += len(data)
        return key

    def flush(self) -> None:
        """Make every new tile durable. Raises OSError."""
        if self._fresh:
            for key in self._fresh:
                fsync_file(self._path(key))
            fsync_folder(self.folder)
            self._fresh.clear()

    def get(self, raster: Raster) -> Pixels:
        """The picture that `put` kept, read-only. Raises Damage."""
        places = list(_places(raster.shape))
        if len(places) != len(raster.parts):
            raise Damage("a picture in it has not the number of parts that its size needs")
        pixels = np.empty(raster.shape, np.uint8)
        for place, key in zip(places, raster.parts, strict=True):
            pixels[place] = self._get_tile(key, pixels[place].shape)
        pixels.flags.writeable = False
        return pixels

    def _get_tile(self, key: str, shape: tuple[int, ...]) -> Pixels:
        if not _KEY.match(key):
            raise Damage("a picture in it has parts of impossible names")
        try:
            data = self._path(key).read_bytes()
        except OSError as error:
            raise Damage(f"its part “{key}” is missing ({error.strerror or error})") from error
        tile = decode(data, shape, key)
        if _digest(tile) != key:
            raise Damage(f"its part “{key}” has changed since it was written")
        return tile

    def keep_only(self, used: set[str]) -> None:
        """Delete all tiles but these; one that cannot be deleted stays until the folder goes."""
        for key in self._whole - used:
            remove_quietly(self._path(key))
        self._whole &= used
        self._fresh = [key for key in self._fresh if key in used]
        self._known = {n: entry for n, entry in self._known.items() if entry[0]() is not None and used.issuperset(entry[1])}

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.png"


def _places(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    for top in range(0, shape[0], SIDE):
        for left in range(0, shape[1], SIDE):
            yield slice(top, top + SIDE), slice(left, left + SIDE)


def _digest(tile: Pixels) -> str:
    """Digest of the bytes and the shape."""
    return hashlib.blake2b(np.ascontiguousarray(tile).data, digest_size=20, person=repr(tile.shape).encode()).hexdigest()
