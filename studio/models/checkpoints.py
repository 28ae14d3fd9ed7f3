"""Released checkpoints (GLIDE, ADM) on the engine's side: convert once, load, and say in words what cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from studio.engine import JobContext
from studio.host.paths import DataPaths
from studio.models.catalog import ModelUnreadable

if TYPE_CHECKING:
    from studio.models.opening import Drawing

OPENS = (
    "What can be opened here: GLIDE's 64x64 base and inpainting models, ADM U-Nets, and models trained with this "
    "studio. Up-samplers, classifiers and CLIP are imported in the Models panel."
)


def cache_folder(ctx: JobContext) -> Path:
    """Where converted weights are kept: the cache of the data folder in use."""
    paths = ctx.services.get("paths")
    return (paths if isinstance(paths, DataPaths) else DataPaths.default()).cache


def to_convert(place: Path, cache: Path) -> Path | None:
    """The file a checkpoint is still to be converted into; None when it can be read as it is. Reads all of a `.pt`."""
    from studio.ml.diffusion.checkpoint import is_safetensors
    from studio.ml.diffusion.weights import sha256_of

    with in_words(place):
        if place.is_dir() or is_safetensors(place):
            return None
        target = cache / f"{sha256_of([place])}.safetensors"
        return None if target.is_file() else target


def convert(place: Path, target: Path) -> None:
    """Write a `.pt` file's tensors as safetensors; nothing else in it is executed. Raises ModelUnreadable, OSError."""
    from studio.ml.diffusion import checkpoint

    with in_words(place):
        checkpoint.convert(place, target)


def load(place: Path, cache: Path, device: str, dtype: str) -> Drawing:
    """The network with its weights. Raises ModelUnreadable, OSError."""
    import torch

    from studio.ml.diffusion.unconditional import load_released

    with in_words(place):
        return load_released(place, cache, device=device, dtype=getattr(torch, dtype))


@contextmanager
def in_words(place: Path) -> Iterator[None]:
    """Turn what reading a checkpoint raises into ModelUnreadable, which says what to do."""
    from safetensors import SafetensorError

    from studio.ml.diffusion.bpe import TokenizerCorrupt
    from studio.ml.diffusion.released import UnknownCheckpoint
    from studio.ml.diffusion.weights import CorruptWeights, NotEnoughMemory, WeightsError

    try:
        yield
    except FileNotFoundError as error:
        gone = f"“{place}” is not there any more. Open it from where it is now."
        raise ModelUnreadable(str(error) if error.filename is None else gone) from error
    except (CorruptWeights, NotEnoughMemory, TokenizerCorrupt) as error:
        raise ModelUnreadable(str(error)) from error
    except UnknownCheckpoint as error:
        raise ModelUnreadable(f"“{place.name}” cannot be opened. {OPENS} {error}") from error
    except WeightsError as error:  # another network, or a file that would run code
        raise ModelUnreadable(f"{error} {OPENS}") from error
    except SafetensorError as error:
        text = f"“{place.name}” could not be converted ({error}). Look whether the disk of the data folder has room."
        raise ModelUnreadable(text) from error
