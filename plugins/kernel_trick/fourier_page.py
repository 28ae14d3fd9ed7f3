"""How many random Fourier features the Gaussian kernel needs: the error of the Gram matrix, measured."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio.ml.linear.fourier import GramErrors
from studio.ui.plot import Legend, RulerPlot
from studio.ui.tokens import SPACE_S
from studio_plugins.kernel_trick.results import Look
from studio_plugins.kernel_trick.words import feature_words, number

_LEGEND = (
    ("●", "series.0", "one random draw"),
    ("━", "series.0", "their mean"),
    ("╌", "series.1", "expected from the variance"),
    ("┃", "accent", "features today: drag it"),
)


class FourierPlot(RulerPlot):
    """Error over the number of features, both logarithmic. Signal: `count` (features, while the line is dragged)."""

    count = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("log₁₀ number of features", "log₁₀ root-mean-square error of the Gram matrix", parent)
        self._errors: GramErrors | None = None
        self.ruled.connect(lambda x: self.count.emit(round(float(np.clip(10.0 ** min(x, 9.0), 2, 4096)))))

    def show_errors(self, errors: GramErrors, today: int) -> None:
        first, self._errors = self._errors is None, errors
        self.set_ruler(float(np.log10(today)))
        self.redraw()
        if first:
            self.view.autoRange()

    def redraw(self) -> None:
        self.item.clear()
        if self._errors is None:
            return
        found = self._errors
        x, tiny = np.log10(found.counts), np.finfo(float).tiny
        for i, draw in enumerate(found.errors):
            self.item.plot(
                x, np.log10(np.maximum(draw, tiny)), pen=None, symbol="o", symbolSize=5, symbolPen=None,
                symbolBrush=self.brush("series.0", 90), name=f"draw {i + 1}",
            )  # fmt: skip
        mean = np.sqrt(np.square(found.errors).mean(axis=0))
        self.item.plot(x, np.log10(np.maximum(mean, tiny)), pen=self.pen("series.0", 2), name="mean")
        dashed = self.pen("series.1", 2, style=Qt.PenStyle.DashLine)
        self.item.plot(x, np.log10(np.maximum(found.expected, tiny)), pen=dashed, name="expected")
        self.draw_ruler()


class FourierPage(QWidget):
    """The plot and what it says; of other kernels, their finite list of features. Signal: `count`."""

    count = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = FourierPlot(self)
        self.plot.count.connect(self.count)
        self._legend = Legend(_LEGEND, self)
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self._legend)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self._words)

    def show_look(self, look: Look) -> None:
        """The errors of a look of the Gaussian kernel, or the features of another."""
        gaussian = look.kernel.name == "rbf"
        self.plot.setVisible(gaussian)
        self._legend.setVisible(gaussian)
        self._words.setAlignment(Qt.AlignmentFlag.AlignLeft if gaussian else Qt.AlignmentFlag.AlignCenter)
        if not gaussian:
            self._words.setText(
                f"This kernel needs no random features. It is the dot product of {len(look.monomials)}:\n\n"
                f"φ(x) = {feature_words(look.monomials)}\n\nChoose the Gaussian kernel to draw random ones."
            )
        elif look.errors is None:
            self._words.setText("Click points into the plane to measure the error of their Gram matrix.")
        else:
            self.plot.show_errors(look.errors, look.request.count)
            self._words.setText(sentence(look))

    def text(self) -> str:
        return self._words.text()


def sentence(look: Look) -> str:
    """What the curve says of today's number."""
    difference = look.grams.difference
    error = float(np.sqrt(np.square(difference).mean()))
    return (
        f"{look.request.count} features: error {number(error, 3)} in this draw. Four times as many halve it, as for "
        "every mean of random numbers; the kernel itself has none and costs one exponential."
    )
