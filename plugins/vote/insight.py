"""The right column: how far the voting is, the formula of the scores, and what else sets the pictures apart."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QLabel, QWidget

from studio.ml.evaluation.elo import probability
from studio.ui.cards import Facts, FormulaCard
from studio.ui.panel_layout import PanelLayout
from studio_plugins.vote.contest import Contest
from studio_plugins.vote.entries import field_title
from studio_plugins.vote.jobs import Round
from studio_plugins.vote.standing import Standing

# 13 px: the formulas are to stay on one line in a narrow column.
_LINE = '<span style="font-size:13px; white-space:nowrap">{}</span>'
_MODEL = _LINE.format("P(<i>i</i> beats <i>j</i>) = 1 / (1 + 10<sup>−Δ/400</sup>)")
_EXAMPLE = _LINE.format("first and second: Δ = $difference, P = $chance")
_LIKELIHOOD = _LINE.format("σ = argmin Σ<sub>ij</sub> A<sub>ij</sub> log(1 + 10<sup>−Δ/400</sup>)")
_GAP = "Δ = σ<sub>i</sub> − σ<sub>j</sub>, the difference of their scores; 400 points are odds of ten to one."
_NOTE = "A<sub>ij</sub>: how often i was preferred to j; a tie is half a vote each. Only differences mean something."
_TIPS = {
    "votes": "Votes on this question between these contestants",
    "ties": "Votes for neither",
    "to judge": "Pairs of pictures that may meet and were not judged yet",
    "left chosen": "Far from a half, with many votes, it means a habit of choosing one side; sides are drawn at random",
}


class Insight(QWidget):
    """Builds its sections into a PanelLayout."""

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self.progress = Facts(zones)
        self.model = FormulaCard(_MODEL, _EXAMPLE, _GAP, zones)
        self.likelihood = FormulaCard(_LIKELIHOOD, "", _NOTE, zones)
        self.also = QLabel(zones)
        self.also.setProperty("tone", "muted")
        self.also.setWordWrap(True)
        zones.add_insight("Votes", self.progress)
        self._fair = zones.add_insight("What else differs", self.also)
        section = zones.add_insight("Elo scores", self.model)
        section.add(self.likelihood)
        self.show_contest(None)

    def show_contest(self, contest: Contest | None) -> None:
        """Settings besides the one compared in which the pictures of this contest differ: they are judged along."""
        self.progress.set_facts({"votes": "–", "ties": "–", "to judge": "–"}, _TIPS)
        self._fair.setVisible(contest is not None and bool(contest.groups))
        if contest is not None:
            names = ", ".join(field_title(name).lower() for name in contest.also)
            self.also.setText(
                f"Pictures that meet may also differ in: {names}. Then these settings are judged along."
                if names
                else "Nothing: pictures that meet differ in this setting alone, and in their seeds."
            )

    def show_round(self, shown: Round) -> None:
        """How far the voting is; nothing of who leads."""
        votes = [vote for vote in shown.ballots.votes if shown.contest.counts(vote)]
        decided = [vote for vote in votes if vote.choice != "tie"]
        facts = {"votes": str(len(votes)), "ties": str(len(votes) - len(decided)), "to judge": f"{shown.left_over:,}"}
        if decided:
            facts["left chosen"] = f"{sum(vote.choice == 'left' for vote in decided) / len(decided):.0%}"
        if shown.ballots.damaged:
            facts["unreadable lines"] = str(shown.ballots.damaged)
        self.progress.set_facts(facts, _TIPS)

    def show_standing(self, found: Standing | None) -> None:
        """The formula with the first and the second in it; None forgets them."""
        if found is None or len(found.rows) < 2 or not found.votes:
            self.model.set_numbers({})
            return
        first, second = found.rows[:2]
        chance = probability_of(first.score - second.score)
        self.model.set_numbers({"difference": f"{first.score - second.score:.0f}", "chance": f"{chance:.0%}"})


def probability_of(difference: float) -> float:
    """The chance of winning with so many points more."""
    return float(probability(np.array([difference, 0.0]))[0, 1])
