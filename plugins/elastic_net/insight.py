"""The right column: the objective with today's numbers, the fit, the coefficient chosen, the data."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QWidget

from studio.ml.linear.loss import gradient, mean_loss
from studio.ui.cards import Facts, FormulaCard
from studio.ui.panel_layout import PanelLayout
from studio_plugins.elastic_net.results import Answer
from studio_plugins.elastic_net.words import EXPLAINED, FAMILY_WORDS, number, penalty_word

_LOSS = {
    "linear": "<sup>1</sup>⁄<sub>2n</sub> ‖y − b − Xw‖²",
    "logistic": "<sup>1</sup>⁄<sub>n</sub> Σ log(1 + e<sup>η</sup>) − yη",
    "multinomial": "<sup>1</sup>⁄<sub>n</sub> Σ log Σ<sub>k</sub> e<sup>η<sub>k</sub></sup> − η<sub>y</sub>",
}
_PENALTY = "λ(α‖w‖₁ + <sup>1 − α</sup>⁄<sub>2</sub>‖w‖²)"
_NUMBERS = "$loss + $lambda·($alpha·$l1 + $half·$l2)<br>= $loss + $penalty = $total"
_KKT = (
    "w<sub>j</sub> ≠ 0: &nbsp;−∂L/∂w<sub>j</sub> = λα·sign(w<sub>j</sub>) + λ(1−α)w<sub>j</sub><br>"
    "w<sub>j</sub> = 0: &nbsp;|∂L/∂w<sub>j</sub>| ≤ λα"
)
_TIPS = {
    "KKT violation": "How far the conditions of optimality are from holding, in units of the gradient; 0 is optimal",
    "in scikit-learn": "ElasticNet(alpha=λ, l1_ratio=α) or LogisticRegression(C=1/(nλ), l1_ratio=α)",
    "enters at": "The largest λ of the path at which this coefficient is not zero",
    "truth": "The coefficient that made the response, for the scaled feature",
    "raw": "Change of the predictor for one unit of the feature as it came",
    "scaled": "Change of the predictor for one standard deviation of the feature",
}


class Insight(QWidget):
    """Builds its sections into a PanelLayout."""

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self._objective = FormulaCard(f"{_LOSS['linear']}<br>+ {_PENALTY}", _NUMBERS, parent=zones)
        zones.add_insight("What is minimised", self._objective)
        self._fit = Facts(zones)
        zones.add_insight("Fit at this λ", self._fit)
        self._feature = Facts(zones)
        zones.add_insight("Coefficient chosen", self._feature)
        self._kkt = FormulaCard(
            _KKT,
            "$left $relation $right",
            "Optimal where this holds for every coefficient (Karush–Kuhn–Tucker).",
            zones,
        )
        zones.add_insight("Why it is there", self._kkt)
        self._data = Facts(zones)
        zones.add_insight("Data", self._data)
        self._fit.set_facts({"fit": "choose data first"})
        self._data.set_facts({"data": "none yet"})
        self._answer: Answer | None = None
        self._family = ""
        self.show_feature(-1)

    def show_answer(self, answer: Answer, feature: int) -> None:
        """The numbers of a fit, and those of one of its features."""
        self._answer = answer
        self._show_objective(answer)
        self._show_fit(answer)
        self._show_data(answer)
        self.show_feature(feature)

    def show_feature(self, feature: int) -> None:
        """One coefficient of the fit; -1 none."""
        answer = self._answer
        if answer is None or not 0 <= feature < answer.problem.p:
            self._feature.set_facts({"coefficient": "click a curve"})
            self._kkt.set_numbers({})
            return
        problem, k = answer.problem, answer.output
        w = float(answer.fit.coef[k, feature])
        facts = {"feature": problem.names[feature], "scaled": number(w)}
        facts["raw"] = number(float(answer.fit.raw(problem)[0][k, feature]))
        if answer.known.truth is not None:
            facts["truth"] = number(float(answer.known.truth[k, feature]))
        used = np.flatnonzero(answer.known.path.coef[:, k, feature])
        facts["enters at"] = (
            f"λ = {number(float(answer.known.path.strengths[used[0]]))}" if len(used) else "not on this path"
        )
        self._feature.set_facts(facts, _TIPS)
        slope = float(gradient(problem, answer.fit)[0][k, feature])
        penalty = answer.penalty
        pull = number(-slope) if w else number(abs(slope))
        right = number(penalty.l1 * np.sign(w) + penalty.l2 * w) if w else number(penalty.l1)
        self._kkt.set_numbers({"left": pull, "relation": "=" if w else "≤", "right": right})

    def fact(self, name: str) -> str:
        """A fact of the fit, as shown. Raises KeyError."""
        return self._fit.fact(name)

    def _show_objective(self, answer: Answer) -> None:
        problem, penalty, w = answer.problem, answer.penalty, answer.fit.coef
        if problem.family != self._family:
            self._family = problem.family
            self._objective.set_formula(f"{_LOSS[problem.family]}<br>+ {_PENALTY}", _NUMBERS)
        loss, cost = mean_loss(problem, answer.fit), penalty.value(w)
        values = {
            "loss": loss, "lambda": penalty.strength, "alpha": penalty.mix, "l1": float(np.abs(w).sum()),
            "half": (1 - penalty.mix) / 2, "l2": float(np.square(w).sum()), "penalty": cost, "total": loss + cost,
        }  # fmt: skip
        self._objective.set_numbers(values)

    def _show_fit(self, answer: Answer) -> None:
        problem, penalty = answer.problem, answer.penalty
        used = int(answer.fit.coef.any(axis=0).sum())
        names = penalty.in_scikit_learn(problem.family, problem.n)
        self._fit.set_facts(
            {
                "penalty": f"{penalty_word(penalty.mix)}, λ = {number(penalty.strength)}",
                "features used": f"{used} of {problem.p}",
                EXPLAINED[problem.family]: f"{100 * answer.explained:.1f} %",
                "KKT violation": f"{answer.violation:.1e}",
                "in scikit-learn": ", ".join(f"{name}={value:.4g}" for name, value in names.items()),
            },
            _TIPS,
        )

    def _show_data(self, answer: Answer) -> None:
        problem = answer.problem
        facts = {"model": FAMILY_WORDS[problem.family], "rows": f"{problem.n:,}", "features": f"{problem.p:,}"}
        if problem.classes:
            counts = np.bincount(problem.y.astype(int), minlength=len(problem.classes))
            facts["classes"] = ", ".join(
                f"{name} ({count})" for name, count in zip(problem.classes, counts, strict=True)
            )
        if problem.notes:
            shown = problem.notes[:6]
            facts["left out"] = "; ".join(shown) + (
                f"; and {len(problem.notes) - 6} more" if len(problem.notes) > 6 else ""
            )
        self._data.set_facts(facts)
