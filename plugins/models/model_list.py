"""The models on this machine as a list, grouped by kind."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from studio.ui.theme import theme
from studio_plugins.models.items import Item

_ITEM = Qt.ItemDataRole.UserRole
_HEADING_HEIGHT, _ROW_HEIGHT = 30, 42


class ModelList(QListWidget):
    """`chosen` carries the Item a person selected."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: Sequence[Item] = ()
        self._filter = ""
        self.setAccessibleName("Models on this machine")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.currentItemChanged.connect(lambda item, _before: self._choose(item))
        self.itemClicked.connect(self._choose)  # the one chosen already, while something else is on show
        theme().changed.connect(self._paint)

    def show_items(self, items: Sequence[Item]) -> None:
        """List these; the one that was chosen stays chosen where it is still there."""
        self._items = items
        self._fill()

    def set_filter(self, text: str) -> None:
        """List only what has all these words."""
        self._filter = text.casefold()
        self._fill()

    @property
    def item_(self) -> Item | None:
        """The row chosen."""
        row = self.currentItem()
        return row.data(_ITEM) if row is not None else None

    def choose(self, wanted: str) -> bool:
        """Choose a row by its id; False when it is not listed."""
        for i in range(self.count()):
            item: Item | None = self.item(i).data(_ITEM)
            if item is not None and item.id == wanted:
                self.setCurrentRow(i)
                return True
        return False

    def _fill(self) -> None:
        before, words, group = self.item_, self._filter.split(), ""
        self.blockSignals(True)
        self.clear()
        for item in self._items:
            if all(word in item.words for word in words):
                if item.group != group:
                    self._add_heading(item.group)
                group = item.group
                self._add(item)
        self._paint()
        self.setFixedHeight(sum(self.item(i).sizeHint().height() for i in range(self.count())) + 4)
        self.blockSignals(False)
        if before is not None:
            self.choose(before.id)

    def _add_heading(self, title: str) -> None:
        row = QListWidgetItem(title, self)
        row.setFlags(Qt.ItemFlag.NoItemFlags)
        row.setSizeHint(QSize(0, _HEADING_HEIGHT))

    def _add(self, item: Item) -> None:
        row = QListWidgetItem(f"{item.title}\n{item.details}", self)
        row.setData(_ITEM, item)
        row.setToolTip(f"{item.title}\n{item.details}\n{item.id.removeprefix('folder:')}")
        row.setSizeHint(QSize(0, _ROW_HEIGHT))

    def _paint(self) -> None:
        for i in range(self.count()):
            item: Item | None = self.item(i).data(_ITEM)
            self.item(i).setForeground(theme().color("muted" if item is None else "text" if item.usable else "faint"))

    def _choose(self, row: QListWidgetItem | None) -> None:
        if row is not None and row.data(_ITEM) is not None:
            self.chosen.emit(row.data(_ITEM))
