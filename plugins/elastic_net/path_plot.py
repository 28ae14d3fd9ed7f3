"""Every coefficient over λ: hover to read one, click to choose it, drag the line to change λ."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QFont, QFontMetricsF
from PySide6.QtWidgets import QWidget

from studio.ui.plot import RulerPlot
from studio.ui.tokens import FONT_PX
from studio_plugins.elastic_net.results import Answer, Validated
from studio_plugins.elastic_net.words import number

COLOURED, DRAWN, NAMED = 8, 150, 8
"""Features with a colour of their own, with a curve of their own, with their name in the plot; largest first."""
LETTERS = 18
"""Of a name in the plot; the whole name is told when its curve is pointed at."""
NEAR = 24.0
"""Pixels within which the mouse means a curve."""


class PathPlot(RulerPlot):
    """Signals: `strength` (λ, while its line is dragged), `chosen` (number of a feature, -1 none), `hovered` (text)."""

    strength = Signal(float)
    chosen = Signal(int)
    hovered = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("log₁₀ λ   (weak penalty ← → strong penalty)", "coefficient (of scaled features)", parent)
        self._answer: Answer | None = None
        self._validated: Validated | None = None
        self.choice = -1
        self._under = -1
        self._order: list[int] = []
        self._curves: dict[int, Any] = {}
        self.ruled.connect(lambda x: self.strength.emit(10.0**x))
        self.widget.scene().sigMouseMoved.connect(self._hover)
        self._fitted: Any = None

    # --- what is shown ---

    def show_answer(self, answer: Answer, validated: Validated | None) -> None:
        """The path, and where on it today's λ is."""
        before = self._answer
        self._answer, self._validated = answer, validated
        same = before is not None and before.known is answer.known and before.output == answer.output
        if same and self._curves:
            self._place_line()
            return
        if before is None or before.problem.names != answer.problem.names:
            self.choice = -1
        self.redraw()
        if before is None or before.known is not answer.known:
            self._fit()

    def _fit(self) -> None:
        """Show the whole path, with room for the names at its weak end."""
        assert self._answer is not None
        path = self._answer.known.path
        coef, x = path.coef[:, self._answer.output], np.log10(path.strengths)
        metrics = QFontMetricsF(self._small_font())
        widest = max((metrics.horizontalAdvance(_short(name)) for name in self._answer.problem.names), default=0)
        room = max(self.width() - 60.0, 3.0 * widest)
        span = float(x[0] - x[-1])
        left = float(x[-1]) - span * (widest + 12) / (room - widest)
        truth = self._answer.known.truth
        shown = np.append(coef, 0.0 if truth is None else [0.0, *truth[self._answer.output]])
        low, high = float(shown.min()), float(shown.max())
        self.view.setRange(xRange=(left, float(x[0]) + 0.03 * span), yRange=(low, high), padding=0.03)

    def _small_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(FONT_PX["small"])
        return font

    def show_validated(self, validated: Validated | None) -> None:
        """Lines where cross-validation is best, and simplest within one standard error."""
        self._validated = validated
        self.redraw()

    def choose(self, feature: int) -> None:
        """Make one coefficient stand out; -1 none."""
        self.choice = feature
        self._repaint()
        self.chosen.emit(feature)

    def redraw(self) -> None:
        self.item.clear()
        self._curves = {}
        if self._answer is None:
            return
        path, k = self._answer.known.path, self._answer.output
        x, coef = np.log10(path.strengths), path.coef[:, k]
        self._order = [int(j) for j in np.argsort(-np.abs(coef).max(axis=0), kind="stable")]
        used = [j for j in self._order if coef[:, j].any()]
        self.item.addItem(self.pg.InfiniteLine(0, angle=0, pen=self.pen("plot.axis", 1, 120)), ignoreBounds=True)
        if used[DRAWN:]:  # one item for all the rest: hundreds of items would make every repaint slow
            many = np.concatenate([np.append(coef[:, j], np.nan) for j in used[DRAWN:]])
            again = np.tile(np.append(x, np.nan), len(used) - DRAWN)
            self.item.plot(again, many, pen=self.pen("faint", 1, 70), connect="finite", name="the smaller ones")
        for j in reversed(used[:DRAWN]):
            self._curves[j] = self.item.plot(x, coef[:, j], name=self._answer.problem.names[j])
        self._name_curves(x, coef, used[:NAMED])
        self._draw_truth(x)
        for at, label in self._marks():
            self._draw_mark(float(x[at]), label)
        self.draw_ruler()
        self._fitted = self.pg.ScatterPlotItem(size=7, pxMode=True)
        self._fitted.setZValue(21)
        self.item.addItem(self._fitted, ignoreBounds=True)
        self._repaint()
        self._place_line()

    def _marks(self) -> list[tuple[int, str]]:
        found = self._validated
        if found is None or self._answer is None or not found.fits(self._answer.request):
            return []
        return [(found.curve.best, "best"), (found.curve.simplest, "1 SE")]

    def _draw_mark(self, x: float, label: str) -> None:
        pen = self.pen("muted", 1, style=Qt.PenStyle.DotLine)
        line = self.pg.InfiniteLine(
            x, angle=90, pen=pen, label=label, labelOpts={"position": 0.96, "color": pen.color()}
        )
        self.item.addItem(line, ignoreBounds=True)

    def _name_curves(self, x: Any, coef: Any, largest: list[int]) -> None:
        """Names at the weak end, each at least a line of text below the one above it."""
        assert self._answer is not None
        small = self._small_font()
        line = float(np.ptp(coef)) * 1.3 * FONT_PX["small"] / max(self.height(), 200)
        above = np.inf
        for j in sorted(largest, key=lambda feature: -coef[-1, feature]):
            above = min(float(coef[-1, j]), above - line)
            colour = self.pen(self._colour(j)).color()
            text = self.pg.TextItem(_short(self._answer.problem.names[j]), color=colour, anchor=(1.0, 0.5))
            text.setFont(small)
            text.setPos(float(x[-1]), above)
            self.item.addItem(text)

    def _draw_truth(self, x: Any) -> None:
        """Where the truth is known: a tick at the weak end for each feature that counts."""
        assert self._answer is not None
        truth = self._answer.known.truth
        if truth is None:
            return
        counting = np.flatnonzero(truth[self._answer.output])
        spots = self.pg.ScatterPlotItem(
            x=np.full(len(counting), x[-1]), y=truth[self._answer.output, counting], symbol="star", size=11,
            brush=[self.brush(self._colour(int(j))) for j in counting], pen=self.pen("plot.background", 1),
        )  # fmt: skip
        self.item.addItem(spots)

    def _place_line(self) -> None:
        assert self._answer is not None
        x = float(np.log10(self._answer.penalty.strength))
        self.set_ruler(x)
        own = [j for j in self._order if j in self._curves][:DRAWN]
        values = self._answer.fit.coef[self._answer.output, own]
        self._fitted.setData(
            x=np.full(len(own), x), y=values, brush=[self.brush(self._colour(j)) for j in own], pen=None
        )

    def _colour(self, feature: int) -> str:
        rank = self._order.index(feature)
        return f"series.{rank}" if rank < COLOURED else "muted"

    def _repaint(self) -> None:
        """Pens: the coefficient chosen or under the mouse stands out, the others step back for it."""
        loud = {self.choice, self._under} - {-1}
        for j, curve in self._curves.items():
            faded = loud and j not in loud
            curve.setPen(
                self.pen(
                    self._colour(j), 3 if j in loud else 2 if j in self._order[:COLOURED] else 1, 70 if faded else 255
                )
            )
            curve.setZValue(10 if j in loud else 0)

    # --- the mouse ---

    def nearest(self, place: QPointF) -> int:
        """The feature whose curve is nearest to a place in the scene, -1 beyond NEAR pixels."""
        if self._answer is None or not self._curves:
            return -1
        path = self._answer.known.path
        point = self.view.mapSceneToView(place)
        at = path.nearest(10.0 ** float(np.clip(point.x(), -300, 300)))
        scale = self.view.viewPixelSize()[1]
        features = np.array(list(self._curves))
        distance = np.abs(path.coef[at, self._answer.output, features] - point.y()) / scale
        best = int(distance.argmin())
        return int(features[best]) if distance[best] < NEAR else -1

    def _hover(self, place: QPointF) -> None:
        under = self.nearest(place) if self.view.sceneBoundingRect().contains(place) else -1
        if under != self._under:
            self._under = under
            self._repaint()
        if self._answer is None or under < 0:
            self.hovered.emit("")
            return
        path = self._answer.known.path
        at = path.nearest(10.0 ** self.view.mapSceneToView(place).x())
        value = path.coef[at, self._answer.output, under]
        self.hovered.emit(f"{self._answer.problem.names[under]}: {number(value)} at λ = {number(path.strengths[at])}")

    def click(self, place: QPointF) -> None:
        self.choose(self.nearest(place))


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
