"""Jobs around documents. Every one works on the disk in a worker thread; the window and the engine go on meanwhile.

The engine remembers ended tasks with their requests and results, and a document is too large to be remembered a hundred
times: so contents travel in a `Parcel`, which is empty once it was opened, or wait in the `AutoSave` itself.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.atomic import FileUnwritable
from studio.host.documents.archive import read_document, writing
from studio.host.documents.autosave import AutoSave
from studio.host.documents.content import DocumentContent
from studio.host.documents.openraster import writing_ora
from studio.host.documents.recovery import Recovery, find_recoveries

Steps = Generator[Event | Offload, Any, None]


class Parcel:
    """A document on its way to or from a job; whoever takes it is the only one to have it."""

    def __init__(self, content: DocumentContent) -> None:
        self._content: DocumentContent | None = content

    def take(self) -> DocumentContent:
        """The content, once. Raises RuntimeError the second time."""
        content, self._content = self._content, None
        if content is None:
            raise RuntimeError("This document was handed over before; submit the job with a new one.")
        return content


@dataclass(frozen=True)
class Saving:
    """Save the content, which holds all changes up to `revision`, as `path`; `autosave` keeps the document's copy."""

    path: Path
    parcel: Parcel
    revision: int
    autosave: AutoSave


@dataclass(frozen=True)
class Saved:
    """The document is in `path` with all changes up to `revision`; `problem` says what went wrong beside that."""

    path: Path
    revision: int
    problem: str = ""


@dataclass(frozen=True)
class Opening:
    """Open the document in `path`; its recovery copies go under `recovery` (DataPaths.recovery)."""

    path: Path
    recovery: Path


@dataclass(frozen=True)
class Opened:
    """An open document: what it holds, and what keeps its recovery copy from now on."""

    parcel: Parcel
    autosave: AutoSave


@dataclass(frozen=True)
class Exporting:
    """Export the content with its layers as OpenRaster file."""

    path: Path
    parcel: Parcel


def save_document(request: Saving, ctx: JobContext) -> Generator[Event | Offload, Any, Saved]:
    """Save a document. Returns Saved. Raises FileUnwritable (the old file stays) and ValueError for a bad request."""
    yield from _drive(writing(request.path, request.parcel.take()))
    try:
        yield Offload(request.autosave.saved, request.path, request.revision)
    except FileUnwritable as error:  # of the recovery copy: the document itself is saved
        return Saved(request.path, request.revision, str(error))
    return Saved(request.path, request.revision)


def keep_recovery(request: AutoSave, ctx: JobContext) -> Generator[Event | Offload, Any, int]:
    """Bring the recovery copy up to what was last offered (`AutoSave.offer`). Returns the bytes written.

    Raises RecoveryUnwritable; the last copy stays.
    """
    written: int = yield Offload(request.write_offered)
    return written


def close_recovery(request: AutoSave, ctx: JobContext) -> Steps:
    """The document was closed cleanly: its recovery copy goes."""
    yield Offload(request.close)


def open_document(request: Opening, ctx: JobContext) -> Generator[Event | Offload, Any, Opened]:
    """Open a document. Returns Opened. Raises DocumentUnreadable."""
    yield Progress(0, 1, f"opening {request.path.name}")
    opened: Opened = yield Offload(_opened, request)
    return opened


def look_for_recoveries(request: Path, ctx: JobContext) -> Generator[Event | Offload, Any, tuple[list[Recovery], list[str]]]:
    """What crashed windows left under the folder `request`; returns what `find_recoveries` does."""
    found: tuple[list[Recovery], list[str]] = yield Offload(find_recoveries, request)
    return found


def take_recovery(request: Recovery, ctx: JobContext) -> Generator[Event | Offload, Any, Opened]:
    """Open a recovery copy. Returns Opened. Raises RecoveryTaken, DocumentUnreadable."""
    yield Progress(0, 1, f"opening {request.title or 'a recovery copy'}")
    autosave, content = yield Offload(request.take)
    return Opened(Parcel(content), autosave)


def discard_recovery(request: Recovery, ctx: JobContext) -> Steps:
    """Delete a recovery copy for good. Raises RecoveryTaken."""
    yield Offload(request.discard)


def export_ora(request: Exporting, ctx: JobContext) -> Generator[Event | Offload, Any, Path]:
    """Export as OpenRaster. Returns the path. Raises FileUnwritable (an old file stays)."""
    yield from _drive(writing_ora(request.path, request.parcel.take()))
    return request.path


def _opened(request: Opening) -> Opened:
    # The file is looked at before it is read: one that changes meanwhile counts as changed later.
    autosave = AutoSave(request.recovery, request.path, request.path.stem)
    return Opened(Parcel(read_document(request.path)), autosave)


def _drive(steps: Iterator[tuple[int, int]]) -> Steps:
    """Take each step of a writer in a worker thread and tell how far it is."""
    while (step := (yield Offload(next, steps, None))) is not None:
        done, total = step
        yield Progress(done, total, "writing")
