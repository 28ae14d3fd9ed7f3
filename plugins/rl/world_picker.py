"""Which world: the studio's own grids, everything Gymnasium has on this machine, or a file the person trusts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox, QCompleter, QFileDialog, QHBoxLayout, QLabel, QMessageBox, QPushButton, QVBoxLayout, QWidget,
)  # fmt: skip

from studio.ml.rl.worlds import WorldSpec
from studio.ui.tokens import SPACE_S
from studio_plugins.rl.catalogue import Entry

_WIDE = 320
"""Pixels of the list that unfolds: ids of worlds are long."""
_SPEC, _MISSING = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1


class WorldPicker(QWidget):
    """Signals: `picked` (WorldSpec), `file_named` (path of a file that is trusted), `said` (why a world cannot be)."""

    picked = Signal(object)
    file_named = Signal(object)
    said = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        label = QLabel("World", self)
        self._box = QComboBox(self)
        self._box.setEditable(True)
        self._box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._box.setAccessibleName("World")
        self._box.setToolTip("Type to search: grids of the studio, and every world that Gymnasium has here")
        self._box.setMinimumContentsLength(8)
        self._box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._box.setMaxVisibleItems(18)
        self._box.view().setMinimumWidth(_WIDE)
        self._title = ""
        self._opening: WorldSpec | None = None
        """Was chosen, and has neither been opened yet nor failed."""
        self._box.lineEdit().returnPressed.connect(self._entered)
        self._box.lineEdit().installEventFilter(self)
        completer = self._box.completer()
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        completer.popup().setMinimumWidth(_WIDE)
        self._box.activated.connect(self._pick)
        label.setBuddy(self._box)
        self._open = QPushButton("File…", self)
        self._open.setAccessibleName("World from a file")
        self._open.setToolTip("A world of your own: a Python file with a gymnasium.Env. It runs as a program, apart from this one")
        self._open.clicked.connect(lambda _checked=False: self.open_file())
        self._about = QLabel(self)
        self._about.setProperty("tone", "faint")
        self._about.setWordWrap(True)
        line = QHBoxLayout()
        line.setSpacing(SPACE_S)
        line.addWidget(self._box, 1)
        line.addWidget(self._open)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(label)
        layout.addLayout(line)
        layout.addWidget(self._about)

    def set_entries(self, entries: Sequence[Entry]) -> None:
        """Offer these, group by group; those that need a package are greyed and name it."""
        text = self._box.currentText()
        model = QStandardItemModel(self._box)
        group = ""
        for entry in entries:
            if entry.group != group:
                group = entry.group
                heading = QStandardItem(group)
                font = heading.font()
                font.setBold(True)
                heading.setFont(font)
                heading.setFlags(Qt.ItemFlag.NoItemFlags)
                model.appendRow(heading)
            item = QStandardItem(entry.title)
            item.setData(entry.spec, _SPEC)
            item.setData(entry.missing, _MISSING)
            item.setToolTip(entry.missing or entry.about or entry.title)
            item.setEnabled(not entry.missing)
            model.appendRow(item)
        self._box.blockSignals(True)
        self._box.setModel(model)
        self._box.setCurrentIndex(-1)
        self._box.setEditText(text)
        self._box.blockSignals(False)

    def show_world(self, title: str, about: str) -> None:
        """The present world, by its name, and a line about it."""
        self._title, self._opening = title, None
        self._show_title()
        self._about.setText(about)
        self._about.setVisible(bool(about))

    def open_file(self) -> None:
        """Ask for a file, and then whether to trust it; the window goes on meanwhile."""
        dialog = QFileDialog(self, "Open a world")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters(["Python files (*.py)"])
        dialog.fileSelected.connect(lambda path: self.ask_trust(Path(path)))
        dialog.open()

    def ask_trust(self, path: Path) -> None:
        """A world is a program: it runs only after the person has said so."""
        warning = f"“{path.name}” will run as a program on this computer."
        box = QMessageBox(QMessageBox.Icon.Warning, "Trust this file?", warning, parent=self)
        advice = "Open it only if you wrote it or trust who did."
        box.setInformativeText(f"{advice} When the file changes, you are asked again.")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        trust = box.addButton("Trust and open", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.buttonClicked.connect(lambda button: self.file_named.emit(path) if button is trust else None)
        box.open()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusOut and not self._box.completer().popup().isVisible():
            self._show_title()  # what was typed and not chosen goes
        return super().eventFilter(watched, event)

    def _show_title(self) -> None:
        self._box.setEditText(self._title)
        self._box.lineEdit().setCursorPosition(0)

    def _pick(self, at: int) -> None:
        spec, missing = self._box.itemData(at, _SPEC), self._box.itemData(at, _MISSING)
        if missing:
            self.said.emit(f"{self._box.itemText(at)} cannot be opened yet. {missing}")
            QTimer.singleShot(0, self, self._show_title)  # once the box has heard of the key itself
        elif isinstance(spec, WorldSpec):
            self._choose(self._box.itemText(at), spec)

    def _choose(self, title: str, spec: WorldSpec) -> None:
        if spec == self._opening:
            return  # Qt tells of one Return twice when the list of proposals has just been closed
        self._title, self._opening = title, spec
        self.picked.emit(spec)

    def _entered(self) -> None:
        """What was typed is no entry as it stands: the only one with it in its name, or an id that is not listed."""
        typed = self._box.currentText().strip()
        if not typed or typed == self._title or self._box.findText(typed) >= 0:
            return
        like = [at for at in range(self._box.count()) if typed.lower() in self._box.itemText(at).lower()]
        like = [at for at in like if isinstance(self._box.itemData(at, _SPEC), WorldSpec)]
        if len(like) == 1:
            self._pick(like[0])
        elif not like or "-v" in typed:
            self._choose(typed, WorldSpec(typed))
        else:
            self.said.emit(f"{len(like)} worlds have “{typed}” in their name; type more of it, or choose one.")
