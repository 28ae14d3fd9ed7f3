"""Between the document and the engine: keeps the answer on the stage up to date, a dragged point before all else, and
follows fits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, SignalInstance

from studio.engine import ErrorInfo, Event, Metric, Snapshot, Task
from studio.host.context import PanelContext
from studio.host.desk import TaskDesk
from studio.ml.gp.errors import GPError
from studio_plugins.gp import answers, deeper, jobs, loading
from studio_plugins.gp.answers import Grasp, Pull, Question, Taken
from studio_plugins.gp.document import Scene
from studio_plugins.gp.jobs import Hunt, Placing, Sampling, Subject, Survey
from studio_plugins.gp.latest import Latest
from studio_plugins.gp.points import Points
from studio_plugins.gp.request import GpRequest


class Desk(TaskDesk):
    """Signals: `answered` (Question, Answer; the newest comes last), `pulled` (Pulled, Pull) while a point is dragged, `unable`
    (why there is no answer, in words); `stepped` (FitStep), `learned` (Learned, on the way), `measured` (series, evaluation, log likelihood), `fitted`
    (FitResult), `ended` when a fit was cancelled or failed; `surveyed` (Landscape), `doubted` (HyperGaussian),
    `sampled` (Sampled); `grown` (Growth) while a structure is searched, `hunted` (Growth) at its end; `spread_out` (inducing points [m, D]); `table`
    (TableRead), `loaded` (Scene). `parts` and `slopes` answer what the pages beside the function ask."""

    answered = Signal(object, object)
    pulled = Signal(object, object)
    unable = Signal(str)
    stepped = Signal(object)
    learned = Signal(object)
    measured = Signal(str, int, float)
    fitted = Signal(object)
    ended = Signal()
    surveyed = Signal(object)
    doubted = Signal(object)
    sampled = Signal(object)
    grown = Signal(object)
    hunted = Signal(object)
    spread_out = Signal(object)
    table = Signal(object)
    loaded = Signal(object)

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(context, parent)
        self.posterior = Latest(context, answers.answer, "posterior", self)
        self._grasps = Latest(context, answers.take, "taking a point", self)
        self._pulls = Latest(context, answers.pull, "dragging a point", self)
        self.parts = Latest(context, deeper.parts, "terms of the kernel", self)
        self.slopes = Latest(context, deeper.slopes, "slope and area", self)
        self._grasp: Grasp | None = None
        self._taken: Taken | None = None
        self._wanted: tuple[tuple[float, ...], float, float | None] | None = None
        self._fit: Task | None = None
        self._hunt: Task | None = None
        self._tells: dict[str, SignalInstance] = {}
        """Where the result of a task goes, by the task's id."""
        self.posterior.answered.connect(self.answered)
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

    def move(self, place: tuple[float, ...], y: float, noise: float | None = None) -> None:
        """The point that was reached for goes here: its inputs and y."""
        if self._taken is None:
            self._wanted = (place, y, noise)
        else:
            self._pulls.ask(Pull(self._taken, place, y, noise))

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

    # --- what takes longer ---

    @property
    def fitting(self) -> bool:
        """Whether a fit runs or waits."""
        return self._fit is not None and not self._fit.state.ended

    def fit(self, request: GpRequest) -> None:
        """Fit, instead of a fit that runs."""
        self._fit = self._start(jobs.gp, request, f"fitting {request.kernel}", self.fitted)

    def stop_fit(self) -> None:
        """The fit is no longer of what is on the stage."""
        if self._fit is not None:
            self._fit.cancel()

    def survey(self, wanted: Survey) -> None:
        """Work out a landscape of the likelihood."""
        self._start(jobs.survey, wanted, "surveying the likelihood", self.surveyed)

    def doubt(self, wanted: Subject) -> None:
        """Work out how sure the hyper-parameters are."""
        self._start(jobs.doubt, wanted, "uncertainty of the hyper-parameters", self.doubted)

    def sample(self, wanted: Sampling) -> None:
        """Draw hyper-parameters."""
        self._start(jobs.sample, wanted, "sampling hyper-parameters", self.sampled)

    def hunt(self, wanted: Hunt) -> None:
        """Search for a structure, instead of a search that runs."""
        self._hunt = self._start(jobs.hunt, wanted, "searching for a structure", self.hunted)

    def stop_hunt(self) -> None:
        """The search is no longer of what is on the stage."""
        if self._hunt is not None:
            self._hunt.cancel()

    def pack(self, points: Points) -> None:
        """Write very many points as text before a request needs it: that takes a second for a million."""
        self._context.submit(loading.pack, points, title="packing the points", lane="quick")

    def spread(self, scene: Scene) -> None:
        """Put inducing points where they leave least open."""
        wanted = Placing(scene.model, scene.data, scene.inducing)
        self._start(jobs.spread_inducing, wanted, "placing inducing points", self.spread_out)

    def open_table(self, path: Path) -> None:
        """Read a file."""
        self._start(loading.open_table, path, f"reading {path.name}", self.table)

    def paste_table(self, text: str) -> None:
        """Read pasted cells."""
        self._start(loading.paste_table, text, "reading pasted cells", self.table)

    def load(self, name: str) -> None:
        """Read a set that ships with the libraries."""
        self._start(loading.bundled, name, f"reading {name}", self.loaded)

    def _start(self, job: Callable[..., Any], wanted: Any, title: str, told: SignalInstance) -> Task | None:
        task = self.submit(job, wanted, title, replace=job.__name__)
        if task is not None:
            self._tells[task.id] = told
        return task

    def _follow(self, task: Task, event: Event) -> None:
        if isinstance(event, Metric):
            self.measured.emit(event.series, round(event.x), event.y)
        elif isinstance(event, Snapshot):
            told = {
                "fit": self.stepped, "learned": self.learned, "landscape": self.surveyed, "tree": self.grown,
            }  # fmt: skip
            told[event.name].emit(event.data)

    def _done(self, task: Task, result: Any) -> None:
        told = self._tells.pop(task.id, None)
        if told is None:
            super()._done(task, result)
        else:
            self.status.emit("", None)
            told.emit(result)

    def _cancelled(self, task: Task) -> None:
        super()._cancelled(task)
        self._end(task)

    def _failed(self, task: Task, error: ErrorInfo) -> None:
        super()._failed(task, error)
        self._end(task)

    def _end(self, task: Task) -> None:
        self._tells.pop(task.id, None)
        if task is self._fit:
            self._fit = None
            self.ended.emit()

    def close(self) -> None:
        """The panel closes."""
        for line in (self.posterior, self._grasps, self._pulls, self.parts, self.slopes):
            line.close()
