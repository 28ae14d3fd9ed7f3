"""Live curves in the theme's colours, on pyqtgraph (imported when the first plot is made, not before)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio.ui.theme import theme

_REFRESH_MS = 33
_MAX_POINTS = 100_000


class Curves(QWidget):
    """Named series over a common x axis.

    `append` one point or `set_series` a whole curve; drawing happens at most 30 times a second and only while visible.
    A series beyond 100,000 points is thinned to every second one.
    """

    def __init__(
        self, x_label: str = "", y_label: str = "", parent: QWidget | None = None, *, log_y: bool = False, legend: bool = True
    ) -> None:
        super().__init__(parent)
        import pyqtgraph as pg

        from studio.ui.plot_axis import BarePlot

        self._pg = pg
        self._labels = (x_label, y_label)
        self._points: dict[str, tuple[list[float], list[float]]] = {}
        self._items: dict[str, Any] = {}
        self._dirty: set[str] = set()
        self._plot = BarePlot(self)
        self._plot.setAntialiasing(True)
        self._plot.setLogMode(y=log_y)
        self._plot.hideButtons()
        self._plot.getPlotItem().setContentsMargins(4, 4, 8, 4)
        self._legend = QLabel(self)  # above the plot: pyqtgraph's own legend covers the curves
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._legend.setWordWrap(True)
        self._legend.setVisible(legend)
        self._marker = pg.InfiniteLine(angle=90, movable=False)
        self._marker.hide()
        self._plot.addItem(self._marker, ignoreBounds=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._legend)
        layout.addWidget(self._plot, 1)
        self.setMinimumHeight(190 if legend else 150)
        self.setAccessibleName(f"Plot of {y_label or 'values'} over {x_label or 'steps'}")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        theme().changed.connect(self._restyle)
        self._restyle()

    def append(self, series: str, x: float, y: float) -> None:
        """One more point."""
        xs, ys = self._points.setdefault(series, ([], []))
        if len(xs) >= _MAX_POINTS:
            del xs[1::2], ys[1::2]
        xs.append(float(x))
        ys.append(float(y))
        self._mark(series)

    def set_series(self, series: str, x: Sequence[float] | npt.NDArray[Any], y: Sequence[float] | npt.NDArray[Any]) -> None:
        """Replace a curve. Raises ValueError when x and y differ in length."""
        if len(x) != len(y):
            raise ValueError(f"{series}: {len(x)} x values and {len(y)} y values; give as many of each")
        self._points[series] = ([float(v) for v in x], [float(v) for v in y])
        self._mark(series)

    def clear(self) -> None:
        """Remove all curves."""
        for item in self._items.values():
            self._plot.removeItem(item)
        self._points, self._items, self._dirty = {}, {}, set()
        self._write_legend()
        self.mark_x(None)

    def data(self) -> Mapping[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
        """What is drawn, by series: (x, y)."""
        return {name: (np.asarray(xs), np.asarray(ys)) for name, (xs, ys) in self._points.items()}

    def labels(self) -> tuple[str, str]:
        """(x label, y label)."""
        return self._labels

    def mark_x(self, x: float | None) -> None:
        """A vertical line at x (the step under the scrubber); None hides it."""
        self._marker.setVisible(x is not None)
        if x is not None:
            self._marker.setValue(x)

    def plot_item(self) -> Any:
        """pyqtgraph's PlotItem, for the export service."""
        return self._plot.getPlotItem()

    def refresh(self) -> None:
        """Draw what changed."""
        for name in sorted(self._dirty, key=list(self._points).index):
            xs, ys = self._points[name]
            if name not in self._items:
                self._items[name] = self._plot.plot(name=name, pen=self._pen(name), connect="finite")
                self._write_legend()
            self._items[name].setData(np.asarray(xs), np.asarray(ys))
            self._symbols(name)
        self._dirty.clear()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def _mark(self, series: str) -> None:
        self._dirty.add(series)
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _pen(self, name: str) -> Any:
        # Width 1 and opaque: wider pens are far slower in Qt's raster engine (pyqtgraph#533); 2 is needed on HiDPI.
        index = list(self._points).index(name)
        return self._pg.mkPen(theme().color(f"series.{index}"), width=2 if len(self._points[name][0]) < 2000 else 1)

    def _symbols(self, name: str) -> None:
        """A single point has no line: show it as a dot."""
        alone = len(self._points[name][0]) == 1
        self._items[name].setSymbol("o" if alone else None)

    def _restyle(self) -> None:
        from studio.ui.plot_axis import style_axes

        style_axes(self._plot, self._labels)
        self._marker.setPen(self._pg.mkPen(theme().color("muted"), style=Qt.PenStyle.DashLine))
        for name in self._items:
            self._items[name].setPen(self._pen(name))
        self._write_legend()

    def _write_legend(self) -> None:
        tokens = theme().tokens
        parts = [
            f'<span style="color:{tokens.series[place % len(tokens.series)]}; font-weight:800;">━</span>&nbsp;'
            f'<span style="color:{tokens["muted"]}; font-size:11px;">{escape(name).replace(" ", "&nbsp;")}</span>'
            for place, name in enumerate(self._points)
        ]
        nothing = f'<span style="color:{tokens["faint"]}; font-size:11px;">No values yet</span>'
        self._legend.setText(" &nbsp; ".join(parts) or nothing)
        for side in ("bottom", "left"):
            self._plot.getPlotItem().getAxis(side).setStyle(showValues=bool(parts))
