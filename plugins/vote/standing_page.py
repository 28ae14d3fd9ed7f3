"""The standing as a plot with error bars and a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QAbstractItemView, QHeaderView, QLabel, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget,
)  # fmt: skip

from studio.ml.evaluation.elo import MEAN
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX, SPACE_L, SPACE_M
from studio_plugins.vote.standing import Standing

COLUMNS = ("Elo", "95 % interval", "Won", "Tied", "Lost")
_LONGEST_NAME = 28
_PLAIN = "Bars are 95 % intervals, from the Fisher information of the votes. A tie counts as half a win each."
_VIRTUAL = (
    "Bars are 95 % intervals. Somebody never lost a point to somebody else, which alone would put no bound on the "
    "scores: one virtual tie is added to every pair. Vote on to do without."
)


class ScorePlot(QWidget):
    """One dot a contestant with its 95 % interval; the vertical line is the mean of all."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        import pyqtgraph as pg

        from studio.ui.plot_axis import BarePlot

        self._pg = pg
        self._names = pg.AxisItem("left")
        self.plot = BarePlot(self, axes={"left": self._names})
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        self.plot.setAccessibleName("Elo scores with their 95 % intervals")
        self._mean = pg.InfiniteLine(pos=MEAN, angle=90)
        self._bars = pg.ErrorBarItem(x=np.zeros(0), y=np.zeros(0), width=np.zeros(0))
        self._dots = self.plot.plot([], [], name="Elo", pen=None, symbol="o", symbolSize=9)
        for item in (self._mean, self._bars):
            self.plot.addItem(item)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self.setMinimumHeight(180)
        self._half = np.zeros(0)
        theme().changed.connect(self._restyle)
        self._restyle()

    def show_standing(self, found: Standing) -> None:
        """The best on top."""
        rows = found.rows
        scores, places = np.array([row.score for row in rows]), -np.arange(len(rows), dtype=float)
        self._half = np.array([row.half_width for row in rows])
        names = [_short(row.contestant) for row in rows]
        self._names.setTicks([list(zip(places.tolist(), names, strict=True))])
        self._bars.setData(x=scores, y=places, width=2 * self._half, beam=0.16)
        self._dots.setData(scores, places)
        self.plot.setYRange(-len(rows) + 0.4, 0.6, padding=0)
        if len(rows):
            self.plot.setXRange(float((scores - self._half).min()), float((scores + self._half).max()), padding=0.05)

    def _restyle(self) -> None:
        colours, plot = theme(), self.plot.getPlotItem()
        small = QFont(self.font())
        small.setPixelSize(FONT_PX["small"])
        self.plot.setBackground(colours.color("plot.background"))
        plot.showGrid(x=True, y=False, alpha=0.12)
        for side in ("bottom", "left"):
            axis = plot.getAxis(side)
            axis.setPen(colours.color("plot.grid"))
            axis.setTextPen(colours.color("plot.axis"))
            axis.setStyle(tickLength=0, tickFont=small)
        label: dict[str, Any] = {"color": colours.tokens.plot["axis"], "font-size": f"{FONT_PX['small']}px"}
        plot.getAxis("bottom").setLabel("Elo score (mean 1000)", **label)
        self._mean.setPen(self._pg.mkPen(colours.color("muted"), style=Qt.PenStyle.DashLine))
        self._bars.setOpts(pen=self._pg.mkPen(colours.color("series.0"), width=2))
        self._dots.setSymbolBrush(colours.color("series.0"))
        self._dots.setSymbolPen(self._pg.mkPen(colours.color("plot.background"), width=1))


class StandingPage(QWidget):
    """Plot above, table below, and in words what the scores rest on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heading, self.note = QLabel(self), QLabel(self)
        self.heading.setProperty("tone", "title")
        self.note.setProperty("tone", "muted")
        self.note.setWordWrap(True)
        self.scores = ScorePlot(self)
        self.table = QTableWidget(0, 1 + len(COLUMNS), self)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setAccessibleName("Standing")
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addWidget(self.heading)
        layout.addWidget(self.note)
        layout.addWidget(self.scores, 3)
        layout.addWidget(self.table, 2)
        self.found: Standing | None = None

    def show_standing(self, found: Standing, question: str, setting: str) -> None:
        """Fill the page; contestants are values of `setting`."""
        self.found = found
        self.table.setHorizontalHeaderLabels([setting, *COLUMNS])
        self.heading.setText(f"{question} — {found.votes} vote{'s' if found.votes != 1 else ''}")
        self.note.setText(_VIRTUAL if found.virtual_ties else _PLAIN)
        self.scores.show_standing(found)
        self.table.setRowCount(len(found.rows))
        for at, row in enumerate(found.rows):
            interval = f"{row.score - row.half_width:.0f} to {row.score + row.half_width:.0f}"
            texts = (row.contestant, f"{row.score:.0f}", interval, str(row.won), str(row.tied), str(row.lost))
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(at, column, item)


def _short(name: str) -> str:
    """A name that leaves room for the plot; long ones are mostly paths, whose end tells more."""
    return name if len(name) <= _LONGEST_NAME else f"…{name[-_LONGEST_NAME + 1:]}"
