"""The quiet bar at the top of a panel: what happened, what to do, details on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from studio.ui.icons import IconButton
from studio.ui.theme import restyle, theme
from studio.ui.tokens import SPACE_M, SPACE_S

_ICON_TOKEN = {"info": "accent", "success": "success", "warning": "warning", "error": "error"}


class MessageBar(QFrame):
    """Hidden while there is nothing to say. `show_message` replaces what it said before."""

    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._level = "info"
        self._icon = QLabel(self)
        self._text = QLabel(self)
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._fold = QPushButton("Show details", self)
        self._fold.setProperty("role", "link")
        self._fold.setCheckable(True)
        self._fold.toggled.connect(self._toggle_details)
        self._close = IconButton("cancel", "Dismiss this message", self, size=14)
        self._close.clicked.connect(self.clear)
        self._details = QPlainTextEdit(self)
        self._details.setReadOnly(True)
        self._details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._details.setMaximumHeight(180)
        self._details.setAccessibleName("Details of the message")
        self._row = QHBoxLayout()
        self._row.setSpacing(SPACE_S)
        self._row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        self._row.addWidget(self._text, 1)
        self._row.addWidget(self._fold)
        self._row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, 6, SPACE_S, 6)
        layout.setSpacing(SPACE_S)
        layout.addLayout(self._row)
        layout.addWidget(self._details)
        self._buttons: list[QPushButton] = []
        theme().changed.connect(self._show_level)
        self.hide()

    def text(self) -> str:
        return self._text.text()

    def level(self) -> str:
        return self._level

    def show_message(
        self, text: str, level: str = "info", details: str = "", actions: Sequence[tuple[str, Callable[[], None]]] = ()
    ) -> None:
        """`level` is info, success, warning or error; `actions` become buttons (label, callback)."""
        self._level = level if level in _ICON_TOKEN else "info"
        self._text.setText(text)
        self.setAccessibleName(f"{self._level}: {text}")
        self._details.setPlainText(details)
        self._fold.setChecked(False)
        self._fold.setVisible(bool(details))
        self._details.hide()
        for old in self._buttons:
            self._row.removeWidget(old)
            old.deleteLater()
        self._buttons = [self._action_button(label, callback) for label, callback in actions]
        self._show_level()
        self.show()

    def clear(self) -> None:
        """Hide the bar."""
        if not self.isHidden():
            self.hide()
            self.dismissed.emit()

    def _action_button(self, label: str, callback: Callable[[], None]) -> QPushButton:
        button = QPushButton(label, self)
        button.setProperty("role", "link")
        button.clicked.connect(partial(self._act, callback))
        self._row.insertWidget(self._row.count() - 2, button)
        return button

    def _act(self, callback: Callable[[], None], _checked: bool = False) -> None:
        self.clear()
        callback()

    def _toggle_details(self, visible: bool) -> None:
        self._details.setVisible(visible)
        self._fold.setText("Hide details" if visible else "Show details")

    def _show_level(self) -> None:
        self.setProperty("level", self._level)
        self._icon.setPixmap(theme().icon(self._level, _ICON_TOKEN[self._level]).pixmap(18, 18))
        restyle(self)
        for child in (self._text, *self._buttons):
            restyle(child)
