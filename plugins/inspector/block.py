"""One tensor in a file: read in chunks, or a plane of it, with nothing else touched.

Reads with seek and read, not through a memory map: a training run may rewrite the file while it is looked at, and a page that is gone
kills the process, while a short read is an error to be shown.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import BinaryIO, Protocol

import numpy as np

from studio_plugins.inspector.dtypes import Array, Format

CHUNK = 1 << 19
"""Values read at once: a step of a few milliseconds."""
PAGE = 4096


class ReadingError(Exception):
    """A file that cannot be shown; the message says why and, where a person can do something, what."""


class FileChanged(ReadingError):
    """The file became shorter while it was read."""

    def __init__(self) -> None:
        super().__init__("The file became shorter while it was read; is a program writing to it? Open it again.")


@dataclass(frozen=True)
class Window:
    """A plane of a tensor: `rows` and `cols` are axes, `index` fixes every axis (those two entries are not used).

    `row_range` and `col_range` are (start, stop, step) of what is read.
    """

    rows: int
    cols: int
    index: tuple[int, ...]
    row_range: tuple[int, int, int]
    col_range: tuple[int, int, int]


class Tensor(Protocol):
    """What the inspector asks of a tensor, wherever it lies."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def format(self) -> Format: ...
    def chunks(self, size: int = CHUNK) -> Iterator[Array]: ...
    def lines(self, window: Window) -> Iterator[Array]: ...


@dataclass(frozen=True)
class Held:
    """A tensor in memory (a decoded picture)."""

    array: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    @property
    def format(self) -> Format:
        return Format(self.array.dtype.name, self.array.dtype)

    def chunks(self, size: int = CHUNK) -> Iterator[Array]:
        flat = self.array.reshape(-1)
        for start in range(0, flat.size, size):
            yield flat[start : start + size]

    def lines(self, window: Window) -> Iterator[Array]:
        plane = self.array[tuple(slice(None) if axis in (window.rows, window.cols) else at for axis, at in enumerate(window.index))]
        if window.rows > window.cols:
            plane = plane.T
        for row in range(*window.row_range):
            yield plane[row, slice(*window.col_range)]


class Source:
    """A file that several threads read at any place. Closed by `close`, or when nobody holds it any more."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._finish = weakref.finalize(self, file.close)

    def read(self, offset: int, count: int) -> bytearray:
        """Exactly `count` bytes from `offset`. Raises FileChanged."""
        raw = bytearray(count)
        view = memoryview(raw)
        got = 0
        with self._lock:
            self.file.seek(offset)
            while got < count:
                step: int | None = self.file.readinto(view[got:])  # type: ignore[attr-defined]
                if not step:
                    raise FileChanged
                got += step
        return raw

    def close(self) -> None:
        self._finish()


class Stored:
    """A tensor in a file that holds its values one after the other from `offset`, in C order or Fortran order."""

    def __init__(self, source: Source, offset: int, shape: Sequence[int], format: Format, *, fortran: bool = False, stride: int = 0) -> None:
        """`stride`: bytes from one value to the next where that is more than its size (a field of a record)."""
        self.source = source
        self.offset = offset
        self.shape = tuple(shape)
        self.format = format
        self._stride = stride or format.itemsize
        sizes = [1, *(self.shape if fortran else self.shape[:0:-1])][: len(self.shape)]
        steps = [prod(sizes[: i + 1]) for i in range(len(sizes))]
        self.strides = tuple(steps if fortran else steps[::-1])

    def _read(self, first: int, count: int) -> Array:
        """`count` values from value number `first` on, in the order of the file, decoded. Raises FileChanged."""
        span = (count - 1) * self._stride + self.format.itemsize if count else 0
        raw = self.source.read(self.offset + first * self._stride, span)
        if self._stride == self.format.itemsize:
            stored = np.frombuffer(raw, self.format.storage)
        else:
            stored = np.ndarray((count,), self.format.storage, raw, 0, (self._stride,))
        return self.format.values(stored)

    def chunks(self, size: int = CHUNK) -> Iterator[Array]:
        """All values, `size` at a time, in the order of the file."""
        total = prod(self.shape)
        for start in range(0, total, size):
            yield self._read(start, min(size, total - start))

    def lines(self, window: Window) -> Iterator[Array]:
        """The rows of a plane, one by one."""
        row_step, col_step = self.strides[window.rows], self.strides[window.cols]
        base = sum(at * step for axis, (at, step) in enumerate(zip(window.index, self.strides, strict=True)) if axis not in (window.rows, window.cols))
        rows, cols = range(*window.row_range), range(*window.col_range)
        if not cols:
            return
        if row_step < col_step and rows:
            # Neighbours along the rows lie closer together: read along them, and turn the plane.
            along = [self._line(base + col * col_step, rows, row_step) for col in cols]
            yield from np.stack(along, axis=1)
            return
        for row in rows:
            yield self._line(base + row * row_step, cols, col_step)

    def _line(self, base: int, places: range, step: int) -> Array:
        """The values number base + place * step, for all places."""
        gap = step * places.step
        if gap * self._stride <= PAGE:
            return self._read(base + places.start * step, (len(places) - 1) * gap + 1)[::gap]
        return np.concatenate([self._read(base + place * step, 1) for place in places])
