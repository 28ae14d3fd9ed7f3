"""From a model's name to the model itself, through the engine's cache; disk work happens beside the compute thread."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.models import checkpoints
from studio.models.catalog import is_checkpoint, locate, read_info, weight_files

if TYPE_CHECKING:
    from studio.ml.diffusion.glide import TextToImage
    from studio.ml.diffusion.unconditional import ClassConditional, Unconditional

    Drawing = TextToImage | Unconditional | ClassConditional

Loader = Callable[..., Any]
"""(folder, device=, dtype=) -> model, as `studio.ml.diffusion.glide.load_text2im`."""


def open_drawing(model: str, ctx: JobContext, *, precision: str = "auto") -> Generator[Event | Offload, Any, Drawing]:
    """A model that draws from a prompt, a class or nothing: a bundled name, a model folder or a released checkpoint.

    A released `.pt` file is converted first, once. precision: "auto" is the device's own. Raises ModelMissing,
    ModelUnreadable, and what `load_text2im` raises for weights that cannot be used.
    """
    place = locate(model)
    if not is_checkpoint(place):
        kept: Drawing = yield from open_folder(model, _drawing, ctx, precision=precision)
        return kept
    cache = checkpoints.cache_folder(ctx)
    dtype = ctx.dtype if precision == "auto" else precision
    key = _key("released", place, weight_files(place), ctx.device, dtype)
    if key not in ctx.models.keys():  # else there is no need to read the file again
        target: Path | None = yield Offload(checkpoints.to_convert, place, cache)
        if target is not None:
            yield Progress(0, 1, f"converting {place.name}…")
            yield Offload(checkpoints.convert, place, target)
            yield Progress(0, 1, f"opening {place.name}")
    found: Drawing = yield Offload(
        ctx.models.get, key, lambda: checkpoints.load(place, cache, ctx.device, dtype)
    )
    return found


def open_folder(
    model: str, loader: Loader, ctx: JobContext, *, precision: str = "auto"
) -> Generator[Event | Offload, Any, Any]:
    """A model of any kind from its folder (or bundled name), by the loader of its kind.

    Raises ModelMissing, ModelUnreadable, and what the loader raises (WeightsError).
    """
    place = locate(model)
    dtype = ctx.dtype if precision == "auto" else precision
    key = _key(loader.__name__, place, [place / "config.json", *weight_files(place)], ctx.device, dtype)
    found = yield Offload(ctx.models.get, key, lambda: _load(loader, place, ctx.device, dtype))
    return found


def _key(kind: str, place: Path, files: list[Path], device: str, dtype: str) -> tuple[object, ...]:
    """What tells one loaded model from another; files that were replaced since make another model."""
    states = [(path.name, path.stat()) for path in files]
    stamp = tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)
    return kind, str(place), stamp, device, dtype


def _load(loader: Loader, place: Path, device: str, dtype: str) -> Any:
    import torch

    return loader(place, device=device, dtype=getattr(torch, dtype))


def _drawing(folder: Path, *, device: str, dtype: Any) -> Drawing:
    # torch is imported on the worker, never on the window's thread
    from studio.ml.diffusion.glide import load_text2im
    from studio.ml.diffusion.unconditional import load_class_conditional, load_unconditional

    info = read_info(folder, bundled=False)
    if info is not None and info.kind == "class-conditional":
        return load_class_conditional(folder, device=device, dtype=dtype)
    if info is not None and info.kind == "unconditional":
        return load_unconditional(folder, device=device, dtype=dtype)
    return load_text2im(folder, device=device, dtype=dtype)
