"""Putting a comparison on disk: a PNG per column that carries its settings, the steps, and where it all came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio import __version__
from studio.host.imagemeta import encode_png, envelope, format_parameters
from studio.host.pictures import Pixels, thumbnail
from studio.host.results import ResultRecord, ResultsStore, StoreUnwritable
from studio.models.fields import SAMPLERS
from studio_plugins.guidance.request import GuidanceRequest
from studio_plugins.guidance.results import ColumnRun, Comparison
from studio_plugins.guidance.titles import titles_of
from studio_plugins.guidance.trajectory import StepsUnreadable, read, to_npz

STEPS_FILE = "steps.npz"
NO_STORE = "There is no results store here, so the comparison was not kept."


def picture_name(column: int, index: int, batch: int) -> str:
    """File name of a column's picture."""
    return f"picture-{column + 1:02}.png" if batch == 1 else f"picture-{column + 1:02}-{index + 1:02}.png"


def picture_png(
    request: GuidanceRequest, column: int, picture: Pixels, provenance: Mapping[str, Any], index: int
) -> bytes:
    """One picture as PNG with the whole comparison inside, and which column and picture of it this is."""
    made = {**provenance, "column": column, "picture": index, "seed": request.seed + index}
    text = parameters_text(request, column, picture.shape[0], index)
    return encode_png(picture, envelope(request.kind, request.to_dict(), made), text)


def parameters_text(request: GuidanceRequest, column: int, size: int, index: int = 0) -> str:
    """The settings of one picture as other tools read them (A1111's grammar)."""
    guidance = request.columns[column].guidance
    return format_parameters(
        request.prompt if guidance.prompted else "",
        guidance.negative,
        steps=request.steps,
        sampler=SAMPLERS[request.sampler],
        guidance_scale=guidance.free_scale if guidance.free else 1.0,
        seed=request.seed + index,
        size=(size, size),
        model_hash=request.weights[0][:10] if request.weights else None,
        model=Path(request.model).name,
        extra={"Guidance": titles_of(request.columns)[column]},
        version=f"Glassbox Studio {__version__}",
    )


def keep(result: Comparison, store: ResultsStore | None) -> Comparison:
    """Save a comparison. When that is not possible it comes back whole, with `problem` saying why."""
    if store is None:
        return replace(result, problem=NO_STORE)
    request = result.request
    files: dict[str, bytes | Path | Callable[[Path], object]] = {
        picture_name(c, i, request.batch): picture_png(request, c, picture, result.provenance, i)
        for c, run in enumerate(result.columns)
        for i, picture in enumerate(run.pictures)
    }
    files[STEPS_FILE] = to_npz([run.steps for run in result.columns])
    try:
        record = store.add(
            request.kind,
            request,
            files,
            title=f"{len(request.columns)} guidances: {request.prompt.strip() or 'without a prompt'}",
            provenance=result.provenance,
            thumbnail=encode_png(thumbnail(np.stack([run.pictures[0] for run in result.columns]))),
            metrics={
                "seconds": round(sum(run.cost.seconds for run in result.columns), 3),
                "columns": [run.summary() for run in result.columns],
            },
        )
    except StoreUnwritable as error:
        return replace(result, problem=str(error))
    # The engine remembers ended tasks; the steps are on disk now and need not stay in memory with them.
    return replace(result, columns=tuple(replace(run, steps=()) for run in result.columns), record_id=record.id)


def read_back(store: ResultsStore, record_id: str) -> Comparison:
    """A comparison from the store. Raises ResultMissing, OSError; damaged steps or figures are named in `problem`."""
    record = store.get(record_id)
    request = GuidanceRequest.checked(**record.request)
    files = store.files(record_id)
    pictures = [_pictures(files, c, request.batch, record) for c in range(len(request.columns))]
    try:
        steps = read(files[STEPS_FILE]) if STEPS_FILE in files else ((),) * len(pictures)
        runs = tuple(
            ColumnRun.of_summary(stored, found, picture)
            for stored, found, picture in zip(record.metrics["columns"], steps, pictures, strict=True)
        )
    except (StepsUnreadable, KeyError, TypeError, ValueError) as error:
        text = str(error) if isinstance(error, StepsUnreadable) else "The figures of this comparison cannot be read."
        runs = tuple(ColumnRun.of_summary(_NO_FIGURES, (), picture) for picture in pictures)
        return Comparison(request, runs, record.provenance, record.id, text)
    return Comparison(request, runs, record.provenance, record.id)


_NO_COST = {"evaluations": 0, "gradients": {}, "gflop": 0.0, "times": 0.0, "seconds": 0.0, "computed": 0}
_NO_FIGURES: Mapping[str, Any] = {"cost": _NO_COST, "verdicts": (), "shared": None, "target": "", "problem": ""}


def _pictures(files: Mapping[str, Path], column: int, batch: int, record: ResultRecord) -> Pixels:
    names = [picture_name(column, i, batch) for i in range(batch)]
    if any(name not in files for name in names):
        raise FileNotFoundError(2, "The pictures of this comparison are gone", str(record.folder))
    return np.stack([np.asarray(Image.open(files[name]).convert("RGB")) for name in names])
