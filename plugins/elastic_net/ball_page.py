"""Two coefficients: the level lines of the loss, and the ball of the penalty that touches one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.ui.plot import Legend, Plot
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.elastic_net.results import Answer
from studio_plugins.elastic_net.words import number, penalty_word

LEVELS = 9
_LEGEND = (
    ("━", "accent", "ball of today's penalty"),
    ("╌", "series.1", "lasso's"),
    ("╌", "series.2", "ridge's, at the same λ"),
    ("━", "series.6", "level lines of the loss"),
    ("+", "text", "least loss without a penalty"),
)
_STYLES = {1.0: ("series.1", "lasso ball (α = 1)"), 0.0: ("series.2", "ridge ball (α = 0)")}


class BallPlot(Plot):
    """Level lines, three balls at the same λ, and the points where they touch."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", "", parent)
        self._answer: Answer | None = None
        self.view.setAspectLocked(True)
        self.view.setMouseEnabled(x=False, y=False)

    def show_answer(self, answer: Answer) -> None:
        """The plane of an answer that has one."""
        before, self._answer = self._answer, answer
        assert answer.pair is not None and answer.plane is not None
        self.set_labels(*(f"coefficient of {answer.problem.names[j]}" for j in answer.pair))
        self.redraw()
        if before is None or before.pair != answer.pair or before.problem is not answer.problem:
            self._fit()

    def _fit(self) -> None:
        """Show all balls and the least loss; the level lines go on beyond."""
        assert self._answer is not None and self._answer.plane is not None
        plane = self._answer.plane
        corners = np.array([plane.bottom, *np.concatenate([touching.ball for touching in plane.touching])])
        (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
        self.view.setRange(xRange=(left, right), yRange=(low, high), padding=0.08)

    def redraw(self) -> None:
        self.item.clear()
        if self._answer is None or self._answer.plane is None:
            return
        plane = self._answer.plane
        for angle in (0, 90):
            self.item.addItem(
                self.pg.InfiniteLine(0, angle=angle, pen=self.pen("plot.axis", 1, 110)), ignoreBounds=True
            )
        elastic = plane.touching[0]
        lowest, highest = float(plane.loss.min()), float(plane.loss.max())
        for share in np.square(np.linspace(0.12, 1.0, LEVELS)):
            self._level(lowest + share * (highest - lowest), "series.6", 1, 100)
        if elastic.loss > lowest:
            self._level(elastic.loss, "series.6", 2, 255)
        for touching in plane.touching[1:]:
            colour, name = _STYLES[touching.mix]
            self._ball(touching.ball, self.pen(colour, 1, style=Qt.PenStyle.DashLine), name)
            self._dot(touching.point, colour, 8)
        self._ball(elastic.ball, self.pen("accent", 2), "ball of today's penalty", fill=True)
        self._dot(elastic.point, "accent", 12)
        self._cross(plane.bottom)

    def _level(self, level: float, colour: str, width: float, alpha: int) -> None:
        assert self._answer is not None and self._answer.plane is not None
        plane = self._answer.plane
        curve = self.pg.IsocurveItem(data=plane.loss, level=level, pen=self.pen(colour, width, alpha))
        step = (plane.u[1] - plane.u[0], plane.v[1] - plane.v[0])
        transform = self.pg.QtGui.QTransform()
        # pyqtgraph puts the value of cell (i, j) at its middle.
        transform.translate(plane.u[0] - step[0] / 2, plane.v[0] - step[1] / 2)
        transform.scale(*step)
        curve.setTransform(transform)
        self.item.addItem(curve)

    def _ball(self, border: np.ndarray, pen: object, name: str, *, fill: bool = False) -> None:
        curve = self.item.plot(border[:, 0], border[:, 1], pen=pen, name=name)
        if fill:
            curve.setFillLevel(0.0)
            curve.setFillBrush(self.brush("accent", 40))

    def _dot(self, point: tuple[float, float], colour: str, size: int) -> None:
        dot = self.pg.ScatterPlotItem(
            x=[point[0]], y=[point[1]], size=size, brush=self.brush(colour), pen=self.pen("plot.background", 1.5)
        )
        dot.setZValue(10)
        self.item.addItem(dot)

    def _cross(self, point: tuple[float, float]) -> None:
        mark = self.pg.ScatterPlotItem(
            x=[point[0]], y=[point[1]], size=11, symbol="+", brush=self.brush("text"), pen=self.pen("text", 1)
        )
        self.item.addItem(mark)


class BallPage(QWidget):
    """The plot, the two features, and what the picture says. Signal: `changed` (first, second, others)."""

    changed = Signal(str, str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = BallPlot(self)
        self._first, self._second, self._others = (QComboBox(self) for _ in range(3))
        for box, name in (
            (self._first, "Coefficient across"),
            (self._second, "Coefficient upwards"),
            (self._others, "The other coefficients"),
        ):
            box.setAccessibleName(name)
            box.setToolTip(name)
            box.setMaximumWidth(200)
            box.activated.connect(lambda _at: self._tell())
        self._others.addItem("others held at the fit", "held")
        self._others.addItem("others left out of the model", "left out")
        self._sentence = QLabel(self)
        self._sentence.setWordWrap(True)
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        for widget in (self._first, self._second, self._others):
            row.addWidget(widget)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addLayout(row)
        layout.addWidget(Legend(_LEGEND, self))
        layout.addWidget(self.plot, 1)
        layout.addWidget(self._sentence)

    def show_answer(self, answer: Answer) -> None:
        """A plane, if the answer brings one."""
        names = answer.problem.names
        if answer.pair is None or answer.plane is None:
            self._sentence.setText("The ball needs two features; these data have one.")
            return
        self._fill(self._first, names, answer.pair[0])
        self._fill(self._second, names, answer.pair[1])
        self._others.setCurrentIndex(self._others.findData(answer.request.others))
        self.plot.show_answer(answer)
        self._sentence.setText(sentence(answer))

    def text(self) -> str:
        return self._sentence.text()

    def _fill(self, box: QComboBox, names: Sequence[str], current: int) -> None:
        if [box.itemText(i) for i in range(box.count())] != list(names):
            box.clear()
            box.addItems(list(names))
        box.setCurrentIndex(current)

    def _tell(self) -> None:
        first, second = self._first.currentText(), self._second.currentText()
        if first == second:  # the other one makes room
            at = (self._first.currentIndex() + 1) % self._first.count()
            second = self._first.itemText(at)
        self.changed.emit(first, second, self._others.currentData())


def sentence(answer: Answer) -> str:
    """Why the solution lies where it does."""
    assert answer.pair is not None and answer.plane is not None
    touching = answer.plane.touching[0]
    zero = [answer.problem.names[j] for j, value in zip(answer.pair, touching.point, strict=True) if value == 0]
    where = f"({number(touching.point[0])}, {number(touching.point[1])})"
    if len(zero) == 2:
        return "The penalty is so strong that the ball has shrunk to the origin: both coefficients are zero."
    if zero:
        return f"The level line touches the ball at a corner {where}, so the coefficient of {zero[0]} is exactly zero."
    kind = penalty_word(answer.penalty.mix)
    return f"The level line touches the ball of the {kind} at {where}: a smaller loss would need a larger ball."
