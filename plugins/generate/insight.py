"""The right column: the guidance formula with today's numbers, the norms step by step, and what it cost."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QLabel, QWidget

from studio.ui.cards import Facts, FormulaCard
from studio.ui.curves import Curves
from studio.ui.panel_layout import PanelLayout
from studio_plugins.generate.request import SAMPLERS, GenerateRequest, SweepRequest
from studio_plugins.generate.sweep import cell_request
from studio_plugins.generate.trajectory import SERIES, StepData

TITLES = {"cond": "‖ε(x|y)‖", "uncond": "‖ε(x|∅)‖", "difference": "‖difference‖", "cosine": "cosine"}
# 13 px: the formula is to stay on one line in a narrow column.
_FORMULA = '<span style="font-size:13px; white-space:nowrap">ε̂ = ε(x|∅) + <i>s</i>·(ε(x|y) − ε(x|∅))</span>'
_NUMBERS = (
    '<span style="font-size:13px">‖ε̂‖ = $guided<br>‖ε(x|∅)‖ = $uncond<br>'
    "<i>s</i>·‖Δ‖ = $scale · $difference = $pull</span>"
)
_PLAIN = "‖ε(x|∅)‖ = $uncond"
_NOTE = "Δ = ε(x|y) − ε(x|∅); lengths are Euclidean, over all pixels and channels."
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
        self._formula = FormulaCard(_FORMULA, _NUMBERS, _NOTE, zones)
        self._plain = FormulaCard("ε̂ = ε(x|∅)", _PLAIN, "Without a prompt there is nothing to guide towards.", zones)
        self._plain.hide()
        self.norms = Curves("step", "‖ε‖₂", zones)
        self.cosine = Curves("step", "cosine", zones, legend=False)
        self.norms.setMinimumHeight(215)  # room for the label below the axis in every font
        self.cosine.setMinimumHeight(165)
        self._step = Facts(zones)
        self._cost = Facts(zones)
        section = zones.add_insight("Guidance", self._formula)
        section.add(self._plain)
        section.add(self._step)
        self._no_curves = QLabel("The curves appear while a picture is drawn.", zones)
        self._no_curves.setProperty("tone", "faint")
        self._no_curves.setWordWrap(True)
        curves = zones.add_insight("Step by step", self._no_curves)
        curves.add(self.norms)
        curves.add(self.cosine)
        zones.add_insight("Cost", self._cost)
        self._request: GenerateRequest | None = None
        self.clear()

    def begin(self, request: GenerateRequest) -> None:
        """A new run: forget the curves of the one before."""
        self.clear()
        self._request = request
        self._formula.setVisible(not request.unconditional)
        self._plain.setVisible(request.unconditional)
        self.show_cost(request, 0, 0.0, "")

    def clear(self) -> None:
        """Nothing is shown yet."""
        self._request = None
        self._forget_curves()
        self._formula.set_numbers({})
        self._formula.set_note(_NOTE)
        self._plain.set_numbers({})
        self._step.set_facts({})
        self.show_cost(None, 0, 0.0, "")

    def begin_sweep(self, request: SweepRequest) -> None:
        """A grid: the formula stays, the numbers differ from cell to cell."""
        self.clear()
        self._formula.show()
        self._plain.hide()
        self._no_curves.setText("A grid has no curves of its own: use the settings of a cell and draw it alone.")
        self.show_cell(cell_request(request, 0))

    def show_cell(self, request: GenerateRequest) -> None:
        """The settings of one cell of a grid."""
        self._step.set_facts(
            {
                "prompt": request.prompt.strip() or "none",
                "guidance scale": f"{request.guidance_scale:g}",
                "sampler": SAMPLERS[request.sampler],
                "steps": str(request.steps),
                "seed": str(request.seed),
            }
        )

    def show_grid_cost(self, request: SweepRequest, seconds: float) -> None:
        """What a finished grid has cost."""
        cells = [cell for _, _, cell in request.cells()]
        evaluations = sum(cell.steps * cell.evaluations_per_step for cell in cells)
        facts = {"pictures": str(len(cells)), "evaluations": str(evaluations), "time": f"{seconds:.1f} s"}
        self._cost.set_facts({**facts, "per picture": f"{seconds / len(cells):.2f} s"}, _TIPS)

    def add_point(self, series: str, step: float, value: float) -> None:
        """One more point of a curve."""
        if self.norms.isHidden():
            self._show_curve_widgets(True)
        if series == "cosine":
            self.cosine.append(TITLES[series], step, value)
        elif series in TITLES:
            self.norms.append(TITLES[series], step, value)

    def show_curves(self, steps: list[StepData]) -> None:
        """The curves of a whole run read back from disk."""
        self._forget_curves()
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
        facts = {"step": f"{step.index + 1} of {step.total}", "t": str(step.t)}
        facts |= {"signal share ᾱ": f"{step.alpha_bar:.4f}"}
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
            self._formula.set_note(f"{_NOTE} Mean of {batch} pictures." if picture is None and batch > 1 else _NOTE)
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

    def _forget_curves(self) -> None:
        self.norms.clear()
        self.cosine.clear()
        self._no_curves.setText("The curves appear while a picture is drawn.")
        self._show_curve_widgets(False)

    def _show_curve_widgets(self, shown: bool) -> None:
        self._no_curves.setVisible(not shown)
        for plot in (self.norms, self.cosine):
            plot.setVisible(shown)


def guided_norms(norms: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """‖ε_u + s d‖ [N] from [4, N]: √(‖u‖² + 2 s (u·c − ‖u‖²) + s² ‖d‖²), where d = c − u, u·c = ‖u‖ ‖c‖ cos."""
    cond, uncond, difference, cosine = norms.astype(np.float64)
    squared = uncond**2 + 2 * scale * (cond * uncond * cosine - uncond**2) + (scale * difference) ** 2
    lengths: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0))
    return lengths
