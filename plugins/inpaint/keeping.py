"""Putting a finished run on disk, so that it can be seen, laid over the picture again and replayed.

A result holds the pixels it began with (`input.png`, `mask.png`, `hints.png`), each variant as a whole picture and as a
layer, what was pasted (`composite.png`), and `steps.npz`: what the networks drew, step by step.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio import __version__
from studio.host.imagemeta import encode_png, envelope, format_parameters
from studio.host.imagemeta import thumbnail as thumbnail_of
from studio.host.pictures import Pixels, thumbnail
from studio.host.results import ResultRecord, ResultsStore, StoreUnwritable
from studio.models.fields import SAMPLERS
from studio_plugins.inpaint.choices import METHODS, MODES
from studio_plugins.inpaint.inputs import FILE_OF, InpaintInputs
from studio_plugins.inpaint.painters import Stage
from studio_plugins.inpaint.request import InpaintRequest
from studio_plugins.inpaint.results import Filled, InpaintResult, MethodsResult

STEPS_FILE, COMPOSITE_FILE = "steps.npz", "composite.png"
STAGES: tuple[Stage, ...] = ("base", "upsample")
STEP_ARRAYS = ("x0", "x_t", "t", "done", "total")
NO_STORE = "There is no results store here, so the picture was not kept."
_FAST = 1  # photos hardly get smaller by more effort, and take ten times as long
_LARGE = 2_000_000

Content = bytes | Path | Callable[[Path], object]


def keep_run(result: InpaintResult, inputs: InpaintInputs, store: ResultsStore | None) -> InpaintResult:
    """Save a run. When that is not possible the result comes back whole, with `problem` saying why."""
    if store is None:
        return replace(result, problem=NO_STORE)
    files = _variants(result, inputs) | _inputs(inputs) | {STEPS_FILE: _npz(result.filled, "")}
    files[COMPOSITE_FILE] = _png(result.view.composite)
    try:
        record = store.add(
            result.request.kind,
            result.request,
            files,
            title=title_of(result.request),
            provenance=result.provenance,
            thumbnail=thumbnail_of(result.picture(0, inputs.picture)),
            metrics=result.filled.cost.metrics() | _seam_metrics(result.filled) | _place(result),
        )
    except StoreUnwritable as error:
        return replace(result, problem=str(error))
    return replace(result, record_id=record.id)


def keep_methods(result: MethodsResult, inputs: InpaintInputs, store: ResultsStore | None) -> MethodsResult:
    """Save a comparison: the first variant of every method as a picture, its seam as a map, all of them as numbers."""
    if store is None:
        return replace(result, problem=NO_STORE)
    files: dict[str, Content] = {}
    metrics: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for method, filled in result.filled.items():
        one = result.of(method)
        files |= _variants(one, inputs, f"-{method}")
        arrays |= _arrays(filled, f"{method}_")
        measured = filled.cost.metrics() | _seam_metrics(filled)
        metrics |= {f"{method} {name}": value for name, value in measured.items()}
    files |= _inputs(inputs) | {STEPS_FILE: _packed(arrays), COMPOSITE_FILE: _png(result.view.composite)}
    try:
        record = store.add(
            result.request.kind,
            result.request,
            files,
            title=f"Methods: {title_of(result.request)}",
            provenance=result.provenance,
            thumbnail=encode_png(thumbnail(np.stack([filled.patches[0] for filled in result.filled.values()]))),
            metrics=metrics,
        )
    except StoreUnwritable as error:
        return replace(result, problem=str(error))
    return replace(result, record_id=record.id)


def title_of(request: InpaintRequest) -> str:
    """What a run is called in lists."""
    return request.condition.strip() or f"{MODES[request.mode]} without a prompt"


def parameters_text(request: InpaintRequest, shape: tuple[int, ...], index: int = 0) -> str:
    """The settings of one variant as other tools read them (A1111's grammar)."""
    extra: dict[str, Any] = {"Inpaint mode": MODES[request.mode], "Inpaint method": METHODS[request.method]}
    if request.mode == "refine":
        extra["Denoising strength"] = request.strength
    if request.sampler == "ddim" and request.eta:
        extra["Eta"] = request.eta
    if request.upsampled:
        extra["Hires upscaler"] = Path(request.upsample).name
    return format_parameters(
        request.condition,
        request.negative,
        steps=request.steps,
        sampler=SAMPLERS[request.sampler],
        guidance_scale=request.scale,
        seed=request.seed + index,
        size=(shape[1], shape[0]),
        model_hash=request.model_sha256[:10] or None,
        model=Path(request.model).name,
        extra=extra,
        version=f"Glassbox Studio {__version__}",
    )


def picture_png(result: InpaintResult, under: Pixels, index: int) -> bytes:
    """A variant as a whole picture with the request inside, and which variant it is."""
    request = result.request
    made = {**result.provenance, "picture": index, "seed": request.seed + index}
    text = parameters_text(request, result.shape, index)
    return _png(result.picture(index, under), envelope(request.kind, request.to_dict(), made), text)


def _variants(result: InpaintResult, inputs: InpaintInputs, mark: str = "") -> dict[str, Content]:
    """The pictures first, since the first one is what lists show; each is made when its file is written."""
    number = ["" if len(result) == 1 else f"-{i + 1:02}" for i in range(len(result))]

    def written(make: Callable[[int], bytes], index: int) -> Callable[[Path], object]:
        return lambda path: path.write_bytes(make(index))

    makers: Mapping[str, Callable[[int], bytes]] = {
        "picture": lambda i: picture_png(result, inputs.picture, i), "layer": lambda i: _png(result.layer(i)[0])
    }  # fmt: skip
    return {
        f"{name}{mark}{number[i]}.png": written(make, i) for name, make in makers.items() for i in range(len(result))
    }


def _inputs(inputs: InpaintInputs) -> dict[str, Content]:
    arrays = {"picture": inputs.picture, "mask": inputs.mask, "hints": inputs.hints}
    return {FILE_OF[name]: _png(pixels) for name, pixels in arrays.items() if pixels is not None}


def _png(pixels: Pixels, glassbox: Mapping[str, Any] | None = None, parameters: str = "") -> bytes:
    return encode_png(pixels, glassbox, parameters, compress_level=_FAST if pixels.size > _LARGE else 6)


def _place(result: InpaintResult) -> dict[str, Any]:
    """Where the layers lie on the picture."""
    region = result.view.region
    return {"left": max(0, region.left), "top": max(0, region.top), "side": region.side}


def _seam_metrics(filled: Filled) -> dict[str, Any]:
    """Means over the variants; none where nothing borders on anything known."""
    means = {
        "seam error": float(np.mean([seam.error for seam in filled.seams])),
        "seam jump": float(np.mean([seam.jump for seam in filled.seams])),
    }
    return {name: round(value, 3) for name, value in means.items() if value == value}


def _npz(filled: Filled, prefix: str) -> bytes:
    return _packed(_arrays(filled, prefix))


def _arrays(filled: Filled, prefix: str) -> dict[str, NDArray[Any]]:
    """patches, seams [N, n, n], their errors, jumps [N]; of each stage x0, x_t [S, N, n, n, 3], t, done, total [S]."""
    arrays: dict[str, NDArray[Any]] = {
        "patches": filled.patches,
        "seams": np.stack([seam.map for seam in filled.seams]),
        "seam_errors": np.array([seam.error for seam in filled.seams]),
        "seam_jumps": np.array([seam.jump for seam in filled.seams]),
    }
    for stage in STAGES:
        steps = [step for step in filled.steps if step.stage == stage]
        for name in STEP_ARRAYS:
            values = [getattr(step, name) for step in steps]
            if values and all(value is not None for value in values):
                arrays[f"{stage}_{name}"] = np.stack(values)
    return {prefix + name: value for name, value in arrays.items()}


def _packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(arrays))
    return buffer.getvalue()
