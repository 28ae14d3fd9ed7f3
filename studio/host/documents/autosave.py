"""The recovery copy of an open document: on disk after every change, found again after any end of the program.

Layout under the recovery folder: `<id>.<process>/index.json`, the description of the document, and `tiles/`, its
pictures in pieces. Tiles are written first and flushed, then the index is replaced in one step, then tiles that it no
longer names are deleted: whenever the process dies, index and tiles belong together. The name of the folder says which
process it belongs to; only those of processes that are gone are offered, so two windows never take each other's.
"""

from __future__ import annotations

import os
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

from studio.host.atomic import FileUnwritable, fsync_folder, write_bytes
from studio.host.documents.content import DocumentContent
from studio.host.documents.schema import Damage, Description, described, parse, to_json
from studio.host.documents.tiles import Tiles
from studio.host.results_folder import new_id, temporary_name

INDEX = "index.json"
TILES = "tiles"
Stamp = tuple[int, int]


class RecoveryUnwritable(FileUnwritable):
    """The recovery copy could not be brought up to date. The last one stays; the message says what to do."""

    def __init__(self, path: Path, error: OSError, last: str) -> None:
        kept = f"the copy of {datetime.fromisoformat(last).astimezone():%H:%M} is kept" if last else "there is no copy yet"
        super().__init__(path, error, f"or save the document on another disk; until then {kept} in case of a crash")


