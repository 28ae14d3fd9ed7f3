"""The list behind the History dock: records by pages and thumbnails when they are seen, both read off the GUI thread."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QPersistentModelIndex, QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QImage, QImageReader

from studio.host.results import ResultRecord, ResultsStore
from studio.ui.background import Background

PAGE = 60
THUMB = 128
_KEPT = 400
RECORD = int(Qt.ItemDataRole.UserRole)
THUMBNAIL = RECORD + 1
_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


@dataclass(frozen=True)
class Query:
    """What of the store is shown."""

    text: str = ""
    starred: bool | None = None
    trashed: bool = False


def picture_of(record: ResultRecord) -> Path | None:
    """The main picture of a result, or None when it has none."""
    return next((p for p in record.files.values() if p.suffix.lower() in _PICTURES), None)


def when(created: str) -> str:
    """An ISO time as a person says it: "14:05" today, "2 Mar, 14:05" before."""
    try:
        moment = datetime.fromisoformat(created).astimezone()
    except ValueError:
        return created
    if moment.date() == datetime.now().astimezone().date():
        return f"{moment:%H:%M}"
    year = "" if moment.year == datetime.now().astimezone().year else f" {moment.year}"
    return f"{moment.day} {moment:%b}{year}, {moment:%H:%M}"


def caption_of(record: ResultRecord) -> str:
    """One line that tells a result from others."""
    prompt = record.request.get("prompt") if isinstance(record.request.get("prompt"), str) else ""
    return str(record.title or prompt or record.kind)


def load_picture(path: Path, edge: int = 0) -> QImage | None:
    """A picture file, at most `edge` pixels wide and high (0 = as it is); None when it is no readable picture."""
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    size = reader.size()
    if edge and size.isValid() and max(size.width(), size.height()) > edge:
        reader.setScaledSize(size.scaled(QSize(edge, edge), Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    return None if image.isNull() else image


class HistoryModel(QAbstractListModel):
    """Records newest first. `refresh()` asks the store again; `fetchMore` reads the next page."""

    loaded = Signal()
    failed = Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._store: ResultsStore | None = None
        self._background: Background | None = None
        self._query = Query()
        self._records: list[ResultRecord] = []
        self._thumbs: OrderedDict[str, QImage | None] = OrderedDict()
        self._asked: set[str] = set()
        self._complete = True
        self._generation = 0
        self._busy = False
        self._counter = -1
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._load_thumbs)
        self._wanted: list[ResultRecord] = []

    def attach(self, store: ResultsStore, background: Background) -> None:
        """Read from this store, on this thread, from now on."""
        self._store, self._background = store, background
        self.refresh()

    def stop(self) -> None:
        """Ask for nothing more (the window closes)."""
        self._generation += 1
        self._store = None
        self._soon.stop()

    def is_idle(self) -> bool:
        """Whether nothing is being read."""
        return not self._busy

    @property
    def query(self) -> Query:
        return self._query

    def set_query(self, query: Query) -> None:
        """Show something else."""
        if query != self._query:
            self._query = query
            self.refresh()

    def poll(self) -> None:
        """Refresh when the store changed since it was last read (asked on the background thread)."""
        store, background = self._store, self._background
        if store is None or background is None or self._busy:
            return
        self._busy = True
        background.run(lambda: store.counter, self._polled, lambda _error: self._idle())

    def refresh(self) -> None:
        """Read the first pages again; the list changes once they are here."""
        self._generation += 1
        self._read(0, max(PAGE, len(self._records)), replace=True)

    def record(self, index: _Index) -> ResultRecord | None:
        """The record of a row."""
        return self._records[index.row()] if index.isValid() and index.row() < len(self._records) else None

    def row_of(self, record_id: str) -> int:
        """The row of a record, or -1."""
        return next((row for row, record in enumerate(self._records) if record.id == record_id), -1)

    # -- Qt's questions --

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._records)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        record = self.record(index)
        if record is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return caption_of(record)
        if role == RECORD:
            return record
        if role == THUMBNAIL:
            return self._thumbnail(record)
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{caption_of(record)}\n{record.kind}, {when(record.created)}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{caption_of(record)}, {when(record.created)}{', starred' if record.starred else ''}"
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else Qt.ItemFlag.NoItemFlags

    def mimeTypes(self) -> list[str]:
        return ["text/uri-list"]

    def mimeData(self, indexes: Any) -> QMimeData:
        data = QMimeData()
        records = [record for index in indexes if (record := self.record(index)) is not None]
        data.setUrls([QUrl.fromLocalFile(str(picture_of(r) or r.folder)) for r in records])
        return data

    def canFetchMore(self, parent: _Index = _ROOT) -> bool:
        return not self._complete and not self._busy

    def fetchMore(self, parent: _Index = _ROOT) -> None:
        self._read(len(self._records), PAGE, replace=False)

    # -- reading --

    def _read(self, offset: int, count: int, *, replace: bool) -> None:
        store, background = self._store, self._background
        if store is None or background is None:
            return
        query, generation = self._query, self._generation
        self._busy = True

        def work() -> tuple[int, list[ResultRecord]]:
            counter = store.counter
            found = store.records(query.text, starred=query.starred, trashed=query.trashed, limit=count + 1, offset=offset)
            return counter, found

        background.run(work, lambda got: self._take(got, generation, count, replace), self._read_failed)

    def _take(self, got: tuple[int, list[ResultRecord]], generation: int, count: int, replace: bool) -> None:
        self._busy = False
        if generation != self._generation:
            return
        self._counter, records = got
        self._complete = len(records) <= count
        records = records[:count]
        if replace:
            if records != self._records:
                self.beginResetModel()
                self._records = records
                self.endResetModel()
        else:
            known = {record.id for record in self._records}
            fresh = [record for record in records if record.id not in known]
            if fresh:
                first = len(self._records)
                self.beginInsertRows(QModelIndex(), first, first + len(fresh) - 1)
                self._records += fresh
                self.endInsertRows()
        self.loaded.emit()

    def _read_failed(self, error: Exception) -> None:
        self._busy = False
        kind = "The index of the results cannot be read" if isinstance(error, sqlite3.Error) else "The results cannot be read"
        self.failed.emit(f"{kind}: {error}. Restart the studio; the results themselves are kept as files.")

    def _polled(self, counter: int) -> None:
        self._busy = False
        if counter != self._counter:
            self.refresh()

    def _idle(self) -> None:
        self._busy = False

    # -- thumbnails --

    def _thumbnail(self, record: ResultRecord) -> QImage | None:
        if record.id in self._thumbs:
            self._thumbs.move_to_end(record.id)
            return self._thumbs[record.id]
        if record.id not in self._asked:
            self._asked.add(record.id)
            self._wanted.append(record)
            self._soon.start()
        return None

    def _load_thumbs(self) -> None:
        wanted, self._wanted = self._wanted, []
        if self._background is None:
            return
        for record in wanted:
            path = record.thumbnail or picture_of(record)
            if path is None:
                self._thumb_here(record.id, None)
                continue
            self._background.run(
                lambda path=path: load_picture(path, THUMB * 2),  # type: ignore[misc]
                lambda image, name=record.id: self._thumb_here(name, image),  # type: ignore[misc]
                lambda _error, name=record.id: self._thumb_here(name, None),  # type: ignore[misc]
            )

    def _thumb_here(self, record_id: str, image: QImage | None) -> None:
        self._asked.discard(record_id)
        self._thumbs[record_id] = image
        while len(self._thumbs) > _KEPT:
            self._thumbs.popitem(last=False)
        row = self.row_of(record_id)
        if row >= 0:
            self.dataChanged.emit(self.index(row), self.index(row), [THUMBNAIL])
