"""Fitting and what surrounds it: each iteration is shown on the stage, the end becomes one step of Undo."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from studio.host.request import RequestError
from studio.ml.gp.model import Model
from studio_plugins.gp.asking import request_of
from studio_plugins.gp.desk import Desk
from studio_plugins.gp.document import Document, Scene
from studio_plugins.gp.insight import Insight
from studio_plugins.gp.jobs import Doubt, Survey
from studio_plugins.gp.request import GpRequest
from studio_plugins.gp.results import FitResult

if TYPE_CHECKING:
    from studio.ml.gp.fitting import FitStep
    from studio.ml.gp.landscape import Landscape


class Fits(QObject):
    """Signals: `passing` (the Scene of an iteration, to be shown and not kept), `over` when a fit ended without one,
    `said` (text, level)."""

    passing = Signal(object)
    over = Signal()
    said = Signal(str, str)

    def __init__(self, document: Document, desk: Desk, insight: Insight) -> None:
        super().__init__(desk)
        self._document, self._desk, self._insight = document, desk, insight
        self._surveyed: Survey | None = None
        desk.stepped.connect(self._show_step)
        desk.measured.connect(insight.course.append)
        desk.fitted.connect(self._take)
        desk.ended.connect(self.over)
        desk.surveyed.connect(self._show_landscape)
        desk.doubted.connect(insight.show_doubt)
        insight.landscape.wanted.connect(self.survey)
        insight.landscape.picked.connect(self._pick)
        insight.doubt_wanted.connect(self.doubt)
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
        scene = self._document.scene
        if len(scene.points):
            self._surveyed = Survey(scene.model, scene.data, names)
            self._desk.survey(self._surveyed)
        else:
            self.said.emit("Without points every hyper-parameter is as likely: click some first.", "warning")

    def doubt(self) -> None:
        """Work out how well the points determine the hyper-parameters."""
        scene = self._document.scene
        if len(scene.points):
            self._desk.doubt(Doubt(scene.model, scene.data))
        else:
            self.said.emit("Without points nothing is known of the hyper-parameters: click some first.", "warning")

    # --- hearing ---

    def _show_step(self, step: FitStep) -> None:
        self.passing.emit(with_model(self._document.scene, step.model))

    def _take(self, result: FitResult) -> None:
        self._insight.show_fit(result.fitted)
        found = with_model(self._document.scene, result.fitted.model)
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
        found = with_model(self._document.scene, model.with_theta(theta))
        self._document.edit("place in the landscape", kernel=found.kernel, noise=found.noise, mean=found.mean)

    def _forget(self, before: Scene, after: Scene) -> None:
        """What was worked out for other points or values is no longer shown."""
        self._desk.stop_fit()
        if after.points != before.points:
            self._insight.forget_fit()
        self._insight.show_scene(after)
        self._insight.show_doubt(None)
        if self._surveyed is not None and not self._surveyed.holds(after.model, after.data):
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


def with_model(scene: Scene, model: Model) -> Scene:
    """The points of a scene under another model."""
    return replace(scene, kernel=model.kernel, noise=math.sqrt(model.noise), mean=model.mean)


def _verdict(result: FitResult) -> tuple[str, str]:
    """What a fit came to, in words, and how serious that is."""
    best = max(result.fitted.runs, key=lambda run: run.value)
    runs = len(result.fitted.runs)
    of = f", the best of {runs} runs" if runs > 1 else ""
    top = f"{result.fitted.evidence.total:.3f}".replace("-", "−")
    text = f"log p(y) = {top}{of}, in {result.seconds:.1f} s."
    if not best.converged:
        return f"{text} Not at the top yet: allow more iterations, or press Fit again. {result.problem}".strip(), "warning"
    return f"{text} {result.problem}".strip(), "warning" if result.problem else "success"
