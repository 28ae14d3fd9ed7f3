"""Undo in bounded memory: the oldest steps are forgotten, the newest is always kept.

No QUndoStack: it cannot lose its bottom, and PySide 6.11 crashes when its garbage collector comes upon a stack whose
commands were made in Python, even if they are empty.
"""

from __future__ import annotations

import time
from typing import Protocol

from PySide6.QtCore import QObject, QTimer, Signal

LIMIT_BYTES = 128 * 2**20
_ROOM = 0.75  # of the limit is what remains after forgetting, so that not every step has to forget
_PACK_MS = 3.0  # of every _PACK_EVERY_MS, while something is left to compress
_PACK_EVERY_MS = 15


class Step(Protocol):
    """One undoable change, already made when it is recorded."""

    text: str

    @property
    def nbytes(self) -> int:
        """Memory it holds now."""

    def undo(self) -> None: ...
    def redo(self) -> None: ...

    def pack_one(self) -> bool:
        """Compress a little more of what it holds; False when nothing is left to compress."""


class History(QObject):
    """Steps that together hold at most `limit` bytes; what strokes leave behind is compressed when idle.

    Names as those of QUndoStack. Signal: `indexChanged` (steps made) after every change of what can be undone and redone.
    """

    indexChanged = Signal(int)

    def __init__(self, parent: QObject | None = None, limit: int = LIMIT_BYTES) -> None:
        super().__init__(parent)
        self.limit = limit
        self._steps: list[Step] = []  # oldest first
        self._made = 0  # so many of them are made, the others undone
        self._clean: int | None = 0  # so many are made in the state marked clean; None where nobody can go back to it
        self._packing = QTimer(self)
        self._packing.setInterval(_PACK_EVERY_MS)
        self._packing.timeout.connect(self._pack_some)

    def record(self, step: Step) -> None:
        """Keep a change that has been made; what was undone before it is gone."""
        if self._clean is not None and self._clean > self._made:
            self._clean = None
        self._steps[self._made :] = [step]
        self._made = len(self._steps)
        self._packing.start()
        self._pack_some()  # a little now: who draws stroke after stroke leaves no idle moment
        if self.nbytes > self.limit:
            self.pack_all()
        if self.nbytes > self.limit:
            self._forget_oldest()
        self.indexChanged.emit(self._made)

    def clear(self) -> None:
        """Forget all steps; the state as it is now is clean."""
        self._steps, self._made, self._clean = [], 0, 0
        self.indexChanged.emit(0)

    def undo(self) -> None:
        """One step back."""
        self.setIndex(self._made - 1)

    def redo(self) -> None:
        """One step forward."""
        self.setIndex(self._made + 1)

    def setIndex(self, index: int) -> None:
        """Undo or make again what lies between the state as it is and the one after so many steps; where there is none
        nothing happens."""
        if index == self._made or not 0 <= index <= self.count():
            return
        while self._made > index:
            self._made -= 1
            self._steps[self._made].undo()
        while self._made < index:
            self._steps[self._made].redo()
            self._made += 1
        self._packing.start()
        self.indexChanged.emit(index)

    def count(self) -> int:
        """Steps, those undone included."""
        return len(self._steps)

    def index(self) -> int:
        """Steps that are made."""
        return self._made

    def canUndo(self) -> bool:
        return self._made > 0

    def canRedo(self) -> bool:
        return self._made < self.count()

    def undoText(self) -> str:
        return self._steps[self._made - 1].text if self.canUndo() else ""

    def redoText(self) -> str:
        return self._steps[self._made].text if self.canRedo() else ""

    def setClean(self) -> None:
        """Mark the state as it is."""
        self._clean = self._made

    def isClean(self) -> bool:
        """Whether the state is the one that was marked, or the one after `clear` where none was."""
        return self._clean == self._made

    @property
    def nbytes(self) -> int:
        """Memory held by all steps."""
        return sum(step.nbytes for step in self._steps)

    def pack_all(self) -> None:
        """Compress everything now."""
        for step in self._steps:
            while step.pack_one():
                pass
        self._packing.stop()

    def _forget_oldest(self) -> None:
        """Keep the newest steps that fit, one at least. All steps are made at this moment."""
        kept, room = list(self._steps), self.nbytes
        while len(kept) > 1 and room > _ROOM * self.limit:
            room -= kept.pop(0).nbytes
        forgotten = len(self._steps) - len(kept)
        self._steps, self._made = kept, len(kept)
        if self._clean is not None:
            self._clean = self._clean - forgotten if self._clean >= forgotten else None

    def _pack_some(self) -> None:
        end = time.perf_counter() + _PACK_MS / 1000
        for step in reversed(self._steps):
            while step.pack_one():
                if time.perf_counter() > end:
                    return
        self._packing.stop()
