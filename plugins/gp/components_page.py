"""A sum of kernels taken apart: a small plot for each term, one below the other, over the same x.

Imports pyqtgraph, so import this module where a plot is made, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from studio.ml.gp.components import Component
from studio.ml.gp.jet import Array
from studio.ui.plot_axis import BarePlot, style_axes
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.gp.layers import Belief

ROW_PX = 170
SIGMAS = 2.0


class ComponentsPage(QWidget):
    """Shows the posterior of each term; `show_text` where there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._note = QLabel(self)
        self._note.setProperty("tone", "muted")
        self._note.setWordWrap(True)
        self._body = QWidget(self)
        self._rows = QVBoxLayout(self._body)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(SPACE_S)
        self.plots: list[TermPlot] = []
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_S)
        layout.addWidget(self._note)
        layout.addWidget(scroll, 1)

    def show_text(self, text: str) -> None:
        """Say why there is nothing to take apart."""
        self._note.setText(text)
        self._body.hide()

    def show_parts(self, parts: Sequence[Component], x: Array, axes: tuple[str, str]) -> None:
        """The posterior of each term over x [m]."""
        while len(self.plots) < len(parts):
            plot = TermPlot(self._body)
            if self.plots:
                plot.link(self.plots[0])
            self._rows.addWidget(plot)
            self.plots.append(plot)
        for k, plot in enumerate(self.plots):
            plot.setVisible(k < len(parts))
            if k < len(parts):
                plot.show_part(parts[k], x, axes)
        self._note.setText(
            f"Mean and {SIGMAS:g}σ band of each term. The means add up to the posterior’s mean (less the mean function); the "
            "bands do not, because the points make the terms depend on each other."
            if len(parts) > 1
            else "The kernel is a single term. Add another with + to see the function taken apart."
        )
        self._body.show()


class TermPlot(QWidget):
    """The posterior of one term."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumHeight(ROW_PX)
        self._title = QLabel(self)
        self._title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._title.setWordWrap(True)
        self._plot = BarePlot(self)
        self._plot.hideButtons()
        self._belief = Belief(self._plot.getPlotItem(), "series.0")
        self._axes = ("x", "")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._title)
        layout.addWidget(self._plot, 1)
        theme().changed.connect(self._restyle)
        self._restyle()

    def link(self, first: TermPlot) -> None:
        """Show the same stretch of x as another."""
        self._plot.setXLink(first._plot)

    def show_part(self, part: Component, x: Array, axes: tuple[str, str]) -> None:
        """Mean and band over x [m]."""
        self._axes = axes
        self._title.setText(_short(str(part.kernel)))
        self._title.setToolTip(str(part.kernel))
        sd = np.sqrt(part.variance)
        self._belief.show(x, part.mean, sd, (SIGMAS, 1.0))
        low, high = float((part.mean - SIGMAS * sd).min()), float((part.mean + SIGMAS * sd).max())
        self._plot.setRange(xRange=(float(x[0]), float(x[-1])), yRange=(low, high or 1.0), padding=0.02)
        self._plot.setAccessibleName(f"Posterior of {part.kernel}")
        self._restyle()

    def plot_item(self) -> Any:
        """pyqtgraph's PlotItem, for the export service."""
        return self._plot.getPlotItem()

    def mean(self) -> tuple[Array, Array]:
        """x and the mean drawn, both [m]."""
        x, y = self._belief.mean_curve.getData()
        return x, y

    def _restyle(self) -> None:
        style_axes(self._plot, self._axes)
        self._belief.restyle()


def _short(text: str) -> str:
    return text if len(text) <= 110 else f"{text[:109]}…"
