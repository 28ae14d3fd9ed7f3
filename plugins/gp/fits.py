"""Fitting and what surrounds it: each iteration is shown on the stage, the end becomes one step of Undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal

from studio.host.request import RequestError
from studio.ml.gp.jet import Array
from studio_plugins.gp.answers import Learned
from studio_plugins.gp.asking import request_of
from studio_plugins.gp.desk import Desk
from studio_plugins.gp.document import Document, Scene
from studio_plugins.gp.insight import Insight
from studio_plugins.gp.jobs import Sampling, Subject, Survey
from studio_plugins.gp.points import Points
from studio_plugins.gp.request import GpRequest
from studio_plugins.gp.results import FitResult

_NOTHING_KNOWN = "Without points nothing is known of the hyper-parameters: click some first."

if TYPE_CHECKING:
    from studio.ml.gp.fitting import FitStep
    from studio.ml.gp.landscape import Landscape


class Fits(QObject):
    """Signals: `passing` (the Scene of an iteration, to be shown and not kept), `over` when a fit ended without one,
    `averaged` (Sampled, predictions averaged over hyper-parameters), `said` (text, level)."""

    passing = Signal(object)
    over = Signal()
    averaged = Signal(object)
    said = Signal(str, str)

    def __init__(self, document: Document, desk: Desk, insight: Insight, grid: Callable[[], Array]) -> None:
        super().__init__(desk)
        self._document, self._desk, self._insight, self._grid = document, desk, insight, grid
        self._surveyed: Survey | None = None
        self._learned: tuple[Points, Learned] | None = None
        desk.stepped.connect(self._show_step)
        desk.measured.connect(insight.course.append)
        desk.learned.connect(self._show_learned)
        desk.fitted.connect(self._take)
        desk.ended.connect(self.over)
        desk.surveyed.connect(self._show_landscape)
        desk.doubted.connect(insight.show_doubt)
        insight.landscape.wanted.connect(self.survey)
        insight.landscape.picked.connect(self._pick)
        desk.sampled.connect(insight.show_sampled)
        desk.sampled.connect(self.averaged)
        insight.doubt_wanted.connect(self.doubt)
        insight.sampling_wanted.connect(self.sample)
        document.changed.connect(self._forget)

    # --- asking ---

    def fit(self, form: GpRequest) -> None:
        """Fit the hyper-parameters of what is on the stage."""
        scene = self._document.scene
        if len(scene.points) < 2:
            self.said.emit("A fit needs at least two points: click some, or choose an example.", "warning")
            return
        try:
            request = request_of(scene, form)
        except RequestError as error:
            self.said.emit(str(error), "warning")
            return
        self.said.emit("", "info")
        self._insight.begin_fit()
        self._desk.fit(request)

    def survey(self, names: tuple[str, str]) -> None:
        """Work out the likelihood over two hyper-parameters around their present values."""
        subject = self._subject("Without points every hyper-parameter is as likely: click some first.")
        if subject is not None:
            self._surveyed = Survey(subject, names)
            self._desk.survey(self._surveyed)

    def doubt(self) -> None:
        """Work out how well the points determine the hyper-parameters."""
        subject = self._subject(_NOTHING_KNOWN)
        if subject is not None:
            self._desk.doubt(subject)

    def sample(self) -> None:
        """Draw hyper-parameters that the points leave possible."""
        subject = self._subject(_NOTHING_KNOWN)
        if subject is not None:
            self._desk.sample(Sampling(subject, self._grid()))

    def _subject(self, otherwise: str) -> Subject | None:
        """What is on the stage, to be asked about; None, and a word about it, without points."""
        scene = self._document.scene
        if not len(scene.points):
            self.said.emit(otherwise, "warning")
            return None
        return _subject_of(scene)

    def learned(self, scene: Scene) -> Learned | None:
        """What the stochastic way has learned, if it was for these points and values."""
        if self._learned is None or self._learned[0] is not scene.points or scene.way.name != "stochastic":
            return None
        known, model = self._learned[1].posterior.model, scene.model
        same = known.parameters() and [p.name for p in known.parameters()] == [p.name for p in model.parameters()]
        return self._learned[1] if same and np.allclose(known.theta, model.theta, rtol=1e-9, atol=1e-12) else None

    # --- hearing ---

    def _show_learned(self, found: Learned) -> None:
        self._learned = (self._document.scene.points, found)
        self.passing.emit(self._document.scene.with_model(found.posterior.model))

    def _show_step(self, step: FitStep) -> None:
        self.passing.emit(self._document.scene.with_model(step.model))

    def _take(self, result: FitResult) -> None:
        self._insight.show_fit(result.fitted, {rule.name for rule in result.request.rules if rule.fixed})
        if result.learned is not None:
            self._learned = (self._document.scene.points, Learned(result.learned))
        found = self._document.scene.with_model(result.fitted.model)
        self._document.edit("fit", kernel=found.kernel, noise=found.noise, mean=found.mean)
        self.over.emit()
        self.said.emit(*_verdict(result))

    def _show_landscape(self, found: Landscape) -> None:
        if self._surveyed is not None:
            self._insight.landscape.show_landscape(found)
            self._mark_present()

    def _pick(self, names: tuple[str, str], down: float, across: float) -> None:
        """A place of the landscape is taken over."""
        model = self._document.scene.model
        theta, order = model.theta, [parameter.name for parameter in model.parameters()]
        theta[[order.index(name) for name in names]] = down, across
        found = self._document.scene.with_model(model.with_theta(theta))
        self._document.edit("place in the landscape", kernel=found.kernel, noise=found.noise, mean=found.mean)

    def _forget(self, before: Scene, after: Scene) -> None:
        """What was worked out for other points or values is no longer shown."""
        self._desk.stop_fit()
        if after.points != before.points:
            self._insight.forget_fit()
        self._insight.show_scene(after)
        self._insight.show_doubt(None)
        self._insight.show_sampled(None)
        surveyed = self._surveyed
        if surveyed is not None and not surveyed.subject.same_but(_subject_of(after), surveyed.names):
            self._surveyed = None
            self._insight.landscape.show_landscape(None)
        elif self._surveyed is not None:
            self._mark_present()

    def _mark_present(self) -> None:
        model = self._document.scene.model
        order = [parameter.name for parameter in model.parameters()]
        assert self._surveyed is not None
        down, across = (float(model.theta[order.index(name)]) for name in self._surveyed.names)
        self._insight.landscape.view.show_present(down, across)


def _subject_of(scene: Scene) -> Subject:
    return Subject(scene.model, scene.data, scene.way, scene.rules)


def _verdict(result: FitResult) -> tuple[str, str]:
    """What a fit came to, in words, and how serious that is."""
    if result.learned is not None:
        bound = f"{result.fitted.evidence.total:.3f}".replace("-", "−")
        text = f"log p(y) ≥ {bound}, learned from {result.request.iterations} batches in {result.seconds:.1f} s."
        return f"{text} {result.problem}".strip(), "warning" if result.problem else "success"
    best = max(result.fitted.runs, key=lambda run: run.value)
    runs = len(result.fitted.runs)
    of = f", the best of {runs} runs" if runs > 1 else ""
    top = f"{result.fitted.evidence.total:.3f}".replace("-", "−")
    text = f"log p(y) = {top}{of}, in {result.seconds:.1f} s."
    if not best.converged:
        return f"{text} Not at the top yet: allow more iterations, or press Fit again. {result.problem}".strip(), "warning"
    return f"{text} {result.problem}".strip(), "warning" if result.problem else "success"
