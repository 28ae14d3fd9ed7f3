"""Questions that come faster than they are answered: one is worked on, the newest waits, those between are forgotten.

The answer comes by a signal as soon as it is there, not with the window's next round of events: while a hand moves, 16 ms
are the whole time there is. One question at a time keeps the signals as few as the frames.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import EngineClosed, Event, JobContext, Priority
from studio.host.context import PanelContext
from studio.ml.gp.errors import GPError


@dataclass(frozen=True, eq=False)
class Asked:
    """A question on its way: who works it out, and where the answer goes."""

    question: Any
    work: Callable[[Any], Any]
    tell: Callable[[Any, Exception | None], None]


def work_out(asked: Asked, _ctx: JobContext) -> Generator[Event, None, None]:
    """The job: one step. What a person can put right is told as an answer; other errors are those of the engine."""
    yield from ()
    try:
        answer = asked.work(asked.question)
    except GPError as error:
        asked.tell(None, error)
    except Exception as error:
        asked.tell(None, error)
        raise
    else:
        asked.tell(answer, None)


class Latest(QObject):
    """Answers questions with `work`, on the quick lane. Signals: `answered` (question, answer), `failed` (question,
    exception)."""

    answered = Signal(object, object)
    failed = Signal(object, object)
    _told = Signal(int, object, object)

    def __init__(self, context: PanelContext, work: Callable[[Any], Any], title: str, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._work, self._title = context, work, title
        self._number = 0
        self._asked: Any = None
        self._waiting: Any = None
        self._busy = self._closed = False
        self._told.connect(self._hear)

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._busy

    def ask(self, question: Any) -> None:
        """Work this out next, instead of what waits."""
        if self._busy:
            self._waiting = question
            return
        self._number += 1
        self._asked, self._busy = question, True
        asked = Asked(question, self._work, functools.partial(self._tell, self._number))
        try:
            self._context.engine.submit(
                work_out, asked, title=self._title, owner=self._context.panel_id, lane="quick",
                priority=Priority.INTERACTIVE,
            )  # fmt: skip
        except EngineClosed:
            self._busy = False

    def forget(self) -> None:
        """Answers to what was asked so far are not wanted any more."""
        self._number += 1
        self._waiting, self._busy = None, False

    def close(self) -> None:
        """The panel closes: nothing more is told."""
        self._closed = True
        self.forget()

    def _tell(self, number: int, answer: Any, error: Exception | None) -> None:
        """On the lane's thread."""
        if not self._closed:
            self._told.emit(number, answer, error)

    def _hear(self, number: int, answer: Any, error: Exception | None) -> None:
        if number != self._number:
            return
        question, self._busy = self._asked, False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.ask(waiting)
        if error is not None:
            self.failed.emit(question, error)
        else:
            self.answered.emit(question, answer)
