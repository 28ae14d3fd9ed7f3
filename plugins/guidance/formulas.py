"""The three guidances as formulas, with the numbers of one step in them."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from types import MappingProxyType
from typing import NamedTuple

from PySide6.QtWidgets import QWidget

from studio.ui.cards import FormulaCard
from studio_plugins.guidance.trajectory import SCORES, TERMS, Step

_PULL = "√(1−ᾱ)·<i>s</i>·‖∇‖ = $noise · $scale · $bare = $term</span>"
_STYLE = '<span style="font-size:13px">'


class Formula(NamedTuple):
    """Symbols, the line with numbers, and a remark, as FormulaCard takes them."""

    symbols: str
    numbers: str
    note: str


FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "": Formula(
            f"{_STYLE}ε̂ = ε(x|y)</span>", f"{_STYLE}‖ε̂‖ = $base</span>",
            "No guidance acts at this step: the network's own prediction is used.",
        ),
        "classifier-free": Formula(
            f"{_STYLE}ε̂ = ε(x|∅) + <i>s</i>·(ε(x|y) − ε(x|∅))</span>",
            f"{_STYLE}‖ε(x|∅)‖ = $base<br><i>s</i>·‖Δ‖ = $scale · $bare = $term</span>",
            "Here s = 1 is unguided and s = 0 ignores the prompt. Δ = ε(x|y) − ε(x|∅).",
        ),
        "classifier": Formula(
            f"{_STYLE}μ̂ = μ + <i>s</i>·Σ·∇ log <i>p</i>(y|x<sub>t</sub>)</span>",
            f"{_STYLE}<i>p</i>(y|x<sub>t</sub>) = $score<br>{_PULL}",
            "Here s = 0 is unguided. DDPM shifts μ so; DDIM and DPM-Solver++ shift ε by −√(1 − ᾱ)·s·∇, which is shown.",
        ),
        "clip": Formula(
            f"{_STYLE}μ̂ = μ + <i>s</i>·Σ·∇ <i>f</i>(x<sub>t</sub>)·<i>g</i>(c)</span>",
            f"{_STYLE}cosine <i>f</i>·<i>g</i> = $score<br>{_PULL}",
            "Here s = 0 is unguided. ∇ includes CLIP's learned factor on the cosine. ε is shifted by −√(1 − ᾱ)·s·∇.",
        ),
        "clip-x0": Formula(
            f"{_STYLE}μ̂ = μ + <i>s</i>·Σ·∇ <i>f</i>(x₀(x<sub>t</sub>))·<i>g</i>(c)</span>",
            f"{_STYLE}cosine <i>f</i>(x₀)·<i>g</i> = $score<br>{_PULL}",
            "CLIP sees the predicted clean picture; the gradient runs back through the denoiser. s = 0 is unguided.",
        ),
    }
)  # fmt: skip
_SCORE_OF = {"classifier": "classifier", "clip": "clip", "clip-x0": "clip-clean"}


class Formulas(QWidget):
    """A card for each guidance that acts at the step shown; `cards` maps terms ("" for none) to them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.hide()  # only the owner of the cards, which stand in a section
        self.cards = {name: FormulaCard(*formula, parent) for name, formula in FORMULAS.items()}

    def show_step(self, step: Step | None, picture: int, terms: tuple[str, ...]) -> None:
        """Numbers of a step of one picture; without a step, the formulas of `terms` alone."""
        acting = step.acting if step is not None else terms
        for name, card in self.cards.items():
            card.setVisible(name in acting or (not name and not acting))
            card.set_numbers({} if step is None else numbers(name, step, picture))


def numbers(term: str, step: Step, picture: int) -> dict[str, float | str]:
    """Today's numbers of a formula. bare: the term's length without its scale and, of gradients, without √(1 − ᾱ)."""
    norms = step.norms()[:, picture]
    found: dict[str, float | str] = {"base": float(norms[0])}
    if not term:
        return found
    i = TERMS.index(term)
    scale, noise = float(step.scales[i]), 1.0 if term == "classifier-free" else sqrt(1 - step.alpha_bar)
    length = float(norms[1 + i])
    bare = length / (scale * noise) if scale * noise else float("nan")
    found |= {"term": length, "scale": scale, "noise": noise, "bare": bare}
    if term in _SCORE_OF:
        score = float(step.scores[SCORES.index(_SCORE_OF[term]), picture])
        found["score"] = score if score == score else "not scored"
    return found
