"""A table of action values as Qt reads it: only the rows on the screen are ever asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication

from studio.host.export import Table
from studio.ml.rl.learner import Floats, TableLook
from studio.ui.theme import theme
from studio_plugins.rl.score_words import Names, number

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class ValueTable(QAbstractTableModel):
    """Rows are states in the order last sorted; columns: state, every action, visits, |TD error|."""

    def __init__(self) -> None:
        super().__init__()
        self._look: TableLook | None = None
        self._names = Names()
        self._order = np.arange(0)
        self._places = np.arange(0)
        self._sorted = (0, Qt.SortOrder.AscendingOrder)
        self._bold = QFont(QApplication.font())
        self._bold.setBold(True)

    def show_look(self, look: TableLook, names: Names) -> None:
        """Newer values. The order of the rows stays until somebody sorts again: rows that jump cannot be read."""
        if self._look is None or look.q.shape != self._look.q.shape or names != self._names:
            self.beginResetModel()
            self._look, self._names = look, names
            self._arrange(np.arange(len(look.q)))
            self.endResetModel()
            return
        self._look = look
        self.dataChanged.emit(self.index(0, 0), self.index(len(look.q) - 1, self.columnCount() - 1))

    @property
    def look(self) -> TableLook | None:
        return self._look

    def row_of(self, state: int) -> int:
        """In which row a state stands."""
        return int(self._places[state])

    def state_of(self, row: int) -> int:
        """Which state stands in a row."""
        return int(self._order[row])

    def table(self) -> Table:
        """All rows as they stand, unrounded, for the export service."""
        look = self._look
        if look is None:
            return Table({})
        rows = self._order
        columns: dict[str, Any] = {"state": [self._names.state(int(s)) for s in rows]}
        for a in range(look.q.shape[1]):
            columns[f"Q {self._names.action(a)}"] = look.q[rows, a].tolist()
        for a in range(look.q.shape[1]):
            columns[f"behaviour {self._names.action(a)}"] = look.policy[rows, a].tolist()
        return Table({**columns, "visits": look.visits[rows].tolist(), "TD error": look.error[rows].tolist()})

    # --- Qt's questions ---

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() or self._look is None else len(self._look.q)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() or self._look is None else self._look.q.shape[1] + 3

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or self._look is None:
            return None
        actions = self._look.q.shape[1]
        titles = ["State", *(self._names.action(a) for a in range(actions)), "Visits", "|TD error|"]
        if role == Qt.ItemDataRole.DisplayRole:
            return titles[section]
        if role == Qt.ItemDataRole.ToolTipRole and 0 < section <= actions:
            return f"Value of {titles[section]}: the return expected from there on. Bold is the best of its row."
        if role == Qt.ItemDataRole.ToolTipRole and section == 0 and self._names.columns:
            return "(row, column) of the cell, counted from 1 at the top left"
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        look = self._look
        if look is None or not index.isValid():
            return None
        state, column, actions = int(self._order[index.row()]), index.column(), look.q.shape[1]
        if role == Qt.ItemDataRole.DisplayRole:
            if column == 0:
                return self._names.state(state)
            if column <= actions:
                return number(float(look.q[state, column - 1]))
            if column == actions + 1:
                return number(float(look.visits[state]), 7)
            return number(float(look.error[state]), 3)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
            return side | Qt.AlignmentFlag.AlignVCenter
        greedy = 0 < column <= actions and look.q[state, column - 1] == look.q[state].max()
        if role == Qt.ItemDataRole.FontRole and greedy:
            return self._bold
        if role == Qt.ItemDataRole.ForegroundRole:
            return theme().color("faint" if not look.visits[state] else "accent" if greedy else "text")
        if role == Qt.ItemDataRole.BackgroundRole and state == look.state:
            return theme().color("accent_soft")
        if role == Qt.ItemDataRole.ToolTipRole and 0 < column <= actions:
            return self._tip(state, column - 1)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if self._look is None:
            return
        rows = np.argsort(self._key(column), kind="stable")
        self.layoutAboutToBeChanged.emit()
        self._arrange(rows if order == Qt.SortOrder.AscendingOrder else rows[::-1])
        self.layoutChanged.emit()

    def _key(self, column: int) -> Floats:
        look = self._look
        assert look is not None
        actions = look.q.shape[1]
        if column == 0:
            return np.arange(len(look.q), dtype=np.float64)
        if column <= actions:
            return look.q[:, column - 1]
        return (look.visits if column == actions + 1 else look.error).astype(np.float64)

    def _arrange(self, rows: Any) -> None:
        self._order = rows
        self._places = np.empty(len(rows), dtype=np.int64)
        self._places[rows] = np.arange(len(rows))

    def _tip(self, state: int, action: int) -> str:
        look = self._look
        assert look is not None
        pair = f"{self._names.state(state)}, {self._names.action(action)}"
        text = f"Q({pair}) = {float(look.q[state, action])!r}"
        text += f"\nBehaviour takes it with probability {look.policy[state, action]:.3g}"
        if look.optimal is not None:
            text += f"\nThe best policy's value: {number(float(look.optimal[state, action]))}"
        return text
