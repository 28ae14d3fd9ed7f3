"""What the header of a safetensors file says: how many numbers, in which formats. Nothing else of the file is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from studio.ml.diffusion import safetensors_header
from studio.ml.diffusion.external.errors import ExternalError
from studio.ml.diffusion.safetensors_header import HeaderUnreadable

FORMATS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8", "F8_E5M2": "float8",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Header:
    """shapes: of each tensor by name; numbers: how many there are of each format ("float16"); nbytes: of the file."""

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
        found = safetensors_header.read_header(file)
    except OSError as error:
        raise ExternalError(f"{file} cannot be read ({error.strerror or error}).") from error
    except HeaderUnreadable as error:
        raise _damaged(file, error.reason) from error
    if found.cut_off:
        raise _damaged(file, "its end is missing")
    numbers: Counter[str] = Counter()
    for name, count in found.formats.items():
        numbers[FORMATS.get(name, name)] += count
    return Header({name: tensor.shape for name, tensor in found.tensors.items()}, dict(numbers), found.found)


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


def _damaged(file: Path, why: str) -> ExternalError:
    return ExternalError(f"{file.name} is damaged or no safetensors file ({why}). Get it again from where it came.")
