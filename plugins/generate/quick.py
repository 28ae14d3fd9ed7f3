"""Small jobs that touch the disk, for the quick lane: read a run back, keep one, open a model."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.panel_jobs import FindOrder
from studio.host.pictures import Pixels
from studio.host.results import ResultRecord, ResultsStore
from studio.models.catalog import (
    DRAWS,
    ModelInfo,
    ModelUnreadable,
    chosen_place,
    info_of,
    is_checkpoint,
    is_model,
    read_info,
)
from studio.models.checkpoints import OPENS
from studio.models.external import is_external
from studio.models.library.holding import TEXT_TO_PICTURE
from studio.models.library.pipelines import INDEX, recognise_pipeline
from studio.models.library.single_files import recognise_file
from studio.models.opening import open_drawing
from studio.models.shelf import Shelf
from studio_plugins.generate.keeping import STEPS_FILE, keep_run
from studio_plugins.generate.results import GenerateResult
from studio_plugins.generate.trajectory import Trajectory, TrajectoryUnreadable


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run or sweep read back from the store. pictures: [N, H, W, 3]; `problem` says why there are no steps."""

    record: ResultRecord
    pictures: Pixels
    steps: Trajectory | None = None
    problem: str = ""


def load_run(record_id: str, ctx: JobContext) -> Generator[Event | Offload, Any, StoredRun]:
    """Pictures and steps of a result. Raises ResultMissing, OSError."""
    yield Progress(0, 1, "reading the result")
    done: StoredRun = yield Offload(_read_run, ctx.services["results"], record_id)
    return done


def find_run(order: FindOrder, ctx: JobContext) -> Generator[Event | Offload, Any, StoredRun | None]:
    """The newest stored result of exactly this request, None when there is none (any more)."""
    yield Progress(0, 1, "looking for the picture")
    done: StoredRun | None = yield Offload(_find_run, ctx.services["results"], order)
    return done


def keep(result: GenerateResult, ctx: JobContext) -> Generator[Event | Offload, Any, GenerateResult]:
    """Save a run that was drawn without being kept."""
    yield Progress(0, 1, "saving")
    done: GenerateResult = yield Offload(keep_run, result, ctx.services.get("results"))
    return done


def open_place(path: Path, ctx: JobContext) -> Generator[Event | Offload, Any, ModelInfo]:
    """The model in a file or folder, loaded, so that it surely draws; a public one, which may be many gigabytes, is
    only looked through. Raises ModelUnreadable, OSError."""
    yield Progress(0, 1, f"reading {path.name}")
    public: ModelInfo | None = yield Offload(_public_at, path)
    if public is not None:
        return public
    place: Path = yield Offload(_place_of, path)
    model = yield from open_drawing(str(place), ctx)
    if not is_checkpoint(place):
        info = read_info(place, bundled=False)
        assert info is not None  # `_place_of` has read it
        return info
    text, classes = getattr(model.net, "text", None), getattr(model, "classes", ())
    return ModelInfo(
        id=str(place),
        title=f"{model.name} ({place.name})",
        folder=place,
        size=model.image_size,
        length=text.text_ctx if text is not None else 0,
        prompted=text is not None or bool(classes),
        kind="text2im" if text is not None else "class-conditional" if classes else "unconditional",
        classes=classes,
    )


def save_shelf(shelf: Shelf, ctx: JobContext) -> Generator[Event | Offload, Any, None]:
    """Remember which models were opened. Raises FileUnwritable."""
    yield Progress(0, 1, "remembering the models opened")
    yield Offload(shelf.save)


def _public_at(path: Path) -> ModelInfo | None:
    """The public model in a diffusers folder or single file; None for anything else. Raises ModelUnreadable."""
    place = path.absolute().parent if path.name == INDEX else path.absolute()
    if not is_external(str(place)):
        return None
    found = (recognise_pipeline if place.is_dir() else recognise_file)(place, place.name, "folder")
    if found is None or not found.usable or TEXT_TO_PICTURE not in found.abilities:
        lost = f"It is not whole: {', '.join(found.missing)} is missing." if found is not None and found.missing else ""
        why = (found.refused if found is not None else "") or lost or "It does not draw from a prompt."
        raise ModelUnreadable(f"“{place.name}” cannot be opened here. {why}")
    return info_of(found)


def _place_of(path: Path) -> Path:
    place = chosen_place(path)
    if not is_model(place):
        problem = "holds no model this studio can open" if place.exists() else "is not there"
        raise ModelUnreadable(f"“{place}” {problem}. {OPENS}")
    info = None if is_checkpoint(place) else read_info(place, bundled=False)
    if not is_checkpoint(place) and (info is None or info.kind not in DRAWS):
        raise ModelUnreadable(f"The model in “{place}” does not draw pictures from a prompt. {OPENS}")
    return place


def _find_run(store: ResultsStore, order: FindOrder) -> StoredRun | None:
    record = store.newest(order.kind, order.request)
    return _read_run(store, record.id) if record is not None else None


def _read_run(store: ResultsStore, record_id: str) -> StoredRun:
    record = store.get(record_id)
    files = store.files(record_id)
    names = sorted(name for name in files if name.endswith(".png") and name.startswith(("picture", "cell")))
    pictures = [np.asarray(Image.open(files[name]).convert("RGB")) for name in names]
    if not pictures or len({picture.shape for picture in pictures}) != 1:
        raise FileNotFoundError(2, "The pictures of this result are gone", str(record.folder))
    if STEPS_FILE not in files:
        return StoredRun(record, np.stack(pictures))
    try:
        return StoredRun(record, np.stack(pictures), Trajectory.read(files[STEPS_FILE]))
    except TrajectoryUnreadable as error:
        return StoredRun(record, np.stack(pictures), None, str(error))
