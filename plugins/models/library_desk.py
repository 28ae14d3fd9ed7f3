"""What the engine does for the library: folders, cards, digests, downloads. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import Cancelled, Done, EngineClosed, Event, Failed, Progress, Task
from studio.host.context import PanelContext
from studio.models.downloading import look_up
from studio_plugins.models import checksums, jobs
from studio_plugins.models.request import DownloadRequest


class LibraryDesk(QObject):
    """Submits jobs and passes on what they answer.

    `folders_changed`; `converted` the new files; `card_read` path and text; `digesting` share and text; `digested`
    place and Digests; `offered` Offer; `downloading` share and text; `downloaded` Downloaded, or None when it was
    cancelled or failed; `said` text, level, details.
    """

    folders_changed = Signal()
    converted = Signal(object)
    card_read = Signal(str, str)
    digesting = Signal(float, str)
    digested = Signal(object, object)
    offered = Signal(object)
    downloading = Signal(float, str)
    downloaded = Signal(object)
    said = Signal(str, str, str)

    def __init__(self, context: PanelContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self._folders: Task | None = None
        self._card: Task | None = None
        self._digest: Task | None = None
        self._digest_of = Path()
        self._converting: Task | None = None
        self._asking: Task | None = None
        self._fetching: Task | None = None

    @property
    def busy(self) -> bool:
        """Whether a download runs."""
        return self._fetching is not None

    def add_folder(self, folder: Path) -> None:
        """Look through a folder from now on."""
        self._folders = self._submit(jobs.add_folder, folder, title=f"Add {folder.name}", replace="folders")

    def forget_folder(self, folder: Path) -> None:
        """Look through it no longer; its files stay."""
        title = f"Take {folder.name} off the list"
        self._folders = self._submit(jobs.forget_folder, folder, title=title, replace="folders")

    def read_card(self, path: str) -> None:
        """Read the makers' card."""
        self._card = self._submit(jobs.read_card, path, title="Read a model card", replace="card")

    def digest(self, place: Path) -> None:
        """Compute the digests of a model's weights."""
        self._digest_of = place
        self._digest = self._submit(checksums.checksums, place, title=f"SHA-256 of {place.name}", replace="digest")

    def convert(self, place: Path) -> None:
        """Write a model's pickles as safetensors beside them."""
        self._converting = self._submit(jobs.convert_pickles, place, title=f"Convert {place.name}", replace="convert")

    def look_up(self, repo: str) -> None:
        """List what can be downloaded; nothing is fetched."""
        self._asking = self._submit(look_up, repo, title=f"List the files of {repo}", replace="hub")

    def download(self, request: DownloadRequest) -> bool:
        """Fetch files; False when the engine takes nothing any more."""
        title = f"Download {request.repo}"
        self._fetching = self._submit(jobs.download_model, request, title=title, replace="download")
        return self._fetching is not None

    def cancel_digest(self) -> None:
        """Stop computing digests."""
        if self._digest is not None:
            self._digest.cancel()

    def cancel_download(self) -> None:
        """Stop asking the hub, or fetching; what was fetched is kept."""
        for task in (self._asking, self._fetching):
            if task is not None:
                task.cancel()

    def on_event(self, task: Task, event: Event) -> None:
        """Take in an event; one of a task that was replaced is of no interest."""
        if isinstance(event, Progress):
            share = event.done / event.total if event.total else 0.0
            if task is self._fetching:
                self.downloading.emit(share, event.text)
            elif task is self._digest:
                self.digesting.emit(share, event.text)
        elif isinstance(event, Done | Failed | Cancelled):
            self._ended(task, event)

    def _ended(self, task: Task, event: Done | Failed | Cancelled) -> None:
        result: Any = event.result if isinstance(event, Done) else None
        if task not in (self._folders, self._card, self._digest, self._converting, self._asking, self._fetching):
            return
        if isinstance(event, Failed):
            self.said.emit(event.error.message, "error", event.error.details)
        if task is self._folders and result is not None:
            self.folders_changed.emit()
        elif task is self._converting and result is not None:
            self.converted.emit(result)
        elif task is self._card and result is not None:
            self.card_read.emit(*result)
        elif task is self._digest:
            self._digest = None
            self.digested.emit(self._digest_of, result)
        elif task is self._asking:
            self._asking = None
            self.offered.emit(result)
        elif task is self._fetching:
            self._fetching = None
            self.downloaded.emit(result)

    def _submit(self, job: Callable[..., Any], request: Any, *, title: str, replace: str) -> Task | None:
        try:
            return self.context.submit(job, request, title=title[:80], lane="quick", replace=replace)
        except EngineClosed as error:
            self.said.emit(str(error), "warning", "")
            return None
