"""Undo for a document that is one immutable value: what is remembered are its states, not how to get from one to another.

No QUndoStack: PySide 6.11 crashes when its garbage collector comes upon a stack whose commands were made in Python.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal


class States(QObject):
    """States that a person can go back to, `limit` steps at most; names as those of QUndoStack. Signals: `turned` (state)
    after an undo or a redo, and whenever they change what can be undone and redone, and its text."""

    turned = Signal(object)
    canUndoChanged = Signal(bool)
    canRedoChanged = Signal(bool)
    undoTextChanged = Signal(str)
    redoTextChanged = Signal(str)

    def __init__(self, state: Any, limit: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._limit, self._at = limit, 0
        self._states = [state]
        self._texts, self._keys = [""], [""]  # of the steps that led to each state

    def record(self, text: str, state: Any, merge: str = "") -> None:
        """The document has this state now; it follows on the one before as one step with it where both were recorded
        with the same `merge` (not "")."""
        if merge and 0 < self._at == self.count() and self._keys[self._at] == merge:
            self._states[self._at] = state
            return
        after = self._at + 1
        self._states[after:], self._texts[after:], self._keys[after:] = [state], [text], [merge]
        forgotten = max(0, self.count() - self._limit)
        for kept in (self._states, self._texts, self._keys):
            del kept[:forgotten]
        self._at = self.count()
        self._tell()

    def begin(self, state: Any) -> None:
        """Begin anew with a state: nothing to undo."""
        self._states, self._texts, self._keys, self._at = [state], [""], [""], 0
        self._tell()

    def undo(self) -> None:
        """One step back."""
        self.setIndex(self._at - 1)

    def redo(self) -> None:
        """One step forward."""
        self.setIndex(self._at + 1)

    def setIndex(self, index: int) -> None:
        """Go to the state after so many steps; where there is none nothing happens."""
        if index != self._at and 0 <= index <= self.count():
            self._at = index
            self._tell()
            self.turned.emit(self._states[index])

    def count(self) -> int:
        """Steps, those undone included."""
        return len(self._states) - 1

    def index(self) -> int:
        """Steps that are made."""
        return self._at

    def canUndo(self) -> bool:
        return self._at > 0

    def canRedo(self) -> bool:
        return self._at < self.count()

    def undoText(self) -> str:
        return self._texts[self._at] if self.canUndo() else ""

    def redoText(self) -> str:
        return self._texts[self._at + 1] if self.canRedo() else ""

    def _tell(self) -> None:
        self.canUndoChanged.emit(self.canUndo())
        self.canRedoChanged.emit(self.canRedo())
        self.undoTextChanged.emit(self.undoText())
        self.redoTextChanged.emit(self.redoText())
