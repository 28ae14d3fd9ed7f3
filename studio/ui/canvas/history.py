"""Undo in bounded memory: the oldest steps are forgotten, the newest is always kept."""

from __future__ import annotations

import time
from typing import Protocol

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QUndoCommand, QUndoStack

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


class History(QUndoStack):
    """A stack of steps that together hold at most `limit` bytes; what strokes leave behind is compressed when idle.

    WORKAROUND: its commands are empty, and the steps follow `indexChanged`. Commands written in Python crash PySide6 6.11
    when its garbage collector comes upon the stack before them.
    """

    def __init__(self, parent: QObject | None = None, limit: int = LIMIT_BYTES) -> None:
        super().__init__(parent)
        self.limit = limit
        self._steps: list[Step] = []  # oldest first
        self._made = 0  # so many of them are made, the others undone
        self._packing = QTimer(self)
        self._packing.setInterval(_PACK_EVERY_MS)
        self._packing.timeout.connect(self._pack_some)
        self.indexChanged.connect(self._follow)

    def record(self, step: Step) -> None:
        """Keep a change that has been made."""
        self._keep(step)
        self._pack_some()  # a little now: who draws stroke after stroke leaves no idle moment
        if self.nbytes > self.limit:
            self.pack_all()
        if self.nbytes > self.limit:
            self._forget_oldest()

    def clear(self) -> None:
        """Forget all steps."""
        self._steps, self._made = [], 0
        super().clear()

    @property
    def nbytes(self) -> int:
        """Memory held by all steps."""
        return sum(step.nbytes for step in self.steps())

    def steps(self) -> list[Step]:
        """All steps, oldest first."""
        return list(self._steps)

    def pack_all(self) -> None:
        """Compress everything now."""
        for step in self.steps():
            while step.pack_one():
                pass
        self._packing.stop()

    def _keep(self, step: Step) -> None:
        """Push, which takes away what was undone."""
        self._steps[self.index() :] = [step]
        self._made = len(self._steps)
        self.push(QUndoCommand(step.text))

    def _follow(self, index: int) -> None:
        """Undo or make again what lies between the last place on the stack and this one."""
        while self._made > index:
            self._made -= 1
            self._steps[self._made].undo()
        while self._made < index:
            self._steps[self._made].redo()
            self._made += 1
        if self._steps:
            self._packing.start()

    def _forget_oldest(self) -> None:
        """Begin anew with the newest steps: a QUndoStack cannot lose its bottom. All steps are made at this moment.

        The state that was marked clean stays marked, unless it is among those that nobody can go back to any more.
        """
        kept, room = self.steps(), self.nbytes
        while len(kept) > 1 and room > _ROOM * self.limit:
            room -= kept.pop(0).nbytes
        clean = self.cleanIndex() - (self.count() - len(kept))
        self.blockSignals(True)  # nobody is told of the moment in which nothing can be undone
        self.clear()
        self.resetClean()
        for index, step in enumerate(kept[:-1]):
            if index == clean:
                self.setClean()
            self._keep(step)
        if clean == len(kept) - 1:
            self.setClean()
        self.blockSignals(False)
        self._keep(kept[-1])

    def _pack_some(self) -> None:
        end = time.perf_counter() + _PACK_MS / 1000
        for step in reversed(self.steps()):
            while step.pack_one():
                if time.perf_counter() > end:
                    return
        self._packing.stop()
