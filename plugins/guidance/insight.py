"""The right column: the formulas with today's numbers, terms and scores step by step, and what each column costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from PySide6.QtWidgets import QComboBox, QLabel, QWidget

from studio.ui.cards import Facts
from studio.ui.curves import Curves
from studio.ui.panel_layout import PanelLayout
from studio_plugins.guidance.cost_table import CostTable
from studio_plugins.guidance.formulas import Formulas
from studio_plugins.guidance.on_stage import Found
from studio_plugins.guidance.titles import SCORE_TITLES, SHORT
from studio_plugins.guidance.trajectory import SCORES, TERMS, Step, Steps

_TIPS = {
    "t": "The original time step the network was told, 999 (noise) to 0 (picture)",
    "signal share ᾱ": "x_t = √ᾱ · x₀ + √(1 − ᾱ) · noise",
    "‖base‖₂": "Length of the prediction the terms are added to: ε(x|∅) under classifier-free guidance, ε(x|y) without",
    "‖base + terms‖₂": "Length of ε with all guidance, before the sampler clamps x₀",
}
_SCORE_TIPS = {
    "clip": "How well CLIP, which knows noise, finds xₜ described by the prompt; CLIP guidance climbs it.",
    "clip-clean": "How well CLIP finds the predicted picture x₀ described by the prompt.",
    "classifier": "The classifier's probability of the class the prompt names, at xₜ.",
    "oracle": "How sure an independent network is that x₀ shows the things asked for. It guides nothing.",
}


Series = tuple[list[int], list[float]]
"""Steps, counted from 1, and values."""


class Insight(QWidget):
    """Builds its sections into a PanelLayout; `show_columns` and `show_step` follow the columns."""

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self.formulas = Formulas(zones)
        self.facts = Facts(zones)
        first, *others = self.formulas.cards.values()
        section = zones.add_insight("Guidance at this step", first)
        for card in (*others, self.facts):
            section.add(card)
        self.norms = Curves("step", "‖term‖₂", zones, log_y=True)
        self._none = QLabel("No guidance acts in this column.", zones)
        self._none.setProperty("tone", "faint")
        self.cosines = Curves("step", "cosine", zones)
        terms = zones.add_insight("Terms of this column", self.norms)
        terms.add(self.cosines)
        terms.add(self._none)
        self.score = QComboBox(zones)
        for name in SCORES:
            self.score.addItem(SCORE_TITLES[name], name)
        self.score.setCurrentIndex(SCORES.index("oracle"))
        self.score.setAccessibleName("Which score is drawn")
        self.score.currentIndexChanged.connect(lambda _index: self._draw_scores())
        self.scores = Curves("step", "score", zones)
        self._who = QLabel(zones)
        self._who.setProperty("tone", "faint")
        self._who.setWordWrap(True)
        scored = zones.add_insight("Scores of all columns", self.score)
        scored.add(self.scores)
        scored.add(self._who)
        self.costs = CostTable(zones)
        note = QLabel("Counted, then measured; each × is against the unguided run. Scores are not counted.", zones)
        note.setProperty("tone", "faint")
        note.setWordWrap(True)
        cost = zones.add_insight("Cost", self.costs)
        cost.add(note)
        self._columns: list[tuple[str, Steps]] = []
        self._picture = 0

    def show_columns(self, titles: Sequence[str], found: Sequence[Found], chosen: int, picture: int) -> None:
        """The curves and costs of all columns; the terms are those of the chosen one."""
        self._columns = [(title, there.steps) for title, there in zip(titles, found, strict=True)]
        self._picture = picture
        self._draw_terms(found[chosen].steps)
        self._draw_scores()
        costs = [there.run.cost if there.run is not None and there.whole else None for there in found]
        plain = (c.seconds for c in costs if c is not None and abs(c.times - 1) < 1e-9)
        self.costs.set_costs(titles, costs, next(plain, None))

    def show_step(self, step: Step | None, picture: int, terms: tuple[str, ...]) -> None:
        """The numbers of one step of the chosen column."""
        self.formulas.show_step(step, picture, terms)
        facts: dict[str, str] = {}
        if step is not None:
            facts = {
                "step": f"{step.index + 1} of {step.total}",
                "t": str(step.t),
                "signal share ᾱ": f"{step.alpha_bar:.4f}",
                "‖base‖₂": f"{step.norms()[0, picture]:.2f}",
                "‖base + terms‖₂": f"{step.guided_norm()[picture]:.2f}",
            }
        self.facts.set_facts(facts, _TIPS)
        for plot in (self.norms, self.cosines, self.scores):
            plot.mark_x(None if step is None else step.index + 1)

    def _draw_terms(self, steps: Steps) -> None:
        acting = tuple(name for name in TERMS if any(name in step.acting for step in steps))
        x = [step.index + 1 for step in steps]
        n = self._picture
        # a term that does not act has no place on a logarithmic axis
        norms = {SHORT[name]: [step.norms()[1 + TERMS.index(name), n] or np.nan for step in steps] for name in acting}
        cosines = {
            f"{SHORT[first]}, {SHORT[second]}": [step.cosine(first, second)[n] for step in steps]
            for first, second in combinations(acting, 2)
        }
        _draw(self.norms, {name: (x, values) for name, values in norms.items()})
        _draw(self.cosines, {name: (x, values) for name, values in cosines.items()})
        self.cosines.setVisible(any(np.isfinite(values).any() for values in cosines.values()))
        self.norms.setVisible(bool(acting))
        self._none.setVisible(not acting)

    def _draw_scores(self) -> None:
        name = str(self.score.currentData())
        row = SCORES.index(name)
        series: dict[str, Series] = {
            f"{i + 1} {title}": ([s.index + 1 for s in steps], [float(s.scores[row, self._picture]) for s in steps])
            for i, (title, steps) in enumerate(self._columns)
        }
        _draw(self.scores, series)
        some = any(np.isfinite(values).any() for _, values in series.values())
        drawn = any(steps for _, steps in self._columns)
        nobody = "" if some or not drawn else "Nobody here gives this score. "
        self._who.setText(nobody + _SCORE_TIPS[name])


def _draw(plot: Curves, series: Mapping[str, Series]) -> None:
    """Show these series and no others, without what is not known; those that stay are changed in place."""
    if list(plot.data()) != list(series):
        plot.clear()
    for name, points in series.items():
        known = [(x, y) for x, y in zip(*points, strict=True) if np.isfinite(y)]
        plot.set_series(name, [x for x, _ in known], [y for _, y in known])
