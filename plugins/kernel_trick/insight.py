"""The right column: the kernel of two points two ways, its features, the boundary and its margin, the lift."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QLabel, QWidget

from studio.ui.cards import Facts, FormulaCard
from studio.ui.panel_layout import PanelLayout
from studio_plugins.kernel_trick.request import EDGE
from studio_plugins.kernel_trick.results import Look
from studio_plugins.kernel_trick.words import CLASSES, feature_words, number

_KERNELS = {
    "rbf": ("k(x, z) = e<sup>−γ‖x − z‖²</sup>", "e<sup>−$gamma·$distance</sup> = $kernel"),
    "polynomial": ("k(x, z) = (x·z + c)<sup>d</sup>", "($inner + $offset)<sup>$degree</sup> = $kernel"),
    "linear": ("k(x, z) = x·z", "x·z = $kernel"),
}
_FEATURES = "<br>φ(x)·φ(z) = $featured<br>difference $difference"
_MACHINES = {
    "svm": "f(x) = Σ a<sub>i</sub> k(x<sub>i</sub>, x) + b<br>min ½‖w‖² + C Σ max(0, 1 − y f(x))",
    "ridge": "f(x) = Σ a<sub>i</sub> k(x<sub>i</sub>, x)<br>min Σ (y − f(x))² + λ‖w‖²",
}
_TIPS = {
    "street": "The width 2/‖w‖ between f = −1 and f = 1, in the kernel's space",
    "inside": "Points with y·f(x) < 1: inside the street or beyond it",
    "support vectors": "The points that f is made of; without the others it would be the same",
    "‖w‖": "Length of the weight vector in the kernel's space, √(aᵀKa)",
}


class Insight(QWidget):
    """Builds its sections into a PanelLayout."""

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        symbols, numbers = _KERNELS["rbf"]
        self._kernel = FormulaCard(
            symbols, numbers + _FEATURES, "Point at a cell of the Gram matrix to see its numbers.", zones
        )
        zones.add_insight("A dot product in another space", self._kernel)
        self._features = QLabel(zones)
        self._features.setWordWrap(True)
        zones.add_insight("Its features φ(x)", self._features)
        self._machine = FormulaCard(_MACHINES["svm"], "", parent=zones)
        zones.add_insight("The boundary", self._machine)
        self._facts = Facts(zones)
        zones.add_insight("Today's boundary", self._facts)
        self._point = Facts(zones)
        zones.add_insight("Point", self._point)
        self._features.setText("Take points to see them.")
        self._facts.set_facts({"boundary": "needs points of both classes"})
        self._look: Look | None = None
        self._shown = ("rbf", "svm")
        self.show_pair(-1, -1)

    def show_look(self, look: Look) -> None:
        """The numbers of a look."""
        self._look = look
        shown = (look.kernel.name, look.request.machine)
        if shown != self._shown:
            self._shown = shown
            symbols, numbers = _KERNELS[look.kernel.name]
            self._kernel.set_formula(symbols, numbers + _FEATURES)
            self._machine.set_formula(_MACHINES[look.request.machine])
        self._features.setText(self._feature_text(look))
        self._show_facts(look)
        self.show_pair(-1, -1)

    def show_pair(self, first: int, second: int) -> None:
        """Two points, or one (twice the same), or none (−1)."""
        look = self._look
        known = look is not None and 0 <= first < len(look.points) and 0 <= second < len(look.points)
        if look is None or not known:
            self._kernel.set_numbers({})
            self._point.set_facts({"point": "point at one"})
            return
        x, z = look.points[first], look.points[second]
        exact, featured = float(look.grams.exact[first, second]), float(look.grams.featured[first, second])
        self._kernel.set_numbers(
            {
                "gamma": look.kernel.gamma, "distance": float(np.square(x - z).sum()), "inner": float(x @ z),
                "offset": look.kernel.offset, "degree": look.kernel.degree, "kernel": exact, "featured": featured,
                "difference": number(featured - exact, 2),
            }
        )  # fmt: skip
        self._show_point(look, first, second)

    def _show_point(self, look: Look, first: int, second: int) -> None:
        facts = {"x": _place(look, first)}
        if second != first:
            facts["z"] = _place(look, second)
        elif look.boundary is not None:
            facts["f(x)"] = number(float(look.boundary.values[first]))
            facts["a"] = number(float(look.boundary.dual[first]))
        self._point.set_facts(facts)

    def _feature_text(self, look: Look) -> str:
        if look.kernel.name != "rbf":
            return f"{len(look.monomials)} features: φ(x) = {feature_words(look.monomials)}"
        length = 1 / np.sqrt(2 * look.kernel.gamma)
        return (
            f"Infinitely many. {look.grams.count} random ones stand in for them: cos ω·x and sin ω·x with ω drawn from "
            f"a Gaussian of width √(2γ) = {number(float(np.sqrt(2 * look.kernel.gamma)), 3)}. Length scale "
            f"{number(float(length), 3)}, {number(float(length / EDGE * 50), 2)} % of the plot."
        )

    def _show_facts(self, look: Look) -> None:
        found = look.boundary
        if found is None:
            self._facts.set_facts({"boundary": look.problem})
            return
        facts = {"wrong side": f"{found.wrong} of {len(found.points)} points"}
        if look.request.machine == "svm":
            facts["support vectors"] = str(len(found.support))
            facts["inside"] = f"{found.inside} points"
            facts["street"] = number(found.margin)
        facts["‖w‖"] = number(found.norm)
        facts["b"] = number(found.intercept)
        self._facts.set_facts(facts, _TIPS)

    def fact(self, name: str) -> str:
        """A fact of the boundary, as shown. Raises KeyError."""
        return self._facts.fact(name)

    def numbers(self) -> str:
        """The kernel card's line with numbers, as rich text."""
        return self._kernel.text()


def _place(look: Look, index: int) -> str:
    x, y = look.points[index]
    return f"({number(float(x), 3)}, {number(float(y), 3)}), class {CLASSES[look.labels[index]]}"
