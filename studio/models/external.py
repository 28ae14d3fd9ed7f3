"""Public checkpoints (diffusers pipelines) from a model's name to the opened model, through the engine's cache."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from studio import __version__
from studio.engine import Event, JobContext, Offload, Progress, Snapshot
from studio.ml.diffusion.external.schedulers import DIFFUSION, FLOW
from studio.models.catalog import ModelInfo
from studio.models.fields import SCHEDULERS

if TYPE_CHECKING:
    from studio.ml.diffusion.external.asked import Lora
    from studio.ml.diffusion.external.errors import Offer
    from studio.ml.diffusion.external.memory import Offload as Waiting
    from studio.ml.diffusion.external.model import ExternalModel

_FLOW_FAMILIES = ("sd3", "flux")
Result = TypeVar("Result")


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


def with_offers(running: Generator[Event | Offload, Any, Result]) -> Generator[Event | Offload, Any, Result]:
    """A job, with a Snapshot "offers" (a sequence of Offer) before it ends in an ExternalError that has some."""
    from studio.ml.diffusion.external.errors import ExternalError

    try:
        return (yield from running)
    except ExternalError as error:
        if error.offers:
            yield Snapshot("offers", error.offers)
        raise


def offered_changes(offers: Sequence[Offer]) -> list[tuple[str, dict[str, Any]]]:
    """(words for a button, changes to a request) of each offer; a request's fields are those of `fields`."""
    return [(offer.text, _changes(offer)) for offer in offers]


def scheduler_choices(model: ModelInfo | None) -> list[tuple[str, str]]:
    """(name, label) of the schedulers to offer for a public model, by its family; others can draw with some of all."""
    family = model.family if model is not None else ""
    fitting = [*FLOW] if family in _FLOW_FAMILIES else [*DIFFUSION, *(FLOW if family == "other" else ())]
    return [(name, SCHEDULERS[name]) for name in ("default", *fitting)]


def lora_of(text: str) -> Lora:
    """An adapter as requests name it: the place of its file, and perhaps its weight, "style.safetensors : 0.8"."""
    from studio.ml.diffusion.external.asked import Lora

    place, colon, weight = text.rpartition(" : ")
    try:
        return Lora(Path(place.strip()), float(weight)) if colon else Lora(Path(text.strip()))
    except ValueError:
        return Lora(Path(text.strip()))


def provenance_of_external(model: ExternalModel, ctx: JobContext) -> Mapping[str, Any]:
    """Model, device, number format, threads and versions of a run, as plain JSON.

    Without a digest: that of many gigabytes is worked out on demand only (in the Models panel).
    """
    import diffusers
    import torch

    return {
        "model": model.name,
        "family": model.family,
        "device": ctx.device,
        "dtype": str(model.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "studio": __version__,
    }


def _changes(offer: Offer) -> dict[str, Any]:
    """An offer in the names of requests, which speak of a precision, and of seeds by the first and how many."""
    named = {"dtype": "precision", "seeds": "batch"}
    return {named.get(name, name): 1 if name == "seeds" else value for name, value in offer.changes.items()}


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
