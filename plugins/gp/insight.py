"""The right column: the formula with today's matrices, the likelihood in its parts, and what holds the points together."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from studio.ml.gp.exact import Evidence
from studio.ui.panel_layout import PanelLayout
from studio_plugins.gp.answers import Answer
from studio_plugins.gp.likelihood_card import LikelihoodCard


class Insight(QWidget):
    """Builds its sections into a PanelLayout."""

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self.likelihood = LikelihoodCard(zones)
        zones.add_insight("Log marginal likelihood", self.likelihood)

    def show_answer(self, answer: Answer) -> None:
        """What a posterior says of itself."""
        self.likelihood.show_evidence(answer.posterior.evidence)

    def show_evidence(self, evidence: Evidence) -> None:
        """While a point is dragged."""
        self.likelihood.show_bars(evidence)
