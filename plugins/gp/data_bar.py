"""What the points are and where they came from, with the ways to get others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from studio.ui.icons import IconButton
from studio.ui.tokens import SPACE_S
from studio_plugins.gp.document import Scene
from studio_plugins.gp.examples import EXAMPLES
from studio_plugins.gp.loading import bundled_names


NONE = "none: one input"


class DataBar(QFrame):
    """Signals: `example` (its name), `bundled` (name of a set), `columns` (names of the inputs, name of y), `opening`, `pasting`,
    `clearing`."""

    example = Signal(str)
    bundled = Signal(str)
    columns = Signal(object, str)
    opening = Signal()
    pasting = Signal()
    clearing = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self._title = QLabel(self)
        self._title.setWordWrap(True)
        self._note = QLabel(self)
        self._note.setProperty("tone", "faint")
        self._note.setWordWrap(True)
        self.examples = QToolButton(self)
        self.examples.setText("Examples ▾")
        self.examples.setToolTip("Points that each teach one thing, and real data")
        self.examples.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self.examples)
        self._menu.setToolTipsVisible(True)
        self.examples.setMenu(self._menu)
        for name, example in EXAMPLES.items():
            action = self._menu.addAction(example.title)
            action.setToolTip(example.lesson)
            action.triggered.connect(partial(self._choose, name))
        self._menu.addSeparator()
        for name, story in bundled_names():
            action = self._menu.addAction(name)
            action.setToolTip(story)
            action.triggered.connect(partial(self._choose_bundled, name))
        self.chooser = QWidget(self)
        grid = QGridLayout(self.chooser)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        self.x, self.second, self.y = (QComboBox(self.chooser) for _ in range(3))
        for at, (letter, box) in enumerate((("x", self.x), ("x₂", self.second), ("y", self.y))):
            grid.addWidget(QLabel(letter, self.chooser), at, 0)
            grid.addWidget(box, at, 1)
            box.setAccessibleName(f"Column for {letter}")
            box.activated.connect(lambda _index: self.columns.emit(self._inputs(), self.y.currentText()))
        self.chooser.hide()
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.examples)
        row.addStretch(1)
        for icon, tip, signal in (
            ("open", "Open a table: CSV, Excel, Parquet", self.opening),
            ("copy", "Paste columns from a spreadsheet (Ctrl+V on the plot)", self.pasting),
            ("trash", "Remove all points", self.clearing),
        ):
            button = IconButton(icon, tip, self)
            button.clicked.connect(lambda _checked=False, signal=signal: signal.emit())
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        layout.setSpacing(4)
        layout.addWidget(self._title)
        layout.addWidget(self._note)
        layout.addWidget(self.chooser)
        layout.addLayout(row)

    def offer(self, columns: Sequence[str]) -> None:
        """Columns of a table to choose x and y from, the first two at first; none hides the choice."""
        for at, box in enumerate((self.x, self.y)):
            box.clear()
            box.addItems(list(columns))
            box.setCurrentIndex(min(at, len(columns) - 1))
        self.second.clear()
        self.second.addItem(NONE)
        self.second.addItems(list(columns))
        self.chooser.setVisible(bool(columns))

    def show_scene(self, scene: Scene) -> None:
        """Say how many points there are, and of what."""
        count = len(scene.points)
        counted = f"{count:,} point{'' if count == 1 else 's'}" if count else "No points yet"
        self._title.setText(f"{scene.source or 'By hand'}: {counted}" if count else counted)
        named = count and scene.axes != ("x", "y")
        self._note.setText(f"{scene.axes[-1]} over {' and '.join(scene.axes[:-1])}" if named else "")
        self._note.setVisible(bool(self._note.text()))

    def _inputs(self) -> tuple[str, ...]:
        second = self.second.currentText()
        return (self.x.currentText(),) if second == NONE else (self.x.currentText(), second)

    def _choose(self, name: str, _checked: bool = False) -> None:
        self.example.emit(name)

    def _choose_bundled(self, name: str, _checked: bool = False) -> None:
        self.bundled.emit(name)
