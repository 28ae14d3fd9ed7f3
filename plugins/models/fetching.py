"""The download between its page and the engine: listed, asked for, fetched, said."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from studio.models.downloading import Downloaded
from studio_plugins.models.download_page import DownloadPage
from studio_plugins.models.library_desk import LibraryDesk
from studio_plugins.models.request import DownloadRequest
from studio_plugins.models.words import size_text


class Fetching(QObject):
    """Signals: `fetched` (Downloaded), `said` text and level."""

    fetched = Signal(object)
    said = Signal(str, str)

    def __init__(self, desk: LibraryDesk, page: DownloadPage, parent: QObject) -> None:
        super().__init__(parent)
        self._desk, self._page = desk, page
        page.asked.connect(self._look_up)
        page.wanted.connect(self._download)
        page.cancelled.connect(desk.cancel_download)
        desk.offered.connect(page.show_offer)
        desk.downloading.connect(page.show_progress)
        desk.downloaded.connect(self._ended)

    def _look_up(self, repo: str) -> None:
        self.said.emit("", "info")
        self._desk.look_up(repo)

    def _download(self, request: DownloadRequest) -> None:
        self.said.emit("", "info")
        self._page.set_busy(self._desk.download(request))

    def _ended(self, found: Downloaded | None) -> None:
        self._page.set_busy(False)
        if found is None:
            self._desk.look_up(self._page.repo.text().strip())  # how much of it is here now
            return
        fetched = f"“{found.repo}” is here: {size_text(found.nbytes)} were fetched"
        self.said.emit(f"{fetched}, and every large file proved by its digest.", "success")
        self.fetched.emit(found)
