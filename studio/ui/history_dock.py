"""The History dock: every result with its request; search, star, copy, delete with undo, restore, replay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QModelIndex, QPoint, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QStackedWidget, QVBoxLayout, QWidget

from studio.host.atomic import FileUnwritable
from studio.host.results import ResultMissing, ResultRecord, ResultsStore
from studio.ui.background import Background
from studio.ui.cards import EmptyState
from studio.ui.history_detail import ResultDetail
from studio.ui.history_model import HistoryModel, Query, load_picture, picture_of
from studio.ui.history_view import ResultList
from studio.ui.icons import IconButton
from studio.ui.message_bar import MessageBar
from studio.ui.pictures import copy_picture
from studio.ui.tokens import SPACE_S

POLL_MS = 700
_TYPING_MS = 200
log = logging.getLogger("studio.ui")


class HistoryDock(QWidget):
    """What the window does with a result comes out as signals: `restore_asked(record)`, `replay_asked(record)`,
    `picture_sent(path)` to be painted on."""

    restore_asked = Signal(object)
    replay_asked = Signal(object)
    picture_sent = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store: ResultsStore | None = None
        self._background: Background | None = None
        self._chosen = ""  # id of the result on show: it stays chosen when the list is read again
        self.model = HistoryModel(self)
        self.bar = MessageBar(self)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("Search prompts and settings")
        self.search.setAccessibleName("Search results")
        self.search.setClearButtonEnabled(True)
        self._starred = IconButton("star", "Show starred results only", self, size=16)
        self._trash = IconButton("trash", "Show the trash", self, size=16)
        for button in (self._starred, self._trash):
            button.setCheckable(True)
            button.toggled.connect(self._ask)
        self.view = ResultList(self)
        self.view.setModel(self.model)
        self.view.doubleClicked.connect(lambda index: self._with(index, self.restore_asked.emit))
        self.view.customContextMenuRequested.connect(self._menu)
        self.detail = ResultDetail(self)
        self.detail.restore_asked.connect(self.restore_asked)
        self.detail.replay_asked.connect(self.replay_asked)
        self.detail.star_asked.connect(self.star)
        self.detail.trash_asked.connect(lambda record: self.trash([record]))
        self.detail.hide()
        self._empty = EmptyState("Opening the History…", "What was kept earlier appears in a moment.", icon="history")
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.view)
        top = QHBoxLayout()
        top.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        top.setSpacing(4)
        top.addWidget(self.search, 1)
        top.addWidget(self._starred)
        top.addWidget(self._trash)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(self.bar)
        layout.addWidget(self._stack, 1)
        layout.addWidget(self.detail)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MS)
        self._typing.timeout.connect(self._ask)
        self.search.textChanged.connect(lambda _text: self._typing.start())
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._poll_store)
        self.model.loaded.connect(self._loaded)
        self.model.failed.connect(lambda text: self.bar.show_message(text, "error"))
        self.view.selectionModel().currentChanged.connect(self._select)
        for keys, action in (("Delete", self._trash_selected), ("Ctrl+C", self._copy_selected)):
            shortcut = QShortcut(QKeySequence(keys), self.view)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(action)

    def attach(self, store: ResultsStore, background: Background) -> None:
        """Show this store from now on; it is read on the background thread."""
        self._store, self._background = store, background
        self.model.attach(store, background)
        self._poll.start()
        if not store.writable:
            self.bar.show_message(store.problem, "warning")

    def stop(self) -> None:
        """The window closes."""
        self._poll.stop()
        self._typing.stop()
        self.model.stop()

    def selected(self) -> list[ResultRecord]:
        """The selected results."""
        rows = (self.model.record(index) for index in self.view.selectionModel().selectedIndexes())
        return [record for record in rows if record is not None]

    # -- actions --

    def star(self, record: ResultRecord) -> None:
        """Star or unstar."""
        self._change(lambda store: store.star(record.id, not record.starred))

    def trash(self, records: list[ResultRecord]) -> None:
        """Move results to the trash, or out of it when they are there; the bar offers to undo that."""
        if not records:
            return
        names = [record.id for record in records]
        back = records[0].trashed

        def move(to_trash: bool, store: ResultsStore) -> None:
            for name in names:
                (store.trash if to_trash else store.restore)(name)

        def offer() -> None:
            count = "1 result" if len(names) == 1 else f"{len(names)} results"
            text = f"{count} taken out of the trash." if back else f"{count} moved to the trash."
            self.bar.show_message(text, "info", actions=[("Undo", lambda: self._change(partial(move, back)))])

        self._change(partial(move, not back), offer)

    def copy(self, record: ResultRecord) -> None:
        """Put the picture of a result on the clipboard."""
        path = picture_of(record)
        if path is None or self._background is None:
            self.bar.show_message("This result has no picture to copy.", "warning")
            return
        self._background.run(lambda: load_picture(path), self._copy_loaded, self._failed)

    def _copy_loaded(self, image: Any) -> None:
        if image is None:
            self.bar.show_message("The picture cannot be read any more.", "error")
        else:
            copy_picture(image)
            self.bar.show_message("Picture copied.", "success")

    def _change(self, action: Callable[[ResultsStore], Any], then: Callable[[], None] | None = None) -> None:
        """Change the store on the background thread, then show it."""
        store, background = self._store, self._background
        if store is None or background is None:
            return

        def done(_value: Any) -> None:
            self.model.refresh()
            if then is not None:
                then()

        background.run(lambda: action(store), done, self._failed)

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, (FileUnwritable, ResultMissing, OSError)):
            log.error("The history met an error", exc_info=error)
        self.bar.show_message(str(error) or type(error).__name__, "error")
        self.model.refresh()

    # -- events --

    def _poll_store(self) -> None:
        if self.isVisible():
            self.model.poll()

    def _ask(self) -> None:
        self.model.set_query(Query(self.search.text().strip(), self._starred.isChecked() or None, self._trash.isChecked()))

    def _loaded(self) -> None:
        some = self.model.rowCount() > 0
        query = self.model.query
        if not some:
            if query.text:
                self._empty.set_text("Nothing found", f"No result mentions “{query.text}”.")
            elif query.trashed:
                self._empty.set_text("The trash is empty", "Results you delete wait here until you empty it.")
            elif query.starred:
                self._empty.set_text("No starred results", "Star a result to find it again quickly.")
            else:
                self._empty.set_text("Nothing here yet", "Every result is kept here the moment it exists.")
        self._stack.setCurrentWidget(self.view if some else self._empty)
        row = self.model.row_of(self._chosen)
        if row >= 0 and row != self.view.currentIndex().row():
            self.view.setCurrentIndex(self.model.index(row))
        self._select(self.view.currentIndex())

    def _select(self, index: QModelIndex, _before: QModelIndex | None = None) -> None:
        record = self.model.record(index)
        self._chosen = record.id if record is not None else self._chosen
        self.detail.show_record(record)

    def _with(self, index: QModelIndex, action: Callable[[ResultRecord], Any]) -> None:
        record = self.model.record(index)
        if record is not None:
            action(record)

    def _trash_selected(self) -> None:
        self.trash(self.selected())

    def _copy_selected(self) -> None:
        for record in self.selected()[:1]:
            self.copy(record)

    def _menu(self, place: QPoint) -> None:
        record = self.model.record(self.view.indexAt(place))
        if record is None:
            return
        chosen = self.selected() or [record]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Restore these settings", lambda: self.restore_asked.emit(record))
        menu.addAction("Replay and compare", lambda: self.replay_asked.emit(record))
        menu.addSeparator()
        picture = picture_of(record)
        if picture is not None:
            menu.addAction("Use in Inpaint", lambda: self.picture_sent.emit(picture))
        menu.addAction("Copy picture", lambda: self.copy(record))
        menu.addAction("Open folder", lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(record.folder))))
        menu.addAction("Remove star" if record.starred else "Star", lambda: self.star(record))
        menu.addSeparator()
        menu.addAction("Take out of the trash" if record.trashed else "Move to the trash", lambda: self.trash(chosen))
        if record.trashed:
            menu.addAction("Empty the trash…", self.ask_to_empty_trash)
        menu.popup(self.view.viewport().mapToGlobal(place))

    def ask_to_empty_trash(self) -> None:
        """Deleting for good is the one thing that is asked about."""
        from PySide6.QtWidgets import QMessageBox

        box = QMessageBox(
            QMessageBox.Icon.Warning, "Empty the trash", "Delete everything in the trash for good?",
            QMessageBox.StandardButton.Cancel, self,
        )  # fmt: skip
        delete = box.addButton("Delete for good", QMessageBox.ButtonRole.DestructiveRole)
        delete.clicked.connect(lambda _checked=False: self._change(lambda store: store.empty_trash()))
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()