class AutoSave:
    """Keeps the recovery copy of one document. Thread-safe. All of it works on the disk, so it belongs into jobs
    (`studio.host.documents.jobs`), not on the GUI thread; only `offer`, and making one for a document without a path, do not.

    `revision` is a number that the caller raises with every change of the document; revision 0 is the document as it was
    opened. It makes late writes harmless: what is already saved is not kept again, and the newest copy wins.
    """

    def __init__(self, root: Path, path: Path | None = None, title: str = "") -> None:
        self._folder = root / temporary_name(new_id())
        self._path = path
        self._title = title
        self._tiles = Tiles(self._folder / TILES)
        self._description: Description | None = None
        self._base = stamp_of(path)
        self._written = ""
        self._kept = self._saved = 0
        self._closed = False
        self._lock = threading.Lock()
        self._offered: tuple[DocumentContent, int] | None = None
        self._offering = threading.Lock()  # apart from the other, which is held while the disk works

    @classmethod
    def resumed(
        cls, folder: Path, path: Path | None, title: str, description: Description, base: Stamp | None, written: str
    ) -> AutoSave:
        """Go on in the folder of a process that is gone, which was renamed to belong to this one."""
        autosave = cls(folder.parent, path, title)
        autosave._folder = folder
        autosave._tiles = Tiles(folder / TILES, parts_of(description))
        autosave._description, autosave._base, autosave._written = description, base, written
        return autosave

    @property
    def folder(self) -> Path:
        """Where the copy lies; the folder exists from the first `write` until the document is saved or closed."""
        return self._folder

    @property
    def id(self) -> str:
        """What the copy is found again by, whichever process it belongs to then."""
        return self._folder.name.partition(".")[0]

    @property
    def path(self) -> Path | None:
        """The document's file, None for one that was never saved."""
        return self._path

    @property
    def title(self) -> str:
        """What the document is called."""
        return self._title

    @property
    def has_copy(self) -> bool:
        """Whether there is a copy with changes that no file holds."""
        return self._description is not None

    def offer(self, content: DocumentContent, revision: int) -> None:
        """Lay a content ready for the next `write_offered`, in place of an older one that waits. Any thread, at once."""
        with self._offering:
            if self._offered is None or revision >= self._offered[1]:
                self._offered = (content, revision)

    def write_offered(self) -> int:
        """`write` what was offered last, if it was not written yet; returns the bytes written.

        Raises RecoveryUnwritable; the content then waits for the next attempt.
        """
        with self._offering:
            offered, self._offered = self._offered, None
        if offered is None:
            return 0
        try:
            return self.write(*offered)
        except RecoveryUnwritable:
            self.offer(*offered)
            raise

    def write(self, content: DocumentContent, revision: int) -> int:
        """Bring the copy up to this revision; returns the bytes written, 0 when a newer one is kept or saved already.

        Raises RecoveryUnwritable (the last copy stays whole) and ValueError for a request that is no JSON.
        """
        with self._lock:
            if self._closed or revision <= max(self._kept, self._saved):
                return 0
            before = self._tiles.written
            try:
                self._tiles.folder.mkdir(parents=True, exist_ok=True)
                description = described(content, lambda name, pixels: self._tiles.put(pixels))
                self._tiles.flush()
                index = self._write_index(description)
            except OSError as error:
                self._step_back()
                raise RecoveryUnwritable(self._folder, error, self._written) from error
            self._description, self._kept = description, revision
            self._tiles.keep_only(parts_of(description))
            return self._tiles.written - before + index

    def saved(self, path: Path, revision: int) -> None:
        """The document was saved as `path` with all changes up to `revision`. The copy goes, unless it is newer."""
        with self._lock:
            self._path, self._base = path, stamp_of(path)
            self._saved = max(self._saved, revision)
            if self._description is not None and self._kept > self._saved:
                try:
                    self._write_index(self._description)
                except OSError as error:
                    raise RecoveryUnwritable(self._folder, error, self._written) from error
            else:
                self._remove()

    def close(self) -> None:
        """The document was closed and its changes are saved or not wanted: the copy goes, and later writes do nothing."""
        with self._lock:
            self._closed = True
            self._offered = None
            self._remove()

    def _write_index(self, description: Description) -> int:
        """Replace the index in one step. Raises OSError, and its own kind where `write_bytes` wraps one."""
        written = datetime.now(UTC).isoformat(timespec="milliseconds")
        recovery = {
            "path": None if self._path is None else str(self._path), "title": self._title,
            "base": None if self._base is None else list(self._base), "written": written,
        }  # fmt: skip
        data = to_json(description, recovery=recovery)
        try:
            write_bytes(self._folder / INDEX, data)
        except FileUnwritable as error:
            raise OSError(error.errno or 0, str(error.__cause__)) from error
        self._written = written
        return len(data)

    def _step_back(self) -> None:
        """After a failure: take away what the index on the disk does not name, so that the disk gets its room back.

        The index itself is asked: it may be the new one already, when it was replaced but could not be flushed.
        """
        try:
            description, _ = parse((self._folder / INDEX).read_bytes(), self._folder.name)
        except FileNotFoundError:
            self._remove()
        except (OSError, Damage):
            return  # it cannot be asked: what is there stays
        else:
            self._description = description
            self._tiles.keep_only(parts_of(description))

    def _remove(self) -> None:
        remove_copy(self._folder)
        self._tiles = Tiles(self._folder / TILES)
        self._description, self._written = None, ""


def remove_copy(folder: Path) -> None:
    """Delete a recovery copy: first the index, so that whatever remains is recognised as rubbish."""
    try:
        (folder / INDEX).unlink(missing_ok=True)
        if folder.exists():
            fsync_folder(folder)
    except OSError:
        return  # an unwritable disk: better a copy too many than half of one
    shutil.rmtree(folder, ignore_errors=True)


def parts_of(description: Description) -> set[str]:
    """The names of all tiles of a document."""
    return {part for raster in description.rasters for part in raster.parts}


def stamp_of(path: Path | None) -> Stamp | None:
    """(time of change in ns, bytes) of a file, to tell whether it is still the same one; None when there is none."""
    try:
        status = os.stat(path) if path is not None else None
    except (OSError, ValueError):  # ValueError: a path from a damaged index with a zero byte in it
        return None
    return None if status is None else (status.st_mtime_ns, status.st_size)
