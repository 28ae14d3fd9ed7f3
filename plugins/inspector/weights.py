"""The safetensors format: a JSON header, then all tensors in one piece. Checked by the safetensors library, read here without torch."""

from __future__ import annotations

import json
import struct
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO

from studio_plugins.inspector.block import ReadingError, Source, Stored, Tensor
from studio_plugins.inspector.dtypes import SAFETENSORS
from studio_plugins.inspector.reading import MAX_TENSORS, Listing, TensorInfo

MAX_HEADER = 100_000_000
"""Bytes, as in the safetensors library."""
MAX_NOTE = 2000


def looks_like(head: bytes, size: int) -> bool:
    """Whether a file of `size` bytes that begins with `head` can be safetensors: a header length that fits, then JSON."""
    if len(head) < 9 or head[8:9] != b"{":
        return False
    return 2 <= int.from_bytes(head[:8], "little") <= MAX_HEADER


class WeightsFile:
    """The tensors of a safetensors file, by name."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.source = Source(file)
        from safetensors import SafetensorError, safe_open

        try:
            # The library checks what would otherwise be checked here: overlaps, gaps, sizes, a header that lies.
            with safe_open(path, framework="np"):
                pass
        except (SafetensorError, ValueError, OverflowError) as error:
            raise ReadingError(f"“{path.name}” is cut off or damaged ({error}). Get a complete copy of it.") from error
        (length,) = struct.unpack("<Q", self.source.read(0, 8))
        header: dict[str, Any] = json.loads(self.source.read(8, length))
        own = header.pop("__metadata__", None) or {}
        if len(header) > MAX_TENSORS:
            raise ReadingError(f"“{path.name}” lists {len(header):,} tensors; that cannot be right.")
        self._base = 8 + length
        self._header = header
        notes = tuple((str(key)[:200], str(value)[:MAX_NOTE]) for key, value in own.items())
        self.listing = Listing(path, "safetensors", size, tuple(self._info(name) for name in sorted(header, key=natural)), notes)

    def _info(self, name: str) -> TensorInfo:
        entry = self._header[name]
        begin, end = entry["data_offsets"]
        known = SAFETENSORS.get(entry["dtype"])
        problem = "" if known else f"Its number format {entry['dtype']} is not known here."
        return TensorInfo(name, tuple(entry["shape"]), known.name if known else entry["dtype"], end - begin, problem)

    held_bytes = 0

    def prepare(self, name: str) -> Generator[float, None, None]:
        yield from ()

    def tensor(self, name: str) -> Tensor:
        entry = self._header[name]
        known = SAFETENSORS.get(entry["dtype"])
        if known is None:
            raise ReadingError(f"The number format {entry['dtype']} of “{name}” is not known here.")
        return Stored(self.source, self._base + entry["data_offsets"][0], entry["shape"], known)

    def close(self) -> None:
        self.source.close()


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which block.2 comes before block.10."""
    return tuple((0, int(part), "") if part.isdecimal() and len(part) < 10 else (1, 0, part) for part in name.split("."))
