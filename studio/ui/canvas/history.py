"""Undo in bounded memory: the oldest steps are forgotten, the newest is always kept."""

from __future__ import annotations

import time
from typing import Protocol, cast

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QUndoCommand, QUndoStack

LIMIT_BYTES = 200 * 2**20
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


class _Command(QUndoCommand):
    def __init__(self, step: Step) -> None:
        super().__init__(step.text)
        self.step = step
        self._made = True

    def redo(self) -> None:
        if not self._made:  # the stack calls this at the push as well
            self.step.redo()
        self._made = False

    def undo(self) -> None:
        self.step.undo()


class History(QUndoStack):
    """A stack of steps that together hold at most `limit` bytes; what strokes leave behind is compressed when idle."""

    def __init__(self, parent: QObject | None = None, limit: int = LIMIT_BYTES) -> None:
        super().__init__(parent)
        self.limit = limit
        self._packing = QTimer(self)
        self._packing.setInterval(_PACK_EVERY_MS)
        self._packing.timeout.connect(self._pack_some)
        self.indexChanged.connect(self._pack_later)

    def record(self, step: Step) -> None:
        """Keep a change that has been made."""
        self.push(_Command(step))
        if self.nbytes > self.limit:
            self.pack_all()
        if self.nbytes > self.limit:
            self._forget_oldest()

    @property
    def nbytes(self) -> int:
        """Memory held by all steps."""
        return sum(step.nbytes for step in self.steps())

    def steps(self) -> list[Step]:
        """All steps, oldest first."""
        return [cast(_Command, self.command(index)).step for index in range(self.count())]

    def pack_all(self) -> None:
        """Compress everything now."""
        for step in self.steps():
            while step.pack_one():
                pass
        self._packing.stop()

    def _forget_oldest(self) -> None:
        """Begin anew with the newest steps: a QUndoStack cannot lose its bottom. All steps are made at this moment."""
        kept, room = self.steps(), self.nbytes
        while len(kept) > 1 and room > _ROOM * self.limit:
            room -= kept.pop(0).nbytes
        self.blockSignals(True)  # nobody is told of the moment in which nothing can be undone
        self.clear()
        for step in kept[:-1]:
            self.push(_Command(step))
        self.blockSignals(False)
        self.push(_Command(kept[-1]))

    def _pack_later(self) -> None:
        if self.count():
            self._packing.start()

    def _pack_some(self) -> None:
        end = time.perf_counter() + _PACK_MS / 1000
        for step in reversed(self.steps()):
            while step.pack_one():
                if time.perf_counter() > end:
                    return
        self._packing.stop()
