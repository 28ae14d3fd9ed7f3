"""Undo in bounded memory: the oldest steps are forgotten, the newest is always kept."""

from __future__ import annotations

import time
from itertools import count
from typing import Protocol
from weakref import ref

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


class _Command(QUndoCommand):
    """Stands on the stack for a step of a history.

    WORKAROUND: it must hold neither. Through a command, which belongs to Qt, Python's garbage collector sees no way, and
    it destroys stack and commands in an order that crashes (PySide6 6.11) when they are part of a cycle.
    """

    def __init__(self, history: History, number: int, text: str) -> None:
        super().__init__(text)
        self._history, self._number = ref(history), number
        self._made = True

    def redo(self) -> None:
        if not self._made:  # the stack calls this at the push as well
            self._step().redo()
        self._made = False

    def undo(self) -> None:
        self._step().undo()

    def _step(self) -> Step:
        history = self._history()
        assert history is not None, "a history outlives its commands"
        return history.step(self._number)


class History(QUndoStack):
    """A stack of steps that together hold at most `limit` bytes; what strokes leave behind is compressed when idle."""

    def __init__(self, parent: QObject | None = None, limit: int = LIMIT_BYTES) -> None:
        super().__init__(parent)
        self.limit = limit
        self._numbers = count()
        self._steps: dict[int, Step] = {}  # by the numbers of their commands, oldest first
        self._packing = QTimer(self)
        self._packing.setInterval(_PACK_EVERY_MS)
        self._packing.timeout.connect(self._pack_some)
        self.indexChanged.connect(self._pack_later)

    def record(self, step: Step) -> None:
        """Keep a change that has been made."""
        self._keep(step)
        self._pack_some()  # a little now: who draws stroke after stroke leaves no idle moment
        if self.nbytes > self.limit:
            self.pack_all()
        if self.nbytes > self.limit:
            self._forget_oldest()

    def step(self, number: int) -> Step:
        """The step of a command."""
        return self._steps[number]

    def clear(self) -> None:
        """Forget all steps."""
        super().clear()
        self._steps.clear()

    @property
    def nbytes(self) -> int:
        """Memory held by all steps."""
        return sum(step.nbytes for step in self.steps())

    def steps(self) -> list[Step]:
        """All steps, oldest first."""
        return list(self._steps.values())

    def pack_all(self) -> None:
        """Compress everything now."""
        for step in self.steps():
            while step.pack_one():
                pass
        self._packing.stop()

    def _keep(self, step: Step) -> None:
        """Push, which takes away what was undone."""
        for undone in list(self._steps)[self.index() :]:
            del self._steps[undone]
        number = next(self._numbers)
        self._steps[number] = step
        self.push(_Command(self, number, step.text))

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
