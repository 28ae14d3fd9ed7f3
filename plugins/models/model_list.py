"""The models on this machine as a list, grouped by kind."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from studio.models.inventory import Entry
from studio.ui.theme import theme
from studio_plugins.models.words import KINDS, size_text

_ENTRY = Qt.ItemDataRole.UserRole
_HEADING_HEIGHT, _ROW_HEIGHT = 30, 42


class ModelList(QListWidget):
    """`chosen` carries the Entry a person selected."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Models on this machine")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.currentItemChanged.connect(lambda item, _before: self._choose(item))
        self.itemClicked.connect(self._choose)  # the one chosen already, while something else is on show
        theme().changed.connect(self._paint)

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """List these; the model that was chosen stays chosen where it is still there."""
        before = self.entry
        self.blockSignals(True)
        self.clear()
        for kind, title in KINDS.items():
            of_kind = [entry for entry in entries if entry.info.kind == kind]
            if of_kind:
                self._add_heading(title)
            for entry in of_kind:
                self._add(entry)
        self._paint()
        self.setFixedHeight(sum(self.item(i).sizeHint().height() for i in range(self.count())) + 4)
        self.blockSignals(False)
        if before is not None:
            self.choose(before.info.id)

    @property
    def entry(self) -> Entry | None:
        """The model chosen."""
        item = self.currentItem()
        return item.data(_ENTRY) if item is not None else None

    def choose(self, model: str) -> bool:
        """Choose a model by its id; False when it is not listed."""
        for i in range(self.count()):
            entry: Entry | None = self.item(i).data(_ENTRY)
            if entry is not None and entry.info.id == model:
                self.setCurrentRow(i)
                return True
        return False

    def _add_heading(self, title: str) -> None:
        item = QListWidgetItem(title, self)
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        item.setSizeHint(QSize(0, _HEADING_HEIGHT))

    def _add(self, entry: Entry) -> None:
        info = entry.info
        details = f"{info.size}×{info.size} px, {size_text(entry.nbytes)}, {entry.origin}"
        item = QListWidgetItem(f"{info.title}\n{details}", self)
        item.setData(_ENTRY, entry)
        item.setToolTip(f"{info.title}\n{info.folder}")
        item.setSizeHint(QSize(0, _ROW_HEIGHT))

    def _paint(self) -> None:
        for i in range(self.count()):
            heading = self.item(i).data(_ENTRY) is None
            self.item(i).setForeground(theme().color("muted" if heading else "text"))

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None and item.data(_ENTRY) is not None:
            self.chosen.emit(item.data(_ENTRY))
