"""Sweep: which value of a setting learns best, told with its uncertainty over seeds."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio.host.export import Exportable
from studio.ml.rl.errors import RLError
from studio.ml.rl.worlds import WorldSpec
from studio.ui.flow_layout import FlowLayout
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.rl.setting_row import named, whole
from studio_plugins.rl.sweep_axis import AxisRow
from studio_plugins.rl.sweep_heat import HeatTable
from studio_plugins.rl.sweep_plan import Sweep
from studio_plugins.rl.sweep_plot import CellCurves, ScorePlot
from studio_plugins.rl.sweep_score import CellScore, table, verdict


class SweepPage(QWidget):
    """Tell it whose settings (`set_run`); answer `wanted` (a Sweep) by `begin`, `show_progress`, `add_cell`, `end`.

    Signals: `wanted`, `cancelled`, `used` (a CellScore whose settings are to be used), `asked` (a Sweep, or None where
    what is written cannot be) at every edit, to be answered by `show_estimate`.
    """

    wanted = Signal(object)
    cancelled = Signal()
    used = Signal(object)
    asked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scores: dict[int, CellScore] = {}
        self.sweep: Sweep | None = None
        """The one that is shown."""
        self.running = False
        self._run: tuple[WorldSpec, str, Any] | None = None
        self._chosen = self._seed = 0
        self.first, self.second = AxisRow("First", self), AxisRow("Second", self, optional=True)
        self.seeds, self.steps = whole(self, 1, 100, 3), whole(self, 1, 100_000_000, 15_000)
        self.start, self.cancel = QPushButton("Sweep", self), QPushButton("Cancel", self)
        self.progress = QProgressBar(self)
        self.use = QPushButton("Use these settings", self)
        self.whose, self.estimate, self.words, self.cell_words = (QLabel(self) for _ in range(4))
        self.split: QSplitter | None = None
        self._build()
        self._connect()
        self._show_running(False)
        self._show()

    def _build(self) -> None:
        for label, tone in ((self.whose, ""), (self.estimate, "muted"), (self.words, ""), (self.cell_words, "muted")):
            label.setWordWrap(True)
            label.setProperty("tone", tone)
        self.steps.setGroupSeparatorShown(True)
        self.steps.setSingleStep(1000)
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(140)
        self.progress.setAccessibleName("Progress of the sweep")
        self.use.setToolTip("Put the settings of the chosen cell into the agent on the left")
        row = QWidget(self)
        flow = FlowLayout(row)
        flow.setContentsMargins(0, 0, 0, 0)
        for name, box, tip in (
            ("Seeds", self.seeds, "Each cell is trained once on each of these seeds"),
            ("Steps", self.steps, "Environment steps of each training"),
        ):
            flow.addWidget(named(row, name, tip, box))
        for widget in (self.start, self.cancel, self.progress):
            flow.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_S)
        for widget in (self.whose, self.first, self.second, row, self.estimate, self.words):
            layout.addWidget(widget)
        layout.addStretch(0)  # takes the room while there is nothing to show
        self.use.hide()
        self.cell_words.hide()

    def _build_results(self) -> None:
        """With the first sweep, not with the panel: plots take their time to make."""
        self.plot, self.heat, self.curves = ScorePlot(self), HeatTable(self), CellCurves(self)
        self.plot.placed.connect(self.choose)
        self.heat.placed.connect(self.choose)
        self._results = QStackedWidget(self)
        for widget in (self.plot, self.heat):
            self._results.addWidget(widget)
        side = QWidget(self)
        below = QVBoxLayout(side)
        below.setContentsMargins(SPACE_M, 0, 0, 0)
        below.setSpacing(SPACE_S)
        below.addWidget(self.cell_words)
        below.addWidget(self.curves, 1)
        below.addWidget(self.use, 0, Qt.AlignmentFlag.AlignLeft)
        self.split = split = QSplitter(Qt.Orientation.Horizontal, self)
        split.setChildrenCollapsible(False)
        for widget in (self._results, side):
            split.addWidget(widget)
        split.setSizes([500, 500])
        self.use.show()
        self.cell_words.show()
        layout = self.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.insertWidget(layout.count() - 1, split, 1)

    def _connect(self) -> None:
        for row in (self.first, self.second):
            row.changed.connect(self._edited)
        for box in (self.seeds, self.steps):
            box.valueChanged.connect(lambda _value: self._edited())
        self.start.clicked.connect(lambda _checked=False: self._ask())
        self.cancel.clicked.connect(lambda _checked=False: self.cancelled.emit())
        self.use.clicked.connect(lambda _checked=False: self._use())

    # --- what is asked for ---

    def set_run(self, whose: str, world: WorldSpec, kind: str, settings: Any, *, seed: int, steps: int) -> None:
        """Whose settings are swept over, from which seed on; `steps`: taken over when agent or world are others."""
        other = self._run is None or self._run[:2] != (world, kind)
        self._run, self._seed = (world, kind, settings), seed
        self.whose.setText(whose)
        for row in (self.first, self.second):
            row.set_settings(settings)
        if other:
            self.steps.setValue(steps)
        self._edited()

    def asked_for(self) -> Sweep:
        """What is written. Raises BadSetting, in words."""
        assert self._run is not None
        world, kind, settings = self._run
        axes = tuple(row.axis(settings) for row in (self.first, self.second) if row.used)
        return Sweep(world, kind, settings, axes, self._seed, self.seeds.value(), self.steps.value())

    def show_estimate(self, text: str) -> None:
        """How many trainings it would be, and how long they take."""
        self.estimate.setText(text)

    def _edited(self) -> None:
        if self._run is None or self.running:
            return
        try:
            self.asked.emit(self.asked_for())
            good = True
        except RLError as error:
            self.estimate.setText(str(error))
            good = False
        self.start.setEnabled(good)

    def _ask(self) -> None:
        try:
            self.wanted.emit(self.asked_for())
        except RLError as error:
            self.estimate.setText(str(error))

    # --- what comes ---

    def begin(self, sweep: Sweep) -> None:
        """It is being trained."""
        if self.split is None:
            self._build_results()
        self.sweep, self.scores, self._chosen = sweep, {}, 0
        self.progress.setRange(0, 0)
        self._results.setCurrentWidget(self.plot if len(sweep.axes) == 1 else self.heat)
        self._show_running(True)
        self._show()

    def show_progress(self, done: int, total: int, text: str) -> None:
        """So many of the processes have ended."""
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.estimate.setText(text)

    def add_cell(self, score: CellScore) -> None:
        """A cell has been trained on all its seeds; the best one so far is shown, unless another was chosen by hand."""
        self.scores[score.cell.number] = score
        if self._chosen not in self.scores:
            self._chosen = score.cell.number
        self._show()

    def end(self) -> None:
        """It is over, or was stopped: what there is stays."""
        self._show_running(False)
        self._show()
        self._edited()

    def choose(self, cell: int) -> None:
        """Show the curves of a cell."""
        self._chosen = cell
        self._show_cell()

    def _use(self) -> None:
        score = self.scores.get(self._chosen)
        if score is not None:
            self.used.emit(score)

    # --- showing ---

    def _show_running(self, running: bool) -> None:
        self.running = running
        for widget in (self.cancel, self.progress):
            widget.setVisible(running)
        self.start.setVisible(not running)

    def _show(self) -> None:
        if self.sweep is None:
            self.words.setText("Every value is trained on the same seeds, beside the runs that are watched.")
            return
        self.words.setText(verdict(self.sweep, self.scores))
        if len(self.sweep.axes) == 1:
            self.plot.show_scores(self.sweep, self.scores)
        else:
            self.heat.show_scores(self.sweep, self.scores)
        self._show_cell()

    def _show_cell(self) -> None:
        assert self.sweep is not None
        score = self.scores.get(self._chosen)
        cell = self.sweep.cells()[self._chosen]
        self.cell_words.setText(score.words(self.sweep) if score is not None else f"{self.sweep.words(cell)}: not yet.")
        self.use.setEnabled(score is not None)
        self.curves.show_cell(self.scores, self._chosen)
        self.plot.set_ruler(self._chosen)
        if len(self.sweep.axes) == 2:
            self.heat.place(self._chosen)


def sweep_exportables(page: SweepPage) -> list[Exportable]:
    """The scores as a plot (of one setting) and a table, and the curves of the chosen cell."""
    sweep, scores = page.sweep, dict(page.scores)
    if sweep is None or not scores:
        return []
    plot = [Exportable("sweep scores plot", "plot", page.plot.plot_item)] if len(sweep.axes) == 1 else []
    return [
        *plot, Exportable("sweep curves plot", "plot", page.curves.plot_item),
        Exportable("sweep scores", "table", lambda: table(sweep, scores)),
    ]


