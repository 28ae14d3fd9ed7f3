"""The import: what was found in a folder, what of it is chosen, how far it is, and what was verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from studio.models.importing import Outcome
from studio.models.survey import Row, Survey
from studio.ui.elided import ElidedLabel
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_L, SPACE_M, SPACE_S
from studio_plugins.models.words import outcome_text, short_state, size_text, state_text

COLUMNS = ("File", "What it is", "Size", "Memory to run", "State")
_STATE = len(COLUMNS) - 1
_TIPS = (
    "Tick what to import; the halves of one model are ticked together",
    "Told by the names and shapes of all tensors, not by the name of the file",
    "Bytes of the file",
    "For one picture at full size: weights and activations in single precision (estimate); half of it in half precision",
    "Whether it can be imported, and what was verified; select the row to read all of it",
)
_STEPS = 1000


class ImportPage(QWidget):
    """Signals: `again` (choose another folder), `wanted` (import what is ticked), `cancelled`, `back`, `looked_at`
    (the Row selected)."""

    again = Signal()
    wanted = Signal()
    cancelled = Signal()
    back = Signal()
    looked_at = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.survey: Survey | None = None
        self.outcomes: dict[str, Outcome] = {}
        """By path of the file, as text."""
        self._busy = False
        self._heading = ElidedLabel(self, mode=Qt.TextElideMode.ElideMiddle)
        self._heading.setProperty("tone", "title")
        self._note = QLabel(self)
        self._note.setProperty("tone", "muted")
        self._note.setWordWrap(True)
        self.table = _table(self)
        self.table.itemChanged.connect(self._ticked)
        self.table.itemSelectionChanged.connect(self._selected)
        self.progress = QProgressBar(self)
        self.progress.setRange(0, _STEPS)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress of the import")
        self._doing = ElidedLabel(self, mode=Qt.TextElideMode.ElideMiddle)
        self._doing.setProperty("tone", "faint")
        self.importing = QPushButton("Import", self)
        self.importing.setProperty("role", "primary")
        self.importing.clicked.connect(lambda _checked=False: self.wanted.emit())
        self.cancel = QPushButton("Cancel", self)
        self.cancel.setToolTip("Stop; what is already imported and verified stays, nothing half-written is left")
        self.cancel.clicked.connect(lambda _checked=False: self.cancelled.emit())
        self._other = QPushButton("Choose another folder…", self)
        self._other.clicked.connect(lambda _checked=False: self.again.emit())
        self._back = QPushButton("Back to the models", self)
        self._back.clicked.connect(lambda _checked=False: self.back.emit())
        self._lay_out()
        self.set_busy(False)
        theme().changed.connect(self._paint)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE_S)
        for widget in (self._back, self._other):
            buttons.addWidget(widget)
        buttons.addStretch(1)
        for widget in (self.cancel, self.importing):
            buttons.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addWidget(self._heading)
        layout.addWidget(self._note)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.progress)
        layout.addWidget(self._doing)
        layout.addLayout(buttons)

    # --- what is shown ---

    def show_survey(self, found: Survey) -> None:
        """List the files of a folder; all that can be imported and is not yet is ticked."""
        self.survey, self.outcomes = found, {}
        self._heading.setText(f"Found in {found.folder}")
        self.table.blockSignals(True)
        self.table.setRowCount(len(found.rows))
        for at, row in enumerate(found.rows):
            self._fill(at, row)
        self.table.blockSignals(False)
        self._paint()
        self._sum_up()
        if found.rows:
            self.table.selectRow(0)

    def show_outcome(self, outcome: Outcome) -> None:
        """Mark the files of a model with what became of it."""
        for path in outcome.files:
            self.outcomes[str(path)] = outcome
        self.table.blockSignals(True)
        for at, row in enumerate(self._rows()):
            if row.path in outcome.files:
                self._set(at, _STATE, short_state(row, outcome), outcome_text(outcome))
                self.table.item(at, 0).setCheckState(Qt.CheckState.Unchecked)
        self.table.blockSignals(False)
        self._paint()

    def show_progress(self, share: float, text: str) -> None:
        """How far the import is, 0..1, and what it does now."""
        self.progress.setValue(round(share * _STEPS))
        self._doing.setText(f"{text[:1].upper()}{text[1:]}")

    def set_busy(self, busy: bool) -> None:
        """While an import runs there is a bar and Cancel, and nothing can be ticked."""
        self._busy = busy
        for widget in (self.progress, self._doing, self.cancel):
            widget.setVisible(busy)
        for other in (self._other, self._back):
            other.setEnabled(not busy)
        self.table.blockSignals(True)
        for at, row in enumerate(self._rows()):
            self._set_tickable(at, row.importable and not busy)
        self.table.blockSignals(False)
        if busy:
            self.show_progress(0.0, "")
            self.importing.setEnabled(False)
        else:
            self._sum_up()

    # --- what is chosen ---

    def ticked(self) -> list[Row]:
        """The files to import."""
        chosen = Qt.CheckState.Checked
        return [row for at, row in enumerate(self._rows()) if self.table.item(at, 0).checkState() == chosen]

    def row(self) -> Row | None:
        """The file selected."""
        at = self.table.currentRow()
        rows = self._rows()
        return rows[at] if 0 <= at < len(rows) else None

    def _rows(self) -> Sequence[Row]:
        return self.survey.rows if self.survey is not None else ()

    def _ticked(self, item: QTableWidgetItem) -> None:
        """The halves of a model are ticked together."""
        rows = self._rows()
        if item.column() == 0 and item.row() < len(rows):
            self.table.blockSignals(True)
            for at, row in enumerate(rows):
                if row.importable and row.model == rows[item.row()].model:
                    self.table.item(at, 0).setCheckState(item.checkState())
            self.table.blockSignals(False)
            self._sum_up()

    def _sum_up(self) -> None:
        """What an import of what is ticked takes, and whether there is room."""
        found, chosen = self.survey, self.ticked()
        if found is None:
            self.importing.setEnabled(False)
            return
        disk, memory = sum(row.nbytes for row in chosen), max((row.converting for row in chosen), default=0)
        models = len({row.model for row in chosen})
        self.importing.setText(f"Import {models} model{'s' if models != 1 else ''}" if models else "Import")
        problem = _no_room(found, disk, memory)
        self._note.setText(problem or _note(found, models, disk))
        self._note.setProperty("tone", "error" if problem else "muted")
        self._note.style().polish(self._note)
        self.importing.setEnabled(bool(chosen) and not problem)

    def _selected(self) -> None:
        self.looked_at.emit(self.row())

    # --- cells ---

    def _fill(self, at: int, row: Row) -> None:
        memory = size_text(row.single) if row.single else ""
        texts = (row.path.name, row.title or "not recognised", size_text(row.nbytes), memory)
        for column, text in enumerate(texts):
            self._set(at, column, text)
        self._set(at, _STATE, short_state(row, None), state_text(row))
        box = self.table.item(at, 0)
        box.setToolTip(str(row.path))
        self._set_tickable(at, row.importable and not self._busy)
        ticked = row.importable and not row.imported
        box.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)

    def _set_tickable(self, at: int, tickable: bool) -> None:
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
        self.table.item(at, 0).setFlags(flags | Qt.ItemFlag.ItemIsUserCheckable if tickable else flags)

    def _set(self, at: int, column: int, text: str, tip: str = "") -> None:
        item = QTableWidgetItem(text)
        item.setToolTip(tip or text)
        item.setFlags(Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled)
        self.table.setItem(at, column, item)

    def _paint(self) -> None:
        """Colours and marks by state."""
        self.table.blockSignals(True)
        for at, row in enumerate(self._rows()):
            icon, token = _mark(row, self.outcomes)
            item = self.table.item(at, _STATE)
            item.setIcon(theme().icon(icon, token))
            for column in range(len(COLUMNS)):
                self.table.item(at, column).setForeground(theme().color("faint" if not row.title else "text"))
        self.table.blockSignals(False)


def _mark(row: Row, outcomes: Mapping[str, Outcome]) -> tuple[str, str]:
    """Icon and colour of a file's state."""
    outcome = outcomes.get(str(row.path))
    if outcome is not None:
        return ("error", "error") if outcome.problem else ("success", "success")
    if row.problem:
        return ("warning", "warning") if row.title else ("error", "error")
    return ("check", "success") if row.imported else ("info", "accent")


