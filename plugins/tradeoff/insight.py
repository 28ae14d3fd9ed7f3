"""The right column: what the points say, how each number is worked out, the point chosen, and the cost."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QLabel, QWidget

from studio.ml.evaluation.points import GUIDANCES, Point
from studio.ui.cards import Facts, FormulaCard
from studio.ui.panel_layout import PanelLayout
from studio_plugins.tradeoff.finding import finding
from studio_plugins.tradeoff.words import NAMES, percent, words

_GUIDANCE = (
    '<span style="font-size:13px">ε̂ = ε(x|∅) + <i>s</i>·(ε(x|y) − ε(x|∅))<br>'
    "ε̂ = ε − <i>s</i>·√(1−ᾱ)·∇ log p(y|x<sub>t</sub>)<br>"
    "ε̂ = ε − <i>s</i>·√(1−ᾱ)·∇ τ <i>f</i>(x<sub>t</sub>)·<i>g</i>(c)</span>"
)
_GUIDANCE_NOTE = (
    "Classifier-free, classifier and CLIP guidance. s = 1 is unguided for the first, s = 0 for the others. τ is CLIP’s "
    "logit scale."
)
_MEASURES = (
    '<span style="font-size:13px">right = pictures as asked / N<br>'
    "Fréchet = |μ−μ<sub>r</sub>|² + tr(Σ+Σ<sub>r</sub>−2(ΣΣ<sub>r</sub>)<sup>½</sup>)<br>"
    "diversity = mean ‖φ<sub>i</sub>−φ<sub>j</sub>‖ within a prompt<br>"
    "CLIP score = mean <i>f</i>(x)·<i>g</i>(c)</span>"
)
_NUMBERS = (
    '<span style="font-size:13px">right = $right / $pictures = $share<br>Fréchet = $frechet<br>'
    "diversity = $diversity<br>CLIP score = $score</span>"
)
_MEASURES_NOTE = (
    "φ are the oracle’s features; μ, Σ their mean and covariance, with r of true scenes of the same prompts. Few "
    "pictures make the Fréchet distance too large by the same amount everywhere: compare it within a sweep only."
)
_TIPS = {
    "interval": "95 % interval of the share of right pictures (Wilson)",
    "CLIP score": "Mean cosine between picture and prompt at t = 0, plus or minus its standard error",
    "per picture": "Time to draw one picture of this point",
}


class Insight(QWidget):
    """Builds its sections into a PanelLayout."""

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self._sentence = QLabel(zones)
        self._sentence.setWordWrap(True)
        zones.add_insight("What the points say", self._sentence)
        self._point = Facts(zones)
        zones.add_insight("Point chosen", self._point)
        self._measures = FormulaCard(_MEASURES, _NUMBERS, _MEASURES_NOTE, zones)
        zones.add_insight("How it is measured", self._measures)
        zones.add_insight("Guidances", FormulaCard(_GUIDANCE, "", _GUIDANCE_NOTE, zones))
        self._cost = Facts(zones)
        zones.add_insight("Cost", self._cost)
        self.show_points([], 0.0)
        self.show_point(None)

    def sentence(self) -> str:
        """What the points say, as shown."""
        return self._sentence.text()

    def show_points(self, points: Sequence[Point], seconds: float) -> None:
        """The finding and the cost of the points so far; `seconds` is 0 while they are being drawn."""
        self._sentence.setText(finding(points).sentence)
        facts = {"points": str(len(points))}
        for kind in ("unguided", *GUIDANCES):
            own = [point for point in points if point.kind == kind]
            if any(point.seconds for point in own):
                drawn = sum(point.pictures for point in own)
                facts[NAMES[kind]] = f"{1000 * sum(point.seconds for point in own) / drawn:.0f} ms a picture"
        if seconds:
            facts["in all"] = f"{seconds:.0f} s"
        self._cost.set_facts(facts)

    def show_point(self, point: Point | None, shown: int = 0) -> None:
        """The numbers of one point, `shown` of whose pictures are there to see; None while none is chosen."""
        if point is None:
            self._point.set_facts({"point": "click one in a plot"})
            self._measures.set_numbers({})
            return
        low, high = point.interval
        pictures = str(point.pictures) if shown == point.pictures else f"{point.pictures}, the first {shown} shown"
        facts = {"point": words(point), "pictures": pictures, "right": percent(point.accuracy)}
        facts |= {"interval": f"{percent(low)} to {percent(high)}", "Fréchet distance": f"{point.frechet:.2f}"}
        facts["diversity"] = f"{point.diversity:.3f}"
        if point.clip_score is not None:
            facts["CLIP score"] = f"{point.clip_score:.3f} ± {point.clip_error or 0:.3f}"
        if point.seconds:
            facts["per picture"] = f"{1000 * point.seconds / point.pictures:.0f} ms"
        self._point.set_facts(facts, _TIPS)
        self._measures.set_numbers(
            {
                "right": point.right,
                "pictures": point.pictures,
                "share": percent(point.accuracy),
                "frechet": point.frechet,
                "diversity": point.diversity,
                "score": "–" if point.clip_score is None else point.clip_score,
            }
        )
