"""What a Gaussian process says of its slope and its integral: both Gaussian again, each with a band.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio.ml.gp.jet import Array
from studio.ui.plot_axis import BarePlot, style_axes
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.gp.deeper import Slopes
from studio_plugins.gp.layers import Belief

SIGMAS = 2.0


class SlopePage(QWidget):
    """Slope above, running integral below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axes = ("x", "y")
        self._slope_note, self.area_note = _note(self), _note(self)
        self._plots = [BarePlot(self) for _ in range(2)]
        self._zeros = [pg.InfiniteLine(0.0, angle=0) for _ in self._plots]
        for plot, zero, name in zip(self._plots, self._zeros, ("Slope of f", "Running integral of f"), strict=True):
            plot.hideButtons()
            plot.setAccessibleName(name)
            plot.addItem(zero, ignoreBounds=True)
        self._beliefs = [Belief(plot.getPlotItem(), token) for plot, token in zip(self._plots, ("series.1", "series.2"), strict=True)]
        self._plots[1].setXLink(self._plots[0])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_S)
        for note, plot in ((self._slope_note, self._plots[0]), (self.area_note, self._plots[1])):
            layout.addWidget(note)
            layout.addWidget(plot, 1)
        theme().changed.connect(self._restyle)
        self._restyle()

    def show_text(self, text: str) -> None:
        """Say why there is nothing to show."""
        self._slope_note.setText(text)
        self.area_note.clear()
        for plot in self._plots:
            plot.hide()

    def show_slopes(self, found: Slopes, x: Array, axes: tuple[str, str]) -> None:
        """Both over the stretch of x [m] that the function's plot shows."""
        self._axes = axes
        self._plots[0].setVisible(found.slope is not None)
        self._plots[1].show()
        if found.slope is not None:
            self._slope_note.setText(f"Slope of {axes[1]} per {axes[0]}: mean and {SIGMAS:g}σ band")
            self._draw(0, x, found.slope.mean, np.sqrt(found.slope.variance))
        else:
            self._slope_note.setText(found.why)
        sd = np.sqrt(found.area.variance)
        self._draw(1, found.edges, found.area.mean, sd)
        self.area_note.setText(
            f"Integral of {axes[1]} from {axes[0]} = {found.edges[0]:.4g} on; up to {found.edges[-1]:.4g} it is "
            f"<b>{found.area.mean[-1]:.5g} ± {sd[-1]:.2g}</b> (1σ)"
        )
        self._restyle()

    def plot_items(self) -> tuple[Any, Any]:
        """pyqtgraph's PlotItems of slope and integral, for the export service."""
        return self._plots[0].getPlotItem(), self._plots[1].getPlotItem()

    def _draw(self, row: int, x: Array, mean: Array, sd: Array) -> None:
        self._beliefs[row].show(x, mean, sd, (SIGMAS, 1.0))
        low, high = float((mean - SIGMAS * sd).min()), float((mean + SIGMAS * sd).max())
        self._plots[row].setRange(xRange=(float(x[0]), float(x[-1])), yRange=(low, high or 1.0), padding=0.03)

    def _restyle(self) -> None:
        x, y = self._axes
        for plot, label in zip(self._plots, (f"slope of {y}", f"integral of {y}"), strict=True):
            style_axes(plot, (x, label))
        for belief in self._beliefs:
            belief.restyle()
        for zero in self._zeros:
            zero.setPen(pg.mkPen(theme().color("muted"), width=1, style=Qt.PenStyle.DashLine))


def _note(parent: QWidget) -> QLabel:
    note = QLabel(parent)
    note.setProperty("tone", "muted")
    note.setWordWrap(True)
    return note
