"""The right column: the formula with today's matrices, the likelihood in its parts, and what holds the points together."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from studio.ml.gp.exact import Evidence, Posterior
from studio.ml.gp.student import StudentPosterior
from studio.ui.cards import Facts
from studio.ui.curves import Curves
from studio.ui.panel_layout import PanelLayout
from studio_plugins.gp.answers import GRID, Answer
from studio_plugins.gp.document import Scene
from studio_plugins.gp.formula_card import ConditionalCard
from studio_plugins.gp.landscape_page import LandscapePage
from studio_plugins.gp.likelihood_card import LikelihoodCard
from studio_plugins.gp.matrix_view import MatrixView

if TYPE_CHECKING:
    from studio.ml.gp.fitting import Fitted
    from studio.ml.gp.uncertainty import HyperGaussian
    from studio_plugins.gp.jobs import Sampled

_TIPS = {
    "method": "How the posterior is worked out, and why",
    "log p(y) within": "The sparse bound, and an upper bound (Titsias 2014): the exact value lies between",
    "exact": "The log marginal likelihood by the formula as it stands, and how far the bound is below it",
    "least weight": "Expected precision of a point’s noise: 1 for one trusted as usual, near 0 for an outlier",
    "jitter": "What had to be added to the diagonal of Σ₁₁ so that it could be factored; 0 where nothing was",
    "condition": "Estimated condition number of Σ₁₁: relative errors of the data grow by up to this factor",
    "leave-one-out": "Mean log density of each point predicted from all others, noise included; higher is better",
    "LOO within 2σ": "Share of the points that lie within two standard deviations of what the others predict",
}

_MATRIX_NOTE = "Rows and columns in the order of x. Point at a cell to see its two points, at a point to see its row."


class Insight(QWidget):
    """Builds its sections into a PanelLayout. Signals: `doubt_wanted`, `sampling_wanted`."""

    doubt_wanted = Signal()
    sampling_wanted = Signal()

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self._answer: Answer | None = None
        self._grid = GRID
        self.likelihood = LikelihoodCard(zones)
        self.facts = Facts(zones)
        self.formula = ConditionalCard(zones)
        self.matrix = MatrixView("Covariance of the points", zones)
        self._matrix_note = QLabel(_MATRIX_NOTE, zones)
        self._matrix_note.setProperty("tone", "faint")
        self._matrix_note.setWordWrap(True)
        self.course = Curves("evaluation", "best log p(y)", zones)
        self.landscape = LandscapePage(zones)
        self.doubt = Facts(zones)
        self.doubt_button = QPushButton("Estimate (Laplace)", zones)
        self.doubt_button.setToolTip(
            "Laplace’s approximation: the curvature of the likelihood at the present values. Fit first."
        )
        self.doubt_button.clicked.connect(lambda _checked=False: self.doubt_wanted.emit())
        zones.add_insight("Log marginal likelihood", self.likelihood)
        zones.add_insight("How it is computed", self.facts)
        self.formula_section = zones.add_insight("Conditioning", self.formula)
        zones.add_insight("Covariance Σ₁₁ of the points", _stacked(zones, self.matrix, self._matrix_note))
        self.course_section = zones.add_insight("Course of the fit", self.course, expanded=False)
        zones.add_insight("Landscape of the likelihood", self.landscape, expanded=False)
        self.draws = Facts(zones)
        self.draws_button = QPushButton("Sample (NUTS)", zones)
        self.draws_button.setToolTip(
            "Draw hyper-parameters from their posterior by the No-U-Turn sampler; those without a prior get a vague one. "
            "The dashed lines on the plot are the band averaged over the draws."
        )
        self.draws_button.clicked.connect(lambda _checked=False: self.sampling_wanted.emit())
        for facts in (self.doubt, self.draws):
            facts.hide()
        doubt = _stacked(zones, self.doubt, self.doubt_button, self.draws, self.draws_button)
        zones.add_insight("How sure are the hyper-parameters?", doubt, expanded=False)

    # --- the posterior ---

    def show_scene(self, scene: Scene) -> None:
        """What can be chosen of a model."""
        self.landscape.offer([p.name for p in scene.model.parameters() if p.positive])

    def show_answer(self, answer: Answer, grid: int, place: Sequence[float]) -> None:
        """What a posterior says of itself, worked out at so many places; `place` is the one under the pointer."""
        self._answer, self._grid = answer, grid
        self.likelihood.show_terms(answer.way.name, answer.terms)
        self.formula_section.setVisible(answer.gaussian is not None)
        if answer.gaussian is not None:
            self.formula.show_posterior(answer.gaussian, grid, place)
        count = len(answer.glance.shown)
        self.matrix.show_matrix(answer.glance)
        self.matrix.setVisible(count > 0)
        self._matrix_note.setText(_MATRIX_NOTE if count else "No points yet.")
        self._show_facts(answer)

    def point_at(self, place: Sequence[float]) -> None:
        """The pointer stands at another place of the plot."""
        gaussian = self._answer.gaussian if self._answer is not None else None
        if gaussian is not None and self.formula.follows(gaussian):
            self.formula.show_posterior(gaussian, self._grid, place)

    def show_evidence(self, evidence: Evidence) -> None:
        """While a point is dragged."""
        self.likelihood.show_bars(evidence._asdict())

    def _show_facts(self, answer: Answer) -> None:
        facts = {"method": answer.way.why}
        gaussian = answer.gaussian
        if gaussian is not None:
            facts["jitter"] = f"{gaussian.factor.jitter:.1e}" if gaussian.factor.jitter else "0"
        if answer.condition is not None:
            facts["condition"] = f"{answer.condition:.3g}"
        if answer.bracket is not None:
            upper, exact = answer.bracket
            bound = math.fsum(answer.terms.values())
            facts["log p(y) within"] = f"{bound:.2f} … {upper:.2f}".replace("-", "−")
            if exact is not None:
                facts["exact"] = f"{exact:.3f}, gap {exact - bound:.2g}".replace("-", "−")
        if isinstance(answer.found, StudentPosterior):
            weights = answer.found.weights
            facts["least weight"] = f"{weights.min():.2f} (point {int(weights.argmin()) + 1})"
            facts["outliers"] = f"{int((weights < 0.5).sum())} of {len(weights)} points weigh less than ½"
        if answer.loo is not None and isinstance(answer.found, Posterior):
            z = np.abs(answer.found.data.y - answer.loo.mean) / np.sqrt(answer.loo.variance)
            facts["leave-one-out"] = f"{answer.loo.log_density.mean():.3f} per point"
            facts["LOO within 2σ"] = f"{100 * float((z < 2).mean()):.0f} %"
        self.facts.set_facts(facts, _TIPS)

    # --- the fit ---

    def begin_fit(self) -> None:
        """A fit begins: its course is drawn from here on."""
        self.course.clear()
        self.course_section.set_expanded(True)

    def forget_fit(self) -> None:
        """The fit was of other points."""
        self.course.clear()
        self.landscape.set_runs(())

    def show_fit(self, fitted: Fitted, fixed: Collection[str] = ()) -> None:
        """The ways that the runs of a finished fit took, the best last; `fixed`: hyper-parameters that were held."""
        names = tuple(parameter.name for parameter in fitted.model.parameters() if parameter.name not in fixed)
        runs = sorted(fitted.runs, key=lambda run: run.value)
        self.landscape.set_runs([(names, run.path) for run in runs])

    def show_doubt(self, found: HyperGaussian | None) -> None:
        """Intervals of two standard deviations for each hyper-parameter; None where they are of other values."""
        intervals = found.intervals(2.0) if found is not None else {}
        self.doubt.set_facts(
            {name: f"{low:.3g} … {high:.3g}" for name, (low, high) in intervals.items()},
            {name: "within two standard deviations of Laplace’s approximation" for name in intervals},
        )
        self.doubt.setVisible(bool(intervals))

    def show_sampled(self, found: Sampled | None) -> None:
        """What draws of the hyper-parameters say; None where they are of other values."""
        facts, tips = {}, {}
        if found is not None:
            facts = {name: f"{low:.3g} … {high:.3g}" for name, (low, high) in found.intervals().items()}
            tips = dict.fromkeys(facts, "holds 95 % of the draws")
            facts["draws"] = f"{len(found.thetas)}, {found.divergent} divergent, acceptance {found.acceptance:.2f}"
            tips["draws"] = "Divergent draws met curvature too strong for the step; the acceptance aimed at is 0.8"
        self.draws.set_facts(facts, tips)
        self.draws.setVisible(bool(facts))


def _stacked(parent: QWidget, *widgets: QWidget) -> QWidget:
    body = QWidget(parent)
    layout = QVBoxLayout(body)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return body
