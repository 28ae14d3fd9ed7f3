"""The right column: the guidance formula with today's numbers, the norms step by step, and what it cost."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QWidget

from studio.ui.cards import Facts, FormulaCard
from studio.ui.curves import Curves
from studio.ui.panel_layout import PanelLayout
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.trajectory import SERIES, StepData

TITLES = {"cond": "‖ε(x|y)‖", "uncond": "‖ε(x|∅)‖", "difference": "‖difference‖", "cosine": "cosine"}
_FORMULA = "ε̂ = ε(x|∅) + <i>s</i>·(ε(x|y) − ε(x|∅))"
_NUMBERS = "‖ε̂‖ = $guided<br>‖ε(x|∅)‖ = $uncond<br><i>s</i>·‖ε(x|y) − ε(x|∅)‖ = $scale · $difference = $pull"
_PLAIN = "‖ε(x|∅)‖ = $uncond"
_TIPS = {
    "t": "The original time step the network was told, 999 (noise) to 0 (picture)",
    "signal share ᾱ": "x_t = √ᾱ · x₀ + √(1 − ᾱ) · noise",
    "‖ε(x|y)‖₂": "Length of the noise predicted with the prompt",
    "‖ε(x|∅)‖₂": "Length of the noise predicted without it",
    "‖difference‖₂": "How much the prompt changes the prediction",
    "cosine": "Of the angle between the two predictions",
    "pure noise √n": "Expected length of standard normal noise with as many numbers as the picture",
    "evaluations": "Network evaluations per picture: steps × branches",
}


class Insight(QWidget):
    """Builds its sections into a PanelLayout and follows the run shown."""

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self._formula = FormulaCard(_FORMULA, _NUMBERS, "Lengths are Euclidean, over all pixels and channels.", zones)
        self._plain = FormulaCard("ε̂ = ε(x|∅)", _PLAIN, "Without a prompt there is nothing to guide towards.", zones)
        self._plain.hide()
        self.norms = Curves("step", "‖ε‖₂", zones)
        self.cosine = Curves("step", "cosine", zones, legend=False)
        self._step = Facts(zones)
        self._cost = Facts(zones)
        section = zones.add_insight("Guidance", self._formula)
        section.add(self._plain)
        section.add(self._step)
        curves = zones.add_insight("Step by step", self.norms)
        curves.add(self.cosine)
        zones.add_insight("Cost", self._cost)
        self._request: GenerateRequest | None = None
        self._show_no_step()
        self.show_cost(None, 0, 0.0, "")

    def begin(self, request: GenerateRequest) -> None:
        """A new run: forget the curves of the one before."""
        self._request = request
        self.norms.clear()
        self.cosine.clear()
        self._formula.setVisible(not request.unconditional)
        self._plain.setVisible(request.unconditional)
        self._show_no_step()
        self.show_cost(request, 0, 0.0, "")

    def clear(self) -> None:
        """Nothing is shown (a sweep, or no run yet)."""
        self._request = None
        self.norms.clear()
        self.cosine.clear()
        self._show_no_step()

    def add_point(self, series: str, step: float, value: float) -> None:
        """One more point of a curve."""
        if series == "cosine":
            self.cosine.append(TITLES[series], step, value)
        elif series in TITLES:
            self.norms.append(TITLES[series], step, value)

    def show_curves(self, steps: list[StepData]) -> None:
        """The curves of a whole run read back from disk."""
        self.norms.clear()
        self.cosine.clear()
        for step in steps:
            for name in SERIES:
                value = step.mean_norms()[name]
                if value == value:
                    self.add_point(name, step.index + 1, value)

    def show_step(self, step: StepData, picture: int | None = None) -> None:
        """The numbers of one step: of one picture, or the mean over the batch."""
        means = step.mean_norms()
        if picture is not None:
            means = {name: float(value) for name, value in zip(SERIES, step.norms[:, picture], strict=True)}
        cond, uncond, difference, cosine = (means[name] for name in SERIES)
        n = step.x0[0].size
        facts = {"step": f"{step.index + 1} of {step.total}", "t": str(step.t), "signal share ᾱ": f"{step.alpha_bar:.4f}"}
        if cond == cond:
            facts |= {"‖ε(x|y)‖₂": f"{cond:.2f}"}
        facts |= {"‖ε(x|∅)‖₂": f"{uncond:.2f}"}
        if difference == difference:
            facts |= {"‖difference‖₂": f"{difference:.2f}", "cosine": f"{cosine:.4f}"}
        facts |= {"pure noise √n": f"{sqrt(n):.2f}"}
        self._step.set_facts(facts, _TIPS)
        scale = self._request.guidance_scale if self._request else 1.0
        if cond == cond:
            numbers = {"uncond": uncond, "difference": difference, "scale": scale, "pull": scale * difference}
            guided = guided_norms(step.norms, scale)
            numbers["guided"] = float(guided.mean() if picture is None else guided[picture])
            self._formula.set_numbers(numbers)
            batch = step.norms.shape[1]
            about = f"Mean over {batch} pictures." if picture is None and batch > 1 else "Euclidean, over all pixels and channels."
            self._formula.set_note(about)
        else:
            self._plain.set_numbers({"uncond": uncond})
        self.norms.mark_x(step.index + 1)
        self.cosine.mark_x(step.index + 1)

    def show_cost(self, request: GenerateRequest | None, steps: int, seconds: float, device: str) -> None:
        """What the run has cost so far."""
        if request is None:
            self._cost.set_facts({"evaluations": "–", "time": "–", "per step": "–"}, _TIPS)
            return
        facts = {"evaluations": f"{steps} × {request.evaluations_per_step} = {steps * request.evaluations_per_step}"}
        facts["time"] = f"{seconds:.2f} s" if seconds else "–"
        facts["per step"] = f"{1000 * seconds / steps:.0f} ms" if steps and seconds else "–"
        if request.batch > 1 and seconds and steps:
            facts["per step and picture"] = f"{1000 * seconds / steps / request.batch:.0f} ms"
        if device:
            facts["device"] = device
        self._cost.set_facts(facts, _TIPS)

    def _show_no_step(self) -> None:
        self._formula.set_numbers({})
        self._plain.set_numbers({})
        self._step.set_facts({})


def guided_norms(norms: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """‖ε_u + s d‖ [N] from lengths and angle [4, N]: √(‖u‖² + 2 s (u·c − ‖u‖²) + s² ‖d‖²), d = c − u, u·c = ‖u‖ ‖c‖ cos."""
    cond, uncond, difference, cosine = norms.astype(np.float64)
    squared = uncond**2 + 2 * scale * (cond * uncond * cosine - uncond**2) + (scale * difference) ** 2
    return np.sqrt(np.maximum(squared, 0))
