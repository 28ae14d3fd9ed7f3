"""Editors for prompts (suggestions, history) and seeds (fixed or new each time)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QSize, QStringListModel, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QTextCursor
from PySide6.QtWidgets import QCompleter, QHBoxLayout, QLabel, QLineEdit, QListView, QMenu, QPlainTextEdit, QSizePolicy, QWidget

from studio.host.request import FieldSpec
from studio.ui.fields import FieldEditor
from studio.ui.icons import IconButton

_HISTORY_SHOWN = 15
_NEW_SEED_BELOW = 2**31  # short enough to read out and to type again


class PromptEdit(QPlainTextEdit):
    """Several lines of text that completes words from a list; Ctrl+Enter submits, Tab leaves the field."""

    submitted = Signal()

    def __init__(self, parent: QWidget | None = None, *, lines: int = 4) -> None:
        super().__init__(parent)
        self._words = QStringListModel(self)
        self._completer = QCompleter(self._words, self)
        self._completer.setWidget(self)
        self._completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._completer.setFilterMode(Qt.MatchFlag.MatchStartsWith)
        self._completer.setMaxVisibleItems(8)
        self._popup = QListView(self)
        self._popup.setProperty("role", "popup")
        self._completer.setPopup(self._popup)
        self._completer.activated.connect(self._insert)
        self.setTabChangesFocus(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.fontMetrics().lineSpacing() * lines + 20)

    def set_words(self, words: Sequence[str]) -> None:
        """The words offered while typing."""
        self._words.setStringList(sorted(set(words), key=str.casefold))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._popup.hide()
            self.submitted.emit()
            return
        if self._popup.isVisible() and (
            event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Backtab) or (enter and self._popup.currentIndex().isValid())
        ):
            event.ignore()  # the popup acts on these keys
            return
        super().keyPressEvent(event)
        if event.text() and (event.text().isalpha() or event.key() == Qt.Key.Key_Backspace):
            self._offer()
        else:
            self._popup.hide()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._completer.setWidget(self)
        super().focusInEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(200, self.height())

    def _prefix(self) -> str:
        cursor = self.textCursor()
        cursor.select(QTextCursor.SelectionType.WordUnderCursor)
        return cursor.selectedText()

    def _offer(self) -> None:
        prefix = self._prefix()
        self._completer.setCompletionPrefix(prefix)
        count = self._completer.completionCount()
        exact = count == 1 and self._completer.currentCompletion().casefold() == prefix.casefold()
        if len(prefix) < 2 or not count or exact:
            self._popup.hide()
            return
        place = self.cursorRect()
        place.setWidth(max(180, self._popup.sizeHintForColumn(0) + 28))
        self._completer.complete(place)

    def _insert(self, word: str) -> None:
        cursor = self.textCursor()
        cursor.select(QTextCursor.SelectionType.WordUnderCursor)
        cursor.insertText(word)
        self.setTextCursor(cursor)


class PromptField(FieldEditor):
    """A prompt with word suggestions, a history menu, and a quiet note below (e.g. which words are unknown)."""

    submitted = Signal()

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        self._history: list[str] = []
        self._edit = PromptEdit(self, lines=spec.lines)
        self._edit.setPlaceholderText(spec.placeholder)
        self._edit.submitted.connect(self.submitted)
        self._recent = IconButton("history", "Earlier prompts", self, size=16)
        self._recent.clicked.connect(self._show_history)
        self._recent.hide()
        row = QHBoxLayout()
        row.addWidget(self._label(), 1)
        row.addWidget(self._recent)
        self._layout.addLayout(row)
        self._layout.addWidget(self._edit)
        self._finish(self._edit)
        self._edit.textChanged.connect(self.changed)

    def value(self) -> str:
        return self._edit.toPlainText()

    def set_value(self, value: Any) -> None:
        blocked = self._edit.blockSignals(True)
        self._edit.setPlainText(str(value))
        self._edit.blockSignals(blocked)
        self.changed.emit()

    def focus_widget(self) -> QWidget:
        return self._edit

    def set_suggestions(self, words: Sequence[str]) -> None:
        """Words offered while typing."""
        self._edit.set_words(words)

    def set_history(self, prompts: Sequence[str]) -> None:
        """Earlier texts, newest first."""
        self._history = list(prompts)
        self._recent.setVisible(bool(self._history))

    def _show_history(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for prompt in self._history[:_HISTORY_SHOWN]:
            short = prompt if len(prompt) <= 60 else f"{prompt[:57]}…"
            menu.addAction(short.replace("&", "&&").replace("\n", " "), partial(self.set_value, prompt))
        menu.popup(self._recent.mapToGlobal(self._recent.rect().bottomLeft()))


class SeedField(FieldEditor):
    """A seed that is either kept (lock) or drawn anew for every run; `advance` draws it when it is not locked."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        self._line = QLineEdit(self)
        self._lock = IconButton("lock", "Keep this seed. Off: draw a new one for every run", self, size=16)
        self._lock.setCheckable(True)
        self._lock.setChecked(True)
        self._dice = IconButton("dice", "Draw a new seed now", self, size=16)
        self._dice.clicked.connect(self.roll)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self._label(), 1)
        row.addWidget(self._line)
        row.addWidget(self._lock)
        row.addWidget(self._dice)
        self._line.setFixedWidth(120)
        self._line.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._layout.addLayout(row)
        self._mode = QLabel("a new seed for every run", self)
        self._mode.setProperty("tone", "faint")
        self._mode.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._layout.addWidget(self._mode)
        self._finish(self._line)
        self._line.textChanged.connect(lambda _text: self.changed.emit())
        self._lock.toggled.connect(self._show_mode)
        self._show_mode(True)

    @property
    def fixed(self) -> bool:
        """Whether the seed is kept from run to run."""
        return self._lock.isChecked()

    def set_fixed(self, fixed: bool) -> None:
        self._lock.setChecked(fixed)

    def value(self) -> Any:
        text = self._line.text().strip().replace(" ", "")
        try:
            return int(text) if text.isascii() and text.removeprefix("-").isdigit() else text
        except ValueError:  # more digits than Python is willing to read
            return text

    def set_value(self, value: Any) -> None:
        blocked = self._line.blockSignals(True)
        self._line.setText(str(value))
        self._line.blockSignals(blocked)
        self.changed.emit()

    def focus_widget(self) -> QWidget:
        return self._line

    def roll(self) -> None:
        """Draw a new seed now."""
        top = _NEW_SEED_BELOW if self.spec.maximum is None else min(_NEW_SEED_BELOW, int(self.spec.maximum))
        self.set_value(random.SystemRandom().randrange(int(self.spec.minimum or 0), top))

    def advance(self) -> None:
        """Called before a run: draw a new seed unless it is to be kept."""
        if not self.fixed:
            self.roll()

    def _show_mode(self, fixed: bool) -> None:
        self._mode.setVisible(not fixed)
