"""Open a file and list its tensors; the kind of file is told by its first bytes, not by its name."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from studio_plugins.inspector.block import ReadingError, Tensor

SUFFIXES = (".npy", ".npz", ".safetensors", ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
MAX_TENSORS = 100_000


@dataclass(frozen=True)
class TensorInfo:
    """What is known of a tensor before a value is read. `problem` says why it cannot be opened ("" = it can)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    problem: str = ""

    @property
    def count(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Listing:
    """What a file holds: its kind in words, its size in bytes, its tensors and the text it carries about itself."""

    path: Path
    kind: str
    size: int
    tensors: tuple[TensorInfo, ...]
    notes: tuple[tuple[str, str], ...] = ()

    def find(self, name: str) -> TensorInfo | None:
        return next((info for info in self.tensors if info.name == name), None)


class TensorFile(Protocol):
    """An open file, for any thread.

    `prepare` makes `tensor` cheap where it is not (a picture, a compressed member) and yields fractions done. `held_bytes` is the memory
    that a prepared file keeps.
    """

    @property
    def listing(self) -> Listing: ...
    @property
    def held_bytes(self) -> int: ...
    def prepare(self, name: str) -> Generator[float, None, None]: ...
    def tensor(self, name: str) -> Tensor: ...
    def close(self) -> None: ...


class Opened:
    """A TensorFile as a context manager. Raises ReadingError with a sentence for people, whatever is wrong with the file."""

    def __init__(self, path: Path) -> None:
        self.file = open_file(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.file.close()


def open_file(path: Path) -> TensorFile:
    """Open any file the inspector knows. Raises ReadingError."""
    from studio_plugins.inspector import npy, npz, picture, weights

    if path.is_dir():
        raise ReadingError(f"“{path.name}” is a folder. Open one of the files in it.")
    try:
        size = path.stat().st_size
        file: BinaryIO = path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise ReadingError(f"“{path}” is not there any more. Was it moved or renamed?") from error
    except OSError as error:
        raise ReadingError(f"“{path.name}” could not be opened ({error.strerror or error}).") from error
    try:
        head = file.read(16) or b""
        if not head:
            raise ReadingError(f"“{path.name}” is empty.")
        if head.startswith(npy.MAGIC):
            return npy.NpyFile(path, file, size)
        if head.startswith(npz.MAGIC):
            return npz.NpzFile(path, file, size)
        if weights.looks_like(head, size):
            return weights.WeightsFile(path, file, size)
        if path.suffix.lower() in (".safetensors", ".npy", ".npz"):
            raise ReadingError(f"“{path.name}” is no {path.suffix.lower()} file inside: it is damaged, or something else under that name.")
        if head.startswith(b"\x80") or path.suffix.lower() in (".pt", ".pth", ".ckpt", ".pkl"):
            raise ReadingError(f"“{path.name}” is a pickle, which may run any program when it is opened. Convert it to .safetensors first.")
        return picture.PictureFile(path, file, size)
    except OSError as error:
        file.close()
        raise ReadingError(f"“{path.name}” could not be read ({error.strerror or error}).") from error
    except BaseException:
        file.close()
        raise
