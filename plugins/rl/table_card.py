"""The whole table of action values, sortable, with the present state set apart."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QCheckBox, QHBoxLayout, QHeaderView, QTableView, QVBoxLayout, QWidget

from studio.host.export import Table
from studio.ml.rl.learner import TableLook
from studio.ui.elided import ElidedLabel
from studio.ui.icons import IconButton
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_S
from studio_plugins.rl.score_words import Names
from studio_plugins.rl.value_table import ValueTable

ROW, LEAST_ROWS, MOST_ROWS = 22, 6, 14


class TableCard(QWidget):
    """`show_look` at each look; `table()` is what the export service writes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = ValueTable()
        self.view = _View(self)
        self.view.setModel(self.model)
        self._size = ElidedLabel(self)
        self._size.setProperty("tone", "faint")
        self._follow = QCheckBox("Follow", self)
        self._follow.setToolTip("Keep the present state in sight")
        self._follow.setChecked(True)
        tip = "Copy the whole table, tab-separated (Ctrl+C copies what is selected)"
        self._copy = IconButton("copy", tip, self, size=16)
        self._copy.clicked.connect(lambda _checked=False: QGuiApplication.clipboard().setText(self.text()))
        head = QHBoxLayout()
        head.setSpacing(SPACE_S)
        for widget, stretch in ((self._size, 1), (self._follow, 0), (self._copy, 0)):
            head.addWidget(widget, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addLayout(head)
        layout.addWidget(self.view)
        theme().changed.connect(self.view.viewport().update)

    def show_look(self, look: TableLook, names: Names) -> None:
        """Newer values."""
        before = self.model.look
        self.model.show_look(look, names)
        if before is None or before.q.shape != look.q.shape:
            self._fit(look, names)
        if self._follow.isChecked() and (before is None or before.state != look.state):
            self.view.scrollTo(self.model.index(self.model.row_of(look.state), 0))

    def table(self) -> Table:
        """All values, unrounded, in the order of the rows."""
        return self.model.table()

    def text(self) -> str:
        """The same, tab-separated."""
        columns = self.table().columns
        rows = zip(*columns.values(), strict=True)
        return "\n".join("\t".join(map(str, row)) for row in (tuple(columns), *rows))

    def _fit(self, look: TableLook, names: Names) -> None:
        states, actions = look.q.shape
        self._size.setText(f"{states} states × {actions} actions")
        head = self.view.horizontalHeader()
        metrics = self.view.fontMetrics()
        head.resizeSection(0, metrics.horizontalAdvance("(00, 00)") + 30)
        for column in range(1, actions + 3):
            title = metrics.horizontalAdvance(str(self.model.headerData(column, Qt.Orientation.Horizontal))) + 22
            head.resizeSection(column, max(title, metrics.horizontalAdvance("−100.00") + 12))
        shown = max(LEAST_ROWS, min(MOST_ROWS, states))
        bars = head.sizeHint().height() + self.view.horizontalScrollBar().sizeHint().height()
        self.view.setFixedHeight(bars + shown * ROW + 2)


class _View(QTableView):
    """Rows of one height, headings that sort, Ctrl+C for what is selected."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName("Table of action values")
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.horizontalHeader().setSortIndicator(0, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(False)
        self.setShowGrid(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not event.matches(QKeySequence.StandardKey.Copy):
            super().keyPressEvent(event)
            return
        chosen = sorted((index.row(), index.column()) for index in self.selectedIndexes())
        rows: dict[int, list[str]] = {}
        for row, column in chosen:
            rows.setdefault(row, []).append(str(self.model().index(row, column).data()))
        QGuiApplication.clipboard().setText("\n".join("\t".join(row) for row in rows.values()))
