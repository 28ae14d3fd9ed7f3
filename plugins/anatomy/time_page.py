"""The time of one real layer on this machine, and what follows for all of them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from studio.ml.anatomy.timing import PROBE
from studio.ui.cards import EmptyState
from studio.ui.plot import Plot
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.anatomy.bars import Bar, Bars, Group
from studio_plugins.anatomy.request import ATTENTIONS
from studio_plugins.anatomy.results import Look, Timed
from studio_plugins.anatomy.words import big, percent, seconds_words


class RunsPlot(Plot):
    """The time of every run."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("run", "ms of one layer", parent)
        self._seconds: tuple[float, ...] = ()
        self.setFixedHeight(170)

    def show_runs(self, seconds: tuple[float, ...]) -> None:
        self._seconds = seconds
        self.redraw()

    def redraw(self) -> None:
        self.item.clear()
        if not self._seconds:
            return
        x, y = list(range(1, len(self._seconds) + 1)), [1000 * value for value in self._seconds]
        dots = {"symbol": "o", "symbolSize": 6, "symbolBrush": self.brush("series.0"), "symbolPen": None}
        self.item.plot(x, y, pen=self.pen("series.0", 1.5), name="runs", **dots)
        step = max(1, round(len(x) / 8))
        self.item.getAxis("bottom").setTicks([[(i, str(i)) for i in x[::step]]])
        middle = sorted(y)[len(y) // 2]
        self.item.addItem(self.pg.InfiniteLine(pos=middle, angle=0, pen=self.pen("accent", 1.5)), ignoreBounds=True)
        self.view.setYRange(0, max(y) * 1.1, padding=0)


class TimePage(QStackedWidget):
    """Signal: `asked`, to measure."""

    asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._empty = EmptyState(
            "How fast is one layer here?",
            "One real layer, with random weights of the model's own shapes, is run on this machine with T tokens and B "
            "sequences. The time of all layers is extrapolated from it.",
            icon="play",
            actions=[("Time one layer", lambda: self.asked.emit())],
            parent=self,
        )
        self.bars = Bars("Time of one layer and of all", self)
        self.runs = RunsPlot(self)
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        again = QPushButton("Time it again", self)
        again.clicked.connect(lambda _checked=False: self.asked.emit())
        inner = QWidget(self)
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_M)
        layout.setSpacing(SPACE_S)
        for widget, stretch in ((self.bars, 1), (self.runs, 0), (self._words, 0), (again, 0)):
            layout.addWidget(widget, stretch)
        self.addWidget(self._empty)
        self.addWidget(inner)

    def show_look(self, look: Look) -> None:
        """The time, where it was measured with these settings."""
        self.setCurrentIndex(1 if look.timed is not None else 0)
        if look.timed is not None and look.stack is not None:
            self.bars.show_groups(groups(look, look.timed))
            self.runs.show_runs(look.timed.timing.seconds)
            self._words.setText(sentence(look, look.timed))

    def words(self) -> str:
        return self._words.text()


def groups(look: Look, timed: Timed) -> list[Group]:
    """Bars of time and of speed."""
    assert look.stack is not None
    timing, layers = timed.timing, look.stack.layers
    one = timing.typical
    how = f"median of {len(timing.seconds)} runs on {timing.device}, {timing.dtype}"
    times = f"{layers}·{seconds_words(one)}"
    durations = Group(
        "Time of a forward pass",
        (
            Bar("one layer, measured", one, seconds_words(one), how),
            Bar(f"all {layers} layers, extrapolated", one * layers, seconds_words(one * layers), times, guessed=True),
        ),
        ("Extrapolated: every layer as fast as the one measured; embeddings and heads are left out.",),
    )
    reached, plain = f"{big(timing.rate)}FLOP/s", f"{big(timing.probe)}FLOP/s"
    work = f"{timing.flops:,} FLOP / {seconds_words(one)}"
    before = "one matrix product, measured just before, the best of several"
    speed = Group(
        "Speed",
        (
            Bar("this layer", timing.rate, reached, work, "series.1"),
            Bar(f"a plain {PROBE}² product", timing.probe, plain, before, "series.2"),
        ),
    )
    return [durations, speed]


def sentence(look: Look, timed: Timed) -> str:
    """What was measured, in words."""
    timing = timed.timing
    tokens = look.tokens * look.request.batch
    assert look.stack is not None
    attention, pace = ATTENTIONS[timed.attention].split(":")[0], tokens / (timing.typical * look.stack.layers)
    return (
        f"{attention} attention, T = {look.tokens:,}, B = {look.request.batch}: the layer reaches "
        f"{percent(timing.rate / timing.probe)} of the speed of a plain matrix product. All layers would take in about "
        f"{pace:,.0f} tokens a second (extrapolated). On the CPU float32 is measured, whatever the precision asked for."
    )
