"""Putting a finished run on disk: PNG files that carry their settings, the steps, and where it all came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio import __version__
from studio.host.imagemeta import encode_png, envelope, format_parameters
from studio.host.pictures import GridLabels, Pixels, labelled_grid, thumbnail
from studio.host.results import ResultsStore, StoreUnwritable
from studio.models.fields import SAMPLERS, SCHEDULERS
from studio_plugins.generate.choices import GUIDANCES
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.results import GenerateResult, SweepResult
from studio_plugins.generate.sweep_labels import sweep_labels
from studio_plugins.generate.sweep_request import SweepRequest

STEPS_FILE = "steps.npz"
GRID_FILE = "grid.png"
NO_STORE = "There is no results store here, so the picture was not kept."


def picture_name(request: GenerateRequest, index: int, kind: str = "picture") -> str:
    """File name of a picture of the batch, or of the `small` one it was enlarged from."""
    return f"{kind}.png" if request.batch == 1 else f"{kind}-{index + 1:02}.png"


def parameters_text(request: GenerateRequest, size: tuple[int, int], index: int = 0) -> str:
    """The settings of one picture as other tools read them (A1111's grammar); what was not used is not in it.

    size: (width, height).
    """
    guided = "classifier-free" in request.kinds
    return format_parameters(
        request.condition,
        request.negative_prompt.strip() if guided else "",
        steps=request.steps,
        sampler=sampler_name(request),
        guidance_scale=request.guidance_scale if guided else None,
        seed=request.seed + index,
        size=size,
        model_hash=request.model_sha256[:10] or None,
        model=Path(request.model).name,
        extra=_extra(request),
        version=f"Glassbox Studio {__version__}",
    )


def sampler_name(request: GenerateRequest) -> str:
    """How the noise was removed, in words."""
    if request.public:
        return SCHEDULERS.get(request.scheduler, request.scheduler)
    return SAMPLERS[request.sampler]


def _extra(request: GenerateRequest) -> dict[str, Any]:
    """Settings that A1111's order has no place for; the second stage goes by its names for one."""
    extra: dict[str, Any] = {}
    if request.sampler == "ddim" and request.eta and not request.public:
        extra["Eta"] = request.eta
    if request.kinds not in ((), ("classifier-free",)):
        extra["Guidance"] = GUIDANCES[request.guidance]
    if {"clip", "clip-x0"} & {*request.kinds}:
        extra |= {"CLIP scale": request.clip_scale, "CLIP": Path(request.clip_model).name}
        extra["CLIP prompt"] = request.clip_prompt.strip() or None
    if "classifier" in request.kinds:
        extra |= {"Classifier scale": request.classifier_scale, "Classifier": Path(request.classifier_model).name}
        extra["Class"] = request.classifier_class or None
    if request.kinds and request.guidance_course != "constant":
        extra["Guidance interval"] = f"{request.guidance_course} {request.guidance_start:g}-{request.guidance_stop:g}"
    if request.public and request.loras:
        extra["LoRA"] = "; ".join(request.loras)
    if request.upsampled:
        extra |= {"Hires upscale": 4, "Hires upscaler": Path(request.upsample).name}
        extra["Hires steps"] = None if request.upsample_sampler == "own" else request.upsample_steps
    return extra


def picture_png(
    request: GenerateRequest, picture: Pixels, provenance: Mapping[str, Any], index: int = 0, *, small: bool = False
) -> bytes:
    """One picture of a run as PNG with the whole request inside, and which picture of the batch it is.

    small: it is what the second stage enlarged, which the provenance then says.
    """
    made = {**provenance, "picture": index, "seed": request.seed + index}
    if small:
        made["stage"] = "base"
    text = parameters_text(request, (picture.shape[1], picture.shape[0]), index)
    return encode_png(picture, envelope(request.kind, request.to_dict(), made), text)


def keep_run(result: GenerateResult, store: ResultsStore | None) -> GenerateResult:
    """Save a run. When that is not possible the result comes back whole, with `problem` saying why."""
    request = result.request
    if store is None:
        return replace(result, problem=NO_STORE)
    files: dict[str, bytes | Path | Callable[[Path], object]] = {
        picture_name(request, i): picture_png(request, picture, result.provenance, i)
        for i, picture in enumerate(result.pictures)
    }
    if result.small is not None:
        files |= {
            picture_name(request, i, "small"): picture_png(request, picture, result.provenance, i, small=True)
            for i, picture in enumerate(result.small)
        }
    if result.steps is not None:
        files[STEPS_FILE] = result.steps.to_npz()
    try:
        record = store.add(
            request.kind,
            request,
            files,
            title=title_of(request),
            provenance=result.provenance,
            thumbnail=encode_png(thumbnail(result.pictures)),
            metrics=result.cost.metrics(),
        )
    except StoreUnwritable as error:
        return replace(result, problem=str(error))
    # The engine remembers ended tasks; the steps are on disk now and need not stay in memory with them.
    return replace(result, record_id=record.id, steps=None)


def title_of(request: GenerateRequest) -> str:
    """What a run is called in lists."""
    return request.condition.strip() or "without a prompt"


def grid_png(request: SweepRequest, cells: Pixels, labels: GridLabels, provenance: Mapping[str, Any]) -> bytes:
    """The labelled grid as PNG with the sweep's request inside."""
    factor = max(1, 128 // cells.shape[1])
    return encode_png(
        labelled_grid(list(cells), labels, factor), envelope(request.kind, request.to_dict(), provenance)
    )


def keep_sweep(result: SweepResult, store: ResultsStore | None) -> SweepResult:
    """Save a sweep: the labelled grid, and each cell as a picture with its own settings."""
    if store is None:
        return replace(result, problem=NO_STORE)
    labels = sweep_labels(result.request)
    files: dict[str, bytes | Path | Callable[[Path], object]] = {
        GRID_FILE: grid_png(result.request, result.cells, labels, result.provenance)
    }
    for picture, (row, column, request) in zip(result.cells, result.request.cells(), strict=True):
        files[f"cell-{row + 1:02}-{column + 1:02}.png"] = picture_png(request, picture, result.provenance)
    varied = " × ".join(filter(None, (labels.column_title, labels.row_title)))
    try:
        record = store.add(
            result.request.kind,
            result.request,
            files,
            title=f"{varied}: {title_of(result.request.base)}",
            provenance=result.provenance,
            thumbnail=encode_png(thumbnail(result.cells)),
            metrics={**result.cost.metrics(), "pictures": len(result.cells)},
        )
    except StoreUnwritable as error:
        return replace(result, problem=str(error))
    return replace(result, record_id=record.id)
