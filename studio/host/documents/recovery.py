"""Finding what a crashed or killed window left behind: documents with changes that no file holds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studio.host.atomic import fsync_folder
from studio.host.documents.autosave import INDEX, TILES, AutoSave, Stamp, remove_copy, stamp_of
from studio.host.documents.content import DocumentContent
from studio.host.documents.schema import (
    MAX_DESCRIPTION, Damage, Description, DocumentUnreadable, check_memory, parse, rebuilt,
)  # fmt: skip
from studio.host.documents.tiles import Tiles
from studio.host.processes import process_mark
from studio.host.results_folder import is_abandoned, is_id, temporary_name


class RecoveryTaken(Exception):
    """Another window has opened or removed this recovery copy meanwhile."""

    def __init__(self) -> None:
        super().__init__("Another window has opened or removed this recovery copy meanwhile.")


@dataclass(frozen=True)
class Recovery:
    """A recovery copy that nobody has open. `path` is the document's file (None: it was never saved), `written` an ISO
    time in UTC, `base` the stamp of the file that the changes were made on."""

    folder: Path
    path: Path | None
    title: str
    written: str
    base: Stamp | None
    description: Description

    @property
    def file_changed(self) -> bool:
        """Whether the file is another one than the changes were made on."""
        return stamp_of(self.path) != self.base

    @property
    def newer(self) -> bool:
        """Whether the copy is newer than the document's file, or there is no such file."""
        stamp = stamp_of(self.path)
        return stamp is None or stamp == self.base or datetime.fromisoformat(self.written).timestamp() > stamp[0] / 1e9

    @property
    def about(self) -> str:
        """What a person has to know for choosing, as a sentence."""
        if self.path is None:
            return "It was never saved."
        if stamp_of(self.path) is None:
            return f"Its file “{self.path}” is not there any more."
        if not self.file_changed:
            return f"It has changes that are not in “{self.path}”."
        order = "before" if self.newer else "after"
        return f"“{self.path}” was saved by another window or program {order} this copy was written, so the two differ."

    def take(self) -> tuple[AutoSave, DocumentContent]:
        """Open the copy: it belongs to this process from now on and goes on being kept.

        Raises RecoveryTaken, and DocumentUnreadable when it is damaged (it then stays, and is offered again later).
        """
        folder = self._claimed()
        try:
            check_memory(self.description, self.title or folder.name)
            content = rebuilt(self.description, Tiles(folder / TILES).get)
        except Damage as damage:
            raise DocumentUnreadable(f"The recovery copy in “{folder}” could not be opened: {damage}.") from damage
        saving = AutoSave.resumed(folder, self.path, self.title, self.description, self.base, self.written)
        return saving, content

    def discard(self) -> None:
        """Delete the copy for good. Raises RecoveryTaken."""
        remove_copy(self._claimed())

    def _claimed(self) -> Path:
        """Rename the folder to one of this process, which only one of several windows can succeed in."""
        mine = self.folder.with_name(temporary_name(self.folder.name.partition(".")[0]))
        try:
            os.rename(self.folder, mine)
            fsync_folder(mine.parent)
        except OSError as error:
            raise RecoveryTaken from error
        return mine


def find_recoveries(root: Path) -> tuple[list[Recovery], list[str]]:
    """The copies of processes that are gone, the latest first, and notes about those that cannot be read (they stay).

    Removes what was not yet a whole copy when its process died. Never raises for what it finds.
    """
    found: list[Recovery] = []
    notes: list[str] = []
    for folder in _abandoned(root):
        try:
            if not (folder / INDEX).is_file():
                remove_copy(folder)
                continue
            found.append(_read(folder))
        except (OSError, Damage, DocumentUnreadable) as error:
            notes.append(f"A recovery copy in “{folder}” cannot be read ({error}). It was left where it is.")
    return sorted(found, key=lambda recovery: recovery.written, reverse=True), notes


def recovery_of(root: Path, copy_id: str) -> Recovery | None:
    """One copy by its id (`AutoSave.id`): of a process that is gone, or of this one, where it was closed and is opened again.

    None where it is not there, cannot be read or belongs to another window.
    """
    for folder in root.glob(f"{copy_id}.*") if is_id(copy_id) else ():
        if is_abandoned(folder.name) or folder.name == f"{copy_id}.{process_mark()}":
            try:
                return _read(folder)
            except (OSError, Damage, DocumentUnreadable):
                return None
    return None


def _abandoned(root: Path) -> list[Path]:
    try:
        folders = [folder for folder in root.iterdir() if is_id(folder.name.partition(".")[0])]
    except OSError:
        return []  # nothing was ever kept, or the data folder cannot be read, which is said elsewhere
    return [folder for folder in folders if is_abandoned(folder.name) and folder.is_dir() and not folder.is_symlink()]


def _read(folder: Path) -> Recovery:
    with (folder / INDEX).open("rb") as file:
        raw = file.read(MAX_DESCRIPTION + 1)
    description, around = parse(raw, folder.name)
    facts = around.get("recovery")
    if not isinstance(facts, dict):
        raise Damage("it does not say what it is a copy of")
    path, title = facts.get("path"), facts.get("title")
    return Recovery(
        folder, Path(path) if isinstance(path, str) else None, title if isinstance(title, str) else "",
        _time(facts.get("written")), _stamp(facts.get("base")), description,
    )  # fmt: skip


def _time(value: Any) -> str:
    try:
        return datetime.fromisoformat(value).astimezone(UTC).isoformat(timespec="milliseconds")
    except (TypeError, ValueError, OverflowError) as error:
        raise Damage("it does not say when it was written") from error


def _stamp(value: Any) -> Stamp | None:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(number, int) for number in value):
        return (value[0], value[1])
    return None
