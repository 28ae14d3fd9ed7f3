"""Between the document and the engine: keeps the answer on the stage up to date, and a dragged point before all else."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from studio.host.context import PanelContext
from studio.host.desk import TaskDesk
from studio.ml.gp.errors import GPError
from studio_plugins.gp import answers
from studio_plugins.gp.answers import Grasp, Pull, Question, Taken
from studio_plugins.gp.latest import Latest


class Desk(TaskDesk):
    """Signals: `answered` (Answer to the newest Question), `pulled` (Pulled, Pull) while a point is dragged, `unable`
    (why there is no answer, in words)."""

    answered = Signal(object)
    pulled = Signal(object, object)
    unable = Signal(str)

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(context, parent)
        self.posterior = Latest(context, answers.answer, "posterior", self)
        self._grasps = Latest(context, answers.take, "taking a point", self)
        self._pulls = Latest(context, answers.pull, "dragging a point", self)
        self._grasp: Grasp | None = None
        self._taken: Taken | None = None
        self._wanted: tuple[float, float, float | None] | None = None
        self.posterior.answered.connect(lambda _question, answer: self.answered.emit(answer))
        self.posterior.failed.connect(lambda _question, error: self._refused(error))
        self._grasps.answered.connect(self._hold)
        self._grasps.failed.connect(lambda _grasp, error: self._refused(error))
        self._pulls.answered.connect(lambda pull, pulled: self.pulled.emit(pulled, pull))
        self._pulls.failed.connect(lambda _pull, error: self._refused(error))

    # --- the posterior ---

    def ask(self, question: Question) -> None:
        """Show the answer to this question; a point that was in the hand is no longer."""
        self.let_go()
        self.posterior.ask(question)

    def _refused(self, error: Exception) -> None:
        if isinstance(error, GPError):
            self.unable.emit(str(error))

    # --- a point in the hand ---

    def reach(self, question: Question, index: int) -> None:
        """The pointer is over a point: factor the others now, so that its first move costs no factorisation."""
        if self._grasp is not None and self._grasp.question is question and self._grasp.index == index:
            return
        self.let_go()
        self._grasp = Grasp(question, index)
        self._grasps.ask(self._grasp)

    def move(self, x: float, y: float, noise: float | None = None) -> None:
        """The point that was reached for goes here."""
        if self._taken is None:
            self._wanted = (x, y, noise)
        else:
            self._pulls.ask(Pull(self._taken, x, y, noise))

    def let_go(self) -> None:
        """Nothing is in the hand."""
        self._grasp = self._taken = self._wanted = None
        self._grasps.forget()
        self._pulls.forget()

    def _hold(self, grasp: Grasp, taken: Taken) -> None:
        if grasp is not self._grasp:
            return
        self._taken = taken
        if self._wanted is not None:
            self._pulls.ask(Pull(taken, *self._wanted))

    def close(self) -> None:
        """The panel closes."""
        for line in (self.posterior, self._grasps, self._pulls):
            line.close()
