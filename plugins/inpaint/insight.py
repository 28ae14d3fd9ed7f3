"""The right column: what the network sees, guidance in numbers, the seam, the layers."""

from __future__ import annotations

from math import isnan

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.host.pictures import Pixels
from studio.ui import heat
from studio.ui.canvas.document import CanvasDocument
from studio.ui.cards import Facts, FormulaCard
from studio.ui.panel_layout import PanelLayout
from studio.ui.pictures import pixmap_of
from studio.ui.tokens import SPACE_S
from studio_plugins.inpaint.layer_list import LayerList
from studio_plugins.inpaint.painters import Painted
from studio_plugins.inpaint.request import InpaintRequest
from studio_plugins.inpaint.sight import Seen
from studio_plugins.inpaint.versions import Version

_TILE = 76
_TIPS = {
    "region": "The square of the picture that is cut out, in its pixels; its left and top",
    "network": "The size at which the network sees it",
    "scale": "More than 1: the region is made smaller, and what is drawn is enlarged again",
    "drawn": "Cells of the network's picture that it draws; the others it only sees",
    "pasted": "Pixels of the picture that are replaced. All others stay as they are, to the bit",
    "seam error": "Mean difference of the gradients across the border to the picture's own, in levels of 255",
    "seam jump": "Mean step across the border beyond what continues both sides, in levels of 255",
}
_METHODS = {
    "trained": "Trained: the network sees xₜ, the masked picture and the mask, 7 channels.",
    "replace_x0": "x₀ replacement: x̂₀ ← m·x + (1 − m)·x̂₀ at every step, m = 1 where the picture is kept.",
    "replace_x_t": "xₜ replacement: besides, xₜ ← m·(√ᾱₜ·x + √(1 − ᾱₜ)·ε) + (1 − m)·xₜ.",
}
_NOTHING = "Paint over a part of the picture: what the network will see of it appears here."


class Insight(QWidget):
    """Builds its sections into a PanelLayout; `show_…` fill them."""

    def __init__(self, zones: PanelLayout, document: CanvasDocument) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self._nothing = QLabel(_NOTHING, zones)
        self._nothing.setWordWrap(True)
        self._nothing.setProperty("tone", "muted")
        self.sees = Tiles(("masked picture", "drawn", "pasted back"), zones)
        self.facts = Facts(zones)
        section = zones.add_insight("What the network sees", self._nothing)
        section.add(self.sees)
        section.add(self.facts)
        self.layers = LayerList(document, zones)
        layers = zones.add_insight("Layers", self.layers)
        layers.setVisible(not document.is_empty)
        document.resized.connect(lambda: layers.setVisible(not document.is_empty))
        self.formula = FormulaCard("", parent=zones)
        self.step = Facts(zones)
        section = zones.add_insight("Guidance", self.formula)
        section.add(self.step)
        self.seam = Tiles(("drawn", "seam"), zones)
        self.seam_facts = Facts(zones)
        self._seam_note = QLabel("Choose a version: how well it joins its surroundings appears here.", zones)
        self._seam_note.setWordWrap(True)
        self._seam_note.setProperty("tone", "muted")
        section = zones.add_insight("Seam", self._seam_note)
        section.add(self.seam)
        section.add(self.seam_facts)
        self.show_seen(None)
        self.show_seam(None)

    def show_seen(self, seen: Seen | None) -> None:
        """What the network sees, or that nothing is selected."""
        self._nothing.setVisible(seen is None)
        self.sees.setVisible(seen is not None)
        self.facts.setVisible(seen is not None)
        if seen is not None:
            self.sees.show_pictures((seen.masked, seen.drawn, seen.pasted))
            self.facts.set_facts(seen.facts, _TIPS)

    def show_request(self, request: InpaintRequest) -> None:
        """The formula of a run, its numbers still to come."""
        away = "n" if request.negative else "∅"
        if request.scale is None:
            self.formula.set_formula(f"ε̂ = ε(x|{away})")
        else:
            self.formula.set_formula(
                f"ε̂ = ε(x|{away}) + <i>s</i>·(ε(x|y) − ε(x|{away}))", "<i>s</i>·‖Δ‖ = $scale · $difference = $pull"
            )
        difference = f"Δ = ε(x|y) − ε(x|{away}). " if request.scale is not None else ""
        self.formula.set_note(f"{difference}{_METHODS[request.method]}")
        self.step.set_facts({})

    def show_step(self, request: InpaintRequest, step: Painted) -> None:
        """The numbers of a step."""
        if step.guidance is not None and request.scale is not None:
            pull = request.scale * step.guidance
            self.formula.set_numbers({"scale": request.scale, "difference": step.guidance, "pull": pull})
        stage = " of the up-sampler" if step.stage == "upsample" else ""
        self.step.set_facts(
            {"step": f"{step.done} of {step.total}{stage}", "t": f"{step.t:.4g}"},
            {"t": "The time the network was told: 999 is noise, 0 the picture"},
        )

    def show_seam(self, version: Version | None) -> None:
        """How a version joins its surroundings."""
        result = version.result if version is not None else None
        self._seam_note.setVisible(result is None)
        self.seam.setVisible(result is not None)
        self.seam_facts.setVisible(result is not None)
        if result is None or version is None:
            return
        seam = result.filled.seams[version.index]
        high = float(seam.map.max())
        self.seam.show_pictures((result.filled.patches[version.index], heat.paint(seam.map, high)))
        self.seam_facts.set_facts(
            {"seam error": levels(seam.error), "seam jump": levels(seam.jump), "largest": levels(high),
             "drawn in": f"{result.filled.cost.seconds:.2f} s, {result.filled.cost.evaluations:g} evaluations"},
            _TIPS,
        )  # fmt: skip


class Tiles(QWidget):
    """Small pictures side by side, each with a caption."""

    def __init__(self, captions: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pictures: list[QLabel] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        for caption in captions:
            picture, below = QLabel(self), QLabel(caption, self)
            picture.setFixedSize(_TILE, _TILE)
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            picture.setAccessibleName(caption)
            below.setProperty("tone", "faint")
            below.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            column = QVBoxLayout()
            column.setSpacing(2)
            column.addWidget(picture, 0, Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(below)
            row.addLayout(column)
            self._pictures.append(picture)
        row.addStretch(1)

    def show_pictures(self, pictures: tuple[Pixels, ...]) -> None:
        """One for each caption."""
        for label, picture in zip(self._pictures, pictures, strict=True):
            label.setPixmap(pixmap_of(np.ascontiguousarray(picture), _TILE, self.devicePixelRatioF()))


def levels(value: float) -> str:
    """A seam's number for a person."""
    return "not known" if isnan(value) else f"{value:.2f}"
