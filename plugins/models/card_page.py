"""The card of a model as a page: what it is, how it was made, its measured quality."""

from __future__ import annotations

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QTextBrowser, QWidget

from studio.models.inventory import Entry
from studio.ui.help_dock import set_pages_type
from studio.ui.theme import theme

_NO_CARD = {
    "opened": "This file was opened where it lies and brings no card. Import it to have it verified and described.",
    "imported": "The card of this model (MODEL_CARD.md) was removed from its folder.",
    "bundled": "This model has no card (MODEL_CARD.md); install the studio again to get it back.",
}


class CardPage(QTextBrowser):
    """Shows one Entry's card."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entry: Entry | None = None
        self.setOpenLinks(False)
        self.setAccessibleName("Model card")
        self.anchorClicked.connect(_follow)
        theme().changed.connect(self._render)

    def show_entry(self, entry: Entry) -> None:
        """Turn to the card of a model."""
        self._entry = entry
        self._render()
        self.verticalScrollBar().setValue(0)

    def _render(self) -> None:
        if self._entry is None:
            return
        self.document().setDefaultStyleSheet(f"a {{ color: {theme().tokens['accent']}; }}")
        self.setMarkdown(self._entry.card or f"# {self._entry.info.title}\n\n{_NO_CARD[self._entry.origin]}")
        set_pages_type(self.document())


def _follow(url: QUrl) -> None:
    if url.scheme() in ("http", "https"):
        QDesktopServices.openUrl(url)
