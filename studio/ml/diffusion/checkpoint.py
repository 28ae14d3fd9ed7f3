"""Opening a released GLIDE or ADM checkpoint: a `.pt` file, converted once to safetensors, or safetensors as they are.

A `.pt` file is a pickle. It is read with `weights_only=True`, which builds tensors and runs nothing else; a file that
asks for more is refused. What a file is, is decided by its content, never by its name.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from studio.ml.diffusion.conversion import write_safetensors
from studio.ml.diffusion.released import ReleasedNetwork, recognise
from studio.ml.diffusion.unet import UNet
from studio.ml.diffusion.weights import CorruptWeights, WeightsError, load_into, require_memory, sha256_of, shapes_in


class UnsafeWeights(WeightsError):
    """A file that would run code while it is read."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint ready to load: which network, its safetensors files, the SHA-256 of the file opened.

    `beside` is the folder of the original file, where its tokenizer is looked for.
    """

    network: ReleasedNetwork
    files: tuple[Path, ...]
    sha256: str
    beside: Path

    def load(self, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> UNet:
        """The network with its weights, ready to evaluate. Raises WeightsError."""
        net = self.network.build()
        load_into(net, self.files, device=device, dtype=dtype)
        return net.eval().requires_grad_(False)


def open_checkpoint(path: Path, cache: Path) -> Checkpoint:
    """Recognise the checkpoint at `path` (a `.pt` or safetensors file, or a folder of safetensors shards).

    A `.pt` file is converted into `cache`/<sha256>.safetensors at the first opening and read from there afterwards.
    Raises FileNotFoundError, UnsafeWeights, CorruptWeights, NotEnoughMemory, UnknownCheckpoint.
    """
    if path.is_dir():
        files = tuple(sorted(path.glob("*.safetensors")))
        if not files:
            raise FileNotFoundError(f"There is no .safetensors file in {path}.")
        return Checkpoint(recognise(shapes_in(files)), files, sha256_of(files), path)
    sha256 = sha256_of([path])
    if is_safetensors(path):
        return Checkpoint(recognise(shapes_in([path])), (path,), sha256, path.parent)
    converted = cache / f"{sha256}.safetensors"
    if not converted.is_file():
        convert(path, converted)
    return Checkpoint(recognise(shapes_in([converted])), (converted,), sha256, path.parent)


def convert(path: Path, target: Path) -> None:
    """Write the tensors of a `.pt` file as safetensors, if they are a released network.

    `target` appears whole or not at all.
    """
    if not is_mappable(path):
        require_memory(path.stat().st_size, f"To convert {path.name}, its weights")
    state = read_state(path)
    recognise({name: tuple(value.shape) for name, value in state.items()})
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    try:
        for _ in write_safetensors(state, part):
            pass
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def read_state(path: Path) -> dict[str, Tensor]:
    """Name -> tensor from a `.pt` file, memory-mapped where its format allows.

    Raises UnsafeWeights or CorruptWeights.
    """
    return _state(path, _read)


def read_layout(path: Path) -> dict[str, Tensor]:
    """As `read_state`, with tensors that have a shape and a number format and no content; their numbers are not read.

    Raises UnsafeWeights or CorruptWeights.
    """
    found = _state(path, _read if is_mappable(path) else _read_layout)
    if sum(value.numel() * value.element_size() for value in found.values()) > path.stat().st_size:
        raise CorruptWeights(f"{path.name} is damaged: its end is missing. Get it again from where it came.")
    return found


def _state(path: Path, read: Callable[[Path], Any]) -> dict[str, Tensor]:
    try:
        found = read(path)
    except pickle.UnpicklingError as error:
        if _asks_for_code(path, error):
            raise UnsafeWeights(
                f"{path.name} is refused: it asks to run code when it is opened ({_first_line(error)}). "
                "Ask its author for a safetensors file."
            ) from error
        raise _corrupt(path, error) from error
    except (RuntimeError, EOFError, ValueError, OSError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise _corrupt(path, error) from error
    if not isinstance(found, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items()):
        raise CorruptWeights(
            f"{path.name} holds no plain table of tensors; only bare state dictionaries can be opened."
        )
    if any(value.layout != torch.strided or value.is_quantized for value in found.values()):
        raise CorruptWeights(f"{path.name} holds sparse or quantised tensors; only plain ones can be opened.")
    return found


def _read(path: Path) -> Any:
    if is_mappable(path):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    with path.open("rb") as stream:
        return torch.load(stream, map_location="cpu", weights_only=True)


def _read_layout(path: Path) -> Any:
    with FakeTensorMode(), path.open("rb") as stream:
        return torch.load(stream, weights_only=True)


def is_mappable(path: Path) -> bool:
    """Whether torch can map the file: zip archives only (torch 1.6 and later). From a path, torch would go by a
    .safetensors suffix whatever the content."""
    return _head(path, 4) == b"PK\x03\x04" and path.suffix.lower() != ".safetensors"


def _head(path: Path, length: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(length)


def is_safetensors(path: Path) -> bool:
    """Whether the file begins like one: eight bytes of header length, then a JSON object."""
    head = _head(path, 9)
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size


def _asks_for_code(path: Path, error: Exception) -> bool:
    """Whether the unpickler met a function to call (rather than bytes that are no pickle)."""
    return "GLOBAL" in str(error) or ("Unsupported operand" in str(error) and _head(path, 1) == b"\x80")


def _corrupt(path: Path, error: Exception) -> CorruptWeights:
    return CorruptWeights(
        f"{path.name} is damaged or no checkpoint ({_first_line(error)}). Get it again from where it came."
    )


def _first_line(error: Exception) -> str:
    lines: Sequence[str] = [
        line.strip() for line in str(error).splitlines() if "GLOBAL" in line or "Unsupported" in line
    ]
    return (lines or str(error).splitlines() or [type(error).__name__])[0][:200]
