"""The card of a model as a page: what it is, how it was made, its measured quality."""

from __future__ import annotations

import re

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QTextBrowser, QWidget

from studio.models.inventory import Entry
from studio.models.library.cards import split_card
from studio.models.library.holding import Holding
from studio.ui.help_dock import set_pages_type
from studio.ui.theme import theme
from studio_plugins.models.items import Item, Place
from studio_plugins.models.library_words import abilities_text, kind_text, state_text

_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)|<img\b[^>]*>", re.IGNORECASE)
"""Pictures of a card lie on the web or were not fetched: nothing of them could be shown."""
_NO_CARD = {
    "opened": "This file was opened where it lies and brings no card. Import it to have it verified and described.",
    "imported": "The card of this model (MODEL_CARD.md) was removed from its folder.",
    "bundled": "This model has no card (MODEL_CARD.md); install the studio again to get it back.",
    "added": "This model brings no card (MODEL_CARD.md).",
}


class CardPage(QTextBrowser):
    """Shows the card of one Item."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._item: Item | None = None
        self.setOpenLinks(False)
        self.setAccessibleName("Model card")
        self.anchorClicked.connect(_follow)
        theme().changed.connect(self._render)

    def show_item(self, item: Item) -> None:
        """Turn to the card of a model; that of one of the library is still to be read."""
        self._item = item
        self._text = _page(item)
        self._render()
        self.verticalScrollBar().setValue(0)

    def add_card(self, path: str, card: str) -> None:
        """The makers' own card, read meanwhile, below what is told of the model on show."""
        value = self._item.value if self._item is not None else None
        if isinstance(value, Holding) and value.card == path:
            self._text = f"{_head(value)}\n\n---\n\n{_PICTURE.sub('', split_card(card)[1])}"
            self._render()

    def _render(self) -> None:
        self.document().setDefaultStyleSheet(f"a {{ color: {theme().tokens['accent']}; }}")
        self.setMarkdown(self._text)
        set_pages_type(self.document())


def _page(item: Item) -> str:
    value = item.value
    if isinstance(value, Entry):
        return value.card or f"# {value.info.title}\n\n{_NO_CARD[value.origin]}"
    if isinstance(value, Place):
        return _place(value)
    return _head(value)


def _head(holding: Holding) -> str:
    """What the studio says of a model of the library."""
    blocks = [f"# {holding.title}", kind_text(holding)]
    if holding.abilities:
        blocks.append(f"**It can:** {abilities_text(holding.abilities)}.")
    state = state_text(holding).splitlines()
    blocks.append("\n\n".join(state))
    if not holding.card:
        blocks.append("It brings no card of its own.")
    return "\n\n".join(blocks)


def _place(place: Place) -> str:
    return (
        f"# {place.folder.name or place.folder}\n\nA folder you added: it and all below is looked through for models. "
        f"{place.count} found.\n\n{place.folder}\n\n"
        "To take it off the list, press the button below the list; its files stay as they are."
    )


def _follow(url: QUrl) -> None:
    if url.scheme() in ("http", "https"):
        QDesktopServices.openUrl(url)
