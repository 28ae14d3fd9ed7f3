"""What the points are and where they came from, with the ways to get others."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from studio.ui.icons import IconButton
from studio.ui.tokens import SPACE_S
from studio_plugins.gp.document import Scene
from studio_plugins.gp.examples import EXAMPLES


class DataBar(QFrame):
    """Signals: `example` (its name), `opening`, `pasting`, `clearing`."""

    example = Signal(str)
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
        layout.addLayout(row)

    def show_scene(self, scene: Scene) -> None:
        """Say how many points there are, and of what."""
        count = len(scene.points)
        counted = f"{count} point{'' if count == 1 else 's'}" if count else "No points yet"
        self._title.setText(f"{scene.source or 'By hand'}: {counted}" if count else counted)
        inputs, seen = ", ".join(scene.axes[:-1]), scene.axes[-1]
        self._note.setText(f"{seen} over {inputs}" if count and scene.axes != ("x", "y") else "")
        self._note.setVisible(bool(self._note.text()))

    def _choose(self, name: str, _checked: bool = False) -> None:
        self.example.emit(name)
