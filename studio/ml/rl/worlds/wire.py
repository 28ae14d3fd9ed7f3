"""Messages between processes as JSON with arrays behind it. Nothing that is read can run anything."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ARRAY = "\0array"
_LENGTH = struct.Struct("<I")


def pack(message: Any) -> bytes:
    """JSON values and arrays, nested in lists, tuples and dictionaries with words as keys; tuples arrive as lists."""
    arrays: list[NDArray[Any]] = []
    header = json.dumps(_out(message, arrays)).encode()
    return b"".join((_LENGTH.pack(len(header)), header, *(array.tobytes() for array in arrays)))


def unpack(data: bytes) -> Any:
    """What was packed; arrays are fresh. Raises ValueError for what is no message."""
    try:
        (length,) = _LENGTH.unpack_from(data)
        end = _LENGTH.size + length
        message, at = _in(json.loads(data[_LENGTH.size : end]), data, end)
    except (struct.error, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a message: {error}") from error
    if at != len(data):
        raise ValueError("not a message: too long")
    return message


def _out(value: Any, arrays: list[NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {_ARRAY: [value.dtype.str, list(value.shape)]}
    if isinstance(value, dict):
        return {key: _out(inner, arrays) for key, inner in value.items()}
    return [_out(inner, arrays) for inner in value] if isinstance(value, (list, tuple)) else value


def _in(value: Any, data: bytes, at: int) -> tuple[Any, int]:
    if isinstance(value, list):
        read = []
        for inner in value:
            inner, at = _in(inner, data, at)
            read.append(inner)
        return read, at
    if not isinstance(value, dict):
        return value, at
    if _ARRAY in value:
        kind, shape = np.dtype(value[_ARRAY][0]), tuple(value[_ARRAY][1])
        if kind.hasobject:
            raise ValueError("not a message: an array of objects")
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(data, kind, count, at).reshape(shape).copy(), at + count * kind.itemsize
    whole = {}
    for key, inner in value.items():
        whole[key], at = _in(inner, data, at)
    return whole, at
