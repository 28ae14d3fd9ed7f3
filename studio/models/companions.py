"""Networks that work beside a drawing model: a CLIP or a classifier that guides it, an up-sampler that enlarges."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from studio.engine import Event, JobContext, Offload
from studio.models.catalog import ModelMissing, find_models
from studio.models.opening import Loader, open_folder

if TYPE_CHECKING:
    from studio.ml.clip.model import NoisedClip
    from studio.ml.diffusion.classifier import NoisyClassifier
    from studio.ml.diffusion.schedule import Schedule
    from studio.ml.diffusion.upsampling import Upsampler


class CompanionMismatch(ValueError):
    """Two networks that cannot work on the same picture; the message says what differs and what to choose."""


class Sized(Protocol):
    """What must agree between networks that see the same x_t."""

    @property
    def name(self) -> str: ...
    @property
    def image_size(self) -> int: ...
    @property
    def schedule(self) -> Schedule: ...


def open_clip(name: str, ctx: JobContext, *, precision: str = "auto") -> Generator[Event | Offload, Any, NoisedClip]:
    """A noise-aware CLIP by name or folder. Raises ModelMissing, and what `open_folder` raises."""
    clip: NoisedClip = yield from _open("CLIP guidance", "clip", name, _clip, ctx, precision)
    return clip


def open_classifier(
    name: str, ctx: JobContext, *, precision: str = "auto"
) -> Generator[Event | Offload, Any, NoisyClassifier]:
    """A noise-aware classifier by name or folder. Raises ModelMissing, and what `open_folder` raises."""
    classifier: NoisyClassifier = yield from _open(
        "Classifier guidance", "classifier", name, _classifier, ctx, precision
    )
    return classifier


def open_upsampler(
    name: str, model: Sized, ctx: JobContext, *, precision: str = "auto"
) -> Generator[Event | Offload, Any, Upsampler]:
    """An up-sampler of what `model` draws. Raises ModelMissing, CompanionMismatch, and what `open_folder` raises."""
    upsampler: Upsampler = yield from _open("Up-sampling", "upsample", name, _upsampler, ctx, precision)
    small, drawn = upsampler.low_res_size, model.image_size
    if small != drawn:
        raise CompanionMismatch(
            f"“{upsampler.name}” enlarges pictures of {small}×{small} pixels, and “{model.name}” draws "
            f"{drawn}×{drawn}. Choose another up-sampler, or none."
        )
    return upsampler


def check_same_noise(companion: Sized, model: Sized, purpose: str) -> None:
    """Raise CompanionMismatch unless both know pictures of the same size and the same noise at every step."""
    check_same_size(companion, model, purpose)
    theirs, ours = companion.schedule.alphas_cumprod, model.schedule.alphas_cumprod
    if theirs.shape != ours.shape or abs(theirs - ours).max() > 1e-6:
        raise CompanionMismatch(
            f"“{companion.name}” was trained on another noise schedule than “{model.name}”, so it misreads its noisy "
            f"pictures. Choose another model for {purpose}."
        )


def check_same_size(companion: Sized, model: Sized, purpose: str) -> None:
    """Raise CompanionMismatch unless both know pictures of the same size."""
    theirs, ours = companion.image_size, model.image_size
    if theirs != ours:
        raise CompanionMismatch(
            f"“{companion.name}” knows pictures of {theirs}×{theirs} pixels, and “{model.name}” draws {ours}×{ours}. "
            f"Choose another model for {purpose}."
        )


def _open(
    purpose: str, kind: str, name: str, loader: Loader, ctx: JobContext, precision: str
) -> Generator[Event | Offload, Any, Any]:
    try:
        found = yield from open_folder(name, loader, ctx, precision=precision)
    except ModelMissing as error:
        there = ", ".join(f"“{info.id}”" for info in find_models(kinds=(kind,))[0]) or "none"
        raise ModelMissing(
            f"{purpose} needs the model “{name}”, which is not on this machine (of this kind there are: {there}). "
            "Choose another one, or put it back."
        ) from error
    return found


# torch is imported on the worker, never on the window's thread


def _clip(folder: Path, *, device: str, dtype: Any) -> NoisedClip:
    from studio.ml.clip.model import load_clip

    return load_clip(folder, device=device, dtype=dtype)


def _classifier(folder: Path, *, device: str, dtype: Any) -> NoisyClassifier:
    from studio.ml.diffusion.classifier import load_classifier

    return load_classifier(folder, device=device, dtype=dtype)


def _upsampler(folder: Path, *, device: str, dtype: Any) -> Upsampler:
    from studio.ml.diffusion.upsampling import load_upsampler

    return load_upsampler(folder, device=device, dtype=dtype)
