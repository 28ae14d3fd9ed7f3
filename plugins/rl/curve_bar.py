"""Above the curves: which runs are drawn, what over, how smooth, and what the second plot shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QComboBox, QLabel, QSlider, QToolButton, QWidget

from studio.ui.flow_layout import FlowLayout
from studio.ui.theme import theme
from studio_plugins.rl.bands import Axis, Choice, Over
from studio_plugins.rl.curve_plot import RunLine
from studio_plugins.rl.setting_row import named

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "return": "Return", "length": "Episode length", "loss": "Loss", "entropy": "Entropy", "kl": "KL divergence",
        "value_error": "Value error", "epsilon": "Epsilon", "rate": "Steps per second",
    }
)  # fmt: skip
AXES: Mapping[Axis, tuple[str, str]] = MappingProxyType(
    {
        "steps": ("Over steps", "steps"), "episodes": ("Over episodes", "episodes"),
        "seconds": ("Over wall clock", "seconds of training"),
    }
)  # fmt: skip
OVER: Mapping[Over, tuple[str, str]] = MappingProxyType(
    {
        "iqm": ("IQM of seeds", "Mean of the middle half of the seeds, with its 95 % bootstrap interval"),
        "mean": ("Mean of seeds", "Mean of all seeds, with its 95 % bootstrap interval"),
        "seeds": ("Each seed", "One thin line for each seed"),
    }
)
WINDOWS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500)


def measure_title(name: str) -> str:
    """A measure in words."""
    return MEASURES.get(name) or name.replace("_", " ").capitalize()


class CurveBar(QWidget):
    """Signals: `changed` when another choice is wanted, `hidden` (keys of the runs switched off)."""

    changed = Signal()
    hidden = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: tuple[RunLine, ...] = ()
        self._chips: dict[str, QToolButton] = {}
        self._off: set[str] = set()
        self.measure, self.axis, self.over = QComboBox(self), QComboBox(self), QComboBox(self)
        self.smoothing, self._smooth_words = QSlider(Qt.Orientation.Horizontal, self), QLabel(self)
        self._build()
        self.offer(("return", "length"))
        self._say_window()
        theme().changed.connect(self._paint_chips)

    def _build(self) -> None:
        for axis, (title, _) in AXES.items():
            self.axis.addItem(title, axis)
        for over, (title, tip) in OVER.items():
            self.over.addItem(title, over)
            self.over.setItemData(self.over.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.smoothing.setRange(0, len(WINDOWS) - 1)
        self.smoothing.setValue(WINDOWS.index(10))
        self.smoothing.setFixedWidth(96)
        self._smooth_words.setProperty("tone", "muted")
        self._smooth_words.setMinimumWidth(self.fontMetrics().horizontalAdvance("mean of 500") + 4)
        row = FlowLayout(self, spacing=4)
        row.setContentsMargins(0, 0, 0, 0)
        for name, tip, widgets in (
            ("", "What runs along the x axis", (self.axis,)),
            ("", "How the seeds of a run are taken together", (self.over,)),
            (
                "Smooth", "Each point is the mean of so many last episodes; the data stay visible behind",
                (self.smoothing, self._smooth_words),
            ),
            ("Also", "What the second plot shows", (self.measure,)),
        ):
            row.addWidget(named(self, name, tip, *widgets))
        self._legend_row = row
        for box in (self.measure, self.axis, self.over):
            box.activated.connect(lambda _place: self.changed.emit())
        self.smoothing.valueChanged.connect(lambda _place: (self._say_window(), self.changed.emit()))

    # --- what is chosen ---

    def choices(self) -> tuple[Choice, Choice]:
        """Of the first plot (the return) and of the second one."""
        axis, over, window = self.axis.currentData(), self.over.currentData(), WINDOWS[self.smoothing.value()]
        return Choice("return", axis, over, window), Choice(self.measure.currentData(), axis, over, window)

    def offer(self, measures: Sequence[str]) -> None:
        """What runs have measured; a choice that is still there is kept."""
        names = [name for name in measures if name != "return"]
        if names == [self.measure.itemData(place) for place in range(self.measure.count())]:
            return
        chosen = self.measure.currentData()
        self.measure.clear()
        for name in names:
            self.measure.addItem(measure_title(name), name)
        self.measure.setCurrentIndex(max(0, self.measure.findData(chosen)))

    def state(self) -> dict[str, object]:
        """What is chosen, as JSON."""
        return {
            "measure": self.measure.currentData(), "axis": self.axis.currentData(), "over": self.over.currentData(),
            "window": WINDOWS[self.smoothing.value()],
        }  # fmt: skip

    def restore(self, state: Mapping[str, object]) -> None:
        """Choose what `state` told; what is not known stays as it is."""
        if isinstance(name := state.get("measure"), str) and self.measure.findData(name) < 0:
            self.measure.addItem(measure_title(name), name)
        for box, key in ((self.measure, "measure"), (self.axis, "axis"), (self.over, "over")):
            if (place := box.findData(state.get(key))) >= 0:
                box.setCurrentIndex(place)
        if state.get("window") in WINDOWS:
            self.smoothing.setValue(WINDOWS.index(state["window"]))  # type: ignore[arg-type]
        self.changed.emit()

    def add_tool(self, widget: QWidget) -> None:
        """A control of somebody else's after those of the bar; the legend follows it."""
        self._legend_row.addWidget(widget)

    # --- the legend ---

    def set_runs(self, runs: Sequence[RunLine]) -> None:
        """A switch for each run."""
        if tuple(runs) == self._runs:
            return
        self._runs = tuple(runs)
        self._off &= {run.key for run in runs}
        for chip in self._chips.values():
            self._legend_row.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._chips = {run.key: self._chip(run) for run in runs}
        self._paint_chips()

    def _chip(self, run: RunLine) -> QToolButton:
        chip = QToolButton(self)
        chip.setText(run.title)
        chip.setCheckable(True)
        chip.setChecked(run.key not in self._off)
        chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        chip.setIconSize(QSize(20, 12))
        chip.setToolTip(f"Show or hide {run.title}")
        chip.toggled.connect(lambda on, key=run.key: self._switch(key, on))
        self._legend_row.addWidget(chip)
        chip.show()
        return chip

    def _switch(self, key: str, on: bool) -> None:
        (self._off.discard if on else self._off.add)(key)
        self._paint_chips()
        self.hidden.emit(frozenset(self._off))

    def _paint_chips(self) -> None:
        for run in self._runs:
            self._chips[run.key].setIcon(_line_icon(run, faint=run.key in self._off))

    def _say_window(self) -> None:
        window = WINDOWS[self.smoothing.value()]
        self._smooth_words.setText("off" if window == 1 else f"mean of {window}")


def _line_icon(run: RunLine, *, faint: bool) -> QIcon:
    picture = QPixmap(40, 24)
    picture.setDevicePixelRatio(2.0)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    pen = QPen(theme().color("border_strong" if faint else run.colour), 3)
    if run.kept:
        pen.setDashPattern([1.6, 1.2])  # Qt's own dashes are too long to be seen as such in so short a line
    painter.setPen(pen)
    painter.drawLine(1, 6, 19, 6)
    painter.end()
    return QIcon(picture)
