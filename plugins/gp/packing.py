"""Very many points as text: a request stays JSON, and a million numbers do not become a million words of it."""

from __future__ import annotations

import base64
import binascii
import io
import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MANY = 2000
"""Points from which they are packed."""
MOST_BYTES = 1 << 28
"""Of the numbers unpacked: text from elsewhere may claim to hold anything."""


class Unpackable(ValueError):
    """Text that holds no packed points; the message says what is wrong."""


class Packed(NamedTuple):
    """x [n, D], y [n] and each point's own noise [n]."""

    x: Array
    y: Array
    own: Array


def pack(x: Array, y: Array, own: Array) -> str:
    """Points as text, to the bit."""
    buffer = io.BytesIO()
    np.save(buffer, np.column_stack([x, y, own]).astype("<f8"), allow_pickle=False)
    return base64.b64encode(zlib.compress(buffer.getvalue(), 1)).decode("ascii")


def unpack(text: str) -> Packed:
    """What `pack` was given. Raises Unpackable."""
    try:
        opened = zlib.decompressobj()
        raw = opened.decompress(base64.b64decode(text, validate=True), MOST_BYTES)
        if opened.unconsumed_tail:
            raise Unpackable(f"The packed points are larger than {MOST_BYTES >> 20} MiB.")
        numbers = np.load(io.BytesIO(raw), allow_pickle=False)
    except (binascii.Error, zlib.error, ValueError, EOFError) as error:
        if isinstance(error, Unpackable):
            raise
        raise Unpackable(f"The packed points cannot be read ({error}).") from error
    if numbers.ndim != 2 or numbers.shape[1] < 3 or numbers.dtype != np.float64:
        raise Unpackable(f"The packed points are an array of shape {numbers.shape}, not a row for each point.")
    return Packed(numbers[:, :-2].copy(), numbers[:, -2].copy(), numbers[:, -1].copy())
