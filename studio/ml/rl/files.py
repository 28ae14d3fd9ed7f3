"""JSON with arrays beside it: two files that belong together, written whole or not at all, and never run as code."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.errors import BadCheckpoint, NewerCheckpoint

FORMAT = 1
_CHUNK = 1 << 20


def write_pair(folder: Path, name: str, data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """`name`.json and `name`.safetensors in `folder`. Raises OSError; files that were there are then still whole.

    The JSON holds the other file's checksum, so that no two of different times are ever taken for one.
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    # Safetensors writes memory as it lies; `asarray` puts it in order and leaves single numbers without a dimension.
    ordered = {key: np.asarray(array, order="C") for key, array in arrays.items()}
    with replacing(folder / f"{name}.safetensors") as path:
        save_file(ordered, path)
        checksum = _checksum(path)
    told = json.dumps({"format": FORMAT, "sha256": checksum, **data}, ensure_ascii=False)
    with replacing(folder / f"{name}.json") as path:
        path.write_text(told, encoding="utf-8")


def read_pair(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What `write_pair` wrote. Raises BadCheckpoint in words a person can act on."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    data = read_json(folder / f"{name}.json")
    path = folder / f"{name}.safetensors"
    try:
        if _checksum(path) != data.get("sha256"):
            raise BadCheckpoint(f"“{path}” was changed or cut short since it was written; take an earlier checkpoint.")
        return data, load_file(path)
    except OSError as error:
        why = error.strerror or error
        raise BadCheckpoint(f"“{path}” cannot be read: {why}. Take an earlier checkpoint.") from error
    except SafetensorError as error:
        raise BadCheckpoint(f"“{path}” holds no arrays ({error}); take an earlier checkpoint.") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object that this version can read. Raises BadCheckpoint."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadCheckpoint(f"“{path}” cannot be read: {error.strerror or error}. Choose another folder.") from error
    except ValueError as error:
        raise BadCheckpoint(f"“{path}” is damaged or cut short; take an earlier checkpoint.") from error
    if not isinstance(data, dict) or not isinstance(data.get("format"), int):
        raise BadCheckpoint(f"“{path}” was not written by this studio; choose another folder.")
    if data["format"] > FORMAT:
        raise NewerCheckpoint(f"“{path}” was written by a newer version of the studio; open it with that one.")
    return data


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new path beside `path`; what is written there takes its place at the end, unless something went wrong."""
    new = path.with_name(f".{path.name}-{uuid4().hex[:12]}")
    try:
        yield new
        flush(new)
        os.replace(new, path)
        flush(path.parent)
    finally:
        new.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Makes a file, or the names in a folder, safe from a power cut. Raises OSError."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checksum(path: Path) -> str:
    told = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            told.update(chunk)
    return told.hexdigest()
