"""The right column: the one softmax with today's numbers, how a place divides its attention, steps, layers, cost."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QLabel, QWidget

from studio.ml.diffusion.attention_maps import Shares, View
from studio.ui.bars import Bar, Bars
from studio.ui.cards import Facts, FormulaCard
from studio.ui.collapsible import Collapsible
from studio.ui.curves import Curves
from studio.ui.panel_layout import PanelLayout
from studio_plugins.tokens.chips import row_colour
from studio_plugins.tokens.painting import percent
from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.run import TokenRun
from studio_plugins.tokens.stage import Stage

WORDS, PADDING = "words", "padding"
MOST_CURVES = 7
_FORMULA = (
    '<span style="font-size:13px; white-space:nowrap">A(<i>q</i>) = softmax(<i>q</i>·[<i>k</i><sub>text</sub>; '
    "<i>k</i><sub>picture</sub>]/√<i>d</i>)</span>"
)
_FORMULA_CROSS = (
    '<span style="font-size:13px; white-space:nowrap">A(<i>q</i>) = softmax(<i>q</i>·<i>k</i><sub>text</sub>'
    "/√<i>d</i>)</span>"
)
_NUMBERS_CROSS = '<span style="font-size:13px">words $words + padding $padding = 1</span>'
_NUMBERS = '<span style="font-size:13px">words $words + padding $padding<br>+ picture $picture = 1</span>'
_NOTE = (
    "One softmax over text and picture, so these are true shares. Attention is not explanation: it says what is looked "
    "at, not what follows from it. Each position has read the whole prompt before, and the prompt also acts through "
    "the time embedding, which no map shows."
)
_NOTE_CROSS = (
    "In cross-attention pixels look at the text alone, so words and padding share all of it, and the picture has none. "
    "Attention is not explanation: it says what is looked at, not what follows from it. Each position has read the "
    "prompt before; pixels look at each other in other layers, which no map shows."
)
_TIPS = {
    "t": "The original time step the network was told, 999 (noise) to 0 (picture)",
    "evaluations": "Network evaluations: steps × halves of guidance",
    "maps": "All maps in memory, float16; compressed on disk they are smaller",
}


class Insight(QWidget):
    """Builds its sections into a PanelLayout and follows the stage."""

    def __init__(self, zones: PanelLayout, stage: Stage) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the sections below
        self._stage = stage
        self._formula = FormulaCard(_FORMULA, _NUMBERS, _NOTE, zones)
        self.place = Bars("How attention divides", zones)
        self.layers = Bars("Layers", zones, clickable=True)
        self.totals = Curves("step", "share of attention", zones)
        self.tokens = Curves("step", "share of attention", zones)
        for plot in (self.totals, self.tokens):
            plot.setMinimumHeight(205)
        self._place_note, self._layer_note = _note(zones), _note(zones)
        self._step, self._cost = Facts(zones), Facts(zones)
        section = zones.add_insight("Attention", self._formula)
        section.add(self._step)
        self._where: Collapsible = zones.add_insight("The whole picture", self.place)
        self._where.add(self._place_note)
        self._no_curves = _note(zones)
        self._no_curves.setText("The curves appear while a picture is drawn.")
        curves = zones.add_insight("Step by step", self._no_curves)
        curves.add(self.totals)
        curves.add(self.tokens)
        table = zones.add_insight("Layers", self.layers)
        table.add(self._layer_note)
        zones.add_insight("Cost", self._cost)
        self._drawn: View | None = None
        self.layers.clicked.connect(self._choose_layer)
        stage.shown.connect(self.refresh)
        self.clear()

    def clear(self) -> None:
        """Nothing is shown yet."""
        self._forget_curves()
        self.place.set_bars(())
        self.layers.set_bars(())
        self._formula.set_numbers({})
        self._step.set_facts({})
        self._name_place("The whole picture")
        self._place_note.setText("How the attention divides is shown while a picture is drawn.")
        self._layer_note.setText("")
        self.show_cost(None, 0.0, "")

    def refresh(self) -> None:
        """Show the numbers of what the stage looks at."""
        run, step = self._stage.run, self._stage.step
        if run is None or step is None:
            return
        masses = run.attention.masses(self._stage.looked)
        words, padding, picture = _sums(masses)
        self._show_formula(run)
        self._formula.set_numbers({"words": f"{words:.3f}", "padding": f"{padding:.3f}", "picture": f"{picture:.3f}"})
        every = self._stage.look_bar.look.every_step
        facts = {"steps": f"mean of {len(run.steps)}"} if every else {
            "step": f"{step.maps.index + 1} of {run.plan.total}", "t": str(step.maps.t),
        }  # fmt: skip
        self._step.set_facts({"captured": run.plan.badge, **facts}, _TIPS)
        self._show_place(run)
        self._show_layers(run)
        self._show_curves(run)
        mark = None if every else step.maps.index + 1
        self.totals.mark_x(mark)
        self.tokens.mark_x(mark)

    def show_cost(self, request: TokensRequest | None, seconds: float, device: str) -> None:
        """What the run has cost."""
        if request is None:
            self._cost.set_facts({"evaluations": "–", "time": "–", "maps": "–"}, _TIPS)
            return
        run = self._stage.run
        size = f"{run.attention.nbytes / 1e6:.2f} MB" if run is not None and run.steps else "–"
        counted = {} if request.public else {"evaluations": str(request.evaluations)}
        facts = counted | {"time": f"{seconds:.2f} s" if seconds else "–", "maps": size}
        self._cost.set_facts({**facts, "device": device} if device else facts, _TIPS)

    def _show_formula(self, run: TokenRun) -> None:
        """The softmax of the network that drew."""
        cross = run.plan.kind == "cross"
        self._formula.set_formula(_FORMULA_CROSS if cross else _FORMULA, _NUMBERS_CROSS if cross else _NUMBERS)
        self._formula.set_note(_NOTE_CROSS if cross else _NOTE)

    def _show_place(self, run: TokenRun) -> None:
        shares, cell = self._stage.shares(), self._stage.cell
        there = shares.mean(axis=(1, 2)) if cell is None else shares[:, cell[1], cell[0]]
        height, width = shares.shape[1:]
        self._name_place(
            "The whole picture" if cell is None else f"Column {cell[0] + 1}, row {cell[1] + 1} of {width}×{height}"
        )
        words, padding, picture = _sums(there)
        largest = float(there[:-2].max()) if len(there) > 2 else 1.0
        bars = [_divided("all", words, padding, picture)]
        for row, (name, share) in enumerate(zip(run.plan.names[:-2], there[:-2].tolist(), strict=True)):
            scaled = share / largest if largest > 0 else 0.0
            bars.append(Bar(name, ((scaled, row_colour(row, len(there))),), percent(share)))
        bars += [
            Bar(name, ((share, row_colour(len(there) - 2 + i, len(there))),), percent(share))
            for i, (name, share) in enumerate(zip(run.plan.names[-2:], (padding, picture), strict=True))
        ]
        self.place.set_bars(bars, self._stage.row + 1)
        asked = "Click a place on the picture to see how its own attention divides." if cell is None else ""
        scale = "Words are measured by the largest of them, padding and picture by the whole."
        self._place_note.setText(f"{scale} {asked}".strip())

    def _name_place(self, heading: str) -> None:
        if heading != self._where.heading():
            self._where.set_heading(heading)

    def _show_layers(self, run: TokenRun) -> None:
        step, bars = self._stage.looked.step, []
        for i, title in enumerate(run.plan.layer_titles):
            words, padding, picture = _sums(run.attention.masses(View(step, i)))
            bars.append(_divided(title, words, padding, picture))
        self.layers.set_bars(bars, self._stage.look_bar.look.layer)
        self._layer_note.setText(
            "Words · padding · picture, in percent, mean of the heads. Click a layer to look at it alone."
        )

    def _show_curves(self, run: TokenRun) -> None:
        """The curves of the layer and head looked at; only the new points where nothing but a step came."""
        view = self._stage.view_of(None)
        if view != self._drawn:
            self._forget_curves()
            self._drawn = view
        self._show_plots(True)
        rows = _largest(run)
        for index in range(len(self.totals.data().get(WORDS, ((), ()))[0]), len(run.steps)):
            masses = run.attention.masses(View(index, view.layer, view.head))
            words, padding, _picture = _sums(masses)
            self.totals.append(WORDS, index + 1, words)
            self.totals.append(PADDING, index + 1, padding)
            for row in rows:
                self.tokens.append(run.plan.labels[row], index + 1, float(masses[row]))

    def _forget_curves(self) -> None:
        self._drawn = None
        self.totals.clear()
        self.tokens.clear()
        self._show_plots(False)

    def _show_plots(self, shown: bool) -> None:
        self._no_curves.setVisible(not shown)
        self.totals.setVisible(shown)
        self.tokens.setVisible(shown and bool(self._stage.run and self._stage.run.plan.pieces))

    def _choose_layer(self, layer: int) -> None:
        look = self._stage.look_bar
        look.layers.setCurrentIndex(0 if look.look.layer == layer else layer + 1)


def _largest(run: TokenRun) -> list[int]:
    """The tokens with the largest shares at the first step, which is known throughout a run; in order of the prompt."""
    first = run.attention.masses(View(0))[: len(run.plan.pieces)]
    return sorted(np.argsort(-first)[:MOST_CURVES].tolist())


def _sums(shares: Shares) -> tuple[float, float, float]:
    """Words together, padding, picture."""
    return float(shares[:-2].sum()), float(shares[-2]), float(shares[-1])


def _divided(name: str, words: float, padding: float, picture: float) -> Bar:
    parts = ((words, row_colour(0, 3)), (padding, row_colour(1, 3)), (picture, row_colour(2, 3)))
    return Bar(name, parts, " · ".join(f"{100 * share:.0f}" for share, _ in parts))


def _note(parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setProperty("tone", "faint")
    label.setWordWrap(True)
    return label
