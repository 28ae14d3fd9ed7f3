"""Final scores over two swept settings: a table whose cells are coloured by them."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView, QHeaderView, QLabel, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTableWidget,
    QTableWidgetItem, QVBoxLayout, QWidget,
)  # fmt: skip

from studio.ui.heat import colours
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_S
from studio_plugins.rl.score_words import number
from studio_plugins.rl.sweep_plan import Sweep, shown
from studio_plugins.rl.sweep_score import CellScore, spread

_DARKEST, _BRIGHTEST = 40, 250
_FRAME = 4
_LIGHT = 0.45
"""Brightness from which letters on a colour are dark."""


Index = QModelIndex | QPersistentModelIndex


class _Framed(QStyledItemDelegate):
    """The chosen cell keeps its colour, and has a frame."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        option.state &= ~(QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_HasFocus)
        super().paint(painter, option, index)
        if chosen:
            painter.save()
            painter.setPen(QPen(theme().color("text"), _FRAME))
            inside = _FRAME // 2 + 1
            painter.drawRect(option.rect.adjusted(inside, inside, -inside, -inside))
            painter.restore()


class HeatTable(QWidget):
    """Rows are values of the first setting, columns of the second. Signal: `placed` (which cell)."""

    placed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns = 1
        self.heading = QLabel(self)
        self.heading.setProperty("tone", "muted")
        self.view = QTableWidget(self)
        self.view.setItemDelegate(_Framed(self.view))
        self.view.setAccessibleName("Final return of each cell")
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        for header in (self.view.horizontalHeader(), self.view.verticalHeader()):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
            header.setMinimumSectionSize(26)
        self.view.currentCellChanged.connect(lambda row, column, *_: self._put(row, column))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self.heading)
        layout.addWidget(self.view, 1)

    def show_scores(self, sweep: Sweep, scores: Mapping[int, CellScore]) -> None:
        """Of a sweep over two settings; cells that are still to come are empty."""
        rows, columns = sweep.axes
        self._columns = len(columns.values)
        self.heading.setText(f"Rows: {rows.label}. Columns: {columns.label}. Final return, interquartile mean.")
        low, high = spread(scores.values())
        self.view.blockSignals(True)
        self.view.setRowCount(len(rows.values))
        self.view.setColumnCount(self._columns)
        self.view.setVerticalHeaderLabels([shown(value) for value in rows.values])
        self.view.setHorizontalHeaderLabels([shown(value) for value in columns.values])
        for cell in sweep.cells():
            score = scores.get(cell.number)
            item = QTableWidgetItem("" if score is None else "–" if score.value is None else number(score.value))
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            item.setToolTip(sweep.words(cell) if score is None else score.words(sweep))
            if score is not None and score.value is not None:
                colour = _colour((score.value - low) / (high - low or 1.0))
                item.setBackground(QBrush(colour))
                item.setForeground(QBrush(QColor("black" if colour.lightnessF() > _LIGHT else "white")))
            self.view.setItem(cell.number // self._columns, cell.number % self._columns, item)
        self.view.blockSignals(False)

    def place(self, cell: int) -> None:
        """Set a cell apart."""
        self.view.blockSignals(True)
        self.view.setCurrentCell(cell // self._columns, cell % self._columns)
        self.view.blockSignals(False)

    def _put(self, row: int, column: int) -> None:
        if row >= 0 and column >= 0:
            self.placed.emit(row * self._columns + column)


def _colour(share: float) -> QColor:
    return QColor(*(int(part) for part in colours()[round(_DARKEST + share * (_BRIGHTEST - _DARKEST))]))
