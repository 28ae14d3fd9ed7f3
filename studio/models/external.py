"""Public checkpoints (diffusers pipelines) from a model's name to the opened model, through the engine's cache."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Offload, Progress

if TYPE_CHECKING:
    from studio.ml.diffusion.external.memory import Offload as Waiting
    from studio.ml.diffusion.external.model import ExternalModel


def is_external(model: str) -> bool:
    """Whether a request's model is the place of a public checkpoint: a diffusers folder, or a file of a known family.

    Reads a file's header at most.
    """
    from studio.ml.diffusion.external.errors import ExternalError
    from studio.ml.diffusion.external.folder import is_pipeline
    from studio.ml.diffusion.external.headers import read_header
    from studio.ml.diffusion.external.single_file import kind_of

    place = Path(model)
    if place.suffix.lower() != ".safetensors" or not place.is_file():
        return is_pipeline(place)
    try:
        return bool(kind_of(read_header(place).shapes))
    except ExternalError:
        return False  # whoever opens it as something else says what is wrong with it


def open_external(
    model: str, ctx: JobContext, *, precision: str = "auto", offload: Waiting = "none", tiling: bool = False
) -> Generator[Event | Offload, Any, ExternalModel]:
    """A public checkpoint by its place. precision: "auto" is the device's own; the rest as `load_external`.

    Raises ExternalError.
    """
    place = Path(model)
    dtype = ctx.dtype if precision == "auto" else precision
    yield Progress(0, 1, f"opening {place.name}")
    key = ("external", str(place), _stamp(place), ctx.device, dtype, offload, tiling)
    found: ExternalModel = yield Offload(
        ctx.models.get, key, lambda: _load(place, ctx.device, dtype, offload, tiling)
    )
    return found


def _stamp(place: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when any file is replaced."""
    files = sorted(path for path in place.rglob("*") if path.suffix in (".json", ".safetensors")) or [place]
    states = [(str(path.relative_to(place)), path.stat()) for path in files]
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)


def _load(place: Path, device: str, dtype: str, offload: Waiting, tiling: bool) -> ExternalModel:
    # torch and diffusers are imported on the worker, never on the window's thread
    import torch

    from studio.ml.diffusion.external.loading import load_external

    return load_external(place, device=device, dtype=getattr(torch, dtype), offload=offload, tiling=tiling)
