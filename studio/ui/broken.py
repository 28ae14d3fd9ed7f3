"""What stands in the place of a panel that cannot be opened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from studio.ui.theme import theme
from studio.ui.tokens import SPACE_M, SPACE_XL


class BrokenPage(QWidget):
    """The reason in a sentence, the traceback one click away, and Try again."""

    def __init__(
        self, title: str, message: str, details: str, retry: Callable[[], Any] | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._icon, heading, text = QLabel(self), QLabel(f"{title} cannot be opened", self), QLabel(message, self)
        heading.setProperty("tone", "title")
        text.setProperty("tone", "muted")
        text.setWordWrap(True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._details = QPlainTextEdit(details, self)
        self._details.setReadOnly(True)
        self._details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._details.setAccessibleName("Traceback")
        self._details.hide()
        self._show = QPushButton("Show details", self)
        self._show.clicked.connect(self._toggle)
        self._show.setVisible(bool(details))
        copy = QPushButton("Copy details", self)
        copy.clicked.connect(lambda _checked=False: QGuiApplication.clipboard().setText(f"{message}\n\n{details}"))
        copy.setVisible(bool(details))
        buttons = QHBoxLayout()
        if retry is not None:
            again = QPushButton("Try again", self)
            again.setProperty("role", "primary")
            again.clicked.connect(partial(_call, retry))
            buttons.addWidget(again)
        buttons.addWidget(self._show)
        buttons.addWidget(copy)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_XL * 2, SPACE_XL * 2, SPACE_XL * 2, SPACE_XL)
        layout.setSpacing(SPACE_M)
        for widget in (self._icon, heading, text):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        layout.addWidget(self._details, 1)
        layout.addStretch(1)
        theme().changed.connect(self._paint_icon)
        self._paint_icon()

    def _paint_icon(self) -> None:
        self._icon.setPixmap(theme().icon("broken", "error").pixmap(40, 40))

    def _toggle(self) -> None:
        visible = self._details.isHidden()
        self._details.setVisible(visible)
        self._show.setText("Hide details" if visible else "Show details")


def _call(callback: Callable[[], Any], _checked: bool = False) -> None:
    callback()
