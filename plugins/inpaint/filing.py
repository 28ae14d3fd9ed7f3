"""The document as a file: new, open, save, the copy that survives a crash, whether there is anything to be saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from studio.engine import Task, TaskState
from studio.host.documents import DocumentContent
from studio.host.documents import jobs as papers
from studio.host.documents.autosave import AutoSave, RecoveryUnwritable
from studio.host.documents.recovery import Recovery
from studio.host.paths import DataPaths
from studio.ui.canvas.document import CanvasDocument
from studio_plugins.inpaint.desk import Desk
from studio_plugins.inpaint.reopening import Left, Reopened, reopen
from studio_plugins.inpaint.versions import Version, Versions

_PAUSE_MS = 600
UNTITLED = "Untitled"
Settings = Callable[[], Mapping[str, Any]]


class Filing(QObject):
    """Follows one document at a time. `request` and `view` give what the panel adds to it, as JSON data;
    `busy` says whether a stroke is under way, which taking a copy would disturb.

    Signals: `changed` (title, file or marker), `shown` (DocumentContent: it was opened, canvas and versions show it),
    `found` (Recovery, of another window that ended unexpectedly), `said` (text, level).
    """

    changed = Signal()
    shown = Signal(object)
    found = Signal(object)
    said = Signal(str, str)

    def __init__(
        self, desk: Desk, document: CanvasDocument, versions: Versions, request: Settings, view: Settings,
        busy: Callable[[], bool],
    ) -> None:  # fmt: skip
        super().__init__(desk)
        self._desk, self._document, self._versions = desk, document, versions
        self._request, self._view, self._busy = request, view, busy
        self._root = DataPaths.default().recovery
        self._autosave: AutoSave | None = None
        self._keeping: Task | None = None
        self._saving: dict[Path, AutoSave] = {}
        self._revision = self._saved = self._kept = 0
        self._quiet = False
        self.path: Path | None = None
        self.title = ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self.keep)
        for signal in (document.changed, document.layers_changed, document.resized, versions.changed):
            signal.connect(self.touch)
        desk.answered.connect(self._answered)

    # --- what it is ---

    @property
    def is_empty(self) -> bool:
        """Whether there is no document yet."""
        return self._autosave is None

    @property
    def unsaved(self) -> bool:
        """Whether there are changes that no file holds."""
        return self._autosave is not None and self._revision > self._saved

    @property
    def is_kept(self) -> bool:
        """Whether everything is on the disk, in the file or in the copy that survives a crash."""
        kept = self._keeping is not None and self._keeping.state is TaskState.DONE and self._kept == self._revision
        return kept or not self.unsaved

    @property
    def name(self) -> str:
        """For the bar above the canvas: the title, behind a dot while there is something to be saved."""
        return f"● {self.title}" if self.unsaved else self.title

    def content(self) -> DocumentContent:
        """The whole document. Raises ValueError while there is no picture."""
        versions = tuple(version.content() for version in self._versions.all)
        places = {version.id: version.place() for version in self._versions.all}
        view = {**self._view(), "versions": places}
        return replace(self._document.content(), versions=versions, request=dict(self._request()), view=view)

    def state(self) -> dict[str, Any]:
        """What the session remembers, for `reopen`."""
        if self._autosave is None:
            return {}
        return {"copy": self._autosave.id, "path": str(self.path) if self.path is not None else ""}

    def touch(self, *_what: object) -> None:
        """Something changed."""
        if self._quiet or self._document.is_empty or self._autosave is None:
            return
        first = not self.unsaved
        self._revision += 1
        if not self._timer.isActive():
            self._timer.start()
        if first:
            self.changed.emit()

    # --- another document ---

    def begin(self, title: str, show: Callable[[], object]) -> None:
        """A document that no file holds yet: `show` puts it on the canvas, without versions."""
        self._start(AutoSave(self._root, None, title), None, title)
        self._quiet = True
        show()
        self._versions.replace(())
        self._quiet = False
        self.touch()

    def open(self, path: Path) -> None:
        """Open a document's file."""
        order = papers.Opening(path, self._root)
        self._desk.submit(papers.open_document, order, f"opening {path.name}", lane="quick", replace="open")

    def reopen(self, state: Mapping[str, Any]) -> bool:
        """Open what the session of `state()` had open; False when it names nothing."""
        copy, path = state.get("copy"), state.get("path")
        if not isinstance(copy, str) or not isinstance(path, str):
            return False
        left = Left(copy, Path(path) if path else None, self._root)
        return self._desk.submit(reopen, left, "opening the last document", lane="quick", replace="open") is not None

    def look_for_others(self) -> None:
        """Find documents that windows left which ended unexpectedly."""
        self._desk.submit(papers.look_for_recoveries, self._root, "looking for lost documents", lane="quick")

    def take(self, recovery: Recovery) -> None:
        """Open one of these."""
        self._desk.submit(papers.take_recovery, recovery, "opening a recovery copy", lane="quick", replace="open")

    def discard(self, recovery: Recovery) -> None:
        """Delete one of these."""
        self._desk.submit(papers.discard_recovery, recovery, "deleting a recovery copy", lane="quick")

    # --- to the disk ---

    def save(self, path: Path) -> None:
        """Save everything as this file."""
        if self._autosave is not None:
            self._saving[path] = self._autosave
            order = papers.Saving(path, papers.Parcel(self.content()), self._revision, self._autosave)
            self._desk.submit(papers.save_document, order, f"saving {path.name}", lane="quick", queue="inpaint.save")

    def export_layers(self, path: Path) -> None:
        """Write an OpenRaster file."""
        order = papers.Exporting(path, papers.Parcel(self.content()))
        self._desk.submit(papers.export_ora, order, f"saving {path.name}", lane="quick")

    def keep(self) -> None:
        """Bring the recovery copy up to date, in a job."""
        if not self.unsaved or self._autosave is None:
            return
        if self._busy() or (self._keeping is not None and not self._keeping.state.ended):
            self._timer.start()
            return
        self._kept = self._revision
        self._autosave.offer(self.content(), self._kept)
        self._keeping = self._desk.submit(papers.keep_recovery, self._autosave, "autosave", lane="quick")

    def close(self) -> None:
        """The panel closes: what is not on the disk yet goes there now, while there is still time."""
        self._timer.stop()
        if self._autosave is not None and self.unsaved:
            self._autosave.offer(self.content(), self._revision)
            try:
                self._autosave.write_offered()  # here, since jobs of a closing panel are not run any more
            except RecoveryUnwritable as error:
                self.said.emit(str(error), "error")

    # --- behind it ---

    def _start(self, autosave: AutoSave, path: Path | None, title: str) -> None:
        """Follow another document."""
        self._timer.stop()
        if self._autosave is not None:
            self._desk.submit(papers.close_recovery, self._autosave, "closing the document", lane="quick")
        self._autosave, self.path, self.title = autosave, path, title or UNTITLED
        self._revision = self._saved = 0
        self.changed.emit()

    def _answered(self, result: Any) -> None:
        if isinstance(result, papers.Opened):
            self._show(result, unsaved=result.autosave.has_copy)
        elif isinstance(result, Reopened):
            self._show_reopened(result)
        elif isinstance(result, papers.Saved):
            self._mark_saved(result)
        elif isinstance(result, tuple) and len(result) == 2:
            self._tell_found(*result)

    def _show(self, opened: papers.Opened, *, unsaved: bool) -> None:
        content, autosave = opened.parcel.take(), opened.autosave
        path = autosave.path
        self._start(autosave, path, path.stem if path is not None else autosave.title)
        self._quiet = True
        self._document.restore(content)
        places = content.view.get("versions")
        stored = places if isinstance(places, Mapping) else {}
        restored = [Version.restored(each, _mapping(stored.get(each.id))) for each in content.versions]
        self._versions.replace([version for version in restored if version is not None])
        self.shown.emit(content)
        self._quiet = False
        if unsaved:
            self.touch()

    def _show_reopened(self, reopened: Reopened) -> None:
        if reopened.opened is not None:
            self._show(reopened.opened, unsaved=reopened.unsaved)
        if reopened.unsaved:
            self.said.emit(f"“{self.title}” was reopened with the changes that were not saved.", "info")
        if reopened.problem:
            self.said.emit(reopened.problem, "warning")
        self.look_for_others()

    def _mark_saved(self, saved: papers.Saved) -> None:
        if self._saving.pop(saved.path, None) is self._autosave:  # else another document is on the canvas by now
            self.path, self.title, self._saved = saved.path, saved.path.stem, saved.revision
            self.changed.emit()
        self.said.emit(saved.problem or f"Saved as {saved.path}", "warning" if saved.problem else "success")

    def _tell_found(self, recoveries: list[Recovery], notes: list[str]) -> None:
        for note in notes:
            self.said.emit(note, "warning")
        for recovery in recoveries[:1]:
            self.found.emit(recovery)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
