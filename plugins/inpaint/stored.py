"""Results read back from the store as the run itself gave them, for the panel to show and lay over a picture again."""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.photos import PhotoUnreadable
from studio.host.results import ResultRecord, ResultsStore
from studio_plugins.inpaint.choices import Method
from studio_plugins.inpaint.inputs import FILE_OF, InpaintInputs
from studio_plugins.inpaint.keeping import STAGES, STEP_ARRAYS, STEPS_FILE
from studio_plugins.inpaint.painters import Painted
from studio_plugins.inpaint.reading import read_mask, read_picture
from studio_plugins.inpaint.request import InpaintRequest, MethodsRequest
from studio_plugins.inpaint.results import Cost, Filled, InpaintResult, MethodsResult
from studio_plugins.inpaint.seeing import SeeOrder, view_of

if TYPE_CHECKING:
    from studio.ml.diffusion.views import View

MAX_FILE_BYTES = 256 << 20


class ResultUnreadable(ValueError):
    """A stored result whose files are gone or damaged; the message says which."""


@dataclass(frozen=True, eq=False)
class Stored:
    """A stored run or comparison of methods, and the pixels it began with."""

    record: ResultRecord
    inputs: InpaintInputs
    result: InpaintResult | MethodsResult


def load_run(record_id: str, ctx: JobContext) -> Generator[Event | Offload, Any, Stored]:
    """A result of either kind. Raises ResultMissing, ResultUnreadable."""
    yield Progress(0, 1, "reading the result")
    done: Stored = yield Offload(read_run, ctx.services["results"], record_id)
    return done


def read_run(store: ResultsStore, record_id: str) -> Stored:
    """A result of either kind. Raises ResultMissing, ResultUnreadable."""
    record = store.get(record_id)
    files = store.files(record_id)
    try:
        hints = files.get(FILE_OF["hints"])
        inputs = InpaintInputs(
            read_picture(files[FILE_OF["picture"]]),
            read_mask(files[FILE_OF["mask"]]),
            None if hints is None else read_picture(hints),
        )
        arrays = _arrays(files[STEPS_FILE])
        read = _methods if record.kind == MethodsRequest.kind else _run
        return Stored(record, inputs, read(record, inputs, arrays))
    except KeyError as error:
        raise ResultUnreadable(f"The result “{record.title}” is not whole: {error.args[0]} is missing.") from error
    except PhotoUnreadable as error:
        raise ResultUnreadable(f"The result “{record.title}” cannot be shown again. {error}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ResultUnreadable(f"“{record.title}” cannot be shown again: its file {STEPS_FILE} is damaged.") from error


def _run(record: ResultRecord, inputs: InpaintInputs, arrays: Mapping[str, NDArray[Any]]) -> InpaintResult:
    request = InpaintRequest.from_json(record.request)
    filled = _filled(arrays, "", Cost.stored(record.metrics))
    view = _view(request, inputs, filled)
    return InpaintResult(request, inputs.picture.shape, view, filled, record.provenance, record.id)


def _methods(record: ResultRecord, inputs: InpaintInputs, arrays: Mapping[str, NDArray[Any]]) -> MethodsResult:
    request = MethodsRequest.from_json(record.request)
    known: tuple[Method, ...] = ("trained", "replace_x0", "replace_x_t")
    filled = {}
    for method in known:
        if f"{method}_patches" in arrays:
            own = {name: record.metrics.get(f"{method} {name}", 0) for name in ("steps", "evaluations", "seconds")}
            filled[method] = _filled(arrays, f"{method}_", Cost.stored(own))
    if not filled:
        raise KeyError("patches")
    view = _view(request, inputs, next(iter(filled.values())))
    return MethodsResult(request, inputs.picture.shape, view, filled, record.provenance, record.id)


def _view(request: InpaintRequest, inputs: InpaintInputs, filled: Filled) -> View:
    """The view follows from the pixels, the request and the sizes of what was drawn."""
    size, native = filled.seams[0].map.shape[0], filled.patches.shape[1]
    return view_of(SeeOrder(request, inputs, size, native))


def _filled(arrays: Mapping[str, NDArray[Any]], prefix: str, cost: Cost) -> Filled:
    from studio.ml.diffusion.seams import Seam

    parts = (arrays[prefix + name] for name in ("seams", "seam_errors", "seam_jumps"))
    seams = tuple(Seam(heat, float(error), float(jump)) for heat, error, jump in zip(*parts, strict=True))
    return Filled(arrays[prefix + "patches"], seams, cost, tuple(_steps(arrays, prefix)))


def _steps(arrays: Mapping[str, NDArray[Any]], prefix: str) -> list[Painted]:
    steps: list[Painted] = []
    for stage in STAGES:
        mark = f"{prefix}{stage}_"
        columns = {name: arrays[mark + name] for name in STEP_ARRAYS if mark + name in arrays}
        for i in range(len(columns.get("x0", ()))):
            x_t = columns["x_t"][i] if "x_t" in columns else None
            done, total, t = int(columns["done"][i]), int(columns["total"][i]), float(columns["t"][i])
            steps.append(Painted(done, total, t, columns["x0"][i], x_t, stage=stage))
    return steps


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an npz file of reasonable size. Raises OSError, ValueError, BadZipFile."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_FILE_BYTES:
            raise ValueError(f"it holds more than {MAX_FILE_BYTES >> 20} MiB")
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}
