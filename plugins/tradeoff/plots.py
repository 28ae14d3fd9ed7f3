"""A plot of points to click: one curve per guidance, each point labelled with its scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ml.evaluation.points import GUIDANCES, Kind
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX

SIZE, STAR, MARKED = 9, 14, 6
"""Pixels of a dot and of a star, and what the marked one has more."""


_ANCHORS: Mapping[Kind, tuple[float, float]] = MappingProxyType(
    {"classifier-free": (1.15, 0.5), "classifier": (0.5, 1.35), "clip": (-0.3, 0.5)}
)
"""Where the label of a dot stands: left of it, above, right of it, so that curves that cross keep theirs apart."""


@dataclass(frozen=True)
class Dot:
    """One point: its number, where it stands (low to high is its 95 % interval), what is written beside it."""

    index: int
    kind: Kind
    scale: float
    x: float
    y: float
    low: float
    high: float
    label: str
    tip: str


class PointPlot(QWidget):
    """Dots of several kinds; those of a guidance are joined, from the unguided one on. Signal: `chosen` (a number)."""

    chosen = Signal(int)

    def __init__(self, x_label: str, y_label: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        import pyqtgraph as pg

        from studio.ui.plot_axis import BarePlot

        self._pg = pg
        self._labels = (x_label, y_label)
        self._dots: list[Dot] = []
        self._marked = -1
        self._plot = BarePlot(self)
        self._plot.setAntialiasing(True)
        self._plot.getPlotItem().getViewBox().setDefaultPadding(0.1)  # room for what is written beside the outer dots
        self._plot.getPlotItem().setContentsMargins(4, 8, 12, 4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        self.setMinimumSize(200, 180)
        theme().changed.connect(self._draw)
        self._name()
        self._draw()

    def set_axes(self, x_label: str, y_label: str, *, shares: str = "") -> None:
        """What the axes show; `shares` names those ("x", "y") in percent, which end at 0 and 100."""
        self._labels = (x_label, y_label)
        limits = {f"{axis}{end}": value for axis in "xy" for end, value in _ends(axis in shares)}
        self._plot.getPlotItem().getViewBox().setLimits(**limits)
        self._name()
        self._draw()

    def show_dots(self, dots: Sequence[Dot]) -> None:
        """Show these and no others."""
        self._dots = list(dots)
        self._draw()

    def mark(self, index: int) -> None:
        """Make one dot stand out; -1 none."""
        self._marked = index
        self._draw()

    def dots(self) -> list[Dot]:
        """What is shown."""
        return list(self._dots)

    def plot_item(self) -> Any:
        """pyqtgraph's PlotItem, for the export service."""
        return self._plot.getPlotItem()

    def _name(self) -> None:
        self.setAccessibleName(f"Plot of {self._labels[1]} over {self._labels[0]}")

    def _draw(self) -> None:
        from studio.ui.plot_axis import style_axes

        style_axes(self._plot, self._labels)
        self._plot.clear()
        for guidance in GUIDANCES:
            self._draw_curve(guidance)
        for dot in self._dots:
            if dot.label:
                self._draw_label(dot)
        if self._dots:
            self._draw_dots()

    def _draw_curve(self, guidance: Kind) -> None:
        own = sorted((dot for dot in self._dots if dot.kind == guidance), key=lambda dot: dot.scale)
        if own:
            joined = [*(dot for dot in self._dots if dot.kind == "unguided"), *own]
            pen = self._pg.mkPen(theme().color(colour_token(guidance)), width=2)
            self._plot.plot([dot.x for dot in joined], [dot.y for dot in joined], pen=pen, name=guidance)

    def _draw_dots(self) -> None:
        for dot in self._dots:
            colour = theme().color(colour_token(dot.kind))
            colour.setAlpha(110)
            if dot.high > dot.low:
                self._plot.plot([dot.x, dot.x], [dot.low, dot.high], pen=self._pg.mkPen(colour, width=1))
        brushes = [self._pg.mkBrush(theme().color(colour_token(dot.kind))) for dot in self._dots]
        edge = theme().color("text")
        scatter = self._pg.ScatterPlotItem(
            x=np.array([dot.x for dot in self._dots]),
            y=np.array([dot.y for dot in self._dots]),
            size=np.array([self._size(dot) for dot in self._dots]),
            symbol=["star" if dot.kind == "renders" else "o" for dot in self._dots],
            brush=brushes,
            pen=[self._pg.mkPen(edge if dot.index == self._marked else theme().color("plot.background"), width=1.5)
                 for dot in self._dots],
            data=[dot.index for dot in self._dots],
            hoverable=True,
            hoverPen=self._pg.mkPen(edge, width=1.5),
            tip=lambda x, y, data: next((dot.tip for dot in self._dots if dot.index == data), ""),
        )  # fmt: skip
        scatter.sigClicked.connect(self._clicked)
        self._plot.addItem(scatter)

    def _size(self, dot: Dot) -> int:
        return (STAR if dot.kind == "renders" else SIZE) + (MARKED if dot.index == self._marked else 0)

    def _draw_label(self, dot: Dot) -> None:
        text = self._pg.TextItem(dot.label, color=theme().color(colour_token(dot.kind)), anchor=_ANCHORS[dot.kind])
        small = QFont(self.font())
        small.setPixelSize(FONT_PX["small"])
        text.setFont(small)
        text.setPos(dot.x, dot.y)
        self._plot.addItem(text)

    def _clicked(self, _scatter: Any, points: Any, _event: Any = None) -> None:
        if len(points):
            self.chosen.emit(int(points[0].data()))


def _ends(share: bool) -> tuple[tuple[str, float | None], ...]:
    """How far an axis reaches: a share's a little beyond 0 and 100, so that dots at its ends are whole."""
    return (("Min", -8.0), ("Max", 108.0)) if share else (("Min", None), ("Max", None))


def colour_token(kind: Kind) -> str:
    """The theme's colour of a kind of point."""
    if kind in GUIDANCES:
        return f"series.{GUIDANCES.index(kind)}"
    return "muted" if kind == "renders" else "text"
