"""The right column: facts of the tensor, the formulas with its numbers in them, and its histogram."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QCheckBox, QLabel, QVBoxLayout, QWidget

from studio.ui.cards import Facts, FormulaCard
from studio.ui.panel_layout import PanelLayout
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX, SPACE_M, SPACE_S
from studio_plugins.inspector.reading import TensorInfo
from studio_plugins.inspector.stats import Statistics
from studio_plugins.inspector.tables import number_text, shape_text, size_text

N = "<i>n</i>"
X = "<i>x<sub>i</sub></i>"
FIGURES = {"Minimum": "minimum", "Maximum": "maximum", "Mean": "mean", "Variance": "variance", "Std. deviation": "std", "L2 norm": "l2"}
TIPS = {
    "Values": "n, the number of values",
    "Mean": "μ, the sum of all finite values divided by their number",
    "Variance": "σ², the mean squared distance from the mean (1/n)",
    "Std. deviation": "σ, the square root of the variance",
    "L2 norm": "‖x‖₂, the square root of the sum of squares",
    "Minimum": "The smallest finite value",
    "Maximum": "The largest finite value",
    "Zeros": "Values that are exactly zero, and their share",
    "NaN": "Values that are not a number; every figure here leaves them out",
    "Infinite": "Values that are plus or minus infinity; every figure here leaves them out",
}


class HistogramPlot(QWidget):
    """Exact counts as filled steps, in the theme's colours; optionally on a logarithmic axis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        import pyqtgraph as pg

        from studio.ui.plot_axis import BarePlot

        self._pg = pg
        self._statistics: Statistics | None = None
        self.plot = BarePlot(self)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        self.plot.setFixedHeight(190)
        self.plot.setAccessibleName("Histogram of the values")
        self._curve = pg.PlotCurveItem([0.0, 1.0], [0.0], stepMode="center", fillLevel=0)
        self.plot.addItem(self._curve)
        self.logarithmic = QCheckBox("Logarithmic counts", self)
        self.logarithmic.setToolTip("Show log10(1 + count), so that rare values can be seen beside frequent ones")
        self.logarithmic.toggled.connect(lambda _on: self._draw())
        self.caption = QLabel(self)
        self.caption.setProperty("tone", "faint")
        self.caption.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        for widget in (self.plot, self.logarithmic, self.caption):
            layout.addWidget(widget)
        theme().changed.connect(self._restyle)
        self._restyle()

    def show_statistics(self, statistics: Statistics | None) -> None:
        self._statistics = statistics
        self._draw()

    def statistics(self) -> Statistics | None:
        return self._statistics

    def _draw(self) -> None:
        histogram = self._statistics.histogram if self._statistics else None
        if histogram is None:
            self._curve.setData([0.0, 1.0], [0.0])
            self.caption.setText("")
            return
        counts = np.asarray(histogram.counts, np.float64)
        edges = histogram.edges()
        if np.isfinite(edges).all():
            self._curve.setData(edges, np.log10(1 + counts) if self.logarithmic.isChecked() else counts)
        self.caption.setText(f"{len(counts)} bins of width {number_text(histogram.width, 4)}; every finite value is counted")

    def _restyle(self) -> None:
        colours, plot = theme(), self.plot.getPlotItem()
        small = QFont(self.font())
        small.setPixelSize(FONT_PX["small"])
        self.plot.setBackground(colours.color("plot.background"))
        for side in ("bottom", "left"):
            axis = plot.getAxis(side)
            axis.setPen(colours.color("plot.grid"))
            axis.setTextPen(colours.color("plot.axis"))
            axis.setStyle(tickLength=0, tickFont=small, hideOverlappingLabels=True)
        line, fill = colours.color("series.0"), QColor(colours.color("series.0"))
        fill.setAlpha(110)
        self._curve.setPen(self._pg.mkPen(line, width=1))
        self._curve.setBrush(self._pg.mkBrush(fill))


class Insight:
    """Fills the insight column of a PanelLayout."""

    def __init__(self, zones: PanelLayout) -> None:
        self.facts = Facts(zones)
        self.mean = FormulaCard(f"μ = <sup>1</sup>⁄<sub>{N}</sub> Σ {X}", "= <sup>1</sup>⁄<sub>$n</sub> · $sum = $mean", "Mean", zones)
        self.variance = FormulaCard(
            f"σ² = <sup>1</sup>⁄<sub>{N}</sub> Σ ({X} − μ)²", "= <sup>1</sup>⁄<sub>$n</sub> · $m2 = $variance", "Variance (of all values, so 1/n)", zones
        )
        self.std = FormulaCard("σ = √σ²", "= √$variance = $std", "Standard deviation", zones)
        self.l2 = FormulaCard(f"‖<i>x</i>‖₂ = √(Σ {X}²) = √({N} (σ² + μ²))", "= √$squares = $l2", "L2 norm", zones)
        self.histogram = HistogramPlot(zones)
        formulas = QWidget(zones)
        layout = QVBoxLayout(formulas)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_M)
        for card in (self.mean, self.variance, self.std, self.l2):
            layout.addWidget(card)
        self._sections = (zones.add_insight("Tensor", self.facts), zones.add_insight("Histogram", self.histogram))
        zones.add_insight("Formulas with its numbers", formulas)
        self.show(None, None)

    def show(self, info: TensorInfo | None, found: Statistics | None) -> None:
        """What is known of the tensor; without statistics only what the file says."""
        for section in self._sections:
            section.setVisible(info is not None and not info.problem)
        self._sections[0].setVisible(info is not None)
        self.facts.set_facts(facts(info, found), TIPS)
        self.histogram.show_statistics(found)
        numbers: dict[str, Any] = {}
        if found is not None:
            numbers = {
                "n": f"{found.finite:,}", "mean": number_text(found.mean), "variance": number_text(found.variance),
                "std": number_text(found.std), "l2": number_text(found.l2),
                "sum": number_text(found.mean * found.finite if found.mean is not None else None),
                "m2": number_text(found.variance * found.finite if found.variance is not None else None),
                "squares": number_text(found.l2**2 if found.l2 is not None and found.l2 < 1e150 else None),
            }  # fmt: skip
        for card in (self.mean, self.variance, self.std, self.l2):
            card.set_numbers(numbers)
        self.mean.set_note("Mean of the magnitudes |z|, as are all figures" if found and found.of_magnitudes else "Mean")


def facts(info: TensorInfo | None, found: Statistics | None) -> dict[str, str]:
    """Names and values in words; what is not measured yet says so."""
    if info is None:
        return {}
    shown = {"Name": info.name, "Shape": shape_text(info.shape), "Type": info.dtype, "Values": f"{info.count:,}", "Size": size_text(info.nbytes)}
    if info.problem:
        return shown
    for name, attribute in FIGURES.items():
        shown[name] = number_text(getattr(found, attribute)) if found else "measuring …"
    if found:
        share = f"  ({found.zeros / found.count:.1%})" if found.count else ""
        shown.update({"Zeros": f"{found.zeros:,}{share}", "NaN": f"{found.nan:,}", "Infinite": f"{found.infinite:,}"})
        if not found.complete:
            shown["So far"] = f"{found.count / max(info.count, 1):.0%} measured"
    return shown
