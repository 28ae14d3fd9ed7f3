"""Importance sampling: what a target policy is worth, told from the episodes of a behaviour policy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLabel, QProgressBar, QPushButton, QSplitter, QVBoxLayout, QWidget

from studio.host.export import Table
from studio.ml.rl.errors import RLError
from studio.ml.rl.offpolicy import Estimate
from studio.ui.bars import Bar, Bars
from studio.ui.cards import Facts, FormulaCard
from studio.ui.flow_layout import FlowLayout
from studio.ui.panel_layout import Column
from studio.ui.plot import Legend
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.rl.judging import Judgement, Truth
from studio_plugins.rl.offpolicy_plot import ESTIMATES, EstimatePlot
from studio_plugins.rl.score_words import number, plus_minus
from studio_plugins.rl.setting_row import named, share, whole

BEST = "best values"
MOST_WEIGHTS = 6
_FORMULA = (
    "ρ = Π<sub><i>t</i></sub> π(<i>A<sub>t</sub></i> | <i>S<sub>t</sub></i>) / "
    "<i>b</i>(<i>A<sub>t</sub></i> | <i>S<sub>t</sub></i>)<br>"
    "ordinary: Σ ρ<i>G</i> / <i>n</i><br>weighted: Σ ρ<i>G</i> / Σ ρ"
)
_NUMBERS = "Σρ<i>G</i> / <i>n</i> = $ordinary<br>Σρ<i>G</i> / Σρ = $weighted"
_TIPS = {
    "effective episodes": "(Σρ)² / Σρ²: how many episodes of the target itself these are worth",
    "count for nothing": "Episodes in which the behaviour did something that the target never does: their ρ is 0",
    "heaviest episode": "Share of the sum of all ρ that one episode has",
}


class OffPolicyPage(QWidget):
    """Offer `set_sources`; answer `wanted` by `begin`, `set_truth`, `add`, `end`; `say` where it cannot be done.

    Signals: `wanted` (a Judgement, the source of the action values), `cancelled`.
    """

    wanted = Signal(object, str)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._told: list[Estimate] = []
        self._judgement: Judgement | None = None
        self._truth = Truth(float("nan"), float("nan"))
        self.source = QComboBox(self)
        self.behaviour, self.target, self.gamma = (share(self, value) for value in (0.3, 0.0, 1.0))
        self.episodes = whole(self, 10, 200_000, 1000)
        self.run, self.cancel = QPushButton("Judge", self), QPushButton("Cancel", self)
        self.progress = QProgressBar(self)
        self.plot, self.words = EstimatePlot(self), QLabel(self)
        self.formula, self.facts = FormulaCard(_FORMULA, _NUMBERS, "", self), Facts(self)
        self.weights = Bars("Heaviest episodes", self)
        self._build()
        self.set_sources((BEST,))
        self._show_running(False)
        self._show()

    def _build(self) -> None:
        settings = QWidget(self)
        row = FlowLayout(settings)
        row.setContentsMargins(0, 0, 0, 0)
        for name, box, tip in (
            ("Values of", self.source, "Both policies are ε-greedy on these action values"),
            ("Behaviour ε", self.behaviour, "The policy that makes the episodes"),
            ("Target ε", self.target, "The policy whose value is wanted; 0 is greedy"),
            ("γ", self.gamma, "Discount"),
            ("Episodes", self.episodes, "How many the behaviour makes"),
        ):
            row.addWidget(named(settings, name, tip, box))
        for widget in (self.run, self.cancel, self.progress):
            row.addWidget(widget)
        self.progress.setFixedWidth(140)
        self.progress.setTextVisible(False)
        self.words.setWordWrap(True)
        left = QWidget(self)
        plots = QVBoxLayout(left)
        plots.setContentsMargins(0, 0, 0, 0)
        entries = [("━", colour, title) for title, colour in ESTIMATES.values()]
        plots.addWidget(Legend([*entries, ("┅", "success", "exact value of the target")], left))
        plots.addWidget(self.plot, 1)
        right = Column(self)
        heading = QLabel("Heaviest episodes: share of all weight, and their return", right)
        heading.setProperty("tone", "faint")
        heading.setWordWrap(True)
        for widget in (self.formula, self.facts, heading, self.weights):
            right.add(widget)
        split = QSplitter(self)
        split.setChildrenCollapsible(False)
        split.addWidget(left)
        split.addWidget(right)
        split.setSizes([620, 380])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_M)
        layout.addWidget(settings)
        layout.addWidget(self.words)
        layout.addWidget(split, 1)
        self.run.clicked.connect(lambda _checked=False: self._ask())
        self.cancel.clicked.connect(lambda _checked=False: self.cancelled.emit())

    # --- what is judged ---

    def set_sources(self, sources: Sequence[str], why_not: str = "") -> None:
        """Whose action values there are; `why_not`: the reason where the world's table is not known."""
        chosen = self.source.currentText()
        if list(sources) != [self.source.itemText(place) for place in range(self.source.count())]:
            self.source.clear()
            self.source.addItems(list(sources))
            self.source.setCurrentIndex(max(0, self.source.findText(chosen)))
        self.run.setEnabled(not why_not and bool(sources))
        if why_not:
            self.say(why_not)

    def begin(self, judgement: Judgement) -> None:
        """It is being judged; what was shown goes."""
        self._judgement, self._told = judgement, []
        self._truth = Truth(float("nan"), float("nan"))
        self.plot.set_truth(float("nan"))
        self._show_running(True)
        self._show()

    def set_truth(self, truth: Truth) -> None:
        """What the estimates should come to."""
        self._truth = truth
        self.plot.set_truth(truth.target)
        self._show()

    def add(self, estimates: Sequence[Estimate]) -> None:
        """More episodes."""
        self._told += estimates
        if self._judgement is not None:
            self.progress.setRange(0, self._judgement.episodes)
            self.progress.setValue(len(self._told))
        self._show()

    def end(self) -> None:
        """It is done, or was stopped."""
        self._show_running(False)

    def say(self, text: str) -> None:
        """Why it cannot be judged."""
        self._show_running(False)
        self.words.setText(text)

    def judgement(self) -> Judgement:
        """What is set. Raises BadSetting."""
        return Judgement(self.behaviour.value(), self.target.value(), self.episodes.value(), self.gamma.value())

    def table(self) -> Table:
        """A row for each episode: its ratio and return, and the estimates with it."""
        return Table({name: [getattr(one, name) for one in self._told] for name in Estimate._fields})

    def _ask(self) -> None:
        try:
            self.wanted.emit(self.judgement(), self.source.currentText())
        except RLError as error:
            self.say(str(error))

    # --- what is shown ---

    def _show_running(self, running: bool) -> None:
        for widget in (self.cancel, self.progress):
            widget.setVisible(running)
        self.run.setVisible(not running)

    def _show(self) -> None:
        self.plot.show_estimates({name: np.array([getattr(one, name) for one in self._told]) for name in ESTIMATES})
        if not self._told:
            self.facts.set_facts({})
            self.formula.set_numbers({})
            self.weights.set_bars(())
            self.words.setText(
                "Can a policy be judged without following it? Each episode of the exploring behaviour is weighed by "
                "how much likelier the target would have made it."
            )
            return
        last = self._told[-1]
        self.formula.set_numbers({"ordinary": number(last.ordinary), "weighted": number(last.weighted)})
        self.words.setText(self._verdict(last))
        self.facts.set_facts(self._facts(last), _TIPS)
        self._show_weights()

    def _verdict(self, last: Estimate) -> str:
        if np.isnan(self._truth.target):
            return (
                "With γ = 1 this target policy may go on for ever, so it has no value to come to. Take another target "
                "ε or γ < 1."
            )
        text = f"The target is worth {number(self._truth.target)} exactly; "
        text += f"the behaviour itself gets {number(self._truth.behaviour)}. After {number(last.episode, 7)} episodes: "
        text += f"ordinary {plus_minus(last.ordinary, last.error)}, weighted {number(last.weighted)}, "
        text += f"per decision {number(last.per_decision)}."
        if last.effective < 0.05 * last.episode:
            text += " Few episodes carry nearly all the weight: a behaviour closer to the target would tell more."
        return text

    def _facts(self, last: Estimate) -> dict[str, str]:
        ratios = np.array([one.ratio for one in self._told])
        total = float(ratios.sum())
        heaviest = f"{100 * float(ratios.max()) / total:.1f} % of all weight" if total > 0 else "–"
        return {
            "exact": number(self._truth.target), "weighted": number(last.weighted),
            "ordinary": plus_minus(last.ordinary, last.error), "per decision": number(last.per_decision),
            "effective episodes": f"{number(last.effective, 3)} of {number(last.episode)}",
            "count for nothing": f"{100 * float((ratios == 0).mean()):.1f} %", "heaviest episode": heaviest,
        }  # fmt: skip

    def _show_weights(self) -> None:
        ratios = np.array([one.ratio for one in self._told])
        order = np.argsort(-ratios, kind="stable")[:MOST_WEIGHTS]
        total = float(ratios.sum())
        lines = [
            Bar(
                f"episode {self._told[k].episode}", ((float(ratios[k] / total), "series.0"),),
                f"{100 * float(ratios[k]) / total:.1f} %, return {number(self._told[k].value)}",
            )
            for k in order.tolist() if ratios[k] > 0
        ]  # fmt: skip
        self.weights.set_bars(lines)
