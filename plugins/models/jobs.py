"""The panel's jobs: list the models, look into a folder, import from it, remove an imported model."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.atomic import FileUnwritable
from studio.models.importing import Outcome, import_checkpoints, remove_model
from studio.models.inventory import Inventory, inventory
from studio.models.survey import Survey, survey
from studio_plugins.models.request import ImportRequest

Steps = Generator[Event | Offload, Any, Any]


@dataclass(frozen=True)
class Imported:
    """What became of each model, and why the report could not be kept in History ("" when it is there)."""

    outcomes: tuple[Outcome, ...]
    unkept: str = ""


def list_models(_request: None, ctx: JobContext) -> Steps:
    """Every model on this machine. Returns an Inventory."""
    yield Progress(0, 1, "looking for models")
    found: Inventory = yield Offload(inventory)
    return found


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
