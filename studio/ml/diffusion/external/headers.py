"""What the header of a safetensors file says: how many numbers, in which formats. Nothing else of the file is read.

The file is eight bytes of header length (little endian), a JSON header, then the numbers (safetensors 0.4 format page).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.ml.diffusion.external.errors import ExternalError

FORMATS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8", "F8_E5M2": "float8",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
LONGEST = 100 << 20
"""Bytes of the longest header that is read, the limit of the safetensors library too."""

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Header:
    """shapes: of each tensor by its name; numbers: how many there are of each format ("float16"); nbytes: of the file."""

    shapes: Shapes
    numbers: Mapping[str, int] = field(default_factory=dict)
    nbytes: int = 0

    @property
    def numel(self) -> int:
        return sum(self.numbers.values())

    @property
    def precision(self) -> str:
        """The format of most of the numbers; "" where there are none."""
        return max(self.numbers, key=lambda name: self.numbers[name], default="")


def read_header(file: Path) -> Header:
    """Raises ExternalError for a file that is damaged, cut off or none of this kind."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(LONGEST, size - 8):
                raise _damaged(file, "its end is missing" if 2 <= length <= LONGEST else "it does not begin like one")
            entries = json.loads(stream.read(length))
        return _header(file, entries, size, size - 8 - length)
    except OSError as error:
        raise ExternalError(f"{file} cannot be read ({error.strerror or error}).") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ExternalError):
            raise
        raise _damaged(file, "its header makes no sense") from error


def together(headers: Iterable[Header]) -> Header:
    """The header of all files as of one."""
    shapes: dict[str, tuple[int, ...]] = {}
    numbers: Counter[str] = Counter()
    nbytes = 0
    for header in headers:
        shapes |= header.shapes
        numbers.update(header.numbers)
        nbytes += header.nbytes
    return Header(shapes, dict(numbers), nbytes)


def _header(file: Path, entries: dict[str, Any], nbytes: int, data: int) -> Header:
    tensors = {name: entry for name, entry in entries.items() if name != "__metadata__"}
    if max((entry["data_offsets"][1] for entry in tensors.values()), default=0) > data:
        raise _damaged(file, "its end is missing")
    shapes = {name: tuple(map(int, entry["shape"])) for name, entry in tensors.items()}
    numbers: Counter[str] = Counter()
    for name, entry in tensors.items():
        numbers[FORMATS.get(entry["dtype"], str(entry["dtype"]))] += math.prod(shapes[name])
    return Header(shapes, dict(numbers), nbytes)


def _damaged(file: Path, why: str) -> ExternalError:
    return ExternalError(f"{file.name} is damaged or no safetensors file ({why}). Get it again from where it came.")
