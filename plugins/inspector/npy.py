"""NumPy's .npy format: a header, then the values in one piece."""

from __future__ import annotations

import io
import warnings
from collections.abc import Generator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from studio_plugins.inspector.block import ReadingError, Source, Stored, Tensor
from studio_plugins.inspector.dtypes import of_numpy
from studio_plugins.inspector.reading import Listing, TensorInfo

MAGIC = b"\x93NUMPY"
MAX_HEADER = 1 << 20
READERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


@dataclass(frozen=True)
class Header:
    """What a .npy header says: where the values begin (bytes), and how they are laid out."""

    offset: int
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def read_header(file: BinaryIO, name: str) -> Header:
    """Read the header at the beginning of `file`; no value is touched. Raises ReadingError."""
    raw = io.BytesIO(_header_bytes(file, name))
    try:
        version = npy_format.read_magic(raw)
        read = READERS.get(version) or npy_format.read_array_header_2_0  # version 3 is version 2 in UTF-8
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            shape, fortran, dtype = read(raw, max_header_size=MAX_HEADER)
    except Exception as error:  # numpy's parser lets many kinds out for a damaged header (ValueError, TypeError, SyntaxError, Warning ...)
        raise ReadingError(f"“{name}” has a damaged header ({error}). Get a complete copy of it.") from error
    if any(not isinstance(side, int) or side < 0 for side in shape) or len(shape) > 64:
        raise ReadingError(f"“{name}” has a damaged header: the shape {shape} is impossible.")
    return Header(raw.tell(), tuple(shape), bool(fortran), dtype)


def _header_bytes(file: BinaryIO, name: str) -> bytes:
    """Magic, version, length and text of the header, and nothing after it: in a compressed archive every byte costs."""
    start = file.read(8) or b""
    width = 2 if start[6:7] == b"\x01" else 4
    length = file.read(width) or b""
    size = int.from_bytes(length, "little")
    if size > MAX_HEADER:
        raise ReadingError(f"“{name}” has a damaged header: it says it is {size:,} bytes long.")
    return start + length + (file.read(size) or b"")


def members(header: Header, name: str) -> list[TensorInfo]:
    """The tensors of one array: itself, or each field of a record array; with the reason where one cannot be shown."""
    fields = [(f"{name}[{field}]", header.dtype[field]) for field in header.dtype.names] if header.dtype.names else [(name, header.dtype)]
    found = []
    for label, dtype in fields:
        known = of_numpy(dtype)
        problem = ""
        if dtype.hasobject:
            problem = "It holds Python objects (a pickle), which may run any program when they are opened. Save it again as numbers."
        elif known is None:
            problem = f"It holds {dtype.name}, which are not numbers."
        found.append(TensorInfo(label, header.shape, dtype.name, prod(header.shape) * dtype.itemsize, problem))
    return found


def stored(source: Source, base: int, header: Header, label: str, name: str) -> Stored:
    """The tensor `label` of the array `name` whose header begins at byte `base` of `file`."""
    dtype, offset = header.dtype, base + header.offset
    if header.dtype.names:
        field = label[len(name) + 1 : -1]
        assert header.dtype.fields is not None
        dtype, within = header.dtype.fields[field][:2]
        offset += within
    known = of_numpy(dtype)
    if known is None:
        raise ReadingError(f"“{label}” holds {dtype.name}, which are not numbers.")
    return Stored(source, offset, header.shape, known, fortran=header.fortran, stride=header.dtype.itemsize)


def check_length(header: Header, present: int, name: str) -> None:
    """Raise ReadingError when fewer bytes are there than the header promises."""
    if header.offset + header.nbytes > present and not header.dtype.hasobject:
        missing = header.offset + header.nbytes - present
        raise ReadingError(f"“{name}” is cut off: {missing:,} of its {header.nbytes:,} bytes are missing. Get a complete copy of it.")


class NpyFile:
    """One array, or the fields of one record array."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.source = Source(file)
        self.name = path.stem
        file.seek(0)
        self.header = read_header(file, path.name)
        check_length(self.header, size, path.name)
        order = "Fortran" if self.header.fortran and len(self.header.shape) > 1 else "C"
        notes = (("order", f"{order} order"), ("type", self.header.dtype.str))
        self.listing = Listing(path, "NumPy array", size, tuple(members(self.header, self.name)), notes)

    held_bytes = 0

    def prepare(self, name: str) -> Generator[float, None, None]:
        yield from ()

    def tensor(self, name: str) -> Tensor:
        return stored(self.source, 0, self.header, name, self.name)

    def close(self) -> None:
        self.source.close()