def _no_room(found: Survey, disk: int, memory: int) -> str:
    """Why what is ticked cannot be imported on this machine now."""
    if disk > found.free_disk:
        return (
            f"This takes {size_text(disk)} on the disk of the data folder, and {size_text(found.free_disk)} are free: "
            "tick fewer files, or free some space and look again."
        )
    if memory > found.free_memory:
        return (
            f"Converting takes {size_text(memory)} of memory (a file in torch's old format is read whole), and "
            f"{size_text(found.free_memory)} are free: close other programs and look again."
        )
    return ""


def _note(found: Survey, models: int, disk: int) -> str:
    if not found.rows:
        return "There is no .pt, .pth or .safetensors file here or one level below. Choose the folder with the downloads."
    if not models:
        return "Nothing is ticked. Select a file to see what it needs."
    return (
        f"{size_text(disk)} will be written to the data folder ({size_text(found.free_disk)} are free). The files "
        "themselves stay as they are."
    )


def _table(parent: QWidget) -> QTableWidget:
    table = QTableWidget(0, len(COLUMNS), parent)
    table.setHorizontalHeaderLabels(list(COLUMNS))
    for column, tip in enumerate(_TIPS):
        table.horizontalHeaderItem(column).setToolTip(tip)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setAccessibleName("Files found")
    header = table.horizontalHeader()
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    for column in (0, 1):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
    return table
