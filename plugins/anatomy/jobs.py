"""The jobs behind the panel: opening a model, counting what a run of it costs, timing one layer, keeping."""

from __future__ import annotations

import sys
from collections.abc import Generator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.ml.anatomy.blueprint import Blueprint, read_blueprint
from studio.ml.anatomy.building import Change
from studio.ml.anatomy.errors import NotAModel
from studio.ml.anatomy.presets import PRESETS, preset
from studio.models.catalog import bundled_folder
from studio_plugins.anatomy.request import BUNDLED, PRESET, AnatomyRequest
from studio_plugins.anatomy.results import Counted, Kept, Look, Opened, Timed, look_at, with_known

LIBRARY = "transformers.modeling_utils"


@dataclass(frozen=True)
class CountOrder:
    """Count what a run costs; change: None for the model's own sizes."""

    request: AnatomyRequest
    change: Change | None
    key: tuple[object, ...]
    opened: Opened


def blueprint_of(model: str) -> Blueprint:
    """What a model named in a request is built from. Raises AnatomyError."""
    if model.startswith(PRESET):
        name = model.removeprefix(PRESET)
        if name not in PRESETS:
            raise NotAModel(f"There is no preset “{name}”. Choose one of the list, or open a folder.")
        return preset(name)
    if model.startswith(BUNDLED):
        name = model.removeprefix(BUNDLED)
        if not name or any(mark in name for mark in "/\\") or name.startswith("."):
            raise NotAModel(f"“{name}” is no bundled model. Choose one of the list.")
        found = read_blueprint(bundled_folder() / name)
        return replace(found, title=name, origin="bundled")
    return with_stored(read_blueprint(Path(model)))


def with_stored(blueprint: Blueprint) -> Blueprint:
    """With the numbers that the weight files beside the configuration hold, by their headers."""
    from studio.models.library.weights import weights_in

    place = Path(blueprint.place)
    if not place.is_dir():
        return blueprint
    found = weights_in(place)
    notes = blueprint.notes
    if found.missing and found.formats:
        notes = (*notes, f"Weights are missing: {', '.join(found.missing)}.")
    return replace(blueprint, stored=found.formats, notes=notes)


def open_model(model: str, ctx: JobContext) -> Generator[Event | Offload, Any, Opened]:
    """Build a model without memory and count it. Raises AnatomyError."""
    yield Progress(0, 2, "reading the configuration")
    blueprint: Blueprint = yield Offload(blueprint_of, model)
    yield from _library()
    from studio.ml.anatomy.examining import open_anatomy

    yield Progress(1, 2, "building it without memory")
    return Opened(model, open_anatomy(blueprint))


def count_model(order: CountOrder, ctx: JobContext) -> Generator[Event | Offload, Any, Counted]:
    """Run it without numbers and count; a hypothetical model is counted anew. Raises AnatomyError."""
    from studio.ml.anatomy.examining import hypothetical, measuring

    yield from _library()
    request, anatomy = order.request, order.opened.anatomy
    steps, done = measuring(anatomy.blueprint, request.stack, request.tokens, request.batch, order.change), 0
    while True:
        try:
            words = next(steps)
        except StopIteration as end:
            found = end.value
            break
        yield Progress(done, 5, words)
        done += 1
    yield Progress(4, 5, "counting parameters")
    other = hypothetical(anatomy, order.change) if order.change is not None else None
    return Counted(order.key, found, other)


def time_layer(look: Look, ctx: JobContext) -> Generator[Event | Offload, Any, Timed]:
    """Time one real layer, a run a step. Raises AnatomyError."""
    from studio.ml.anatomy.examining import model_for
    from studio.ml.anatomy.flops import block_cost
    from studio.ml.anatomy.timing import MOST_RUNS, Timing, check, probe, runs

    yield from _library()
    request, stack = look.request, look.stack
    if stack is None:
        raise NotAModel("This model has no layers that attend, so there is none to time.")
    fused, dtype = request.attention == "fused", "float32" if ctx.device == "cpu" else _real_dtype(request.precision)
    yield Progress(0, MOST_RUNS, "measuring a plain matrix product")
    rate = probe(ctx.device, dtype)
    yield Progress(0, MOST_RUNS, "preparing one layer")
    model, stacks, given, lengths = model_for(
        look.anatomy.blueprint, stack.path, request.tokens, request.batch, look.change
    )
    source = next((lengths[found.path] for found in stacks if found.kind == "encoder"), 0) if stack.block.cross else 0
    flops = block_cost(stack.block, lengths[stack.path], request.batch, source).total
    check(
        stack.block, flops, rate, tokens=lengths[stack.path], batch=request.batch, source=source, dtype=dtype,
        device=ctx.device, fused=fused,
    )  # fmt: skip
    took: list[float] = []
    for seconds in runs(model, given, f"{stack.path}.0", device=ctx.device, dtype=dtype, fused=fused):
        took.append(seconds)
        yield Progress(len(took), MOST_RUNS, f"run {len(took)} of one layer")
    timing = Timing(tuple(took[1:] or took), flops, rate, ctx.device, dtype, request.attention)
    return Timed((*look.key, request.precision, request.attention), request.attention, timing)


def keep(look: Look, ctx: JobContext) -> Generator[Event | Offload, Any, Kept]:
    """Keep what is shown in the store. Raises StoreUnwritable."""
    from studio_plugins.anatomy import keeping

    yield Progress(0, 1, "keeping the anatomy")
    record_id: str = yield Offload(keeping.keep, look, ctx.services["results"])
    return Kept(record_id)


def anatomy(request: AnatomyRequest, ctx: JobContext) -> Generator[Event | Offload, Any, Kept]:
    """Open, count and keep. Raises AnatomyError."""
    opened = yield from open_model(request.model, ctx)
    look = look_at(request, opened.anatomy)
    if look.stack is not None and not look.anatomy.blueprint.own:
        counted = yield from count_model(CountOrder(look.request, look.change, look.key, opened), ctx)
        look = with_known(look, counted, None)
    kept: Kept = yield from keep(look, ctx)
    return kept


def _library() -> Generator[Event | Offload, Any, None]:
    """transformers takes seconds to load, which no other task should wait for."""
    if LIBRARY not in sys.modules:
        yield Progress(0, 2, "loading transformers")
        yield Offload(import_module, LIBRARY)


def _real_dtype(precision: str) -> str:
    """Integer weights are computed with in 16 bits."""
    return precision if precision in ("float32", "bfloat16", "float16") else "bfloat16"


@dataclass(frozen=True)
class Listed:
    """Models that can be chosen: (name in a request, title) of those bundled, and of those in the library."""

    bundled: tuple[tuple[str, str], ...]
    library: tuple[tuple[str, str], ...]


def list_models(_request: None, ctx: JobContext) -> Generator[Event | Offload, Any, Listed]:
    """The models on this machine, as the last survey of the library found them."""
    yield Progress(0, 1, "looking for models")
    found: Listed = yield Offload(_listed)
    return found


def _listed() -> Listed:
    from studio.models.catalog import TRANSFORMERS, find_models

    parent = bundled_folder()
    folders = [folder for folder in sorted(parent.iterdir()) if (folder / "config.json").is_file()]
    bundled = tuple((f"{BUNDLED}{folder.name}", folder.name) for folder in folders)
    models, _problems = find_models(kinds=(TRANSFORMERS,))
    return Listed(bundled, tuple((info.id, info.title) for info in models))
