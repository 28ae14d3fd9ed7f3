"""The results store: every result is on disk the moment `add` returns, and stays whole whatever happens.

Layout under the root: `records/<id>/` complete results, `tmp/` what is being written, `index.sqlite` a cache of both
kinds of fact (what exists, what is starred or in the trash) that is rebuilt from the folders when it is not usable.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from studio.host.atomic import FileUnwritable, fsync_folder
from studio.host.request import Request
from studio.host.results_folder import (
    SCHEMA, BadRecord, Content, ResultRecord, check_names, is_abandoned, is_id, new_id, plain_json, read_record,
    read_state, record_of, temporary_name, write_record, write_state,
)  # fmt: skip
from studio.host.results_index import Index, is_damage

__all__ = ["Changes", "ResultMissing", "ResultRecord", "ResultsStore", "StoreUnwritable"]

_T = TypeVar("_T")
_HINT = "or choose another data folder with --data-dir; what was saved before is untouched"


class StoreUnwritable(FileUnwritable):
    """The data folder cannot be written (full, read-only, no permission). The message says what to do."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(path, error, _HINT)


class ResultMissing(KeyError):
    """There is no result of this id (any more)."""

    def __str__(self) -> str:
        return f"The result “{self.args[0]}” is not in the store any more."


@dataclass(frozen=True)
class Changes:
    """What happened since an earlier counter: ids added or changed, ids deleted, the counter to ask with next."""

    counter: int
    changed: tuple[str, ...]
    removed: tuple[str, ...]


