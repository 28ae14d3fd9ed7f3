"""The centre: the function plot with what is believed about it, moving samples, and the invitation of an empty plot."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ml.gp.exact import Prediction
from studio.ml.gp.jet import Array
from studio.ml.gp.samples import turned
from studio_plugins.gp.answers import Answer, Pulled, Spread
from studio_plugins.gp.document import Scene
from studio_plugins.gp.function_plot import FunctionPlot
from studio_plugins.gp.invitation import Invitation
from studio_plugins.gp.tree import ruled
from studio_plugins.gp.view import MOST_SAMPLES, View

FRAME_MS = 33
TURN_S = 12.0
"""Seconds of a whole great circle."""


class Stage(QWidget):
    """Draws answers. Signal: `example` (a name), `opening` from the invitation."""

    example = Signal(str)
    opening = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.plot = FunctionPlot(self)
        self.view = View()
        self._angle = 0.0
        self._spread: Spread | None = None
        self._prior: Spread | None = None
        self._shown: tuple[Array, Prediction, Prediction] | None = None
        self._noise = 0.0
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
        self._noise = scene.noise
        self.plot.show_points(scene.points, scene.noise)
        self.plot.name_axes(*scene.axes)
        length = ruled(scene.kernel)
        self.plot.rulers.show(length[1] if length else None, scene.noise)
        self.invitation.setVisible(not len(scene.points))

    def show_answer(self, answer: Answer, x: Array) -> None:
        """Mean, bands and samples of a posterior over x [m]."""
        self._shown = (x, answer.prediction, answer.prior)
        self._spread, self._prior = answer.spread, answer.prior_spread
        self._draw()

    def show_pulled(self, pulled: Pulled, x: Array) -> None:
        """The posterior while a point is dragged."""
        self.plot.settle()
        moved = Prediction(pulled.moved.mean, pulled.moved.variance)
        prior = self._shown[2] if self._shown is not None and len(self._shown[0]) == len(x) else moved
        self._shown = (x, moved, prior)
        if pulled.spread is not None:
            self._spread = pulled.spread
        self._draw()

    def set_view(self, view: View) -> None:
        """Draw other bands or samples of what is known."""
        self.view = view
        if not view.moving:
            self._angle = 0.0
        self._draw()
        self._run_clock()

    def _draw(self) -> None:
        if self._shown is None:
            return
        x, found, prior = self._shown
        plot, extra = self.plot, self._noise**2 if self.view.noisy else 0.0
        plot.posterior.show(x, found.mean, np.sqrt(found.variance + extra), self.view.multiples)
        plot.prior.set_visible(self.view.prior)
        if self.view.prior:
            plot.prior.show(x, prior.mean, np.sqrt(prior.variance + extra), self.view.multiples[:1])
        self._draw_samples()

    def _draw_samples(self) -> None:
        for belief, spread, wanted in (
            (self.plot.posterior, self._spread, True),
            (self.plot.prior, self._prior, self.view.prior),
        ):
            if spread is None or not wanted or not self.view.samples:
                belief.show_samples(np.empty(0), np.empty((0, 0)))
                continue
            z = turned(self.view.seed, len(spread.x), MOST_SAMPLES, self._angle)[:, : self.view.samples]
            belief.show_samples(spread.x, spread.mean[:, None] + spread.root @ z)

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
