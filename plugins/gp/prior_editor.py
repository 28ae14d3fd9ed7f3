"""Noise, mean function and how observations scatter: what is believed besides the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget

from studio.ml.gp.mean import ConstantMean, LinearMean, Mean, ZeroMean
from studio.ui.tokens import SPACE_S
from studio_plugins.gp.number_edit import NumberEdit
from studio_plugins.gp.points import Points

WIDE = 144  # pixels of a field
MEANS: Mapping[str, str] = MappingProxyType({"zero": "zero", "constant": "a constant", "linear": "a straight line"})
LIKELIHOODS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "gaussian": ("Gaussian noise", "y = f + e, e ~ N(0, σ²): exact"),
        "student": ("Student-t noise", "Heavy tails: a point far off loses its weight instead of bending f (variational)"),
        "classes": ("two classes", "y is 0 or 1, p(y = 1) = 1 / (1 + exp(−f)): Laplace’s approximation"),
    }
)
_KINDS = {"zero": ZeroMean, "constant": ConstantMean, "linear": LinearMean}


class PriorEditor(QWidget):
    """Signals: `noise_edited` (σ, merge key), `mean_edited` (mean function, merge key), `mean_wanted` (name of a kind),
    `likelihood_wanted` (its name), `degrees_edited` (degrees of freedom, merge key)."""

    noise_edited = Signal(float, str)
    mean_edited = Signal(object, str)
    mean_wanted = Signal(str)
    likelihood_wanted = Signal(str)
    degrees_edited = Signal(float, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mean: Mean = ZeroMean()
        tip = "Standard deviation σ of the noise of every observation, in units of y. 0: the points are exact."
        self.noise = NumberEdit("Noise σ", tip, self, least=0.0)
        self.noise.edited.connect(lambda value, small: self.noise_edited.emit(value, "noise" if small else ""))
        self.kind = QComboBox(self)
        self.kind.setAccessibleName("Mean function")
        self.kind.setToolTip("What is expected of the function before any point is seen.")
        for name, title in MEANS.items():
            self.kind.addItem(title, name)
        self.kind.activated.connect(lambda _index: self.mean_wanted.emit(self.kind.currentData()))
        self.likelihood = QComboBox(self)
        self.likelihood.setAccessibleName("Observations")
        self.likelihood.setToolTip("How observations scatter around the function.")
        for name, (title, tip) in LIKELIHOODS.items():
            self.likelihood.addItem(title, name)
            self.likelihood.setItemData(self.likelihood.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.likelihood.activated.connect(lambda _index: self.likelihood_wanted.emit(self.likelihood.currentData()))
        self.degrees = NumberEdit("Degrees of freedom", "Of Student-t noise: few allow far outliers, many are Gaussian.", self)
        self.degrees.edited.connect(lambda value, small: self.degrees_edited.emit(value, "degrees" if small else ""))
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE_S)
        self._grid.setColumnStretch(0, 1)
        self._labels: dict[QWidget, QLabel] = {}
        rows: tuple[tuple[str, QWidget], ...] = (
            ("Observations", self.likelihood), ("Noise σ", self.noise), ("Degrees", self.degrees),
            ("Mean function", self.kind),
        )  # fmt: skip
        for row, (text, widget) in enumerate(rows):
            self._labels[widget] = _label(text, widget, self)
            self._grid.addWidget(self._labels[widget], row, 0)
            widget.setFixedWidth(WIDE)
            self._grid.addWidget(widget, row, 1)
        self._first = len(rows)
        self._values: list[tuple[QLabel, NumberEdit]] = []

    def show_prior(self, noise: float, mean: Mean, likelihood: str = "gaussian", degrees: float = 4.0) -> None:
        """Show them; says nothing."""
        self.likelihood.setCurrentIndex(self.likelihood.findData(likelihood))
        self.degrees.set_value(degrees)
        for widget, wanted in ((self.noise, likelihood != "classes"), (self.degrees, likelihood == "student")):
            widget.setVisible(wanted)
            self._labels[widget].setVisible(wanted)
        self._labels[self.noise].setText("Scale σ" if likelihood == "student" else "Noise σ")
        self.noise.set_value(noise)
        self._mean = mean
        self.kind.setCurrentIndex(self.kind.findData(kind_of(mean)))
        if [edit.accessibleName() for _, edit in self._values] != list(mean.names):
            self._rebuild()
        for (_, edit), value in zip(self._values, mean.theta.tolist(), strict=True):
            edit.set_value(value)

    def _rebuild(self) -> None:
        for pair in self._values:
            for widget in pair:
                self._grid.removeWidget(widget)
                widget.hide()
                widget.deleteLater()
        self._values = []
        for index, name in enumerate(self._mean.names):
            edit = NumberEdit(name, "In units of y (a slope: of y per x).", self, least=None)
            edit.setFixedWidth(WIDE)
            edit.edited.connect(partial(self._set_value, index))
            label = _label(name[:1].upper() + name[1:], edit, self)
            self._grid.addWidget(label, self._first + index, 0)
            self._grid.addWidget(edit, self._first + index, 1)
            self._values.append((label, edit))

    def _set_value(self, index: int, value: float, small: bool) -> None:
        theta = self._mean.theta
        theta[index] = value
        self.mean_edited.emit(self._mean.with_theta(theta), f"mean {index}" if small else "")


def kind_of(mean: Mean) -> str:
    """The name of a mean function's kind."""
    return next(name for name, kind in _KINDS.items() if isinstance(mean, kind))


def fitted_mean(kind: str, points: Points) -> Mean:
    """A mean function of a kind, by least squares through the points: where a fit begins."""
    if kind == "zero":
        return ZeroMean()
    mean = ConstantMean() if kind == "constant" else LinearMean(0.0, (0.0,) * points.inputs)
    if not len(points):
        return mean
    return mean.with_theta(np.linalg.lstsq(mean.design(points.x), points.y, rcond=None)[0])


def _label(text: str, widget: QWidget, parent: QWidget) -> QLabel:
    label = QLabel(text, parent)
    label.setProperty("tone", "muted")
    label.setToolTip(widget.toolTip())
    label.setBuddy(widget)
    return label
