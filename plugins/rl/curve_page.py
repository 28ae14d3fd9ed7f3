"""The curves of all runs: the return, and one chosen measure over the same x axis, below it or beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSplitter, QVBoxLayout, QWidget

from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.rl.bands import Choice, Drawn
from studio_plugins.rl.curve_bar import AXES, CurveBar, measure_title
from studio_plugins.rl.curve_plot import CurvePlot, RunLine

QUIET = "Point at the curves to read them. Triangles at the foot are places to go back to: click one, or drag along."
_TIP = "Double click: all values, or only what matters after the beginning"
AXIS = 56
FOOT_AXIS = 44
WIDE = 1.8
"""Width over height from which on the plots stand side by side."""


class CurvePage(QWidget):
    """`set_runs`, `offer`, and `show_drawn` with what `bands.figure` makes of `choices()`.

    Signals: `wanted` when other drawings are needed, `rewound` (run's key, mark).
    """

    wanted = Signal()
    rewound = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar = CurveBar(self)
        self.reading = QLabel(QUIET, self)
        self.reading.setTextFormat(Qt.TextFormat.RichText)
        self.reading.setProperty("tone", "faint")
        self.reading.setWordWrap(True)
        self.reading.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.upper, self.lower = CurvePlot("steps", "return", self), CurvePlot("steps", "length", self, marked=False)
        self._split = QSplitter(Qt.Orientation.Vertical, self)
        self._split.setChildrenCollapsible(False)
        for plot, stretch in ((self.upper, 3), (self.lower, 2)):
            self._split.addWidget(plot)
            self._split.setStretchFactor(self._split.count() - 1, stretch)
            plot.setToolTip(_TIP)
            plot.setMinimumSize(150, 110)
            plot.rewound.connect(self.rewound)
            plot.pointed.connect(self._say)
            plot.item.getAxis("left").setWidth(AXIS)
            plot.item.getAxis("bottom").setHeight(FOOT_AXIS)  # else each new number has the whole plot laid out anew
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self.bar)
        layout.addWidget(self._split, 1)
        layout.addWidget(self.reading)
        self.bar.changed.connect(self._choose)
        self.bar.hidden.connect(lambda keys: [plot.set_hidden(keys) for plot in (self.upper, self.lower)])
        self._choose()

    def choices(self) -> tuple[Choice, Choice]:
        """What `bands.figure` is to be asked for, for the upper and the lower plot."""
        return self.bar.choices()

    def set_runs(self, runs: Sequence[RunLine]) -> None:
        """The runs there are, in the order of the legend."""
        self.bar.set_runs(runs)
        for plot in (self.upper, self.lower):
            plot.set_runs(runs)

    def offer(self, measures: Sequence[str]) -> None:
        """What can be shown below (see `bands.measures`)."""
        self.bar.offer(measures)

    def set_references(self, references: Sequence[tuple[float, str]]) -> None:
        """Levels of the return to compare with: (value, words)."""
        self.upper.set_references(references)

    def show_drawn(
        self, upper: Sequence[Drawn] | None, lower: Sequence[Drawn] | None, *, fine: bool = True
    ) -> None:
        """Drawings for both plots; None leaves one as it is. Those of a choice that is no longer made come too late and are
        dropped. fine: wide and smooth lines; while they move, thin ones take half the time."""
        for plot, drawn, choice in zip((self.upper, self.lower), (upper, lower), self.choices(), strict=True):
            if drawn is not None and (not drawn or drawn[0].choice == choice):
                plot.set_fine(fine)
                plot.show_drawn(drawn)

    def plot_items(self) -> dict[str, Any]:
        """pyqtgraph's PlotItems by the measure they show, for the export service."""
        pairs = zip(self.choices(), (self.upper, self.lower), strict=True)
        return {choice.measure: plot.item for choice, plot in pairs}

    def drawn(self) -> tuple[Drawn, ...]:
        """All that is drawn, above and below."""
        return (*self.upper.drawn(), *self.lower.drawn())

    def state(self) -> dict[str, Any]:
        """What is chosen, as JSON."""
        return {**self.bar.state(), "split": self._split.sizes()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `state` told."""
        self.bar.restore(state)
        sizes = state.get("split")
        if isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(size, int) and size > 0 for size in sizes):
            self._split.setSizes(sizes)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        room = self.height() - self.bar.sizeHint().height() - self.reading.sizeHint().height()
        wide = self.width() > WIDE * max(1, room)
        wanted = Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical
        if self._split.orientation() != wanted:
            self._split.setOrientation(wanted)
            self._split.setSizes([300, 200])
        # Above and below each other their x axes stand in line; side by side each takes the room it needs.
        self.lower.item.getAxis("left").setWidth(None if wide else AXIS)

    def _choose(self) -> None:
        for plot, choice in zip((self.upper, self.lower), self.choices(), strict=True):
            plot.set_labels(AXES[choice.axis][1], measure_title(choice.measure).lower())
        self.wanted.emit()

    def _say(self, text: str) -> None:
        self.reading.setText(text or QUIET)
