"""Writing weights as safetensors piece by piece, and comparing what was written with what it was made of.

The library's own writer takes all tensors into memory as bytes first; a released checkpoint of two gigabytes is to be
converted on a laptop. Each function is a generator of bytes done, so that whoever drives it can show progress and stop.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from studio.ml.diffusion.weights import CorruptWeights

CHUNK = 32 << 20
"""Bytes of one piece."""

DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""Number formats and their names in the safetensors format."""


def nbytes_of(state: Mapping[str, Tensor]) -> int:
    """Bytes of all tensors."""
    return sum(value.numel() * value.element_size() for value in state.values())


def write_safetensors(state: Mapping[str, Tensor], file: Path) -> Iterator[int]:
    """Write tensors to a new file, which is whole once the generator has ended, and flushed to the disk.

    Yields the bytes written since the last time. Raises CorruptWeights for a number format the file cannot hold,
    OSError where the disk takes no more; removing the file is the caller's.
    """
    with file.open("xb") as stream:
        stream.write(_header(state))
        for name in _order(state):
            for piece in _pieces(state[name]):
                stream.write(piece.numpy().data)
                yield piece.numel()
        stream.flush()
        os.fsync(stream.fileno())


def compare(state: Mapping[str, Tensor], file: Path) -> Iterator[int]:
    """Read a safetensors file back and compare it with `state`, bit for bit; yields the bytes compared since the last
    time. Raises CorruptWeights at the first difference."""
    with safe_open(file, framework="pt", device="cpu") as written:
        if set(written.keys()) != set(state):
            raise CorruptWeights(f"{file.name} does not hold the tensors that were written to it. Import it again.")
        for name in _order(state):
            found, expected = written.get_tensor(name), state[name]
            if found.dtype != expected.dtype or found.shape != expected.shape:
                raise CorruptWeights(f"{name} in {file.name} has another shape than was written. Import it again.")
            for ours, theirs in zip(_pieces(found), _pieces(expected), strict=True):
                if not torch.equal(ours, theirs):
                    raise CorruptWeights(
                        f"{name} came back from the disk changed. Check the disk for errors and import it again."
                    )
                yield ours.numel()


def digest(file: Path) -> Generator[int, None, str]:
    """SHA-256 of a file, in hexadecimal, as the generator's value; yields the bytes read since the last time."""
    sha256 = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK):
            sha256.update(piece)
            yield len(piece)
    return sha256.hexdigest()


def _order(state: Mapping[str, Tensor]) -> list[str]:
    """Names, those of the widest numbers first: every tensor then begins at a multiple of its numbers' size."""
    return sorted(state, key=lambda name: (-state[name].element_size(), name))


def _header(state: Mapping[str, Tensor]) -> bytes:
    """Length (8 bytes) and JSON table of the safetensors format, padded so that the data begin at a multiple of 8."""
    table: dict[str, object] = {"__metadata__": {"format": "pt"}}
    begin = 0
    for name in _order(state):
        value = state[name]
        if value.dtype not in DTYPES:
            raise CorruptWeights(f"{name} holds numbers of the type {value.dtype}, which cannot be stored.")
        end = begin + value.numel() * value.element_size()
        table[name] = {"dtype": DTYPES[value.dtype], "shape": list(value.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _pieces(value: Tensor) -> Iterator[Tensor]:
    """The bytes of a tensor, uint8 [n], in order, at most CHUNK at a time."""
    flat = value.detach().contiguous().reshape(-1)
    yield from flat.view(torch.uint8).split(CHUNK) if flat.numel() else ()