class ResultsStore:
    """Results of all panels. Thread-safe, and safe for several processes on one folder.

    Opening recovers from any interruption: half-written folders are removed, the index is compared with the folders.
    A folder that cannot be written still opens for reading (`writable` is False and `problem` says why). `notes` names
    record folders that are damaged; they are left in place and not listed.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.notes: list[str] = []
        self.problem = ""
        self._records, self._tmp = self.root / "records", self.root / "tmp"
        self._index_path = self.root / "index.sqlite"
        self._lock = threading.RLock()
        self._closed = False
        try:
            self._records.mkdir(parents=True, exist_ok=True)
            self._tmp.mkdir(exist_ok=True)
            probe = self._tmp / temporary_name("probe")
            probe.mkdir(exist_ok=True)  # mkdir(exist_ok) above says nothing about a read-only disk
            probe.rmdir()
        except OSError as error:
            self.problem = str(StoreUnwritable(self.root, error))
        else:
            self._clean_tmp()
        self._index = self._open_index()

    @property
    def writable(self) -> bool:
        """Whether results could be saved when the store was opened."""
        return not self.problem

    def close(self) -> None:
        """Close the index. A job that ends later can still `add`: the next start takes its folder into the index."""
        with self._lock:
            self._closed = True
            self._index.close()

    # --- writing -----------------------------------------------------------------------------------------------

    def add(
        self,
        kind: str,
        request: Request | Mapping[str, Any],
        files: Mapping[str, Content],
        *,
        title: str = "",
        provenance: Mapping[str, Any] | None = None,
        thumbnail: bytes | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> ResultRecord:
        """Save a result; when this returns it is durable.

        `files` maps a plain name to its bytes, to a file to copy, or to a function that writes the file at the path it
        is given. Raises StoreUnwritable (nothing is left behind) and ValueError for an impossible file name or
        request data that are not JSON.
        """
        check_names(files)
        now = datetime.now(UTC)
        record_id = new_id(now)
        data = plain_json({
            "schema": SCHEMA, "id": record_id, "kind": kind, "title": title,
            "created": now.isoformat(timespec="milliseconds"),
            "request": request.to_dict() if isinstance(request, Request) else dict(request),
            "provenance": dict(provenance or {}), "metrics": dict(metrics or {}),
        })  # fmt: skip
        building, final = self._tmp / temporary_name(record_id), self._records / record_id
        try:
            write_record(building, data, files, thumbnail)
            os.rename(building, final)
            fsync_folder(self._records)
        except OSError as error:
            raise StoreUnwritable(self.root, error) from error
        finally:
            shutil.rmtree(building, ignore_errors=True)
        row = read_record(final)
        if not self._closed:
            self._with_index(lambda index: index.put([row]))
        return record_of(row[0], final, *row[1:])

    def star(self, record_id: str, starred: bool = True) -> None:
        """Star or unstar a result. Raises ResultMissing, StoreUnwritable."""
        self._set_state(record_id, starred=starred)

    def trash(self, record_id: str) -> None:
        """Move a result to the trash: out of the list, nothing deleted. Raises ResultMissing, StoreUnwritable."""
        self._set_state(record_id, trashed=True)

    def restore(self, record_id: str) -> None:
        """Take a result out of the trash. Raises ResultMissing, StoreUnwritable."""
        self._set_state(record_id, trashed=False)

    def delete(self, record_id: str) -> None:
        """Delete a result for good. Raises ResultMissing, StoreUnwritable."""
        folder = self._folder(record_id)
        doomed = self._tmp / temporary_name(f"deleted-{record_id}")
        try:
            os.rename(folder, doomed)  # gone in one step; what remains under tmp/ is rubbish to any later start
            fsync_folder(self._records)
        except FileNotFoundError as error:
            raise ResultMissing(record_id) from error
        except OSError as error:
            raise StoreUnwritable(self.root, error) from error
        shutil.rmtree(doomed, ignore_errors=True)
        self._with_index(lambda index: index.remove([record_id]))

    def empty_trash(self) -> int:
        """Delete everything in the trash for good; returns how many. Raises StoreUnwritable."""
        doomed = self.records(trashed=True, limit=-1)
        for record in doomed:
            try:
                self.delete(record.id)
            except ResultMissing:
                continue  # another window emptied it at the same moment
        return len(doomed)

    def _set_state(self, record_id: str, *, starred: bool | None = None, trashed: bool | None = None) -> None:
        with self._lock:
            found = self._with_index(lambda index: index.get(record_id))
            folder = self._folder(record_id)
            if found is None or not folder.is_dir():
                raise ResultMissing(record_id)
            state = {
                "starred": found[1] if starred is None else starred,
                "trashed": found[2] if trashed is None else trashed,
            }
            self._with_index(lambda index: index.announce(record_id))
            try:
                write_state(folder, **state)
            except FileUnwritable as error:
                cause = error.__cause__ if isinstance(error.__cause__, OSError) else OSError(str(error))
                raise StoreUnwritable(self.root, cause) from error
            self._with_index(lambda index: index.mark(record_id, **state))

    # --- reading -----------------------------------------------------------------------------------------------

    def records(
        self, query: str = "", *, kind: str | None = None, starred: bool | None = None, trashed: bool | None = False,
        limit: int = 200, offset: int = 0,
    ) -> list[ResultRecord]:  # fmt: skip
        """Results, newest first. Every word of `query` must occur in title, kind or a text of the request (any case).

        `starred`/`trashed` None = either; `limit` -1 = all.
        """
        rows = self._with_index(
            lambda index: index.select(query, kind=kind, starred=starred, trashed=trashed, limit=limit, offset=offset)
        )
        return [record_of(data, self._records / data["id"], star, gone) for data, star, gone in rows]

    def newest(self, kind: str, request: Mapping[str, Any]) -> ResultRecord | None:
        """The newest result of exactly this request, None when there is none (any more)."""
        return next((found for found in self.records(kind=kind, limit=-1) if found.request == request), None)

    def count(
        self, query: str = "", *, kind: str | None = None, starred: bool | None = None, trashed: bool | None = False
    ) -> int:
        """How many results `records` would give without a limit."""
        return self._with_index(lambda index: index.count(query, kind=kind, starred=starred, trashed=trashed))

    def get(self, record_id: str) -> ResultRecord:
        """One result, in the trash or not. Raises ResultMissing."""
        row = self._with_index(lambda index: index.get(record_id))
        if row is None:
            raise ResultMissing(record_id)
        return record_of(row[0], self._records / record_id, *row[1:])

    def files(self, record_id: str) -> dict[str, Path]:
        """Name → path of a result's files. Raises ResultMissing, also when the folder was removed behind our back."""
        record = self.get(record_id)
        if not record.folder.is_dir():
            raise ResultMissing(record_id)
        return record.files

    def verify(self, record_id: str) -> None:
        """Compare a result's files with their sha256. Raises ResultMissing, BadRecord."""
        read_record(self.get(record_id).folder, verify=True)

    def kinds(self) -> list[str]:
        """The kinds of results there are, for a filter."""
        return self._with_index(lambda index: index.kinds())

    @property
    def counter(self) -> int:
        """Grows with every change by any thread or process; cheap enough to be polled by the window."""
        with self._lock:
            if self._index.replaced():
                self._reopen(damaged=False)
            return self._with_index(lambda index: index.counter())

    def changed_since(self, counter: int) -> Changes:
        """What changed after `counter` (a value of `counter` or of `Changes.counter`)."""
        now = self.counter
        if now == counter:
            return Changes(now, (), ())
        changed, removed = self._with_index(lambda index: index.changed_since(counter))
        return Changes(now, tuple(changed), tuple(removed))

    # --- recovery ----------------------------------------------------------------------------------------------

    def _folder(self, record_id: str) -> Path:
        if not is_id(record_id):
            raise ResultMissing(record_id)
        return self._records / record_id

    def _with_index(self, action: Callable[[Index], _T]) -> _T:
        """Run `action`; an index that turns out to be unusable is opened anew from the folders and asked once more."""
        index = self._index
        try:
            return action(index)
        except sqlite3.DatabaseError as error:
            with self._lock:
                if self._closed:
                    raise
                if self._index is index:
                    self._reopen(damaged=is_damage(error))
            return action(self._index)

    def _reopen(self, *, damaged: bool) -> None:
        try:
            self._index.close()
        except sqlite3.Error as error:
            self.notes.append(f"The damaged index could not be closed ({error}).")
        if damaged:
            self._discard()
        self._index = self._open_index()

    def _open_index(self) -> Index:
        """The index on disk; made anew once if it is damaged; in memory where the disk allows none."""
        for _ in range(2 if self.writable else 0):
            index: Index | None = None
            try:
                index = Index(self._index_path)
                self._reconcile(index)
                return index
            except sqlite3.DatabaseError as error:
                if index:
                    index.close()
                if not is_damage(error) or not self._discard():
                    break
        index = Index(None)
        self._reconcile(index)
        return index

    def _discard(self) -> bool:
        """Remove a damaged index with its log; False when it cannot be removed (another process holds it)."""
        try:
            for suffix in ("", "-wal", "-shm"):
                self._index_path.with_name(self._index_path.name + suffix).unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _reconcile(self, index: Index) -> None:
        """Make the index say what the folders say; only folders it does not know, or may know wrongly, are read.

        The index is asked first: what another process adds meanwhile is then seen as new, never as gone.
        """
        known, pending = index.ids(), index.pending()
        try:
            present = {entry.name for entry in os.scandir(self._records) if is_id(entry.name)}
        except OSError:
            present = set()
        rows = []
        for name in sorted(present - known):
            try:
                rows.append(read_record(self._records / name))
            except BadRecord as error:
                if (self._records / name).is_dir():
                    self.notes.append(f"The result folder “{self._records / name}” is damaged and not listed: {error}.")
        if rows:
            # One that another process has put there meanwhile may be starred by now, and was not when it was read.
            index.put(rows, replace=False)
        if known - present:
            index.remove(known - present)
        for name in pending & present:
            starred, trashed = read_state(self._records / name)
            index.mark(name, starred=starred, trashed=trashed)

    def _clean_tmp(self) -> None:
        for entry in os.scandir(self._tmp):
            if is_abandoned(entry.name):
                shutil.rmtree(entry.path, ignore_errors=True)
