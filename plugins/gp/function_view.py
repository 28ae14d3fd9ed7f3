"""Functions over one input: the plot with what is believed, moving samples, and the invitation of an empty plot."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget
from scipy.special import expit

from studio.ml.gp.classification import Classifier
from studio.ml.gp.exact import LeaveOneOut, Prediction
from studio.ml.gp.jet import Array
from studio.ml.gp.samples import turned
from studio_plugins.gp.answers import Answer, Pull, Pulled, Spread
from studio_plugins.gp.document import Scene
from studio_plugins.gp.function_plot import FunctionPlot
from studio_plugins.gp.invitation import Invitation
from studio_plugins.gp.points import Points
from studio_plugins.gp.tree import ruled
from studio_plugins.gp.view import MOST_SAMPLES, View

FRAME_MS = 33
TURN_S = 12.0
"""Seconds of a whole great circle."""


class FunctionView(QWidget):
    """Draws answers. Signal: `example` (a name), `opening` from the invitation."""

    example = Signal(str)
    opening = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.plot = FunctionPlot(self)
        self.view = View()
        self._angle = 0.0
        self._chance: Array | None = None
        self._loo: LeaveOneOut | None = None
        self._loo_points = Points()
        self._spread: Spread | None = None
        self._prior: Spread | None = None
        self._shown: tuple[Array, Prediction, Prediction] | None = None
        self._noise, self._classes, self._points = 0.0, False, Points()
        self.invitation = Invitation(self.plot)
        self.invitation.example.connect(self.example)
        self.invitation.opening.connect(self.opening)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self._clock = QTimer(self)
        self._clock.setInterval(FRAME_MS)
        self._clock.timeout.connect(self._turn)

    # --- what is shown ---

    def show_scene(self, scene: Scene) -> None:
        """The points and the rulers; what is believed follows with an answer."""
        self._classes = scene.likelihood == "classes"
        self._noise = 0.0 if self._classes else scene.noise
        self._points = scene.points
        self.plot.show_points(scene.points, self._noise)
        self.plot.name_axes(scene.axes[0], f"p({scene.axes[-1]} = 1)" if self._classes else scene.axes[-1])
        length = ruled(scene.kernel)
        self.plot.rulers.show(length[1] if length else None, None if self._classes else scene.noise)
        way = scene.way
        self.plot.inducing.show(None if way.inducing is None else way.inducing[:, 0])
        self.plot.averaged.hide()
        self.invitation.setVisible(not len(scene.points))

    def show_answer(self, answer: Answer, x: Array) -> None:
        """Mean, bands and samples of a posterior over x [m]."""
        self._shown = (x, answer.prediction, answer.prior)
        self._spread, self._prior = answer.spread, answer.prior_spread
        self._chance = answer.found.probability(x[:, None]) if isinstance(answer.found, Classifier) else None
        self._show_left_out(answer.loo)
        self._draw()

    def show_pulled(self, pulled: Pulled, pull: Pull) -> None:
        """The posterior while a point is dragged."""
        self.plot.settle()
        x = pull.taken.question.grid[:, 0]
        moved = Prediction(pulled.moved.mean, pulled.moved.variance)
        prior = self._shown[2] if self._shown is not None and len(self._shown[0]) == len(x) else moved
        self._shown = (x, moved, prior)
        if pulled.spread is not None:
            self._spread = pulled.spread
        if self.view.loo:
            self._show_left_out(pulled.loo, self._points.at(pull.taken.dragging.index, pull.place, pull.y))
        self._draw()

    def show_averaged(self, x: Array, mean: Array, sd: Array) -> None:
        """Edges of the band averaged over hyper-parameters, over x [m]; gone with the next change."""
        self.plot.averaged.show(x, mean, self.view.band * sd)

    def set_view(self, view: View) -> None:
        """Draw other bands or samples of what is known."""
        self.view = view
        if not view.moving:
            self._angle = 0.0
        self._show_left_out(self._loo, self._loo_points)
        self._draw()
        self._run_clock()

    def _draw(self) -> None:
        if self._shown is None:
            return
        x, found, prior = self._shown
        plot, extra = self.plot, self._noise**2 if self.view.noisy else 0.0
        sd = np.sqrt(found.variance + extra)
        if self._chance is not None:  # the band of f, seen through the logistic function
            edges = [(expit(found.mean - k * sd), expit(found.mean + k * sd)) for k in self.view.multiples]
            plot.posterior.show_edges(x, self._chance, edges)
        else:
            plot.posterior.show(x, found.mean, sd, self.view.multiples)
        shows_prior = self.view.prior and self._chance is None
        plot.prior.set_visible(shows_prior)
        if shows_prior:
            plot.prior.show(x, prior.mean, np.sqrt(prior.variance + extra), self.view.multiples[:1])
        self._draw_samples()

    def _draw_samples(self) -> None:
        for belief, spread, wanted in (
            (self.plot.posterior, self._spread, True),
            (self.plot.prior, self._prior, self.view.prior and self._chance is None),
        ):
            if spread is None or not wanted or not self.view.samples:
                belief.show_samples(np.empty(0), np.empty((0, 0)))
                continue
            z = turned(self.view.seed, len(spread.x), MOST_SAMPLES, self._angle)[:, : self.view.samples]
            values = spread.mean[:, None] + spread.root @ z
            belief.show_samples(spread.x, values if self._chance is None else expit(values))

    def _show_left_out(self, loo: LeaveOneOut | None, points: Points | None = None) -> None:
        self._loo, self._loo_points = loo, points if points is not None else self._points
        if self.view.loo and loo is not None and len(loo.mean) == len(self._loo_points):
            self.plot.left_out.show(self._loo_points, loo.mean, np.sqrt(loo.variance))
        else:
            self.plot.left_out.hide()

    # --- motion ---

    def _run_clock(self) -> None:
        if self.view.moving and self.view.samples and self.isVisible():
            self._clock.start()
        else:
            self._clock.stop()

    def _turn(self) -> None:
        self._angle = (self._angle + 2 * math.pi * FRAME_MS / 1000 / TURN_S) % (2 * math.pi)
        self._draw_samples()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self._run_clock()

    def hideEvent(self, event: object) -> None:
        super().hideEvent(event)
        self._run_clock()

    def close_down(self) -> None:
        self._clock.stop()
