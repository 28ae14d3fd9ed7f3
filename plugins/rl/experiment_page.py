"""On-policy against off-policy: slide ε from half of all steps down to none, and see the measured gap close."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSlider, QSplitter, QVBoxLayout, QWidget

from studio.ml.rl.errors import RLError
from studio.ml.rl.grid import GridWorld
from studio.ui.flow_layout import FlowLayout
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.rl.experiment_plot import COLOURS, TITLES, ExperimentPlots
from studio_plugins.rl.experiment_table import ExperimentTable
from studio_plugins.rl.measurement import EPSILONS, RULES, Experiment, Point, Stage, circling_words, verdict
from studio_plugins.rl.path_map import PathMap, Way
from studio_plugins.rl.score_words import number, plus_minus
from studio_plugins.rl.setting_row import named, share, whole


class ExperimentPage(QWidget):
    """Tell it the world (`set_world`); answer `wanted` by `begin`, `show_stage`, `add_point` and `end`.

    Signals: `wanted` (an Experiment to measure), `cancelled`.
    """

    wanted = Signal(object)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.points: dict[float, Point] = {}
        self._measured: Experiment | None = None
        self._running = False
        self._world = ""
        self.seeds, self.episodes = whole(self, 2, 500, 20), whole(self, 10, 100_000, 500)
        self.last = whole(self, 1, 10_000, 100)
        self.alpha, self.gamma = share(self, 0.5, 0.01), share(self, 1.0)
        self.everything = QPushButton("Measure all ε", self)
        self.here = QPushButton("Measure this ε", self)
        self.cancel = QPushButton("Cancel", self)
        self.progress = QProgressBar(self)
        self.slider, self._epsilon = QSlider(Qt.Orientation.Horizontal, self), QLabel(self)
        self.plots, self.map, self.table = ExperimentPlots(self), PathMap(self), ExperimentTable(self)
        self.words, self._here_words, self._paths = (QLabel(self) for _ in range(3))
        self._build()
        self._connect()
        self._slid(self.slider.value())
        self._show_running(False)

    def _build(self) -> None:
        settings = QWidget(self)
        row = FlowLayout(settings)
        row.setContentsMargins(0, 0, 0, 0)
        fields = (
            ("Seeds", self.seeds, "Each agent learns once on each of these seeds"),
            ("Episodes", self.episodes, "How long each of them learns"),
            ("Last", self.last, "Online return is the mean over so many episodes at the end"),
            ("α", self.alpha, "Step size"),
            ("γ", self.gamma, "Discount"),
        )
        for name, box, tip in fields:
            row.addWidget(named(settings, name, tip, box))
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(140)
        self.progress.setAccessibleName("Progress of the measurement")
        for widget in (self.everything, self.cancel, self.progress):
            row.addWidget(widget)
        self.slider.setRange(0, len(EPSILONS) - 1)
        self.slider.setPageStep(1)
        self.slider.setValue(EPSILONS.index(0.1))
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.slider.setAccessibleName("Exploration ε")
        self._epsilon.setMinimumWidth(self.fontMetrics().horizontalAdvance("ε = 0.05, explores 1 of 20 steps") + 8)
        slide = QHBoxLayout()
        slide.setSpacing(SPACE_M)
        for widget in (QLabel("½", self), self.slider, QLabel("greedy", self), self._epsilon, self.here):
            slide.addWidget(widget, int(widget is self.slider))
        for label in (self.words, self._here_words, self._paths):
            label.setWordWrap(True)
        for label in (self._here_words, self._paths):
            label.setProperty("tone", "muted")
        self.plots.set_epsilons(EPSILONS)
        side = QWidget(self)
        below = QVBoxLayout(side)
        below.setContentsMargins(SPACE_M, 0, 0, 0)
        below.setSpacing(SPACE_S)
        for widget, stretch in ((self._here_words, 0), (self.map, 1), (self._paths, 0), (self.table, 0)):
            below.addWidget(widget, stretch)
        split = QSplitter(Qt.Orientation.Horizontal, self)
        split.setChildrenCollapsible(False)
        for widget in (self.plots, side):
            split.addWidget(widget)
        split.setSizes([500, 500])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_M)
        layout.addWidget(settings)
        layout.addLayout(slide)
        layout.addWidget(self.words)
        layout.addWidget(split, 1)

    def _connect(self) -> None:
        self.slider.valueChanged.connect(self._slid)
        self.plots.placed.connect(self.slider.setValue)
        self.table.placed.connect(self.slider.setValue)
        self.everything.clicked.connect(lambda _checked=False: self._ask(EPSILONS))
        self.here.clicked.connect(lambda _checked=False: self._ask((EPSILONS[self.slider.value()],)))
        self.cancel.clicked.connect(lambda _checked=False: self.cancelled.emit())

    # --- the world and its measurement ---

    def set_world(self, title: str, grid: GridWorld | None, why_not: str = "") -> None:
        """What is measured in; `why_not`: the reason where its table is not known."""
        self._world = title
        self.points.clear()
        self.map.set_world(grid)
        for button in (self.everything, self.here):
            button.setEnabled(not why_not)
        self.everything.setToolTip(why_not or "Measure every ε of the slider that has not been, the greedy one first")
        self._show(why_not)

    def begin(self, experiment: Experiment) -> None:
        """It is being measured; points of other settings go."""
        if self._measured is None or _but_epsilons(self._measured) != _but_epsilons(experiment):
            self.points.clear()
        self._measured = experiment
        for epsilon in experiment.epsilons:
            self.points.pop(epsilon, None)
        self._show_running(True)
        self._show()

    def show_stage(self, stage: Stage) -> None:
        """How far it is."""
        self.progress.setRange(0, stage.total)
        self.progress.setValue(stage.done)
        self.progress.setToolTip(f"{TITLES[stage.rule]} at ε = {stage.epsilon:g}")

    def add_point(self, point: Point) -> None:
        """One ε is measured."""
        self.points[point.epsilon] = point
        self._show()

    def end(self) -> None:
        """It is done, or was stopped."""
        self._show_running(False)

    def experiment(self, epsilons: tuple[float, ...] = EPSILONS) -> Experiment:
        """What is set. Raises BadSetting."""
        return Experiment(
            epsilons, self.seeds.value(), self.episodes.value(), self.alpha.value(), self.gamma.value(),
            self.last.value(),
        )  # fmt: skip

    def _ask(self, epsilons: tuple[float, ...]) -> None:
        try:
            # Little exploration makes short episodes: so there is soon something to see.
            wanted = self.experiment(tuple(sorted(epsilons)))
        except RLError as error:
            self.words.setText(str(error))
            return
        if self._measured is not None and _but_epsilons(self._measured) == _but_epsilons(wanted):
            missing = tuple(epsilon for epsilon in wanted.epsilons if epsilon not in self.points)
            wanted = replace(wanted, epsilons=missing or wanted.epsilons)
        self.wanted.emit(wanted)

    # --- what is shown ---

    def _show_running(self, running: bool) -> None:
        self._running = running
        for widget in (self.cancel, self.progress):
            widget.setVisible(running)
        self.everything.setVisible(not running)
        self.progress.setValue(0)
        self._slid(self.slider.value())

    def _show(self, why_not: str = "") -> None:
        self.plots.show_points(self.points)
        self.table.show_points(self.points)
        asked = (
            f"{self._world}: what do Sarsa and Q-learning get while they learn, and what does exploration have to do "
            "with it?"
        )
        self.words.setText(why_not or (verdict(self.points) if self.points else asked))
        self._slid(self.slider.value())

    def _slid(self, place: int) -> None:
        epsilon = EPSILONS[place]
        self.plots.place(place)
        self.table.place(place)
        explores = "never explores" if not epsilon else f"explores 1 of {number(1 / epsilon, 2)} steps"
        self._epsilon.setText(f"ε = {epsilon:g}, {explores}")
        point = self.points.get(epsilon)
        self.here.setVisible(point is None and not self._running)
        if point is None:
            more = " yet." if self._running else "; measure it, or all."
            self._here_words.setText(f"ε = {epsilon:g} has not been measured{more}")
            self.map.set_ways(())
            self._paths.clear()
            return
        parts = [f"{TITLES[rule]} {plus_minus(*point.scores[rule].online[:2])}" for rule in RULES]
        seeds = point.difference.seeds
        mean = f"Online at ε = {epsilon:g}, mean ± standard error of {seeds} seeds"
        self._here_words.setText(f"{mean}: {', '.join(parts)}.")
        scores = point.scores
        ways = [Way(TITLES[rule], COLOURS[rule], scores[rule].path, scores[rule].share > 0) for rule in RULES]
        self.map.set_ways(ways)
        self._paths.setText(self._way_words(point))

    @staticmethod
    def _way_words(point: Point) -> str:
        told = []
        for rule in RULES:
            score = point.scores[rule]
            if score.share > 0:
                told.append(f"{TITLES[rule]} {len(score.path) - 1} steps ({100 * score.share:.0f} % of seeds)")
        text = f"Commonest greedy way: {', '.join(told)}. " if told else ""
        return text + circling_words(point, TITLES)


def _but_epsilons(experiment: Experiment) -> tuple[object, ...]:
    told = experiment
    return (told.seeds, told.episodes, told.alpha, told.gamma, told.last, told.seed, told.limit)
