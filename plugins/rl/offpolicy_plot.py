"""Estimates of a policy's value as episodes of another come in, against the exact value."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from studio.ui.plot import Plot

Floats = NDArray[np.float64]

ESTIMATES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ordinary": ("ordinary", "series.1"), "weighted": ("weighted", "series.0"),
        "per_decision": ("per decision", "series.2"),
    }
)  # fmt: skip
MOST = 500
"""Points drawn of each estimate, evenly over the logarithm of the episodes."""


class EstimatePlot(Plot):
    """`set_truth`, then `show_estimates`. Episodes stand on a logarithmic axis: most happens among the first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("episodes of the behaviour", "estimated value of the start", parent)
        self.item.setLogMode(x=True, y=False)
        self._curves = {
            name: self.pg.PlotDataItem(name=title, connect="finite", antialias=True)
            for name, (title, _) in ESTIMATES.items()
        }
        self._truth = self.pg.InfiniteLine(angle=0)
        self._shown: dict[str, Floats] = {}
        self.view.setMouseEnabled(x=False, y=False)
        self.view.disableAutoRange()
        for curve in self._curves.values():
            self.item.addItem(curve, ignoreBounds=True)
        self.item.addItem(self._truth, ignoreBounds=True)
        self.set_truth(float("nan"))
        self.redraw()

    def set_truth(self, value: float) -> None:
        """The exact value; nan where there is none."""
        self._value = value
        self._truth.setVisible(bool(np.isfinite(value)))
        if np.isfinite(value):
            self._truth.setValue(value)
        self._fit()

    def show_estimates(self, estimates: Mapping[str, Floats]) -> None:
        """By name, [n] each: after 1, 2, … n episodes."""
        self._shown = dict(estimates)
        for name, curve in self._curves.items():
            y = self._shown.get(name, np.empty(0))
            places = spaced(len(y))
            curve.setData(places + 1.0, y[places])
        self._fit()

    def redraw(self) -> None:
        for name, (_, colour) in ESTIMATES.items():
            self._curves[name].setPen(self.pen(colour, 2))
        self._truth.setPen(self.pen("success", 2, style=Qt.PenStyle.DashLine))

    def _fit(self) -> None:
        """The later two thirds (of the logarithm) stand within the axes; the wild beginning may leave them."""
        n = max((len(y) for y in self._shown.values()), default=0)
        late = [y[int(n ** (1 / 3)) :] for y in self._shown.values()]
        values = np.concatenate([*late, [self._value]]) if late else np.array([self._value])
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (-1.0, 0.0)
        room = (high - low) or max(1.0, abs(high) * 0.1)
        up = (low - 0.08 * room, high + 0.08 * room)
        self.view.setRange(xRange=(0.0, np.log10(max(10, n))), yRange=up, padding=0.02)


def spaced(n: int) -> NDArray[np.int64]:
    """Places among n, evenly over the logarithm, the first and the last among them."""
    if n <= MOST:
        return np.arange(n)
    return np.unique(np.geomspace(1, n, MOST).round().astype(np.int64)) - 1
