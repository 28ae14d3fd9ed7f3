"""Whose settings a run has: a button that tells it and offers others, and a line about where the numbers are from."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget
from PySide6.QtWidgets import QLabel

from studio.ui.tokens import SPACE_XS

OWN = "the agent's own"


class SourceButton(QWidget):
    """Signals: `tuned`, `own` (these are wanted), `file` (settings from a file are wanted)."""

    tuned = Signal()
    own = Signal()
    file = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.button = QPushButton(self)
        self.button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # a long world's name is cut
        self.button.setToolTip("Begin from other settings: those known to learn here, the agent's own, or from a file")
        menu = QMenu(self.button)
        menu.setToolTipsVisible(True)
        self._tuned, self._own = menu.addAction("Tuned for this world"), menu.addAction("The agent's own")
        menu.addSeparator()
        file = menu.addAction("From a file…")
        file.setToolTip("YAML or JSON as rl-baselines3-zoo writes it, such as ppo.yml")
        self._tuned.triggered.connect(lambda _checked=False: self.tuned.emit())
        self._own.triggered.connect(lambda _checked=False: self.own.emit())
        file.triggered.connect(lambda _checked=False: self.file.emit())
        self.button.setMenu(menu)
        self._note = QLabel(self)
        self._note.setProperty("tone", "faint")
        self._note.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_XS)
        layout.addWidget(self.button)
        layout.addWidget(self._note)

    def show_source(self, words: str, note: str, *, tunable: str) -> None:
        """Whose they are, where they are from, and why there are none that are tuned (empty where there are)."""
        text = f"Settings: {words}"
        self.button.setText(text)
        self.button.setAccessibleName(text)
        self.button.setAccessibleDescription(note)
        self._tuned.setEnabled(not tunable)
        self._tuned.setToolTip(tunable or note)
        self._note.setText(note)
        self._note.setVisible(bool(note))

    def note(self) -> str:
        """The line below the button."""
        return self._note.text()

    def menu(self) -> QMenu:
        """What the button offers."""
        return self.button.menu()
