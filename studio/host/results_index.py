"""The SQLite index of the results store: a cache of the record folders, rebuilt from them whenever it is not there."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.host.results_folder import search_text

VERSION = 1
_BUSY_SECONDS = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, created TEXT NOT NULL, text TEXT NOT NULL, data TEXT NOT NULL,
  starred INTEGER NOT NULL, trashed INTEGER NOT NULL, changed INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gone (id TEXT PRIMARY KEY, changed INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS pending (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_changed ON records (changed);
CREATE INDEX IF NOT EXISTS by_created ON records (created DESC, id DESC);
"""
Row = tuple[dict[str, Any], bool, bool]
# Primary SQLite result codes that blame the surroundings (busy, read-only, input/output, full, …), not the file.
_SURROUNDINGS = {3, 5, 6, 7, 8, 10, 13, 14, 23}


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error means that the index file itself is unusable."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF not in _SURROUNDINGS


class Index:
    """Rows of (record.json, starred, trashed) by id, with a counter that grows with every change.

    One connection writes and one reads, each behind its own lock, so that a reading window does not wait for a
    writing job. `path=None` keeps the index in memory (for a folder that cannot be written). Raises
    sqlite3.DatabaseError; the store answers by rebuilding.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._write_lock = threading.RLock()
        self._writer = self._connect()
        if path is None:
            self._read_lock, self._reader = self._write_lock, self._writer
        else:
            self._read_lock, self._reader = threading.RLock(), self._connect()
        self._inode = path.stat().st_ino if path else 0

    def _connect(self) -> sqlite3.Connection:
        target = ":memory:" if self.path is None else str(self.path)
        connection = sqlite3.connect(target, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _prepare(connection: sqlite3.Connection) -> None:
        # Two first starts at once may both switch to WAL; SQLite then says "locked" without waiting (it is no busy
        # case for it), so the wait is done here.
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found not in (0, VERSION):
                raise sqlite3.DatabaseError(f"index version {found}, expected {VERSION}")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            # The counter starts at the time in microseconds, which no series of changes can outrun: after a rebuild
            # it is larger than any value seen before.
            connection.execute("INSERT OR IGNORE INTO counter VALUES (1, ?)", (time.time_ns() // 1000,))
            connection.execute(f"PRAGMA user_version={VERSION}")
        finally:
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close both connections; the last one folds the write-ahead log into the file."""
        with self._read_lock:
            self._reader.close()
        with self._write_lock:
            self._writer.close()

    def replaced(self) -> bool:
        """Whether another process has put a new index in the place of this one."""
        if self.path is None:
            return False
        try:
            return os.stat(self.path).st_ino != self._inode
        except OSError:
            return True

    @contextmanager
    def _changing(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """A write transaction: (connection, the new value of the counter)."""
        with self._write_lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                self._writer.execute("UPDATE counter SET value = value + 1")
                (value,) = self._writer.execute("SELECT value FROM counter").fetchone()
                yield self._writer, int(value)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def put(self, rows: Iterable[tuple[Mapping[str, Any], bool, bool]], *, replace: bool = True) -> None:
        """Insert rows, all in one transaction; those that are there already are replaced, or else left as they are."""
        insert = f"INSERT OR {'REPLACE' if replace else 'IGNORE'} INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        with self._changing() as (connection, value):
            for data, starred, trashed in rows:
                text = json.dumps(data, ensure_ascii=True)
                plain = search_text(data).encode("utf-8", "replace").decode("utf-8")
                row = (data["id"], data["kind"], data["created"], plain, text, starred, trashed, value)
                connection.execute(insert, row)
                connection.execute("DELETE FROM gone WHERE id = ?", (data["id"],))

    def announce(self, record_id: str) -> None:
        """Note that a state.json is about to change, so that a start after a crash in between reads it again."""
        with self._changing() as (connection, _):
            connection.execute("INSERT OR IGNORE INTO pending VALUES (?)", (record_id,))

    def mark(self, record_id: str, *, starred: bool, trashed: bool) -> None:
        """Set the state of one row, after its state.json was written."""
        with self._changing() as (connection, value):
            query = "UPDATE records SET starred = ?, trashed = ?, changed = ? WHERE id = ?"
            connection.execute(query, (starred, trashed, value, record_id))
            connection.execute("DELETE FROM pending WHERE id = ?", (record_id,))

    def pending(self) -> set[str]:
        """Ids whose state.json may be newer than the index."""
        return {row[0] for row in self._read("SELECT id FROM pending")}

    def remove(self, ids: Iterable[str]) -> None:
        """Remove rows and remember that they are gone."""
        with self._changing() as (connection, value):
            for record_id in ids:
                connection.execute("DELETE FROM records WHERE id = ?", (record_id,))
                connection.execute("INSERT OR REPLACE INTO gone VALUES (?, ?)", (record_id, value))

    def _read(self, query: str, parameters: Iterable[Any] = ()) -> list[Any]:
        with self._read_lock:
            return self._reader.execute(query, tuple(parameters)).fetchall()

    def counter(self) -> int:
        """The change counter."""
        return int(self._read("SELECT value FROM counter")[0][0])

    def changed_since(self, counter: int) -> tuple[list[str], list[str]]:
        """(ids added or changed, ids removed) after `counter`."""
        changed = self._read("SELECT id FROM records WHERE changed > ? ORDER BY id", (counter,))
        gone = self._read("SELECT id FROM gone WHERE changed > ? ORDER BY id", (counter,))
        return [row[0] for row in changed], [row[0] for row in gone]

    def ids(self) -> set[str]:
        """All ids."""
        return {row[0] for row in self._read("SELECT id FROM records")}

    def get(self, record_id: str) -> Row | None:
        """One row, or None."""
        rows = self._read("SELECT data, starred, trashed FROM records WHERE id = ?", (record_id,))
        return _row(rows[0]) if rows else None

    def select(
        self, query: str, *, kind: str | None, starred: bool | None, trashed: bool | None, limit: int, offset: int
    ) -> list[Row]:
        """Rows matching every word of `query`, newest first."""
        where, parameters = _where(query, kind, starred, trashed)
        sql = f"SELECT data, starred, trashed FROM records{where} ORDER BY created DESC, id DESC LIMIT ? OFFSET ?"
        return [_row(row) for row in self._read(sql, [*parameters, limit, offset])]

    def count(self, query: str, *, kind: str | None, starred: bool | None, trashed: bool | None) -> int:
        """How many rows `select` would give without a limit."""
        where, parameters = _where(query, kind, starred, trashed)
        return int(self._read(f"SELECT count(*) FROM records{where}", parameters)[0][0])

    def kinds(self) -> list[str]:
        """The kinds that occur among the rows not in the trash."""
        return [row[0] for row in self._read("SELECT DISTINCT kind FROM records WHERE trashed = 0 ORDER BY kind")]


def _row(row: tuple[str, int, int]) -> Row:
    try:
        return json.loads(row[0]), bool(row[1]), bool(row[2])
    except ValueError as error:
        raise sqlite3.DatabaseError("a row of the index is garbled") from error


def _where(query: str, kind: str | None, starred: bool | None, trashed: bool | None) -> tuple[str, list[Any]]:
    conditions: list[str] = []
    parameters: list[Any] = []
    for word in query.casefold().encode("utf-8", "replace").decode("utf-8").replace("\0", " ").split():
        escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        conditions.append("text LIKE ? ESCAPE '\\'")
        parameters.append(f"%{escaped}%")
    for name, value in (("kind", kind), ("starred", starred), ("trashed", trashed)):
        if value is not None:
            conditions.append(f"{name} = ?")
            parameters.append(value)
    return (" WHERE " + " AND ".join(conditions) if conditions else ""), parameters
