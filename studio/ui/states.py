"""Undo for a document that is one immutable value: the stack remembers its states, not how to get from one to another."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack


class States(QUndoStack):
    """States that a person can go back to, `limit` steps at most. Signal: `turned` (state), after an undo or a redo.

    WORKAROUND: its commands are empty, and the states follow `indexChanged`. Commands written in Python crash PySide6 6.11
    when its garbage collector comes upon the stack before them.
    """

    turned = Signal(object)

    def __init__(self, state: Any, limit: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setUndoLimit(limit)
        self._states = [state]
        self._keys = [""]
        self._recording = False
        self.indexChanged.connect(self._follow)

    def record(self, text: str, state: Any, merge: str = "") -> None:
        """The document has this state now; it follows on the one before as one step with it where both were recorded
        with the same `merge` (not "")."""
        at = self.index()
        if merge and 0 < at == self.count() and self._keys[at] == merge:
            self._states[at] = state
            return
        self._states[at + 1 :] = [state]
        self._keys[at + 1 :] = [merge]
        self._recording = True
        self.push(QUndoCommand(text))
        self._recording = False
        forgotten = len(self._states) - 1 - self.count()  # the oldest, at the limit
        del self._states[:forgotten], self._keys[:forgotten]

    def begin(self, state: Any) -> None:
        """Begin anew with a state: nothing to undo."""
        self._recording = True
        self.clear()
        self._recording = False
        self._states, self._keys = [state], [""]

    def _follow(self, index: int) -> None:
        if not self._recording:
            self.turned.emit(self._states[index])
