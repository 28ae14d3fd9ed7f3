"""The header of a safetensors file: names, shapes and number formats of its tensors, read without mapping the file.

Plain reads, so that a file which another program shortens meanwhile is an error and not the end of the process.
Layout: 8 bytes length n, little-endian; n bytes of JSON; the data. https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

_MAX_HEADER = 100 << 20  # as the format's own library
_LENGTH = 8


class HeaderUnreadable(ValueError):
    """Not a safetensors file, or a damaged one; `reason` says in what."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"“{path.name}” is damaged or no safetensors file ({reason}).")
        self.reason = reason


class Tensor(NamedTuple):
    """Number format ("F16") and shape."""

    format: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """tensors, metadata: by name; nbytes: the size that the whole file must have, found: the one it has."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)
    nbytes: int = 0
    found: int = 0

    @property
    def cut_off(self) -> bool:
        """Whether the end of the file is missing."""
        return self.found < self.nbytes

    @property
    def formats(self) -> dict[str, int]:
        """Number format -> how many numbers."""
        counted: dict[str, int] = {}
        for tensor in self.tensors.values():
            counted[tensor.format] = counted.get(tensor.format, 0) + math.prod(tensor.shape)
        return counted

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor; empty where there is none of this name."""
        found = self.tensors.get(name)
        return found.shape if found is not None else ()


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file. Raises HeaderUnreadable, OSError."""
    with path.open("rb") as file:
        found = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(_LENGTH), "little")
        if not 2 <= length <= min(_MAX_HEADER, max(0, found - _LENGTH)):
            cut = 2 <= length <= _MAX_HEADER
            raise HeaderUnreadable(path, "its end is missing" if cut else "it does not begin like one")
        raw = file.read(length)
    try:
        return _parsed(json.loads(raw), _LENGTH + length, found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise HeaderUnreadable(path, "its header makes no sense") from error


def _parsed(table: dict[str, Any], begin: int, found: int) -> Header:
    metadata = table.pop("__metadata__", {})
    tensors = {
        name: Tensor(str(entry["dtype"]), tuple(int(side) for side in entry["shape"])) for name, entry in table.items()
    }
    if any(side < 0 for tensor in tensors.values() for side in tensor.shape):
        raise ValueError("a negative shape")
    end = max((int(entry["data_offsets"][1]) for entry in table.values()), default=0)
    return Header(tensors, {str(k): str(v) for k, v in metadata.items()}, begin + end, found)
