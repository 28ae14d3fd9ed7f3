"""Making safetensors of a pickle, beside it, without running what may be in it.

`torch.load(weights_only=True)` builds tensors and plain containers and refuses everything else.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from studio.ml.diffusion.checkpoint import is_mappable
from studio.ml.diffusion.conversion import write_safetensors
from studio.ml.diffusion.external.errors import ExternalError, PickleRefused
from studio.ml.diffusion.external.folder import PICKLES
from studio.ml.diffusion.weights import require_memory

INSIDE = ("state_dict", "model", "module")
"""Names under which training scripts put the weights into a larger dictionary."""
RENAMED = {"pytorch_model": "model", "diffusion_pytorch_model": "diffusion_pytorch_model"}
"""Names that the libraries give the file as pickle and as safetensors."""


def pickles_in(place: Path) -> list[Path]:
    """The pickled weights in a folder and one level below that have no safetensors beside them."""
    found = sorted(path for pattern in ("*", "*/*") for path in place.glob(pattern) if path.suffix.lower() in PICKLES)
    return [path for path in found if path.is_file() and not converted_name(path).is_file()]


def converted_name(file: Path) -> Path:
    """Where the converted weights of a pickle go."""
    stem = file.name.removesuffix(file.suffix)
    return file.with_name(f"{RENAMED.get(stem, stem)}.safetensors")


def convert_pickle(file: Path) -> Path:
    """Write the tensors of a pickle beside it and return where; the pickle stays.

    The new file appears whole or not at all. Raises PickleRefused for a file that asks to run code, ExternalError for
    one that is damaged or holds no weights, WeightsError for too little memory or numbers that safetensors cannot hold,
    OSError where the disk is full or read-only.
    """
    target = converted_name(file)
    if target.exists():
        raise ExternalError(f"{target.name} exists already beside {file.name}. Use that, or move it away first.")
    state = dict(_tensors(_read(file)))
    if not state:
        raise ExternalError(f"{file.name} holds no weights of a network.")
    part = target.with_suffix(f".{os.getpid()}.part")
    try:
        for _ in write_safetensors(state, part):
            pass
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _read(file: Path) -> Any:
    mapped = is_mappable(file)
    if not mapped:
        require_memory(file.stat().st_size, f"To convert {file.name}, its weights")
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        told = next((line.strip() for line in str(error).splitlines() if "GLOBAL" in line or "Unsupported" in line), "")
        raise PickleRefused(
            f"{file.name} is refused: it asks to run code while it is read ({told[:200] or 'of an unknown kind'}). "
            "Ask its author for a safetensors file."
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise ExternalError(f"{file.name} is damaged or no checkpoint. Get it again from where it came.") from error


def _tensors(found: Any) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor of all weights, from the dictionary itself or from the one inside it."""
    if not isinstance(found, Mapping):
        return
    inside = next((found[key] for key in INSIDE if isinstance(found.get(key), Mapping)), found)
    for name, value in inside.items():
        if isinstance(name, str) and isinstance(value, Tensor) and value.layout == torch.strided:
            yield name, value
