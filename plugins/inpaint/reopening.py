"""The document of the last session, with the changes that were not saved. A quick job."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.documents.autosave import AutoSave
from studio.host.documents.archive import read_document
from studio.host.documents.jobs import Opened, Parcel
from studio.host.documents.recovery import RecoveryTaken, recovery_of
from studio.host.documents.schema import DocumentUnreadable


@dataclass(frozen=True)
class Left:
    """What a session says of its document: the id of its recovery copy, its file, and where recovery copies are."""

    copy_id: str
    path: Path | None
    recovery: Path


@dataclass(frozen=True)
class Reopened:
    """opened: the document, None when nothing of it is there; unsaved: with changes that no file holds."""

    opened: Opened | None
    unsaved: bool = False
    problem: str = ""


def reopen(left: Left, ctx: JobContext) -> Generator[Event | Offload, Any, Reopened]:
    """The recovery copy where there is one, else the file."""
    yield Progress(0, 1, "opening the last document")
    done: Reopened = yield Offload(_reopen, left)
    return done


def _reopen(left: Left) -> Reopened:
    recovery = recovery_of(left.recovery, left.copy_id)
    problem = ""
    if recovery is not None:
        try:
            autosave, content = recovery.take()
            return Reopened(Opened(Parcel(content), autosave), unsaved=True)
        except RecoveryTaken:
            return Reopened(None)
        except DocumentUnreadable as error:
            problem = str(error)
    if left.path is None or not left.path.is_file():
        return Reopened(None, problem=problem)
    try:
        autosave = AutoSave(left.recovery, left.path, left.path.stem)
        return Reopened(Opened(Parcel(read_document(left.path)), autosave), problem=problem)
    except DocumentUnreadable as error:
        return Reopened(None, problem=str(error))
