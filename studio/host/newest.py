"""Questions that come faster than they are answered: one is worked on, the newest waits, those between are forgotten.

A hand that moves without a pause sees answers on its way, which it would not if each question cancelled the one before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from studio.engine import Task

Question = TypeVar("Question")


class Newest(Generic[Question]):
    """`ask` as often as wanted; tell `ended` the task of every terminal event. A question that takes longer than
    `patience` seconds is cancelled as soon as a newer one waits."""

    def __init__(
        self,
        submit: Callable[[Question], Task | None],
        *,
        patience: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._submit, self._patience, self._clock = submit, patience, clock
        self._task: Task | None = None
        self._since = 0.0
        self._waiting: list[Question] = []

    def ask(self, question: Question) -> None:
        """Answer this next, instead of what waits."""
        if self._task is None or self._task.state.ended:
            self._begin(question)
            return
        self._waiting = [question]
        if self._clock() - self._since > self._patience:
            self._task.cancel()

    def ended(self, task: Task) -> None:
        """A task is over, however it ended: what waits begins."""
        if task is self._task:
            self._task = None
            if self._waiting:
                self._begin(self._waiting.pop())

    def _begin(self, question: Question) -> None:
        self._waiting = []
        self._since = self._clock()
        self._task = self._submit(question)
