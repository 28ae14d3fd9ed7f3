"""The panel's jobs: list the models, look into a folder, import from it, remove a model; folders and downloads."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress, Snapshot
from studio.host.atomic import FileUnwritable
from studio.models.downloading import Downloaded, download, look_up
from studio.models.importing import Outcome, import_checkpoints, remove_model
from studio.models.inventory import Inventory, inventory, survey_library
from studio.models.library.places import add_place, forget_place
from studio.models.survey import Survey, survey
from studio_plugins.models.request import DownloadRequest, ImportRequest

Steps = Generator[Event | Offload, Any, Any]
_MAX_CARD = 1 << 20


@dataclass(frozen=True)
class Imported:
    """What became of each model, and why the report could not be kept in History ("" when it is there)."""

    outcomes: tuple[Outcome, ...]
    unkept: str = ""


def list_models(_request: None, ctx: JobContext) -> Steps:
    """Every model on this machine: first what is known already (a Snapshot), then, as the result, what is there now."""
    yield Progress(0, 1, "looking for models")
    known: Inventory = yield Offload(inventory)
    yield Snapshot("inventory", known)
    problems = yield from survey_library(ctx)
    found: Inventory = yield Offload(inventory)
    return replace(found, problems=(*found.problems, *problems))


def add_folder(folder: Path, ctx: JobContext) -> Steps:
    """Add a folder to the library. Returns it; raises NoSuchFolder, FileUnwritable."""
    yield Progress(0, 1, "adding the folder")
    yield Offload(add_place, folder)
    return folder


def forget_folder(folder: Path, ctx: JobContext) -> Steps:
    """Take a folder off the list; its files are not touched. Returns it; raises FileUnwritable."""
    yield Progress(0, 1, "taking the folder off the list")
    yield Offload(forget_place, folder)
    return folder


def read_card(path: str, ctx: JobContext) -> Steps:
    """The card of a model of the library. Returns its path and text."""
    yield Progress(0, 1, "reading the card")
    text: str = yield Offload(_text_of, Path(path))
    return path, text


def convert_pickles(place: Path, ctx: JobContext) -> Steps:
    """Write the tensors of a pickle, or of all of a folder, as safetensors beside it; the pickles stay.

    In a process of its own: a file that is shortened while it is mapped ends that one. Returns the new files; raises
    ExternalError, WeightsError, OffloadFailed, FileUnwritable.
    """
    yield Progress(0, 1, "looking for pickles")
    files: list[Path] = yield Offload(_pickles, place)
    made = []
    for i, file in enumerate(files):
        yield Progress(i, len(files), f"converting {file.name}")
        made.append((yield Offload(_converted, file, process=True)))
    return tuple(made)


def download_model(request: DownloadRequest, ctx: JobContext) -> Steps:
    """Download files of a model from Hugging Face.

    Returns Downloaded; raises HubError, NotEnoughSpace, FileUnwritable.
    """
    files = request.files
    if not files:
        offer = yield from look_up(request.repo, ctx)
        files = tuple(file.name for file in offer.listing.files if file.wanted)
    found: Downloaded = yield from download(request.repo, request.revision, files, ctx)
    return found


def _pickles(place: Path) -> list[Path]:
    from studio.ml.diffusion.external.conversion import pickles_in

    return [place] if place.is_file() else pickles_in(place)


def _converted(file: Path) -> Path:
    from studio.ml.diffusion.external.conversion import convert_pickle

    try:
        return convert_pickle(file)
    except OSError as error:
        raise FileUnwritable(file, error) from error


def _text_of(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(_MAX_CARD)


def look_into(folder: Path, ctx: JobContext) -> Steps:
    """What lies in a folder. Returns a Survey; raises FolderUnreadable."""
    found: Survey = yield from survey(folder, ctx)
    return found


def import_models(request: ImportRequest, ctx: JobContext) -> Steps:
    """Import files and keep the report in History. Returns Imported; raises NothingToImport, OSError."""
    outcomes = yield from import_checkpoints(Path(request.folder), [Path(file) for file in request.files], ctx)
    store = ctx.services.get("results")
    if store is None:
        return Imported(outcomes)
    report = {"report.json": json.dumps([asdict(outcome) for outcome in outcomes], default=str, indent=1).encode()}
    good = sum(bool(outcome.model) for outcome in outcomes)
    title = f"{good} of {len(outcomes)} models imported from {Path(request.folder).name}"
    try:
        yield Offload(store.add, request.kind, request, report, title=title)
    except FileUnwritable as error:
        return Imported(outcomes, str(error))
    return Imported(outcomes)


def remove(model: str, ctx: JobContext) -> Steps:
    """Remove an imported model. Returns its name; raises NotImported."""
    name: str = yield from remove_model(model, ctx)
    return name
