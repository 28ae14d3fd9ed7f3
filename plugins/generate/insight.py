"""The right column: the guidance formula with today's numbers, the norms step by step, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan, sqrt
from types import MappingProxyType
from typing import Any

from PySide6.QtWidgets import QLabel, QWidget

from studio.models.guiding import GuidanceKind
from studio.ui.cards import Facts, FormulaCard
from studio.ui.curves import Curves
from studio.ui.panel_layout import PanelLayout
from studio_plugins.generate.choices import GUIDANCES
from studio_plugins.generate.formula import GRADIENTS, SCORES, formula, numbers, reference
from studio_plugins.generate.keeping import sampler_name
from studio_plugins.generate.preparing import settings_of
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.results import Cost
from studio_plugins.generate.sweep import cell_request
from studio_plugins.generate.sweep_request import SweepRequest
from studio_plugins.generate.trajectory import StageName, StepData

TITLES: Mapping[str, str] = MappingProxyType(
    {"cond": "‖ε(x|y)‖", "uncond": "‖ε(x|∅)‖", "difference": "‖difference‖", "cosine": "cosine"}
    | {kind: f"‖{name} term‖" for kind, name in GRADIENTS.items()}
    | {f"{kind} score": score for kind, score in SCORES.items()}
)
_TIPS = {
    "t": "The original time step the network was told, 999 (noise) to 0 (picture)",
    "signal share ᾱ": "x_t = √ᾱ · x₀ + √(1 − ᾱ) · noise",
    "‖ε(x|y)‖₂": "Length of the noise predicted with the prompt",
    "‖ε(x|∅)‖₂": "Length of the noise predicted without it",
    "‖ε(x|n)‖₂": "Length of the noise predicted with the negative prompt",
    "‖difference‖₂": "How much the prompt changes the prediction",
    "cosine": "Of the angle between the two predictions",
    "f(xₜ)·g(y)": "Cosine between CLIP's embeddings of the noisy picture and of the prompt",
    "f(x₀)·g(y)": "Cosine between CLIP's embeddings of the predicted picture and of the prompt",
    "log p(class|xₜ)": "0 is certainty; what classifier guidance climbs",
    "pure noise √n": "Expected length of standard normal noise with as many numbers as the picture",
    "evaluations": "Evaluations of the networks that draw, per picture",
    "gradients": "Gradients through the networks that guide, per picture",
}
_SCALES: Mapping[GuidanceKind, str] = MappingProxyType(
    {
        "classifier-free": "guidance scale",
        "clip": "CLIP scale",
        "clip-x0": "CLIP scale",
        "classifier": "classifier scale",
    }
)
_NO_CURVES = "The curves appear while a picture is drawn."
_NO_PREDICTIONS = "A public model shows its pictures, not its predictions: of these there are no lengths to draw."


class Insight(QWidget):
    """Builds its sections into a PanelLayout and follows the run shown; curves and formula are those of one stage."""

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self._formula = FormulaCard("", parent=zones)
        self.norms = Curves("step", "‖ε‖₂", zones)
        self.cosine = Curves("step", "cosine", zones, legend=False)
        self.scores = Curves("step", "score", zones)
        self.norms.setMinimumHeight(215)  # room for the label below the axis in every font
        self.cosine.setMinimumHeight(165)
        self.scores.setMinimumHeight(185)
        self._step = Facts(zones)
        self._cost = Facts(zones)
        section = zones.add_insight("Guidance", self._formula)
        section.add(self._step)
        self._no_curves = QLabel(_NO_CURVES, zones)
        self._no_curves.setProperty("tone", "faint")
        self._no_curves.setWordWrap(True)
        curves = zones.add_insight("Step by step", self._no_curves)
        for plot in self._plots:
            curves.add(plot)
        zones.add_insight("Cost", self._cost)
        self._request = GenerateRequest()
        self._stage: StageName = "base"
        self._points: dict[StageName, dict[str, tuple[list[float], list[float]]]] = {}
        self.clear()

    @property
    def _plots(self) -> tuple[Curves, ...]:
        return self.norms, self.cosine, self.scores

    def begin(self, request: GenerateRequest) -> None:
        """A new run: forget the curves of the one before."""
        self._request = request
        self.clear()

    def clear(self) -> None:
        """Nothing is shown yet."""
        self._forget_curves()
        self._show_formula("base")
        self._step.set_facts({})
        self.show_time(0, 0.0)

    def begin_sweep(self, request: SweepRequest) -> None:
        """A grid: the numbers differ from cell to cell."""
        self.begin(request.base)
        self._no_curves.setText("A grid has no curves of its own: use the settings of a cell and draw it alone.")
        self.show_cell(cell_request(request, 0))

    def show_cell(self, request: GenerateRequest) -> None:
        """The settings of one cell of a grid."""
        self._request = request
        self._show_formula("base")
        facts = {"prompt": request.condition.strip() or "none"}
        if request.kinds:
            facts["guidance"] = GUIDANCES[request.guidance]
        facts |= {_SCALES[kind]: f"{strength.value:g}" for kind, strength in settings_of(request).strengths.items()}
        facts |= {"sampler": sampler_name(request), "steps": str(request.steps), "seed": str(request.seed)}
        if request.upsampled:
            facts["up-sampling"] = request.upsample
        self._step.set_facts(facts)

    def show_grid_cost(self, pictures: int, cost: Cost) -> None:
        """What a finished grid has cost."""
        facts = {"pictures": str(pictures), "evaluations": str(cost.evaluations)}
        facts |= {"gradients": str(cost.gradients)} if cost.gradients else {}
        facts |= {"time": f"{cost.seconds:.1f} s", "per picture": f"{cost.seconds / max(1, pictures):.2f} s"}
        self._cost.set_facts(facts, _TIPS)

    def add_point(self, series: str, step: float, value: float) -> None:
        """One more point of a curve; series of the second stage begin with its name."""
        stage: StageName = "upsample" if series.startswith("upsample ") else "base"
        name = series.removeprefix("upsample ")
        if name not in TITLES:
            return
        xs, ys = self._points.setdefault(stage, {}).setdefault(name, ([], []))
        xs.append(step)
        ys.append(value)
        if stage == self._stage:
            plot = self._plot_of(name)
            plot.append(self._title(name), step, value)
            plot.show()
            self._no_curves.hide()

    def show_curves(self, steps: list[StepData]) -> None:
        """The curves of a whole run read back from disk."""
        self._forget_curves()
        for step in steps:
            mark = "" if step.stage == "base" else f"{step.stage} "
            for name, value in step.numbers().items():
                self.add_point(mark + name, step.index + 1, value)

    def show_step(self, step: StepData, picture: int | None = None) -> None:
        """The numbers of one step: of one picture, or the mean over the batch; the curves of its stage."""
        if step.stage != self._stage:
            self._show_stage(step.stage)
        facts = {"step": f"{step.index + 1} of {step.total}", "t": str(step.t)}
        if not isnan(step.alpha_bar):
            facts |= {"signal share ᾱ": f"{step.alpha_bar:.4f}"}
        for name, value in step.numbers(picture).items():
            plain = name == "cosine" or name.endswith(" score")
            facts[self._title(name) + ("" if plain else "₂")] = f"{value:.4f}" if plain else f"{value:.2f}"
        if step.x_t is not None:
            facts |= {"pure noise √n": f"{sqrt(step.x0[0].size):.2f}"}
        self._step.set_facts(facts, _TIPS)
        self._formula.set_numbers(numbers(self._request, step, picture))
        batch = step.norms.shape[1]
        note = formula(self._request, step.stage).note
        averaged = picture is None and batch > 1 and not self._request.public
        self._formula.set_note(f"{note} Mean of {batch} pictures." if averaged else note)
        for plot in self._plots:
            plot.mark_x(step.index + 1)

    def show_time(self, steps: int, seconds: float) -> None:
        """How long the run has taken so far."""
        facts = {"time": f"{seconds:.2f} s" if seconds else "–"}
        facts["per step"] = f"{1000 * seconds / steps:.0f} ms" if steps and seconds else "–"
        self._cost.set_facts(facts, _TIPS)

    def show_cost(self, request: GenerateRequest, cost: Cost, provenance: Mapping[str, Any]) -> None:
        """What a finished run has cost."""
        first = cost.seconds - cost.upsample_seconds
        facts = {"evaluations": _evaluations(request, cost)}
        facts |= {"gradients": str(cost.gradients)} if cost.gradients else {}
        facts["time"] = f"{cost.seconds:.2f} s" if cost.seconds else "–"
        if cost.upsample_steps:
            facts["first stage"] = f"{cost.steps} steps, {first:.2f} s"
            facts["second stage"] = f"{cost.upsample_steps} steps, {cost.upsample_seconds:.2f} s"
        elif cost.steps and first:
            facts["per step"] = f"{1000 * first / cost.steps:.0f} ms"
            if request.batch > 1:
                facts["per step and picture"] = f"{1000 * first / cost.steps / request.batch:.0f} ms"
        facts |= {"class": str(provenance["class"])} if "class" in provenance else {}
        facts |= {"model family": str(provenance["family"])} if "family" in provenance else {}
        device = ", ".join(str(provenance[key]) for key in ("device", "dtype") if key in provenance)
        self._cost.set_facts(facts | ({"device": device} if device else {}), _TIPS)

    def _show_formula(self, stage: StageName) -> None:
        self._stage = stage
        shown = formula(self._request, stage)
        self._formula.set_formula(shown.symbols, shown.numbers)
        self._formula.set_note(shown.note)

    def _show_stage(self, stage: StageName) -> None:
        """Formula and curves of another stage."""
        self._show_formula(stage)
        for plot in self._plots:
            plot.clear()
            plot.hide()
        for name, (xs, ys) in self._points.get(stage, {}).items():
            plot = self._plot_of(name)
            plot.set_series(self._title(name), xs, ys)
            plot.show()

    def _plot_of(self, name: str) -> Curves:
        return self.cosine if name == "cosine" else self.scores if name.endswith(" score") else self.norms

    def _title(self, name: str) -> str:
        """The name of a series, with what guidance leads away from."""
        return TITLES[name].replace("∅", reference(self._request))

    def _forget_curves(self) -> None:
        self._points = {}
        for plot in self._plots:
            plot.clear()
            plot.hide()
        self._no_curves.setText(_NO_PREDICTIONS if self._request.public else _NO_CURVES)
        self._no_curves.show()


def _evaluations(request: GenerateRequest, cost: Cost) -> str:
    """How often the drawing networks ran; as steps × branches where that is all there is to it."""
    each = request.evaluations_per_step
    if not cost.upsample_steps and cost.steps * each == cost.evaluations:
        return f"{cost.steps} × {each} = {cost.evaluations}"
    return str(cost.evaluations)
