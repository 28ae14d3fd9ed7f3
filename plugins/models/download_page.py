"""The download: which model, which of its files, how much room they take. Nothing is fetched before it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from studio.models.downloading import SPARE, Offer
from studio.models.hub import HubFile
from studio.ui.elided import ElidedLabel
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_L, SPACE_M, SPACE_S
from studio_plugins.models.request import DownloadRequest
from studio_plugins.models.words import size_text

COLUMNS = ("File", "Size", "Note")
_STEPS = 1000
_INTRODUCTION = (
    "Write the id of a model, such as organisation/name, and look at its files. This asks huggingface.co for the list; "
    "nothing is fetched before you press Download."
)


class DownloadPage(QWidget):
    """Signals: `asked` (list this id), `wanted` (a DownloadRequest), `cancelled`, `back`."""

    asked = Signal(str)
    wanted = Signal(object)
    cancelled = Signal()
    back = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.offer: Offer | None = None
        self._busy = self._asking = False
        heading = QLabel("Download from Hugging Face", self)
        heading.setProperty("tone", "title")
        self.repo = QLineEdit(self)
        self.repo.setPlaceholderText("organisation/name")
        self.repo.setAccessibleName("Id of the model")
        self.repo.textChanged.connect(lambda _text: self._show_buttons())
        self.repo.returnPressed.connect(self._ask)
        self.look = QPushButton("List its files", self)
        self.look.clicked.connect(lambda _checked=False: self._ask())
        self.note = QLabel(_INTRODUCTION, self)
        self.note.setWordWrap(True)
        self.note.setProperty("tone", "muted")
        self.table = _table(self)
        self.table.itemChanged.connect(lambda _item: self._sum_up())
        self._nothing = QWidget(self)
        """Takes the table's place while there is none."""
        self.progress = QProgressBar(self)
        self.progress.setRange(0, _STEPS)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress of the download")
        self._doing = ElidedLabel(self, mode=Qt.TextElideMode.ElideMiddle)
        self._doing.setProperty("tone", "faint")
        self.start = QPushButton("Download", self)
        self.start.setProperty("role", "primary")
        self.start.clicked.connect(lambda _checked=False: self._want())
        self.cancel = QPushButton("Cancel", self)
        self.cancel.setToolTip("Stop; what was fetched is kept, and a later download goes on from there")
        self.cancel.clicked.connect(lambda _checked=False: self.cancelled.emit())
        self._back = QPushButton("Back to the models", self)
        self._back.clicked.connect(lambda _checked=False: self.back.emit())
        self._lay_out(heading)
        self._show_buttons()
        theme().changed.connect(self._paint)

    def _lay_out(self, heading: QLabel) -> None:
        ask = QHBoxLayout()
        ask.setSpacing(SPACE_S)
        ask.addWidget(self.repo, 1)
        ask.addWidget(self.look)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_S)
        buttons.addWidget(self._back)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.start)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addWidget(heading)
        layout.addLayout(ask)
        layout.addWidget(self.note)
        layout.addWidget(self.table, 1)
        layout.addWidget(self._nothing, 1)
        for widget in (self.progress, self._doing):
            layout.addWidget(widget)
        layout.addLayout(buttons)

    # --- what is shown ---

    def show_offer(self, offer: Offer | None) -> None:
        """List the files of a model; None when the hub gave no list."""
        self._asking = False
        if offer is not None:
            self.offer = offer
            self._fill(offer)
        self._sum_up()

    def show_progress(self, share: float, text: str) -> None:
        """How far the download is, 0..1, and what it does now."""
        self.progress.setValue(round(share * _STEPS))
        self._doing.setText(f"{text[:1].upper()}{text[1:]}")

    def set_busy(self, busy: bool) -> None:
        """While a download runs there is a bar and Cancel, and nothing can be ticked."""
        self._busy = busy
        self.table.setEnabled(not busy)
        if busy:
            self.show_progress(0.0, "")
        self._show_buttons()

    # --- what is chosen ---

    def ticked(self) -> list[HubFile]:
        """The files to fetch."""
        chosen = Qt.CheckState.Checked
        return [file for at, file in enumerate(self._files()) if self.table.item(at, 0).checkState() == chosen]

    def _files(self) -> Sequence[HubFile]:
        return self.offer.listing.files if self.offer is not None else ()

    def _missing(self) -> int:
        """Bytes of what is ticked that are not here yet."""
        missing = dict(zip(self._files(), self.offer.missing, strict=True)) if self.offer is not None else {}
        return sum(missing[file] for file in self.ticked())

    def _ask(self) -> None:
        if self.look.isEnabled():
            self._asking = True
            self.offer = None
            self.table.setRowCount(0)
            self.note.setText(f"Asking huggingface.co for the files of {self.repo.text().strip()}…")
            self._show_buttons()
            self.asked.emit(self.repo.text().strip())

    def _want(self) -> None:
        if self.offer is not None:
            listing = self.offer.listing
            names = tuple(file.name for file in self.ticked())
            self.wanted.emit(DownloadRequest(repo=listing.repo, revision=listing.revision, files=names))

    def _fill(self, offer: Offer) -> None:
        self.table.blockSignals(True)
        self.table.setRowCount(len(offer.listing.files))
        for at, (file, missing) in enumerate(zip(offer.listing.files, offer.missing, strict=True)):
            for column, text in enumerate((file.name, size_text(file.nbytes), _file_note(file, missing))):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                item.setFlags(Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled)
                self.table.setItem(at, column, item)
            box = self.table.item(at, 0)
            box.setFlags(box.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            box.setCheckState(Qt.CheckState.Checked if file.wanted else Qt.CheckState.Unchecked)
        self.table.blockSignals(False)
        self._paint()

    def _sum_up(self) -> None:
        """What the download takes, under which licence, and whether there is room."""
        offer = self.offer
        if offer is None:
            self.note.setText(_INTRODUCTION)
        else:
            short = self._missing() + SPARE > offer.free
            missing = self._missing()
            self.note.setText(_room(offer, missing) if short else _note(offer, len(self.ticked()), missing))
            self.note.setProperty("tone", "error" if short else "muted")
            self.note.style().polish(self.note)
        self._show_buttons()

    def _show_buttons(self) -> None:
        offer, idle = self.offer, not self._busy and not self._asking
        self.look.setEnabled(idle and bool(self.repo.text().strip()))
        self.repo.setEnabled(idle)
        room = offer is not None and self._missing() + SPARE <= offer.free
        self.start.setEnabled(idle and room and bool(self.ticked()))
        self._back.setEnabled(not self._busy)
        self.table.setVisible(offer is not None)
        self.cancel.setVisible(not idle)
        for widget in (self.progress, self._doing):
            widget.setVisible(self._busy)
        self._nothing.setVisible(offer is None)

    def _paint(self) -> None:
        """What a model does not need is faint."""
        self.table.blockSignals(True)
        for at, file in enumerate(self._files()):
            for column in range(len(COLUMNS)):
                self.table.item(at, column).setForeground(theme().color("text" if file.wanted else "faint"))
        self.table.blockSignals(False)


def _file_note(file: HubFile, missing: int) -> str:
    """What there is to say of a file; `missing` are the bytes of it that are not here yet."""
    if file.note:
        return file.note
    if not missing:
        return "here already"
    return f"{size_text(file.nbytes - missing)} here already" if missing < file.nbytes else ""


def _note(offer: Offer, count: int, missing: int) -> str:
    licence = offer.listing.licence or "not stated"
    gated = " The model is gated: its licence must have been accepted on its page." if offer.listing.gated else ""
    return (
        f"{count} file{'s' if count != 1 else ''}, {size_text(missing)} still to be fetched; {size_text(offer.free)} "
        f"are free. They go to {offer.folder}, where other programs find them too. Licence: {licence}.{gated}"
    )


def _room(offer: Offer, missing: int) -> str:
    return (
        f"{size_text(missing)} are still to be fetched, and {size_text(offer.free)} are free on the disk of "
        f"{offer.folder}: tick fewer files, or free some space and list the files again."
    )


def _table(parent: QWidget) -> QTableWidget:
    table = QTableWidget(0, len(COLUMNS), parent)
    table.setHorizontalHeaderLabels(list(COLUMNS))
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setAccessibleName("Files of the model")
    header = table.horizontalHeader()
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return table
