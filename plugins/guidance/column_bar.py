"""One button a column to choose it, and what can be done with the one chosen. The mouse is enough for all of it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from studio.ui.icons import IconButton
from studio.ui.theme import theme
from studio_plugins.guidance.columns import Columns
from studio_plugins.guidance.titles import titles_of

_CHIP = 37  # pixels: six and the button to add stand in one row of the narrowest column


class ColumnBar(QWidget):
    """Shows a Columns model. Signal: `fork_asked`, when the chosen column is to be forked at the step looked at."""

    fork_asked = Signal()

    def __init__(self, columns: Columns, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns = columns
        self._chips: list[QToolButton] = []
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(columns.choose)
        self._row = QHBoxLayout()
        self._row.setSpacing(2)
        self.add_button = IconButton("plus", "Add a column", self, size=16)
        self.add_button.clicked.connect(lambda _checked=False: columns.add())
        self._row.addWidget(self.add_button)
        self._row.addStretch(1)
        self._title = QLabel(self)
        self._title.setProperty("tone", "title")
        self._title.setWordWrap(True)
        self._lineage = QLabel(self)
        self._lineage.setProperty("tone", "faint")
        self._lineage.setWordWrap(True)
        actions = QHBoxLayout()
        actions.setSpacing(2)
        self.left = IconButton("chevron-left", "Move this column to the left", self, size=16)
        self.right = IconButton("chevron-right", "Move this column to the right", self, size=16)
        self.duplicate = IconButton("copy", "Duplicate this column", self, size=16)
        self.remove = IconButton("trash", "Remove this column", self, size=16)
        self.fork = QToolButton(self)
        self.fork.setText("Fork from here")
        self.fork.setToolTip(
            "A new column that shares this one's steps up to the one under the timeline's mark, and may then be guided "
            "in another way"
        )
        self.left.clicked.connect(lambda _checked=False: columns.move(columns.current, columns.current - 1))
        self.right.clicked.connect(lambda _checked=False: columns.move(columns.current, columns.current + 1))
        self.duplicate.clicked.connect(lambda _checked=False: columns.duplicate())
        self.remove.clicked.connect(lambda _checked=False: columns.remove())
        self.fork.clicked.connect(lambda _checked=False: self.fork_asked.emit())
        for button in (self.left, self.right, self.duplicate, self.remove):
            actions.addWidget(button)
        actions.addStretch(1)
        actions.addWidget(self.fork)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._row)
        layout.addLayout(actions)
        layout.addWidget(self._title)
        layout.addWidget(self._lineage)
        columns.changed.connect(self.refresh)
        columns.chosen.connect(lambda _index: self.refresh())
        theme().changed.connect(self.refresh)
        self._can_fork = False
        self.refresh()

    def set_can_fork(self, can: bool) -> None:
        """Whether the step looked at can be forked from."""
        self._can_fork = can
        self.refresh()

    def refresh(self) -> None:
        """Show the columns as they are."""
        columns, titles = self._columns, titles_of(self._columns.all)
        self._make_chips(len(titles))
        for i, (chip, title) in enumerate(zip(self._chips, titles, strict=True)):
            chip.setIcon(dot(i))
            chip.setToolTip(title)
            chip.setAccessibleName(f"Column {i + 1}: {title}")
            chip.setChecked(i == columns.current)
        self._title.setText(titles[columns.current])
        forked = columns.column.forked_at
        self._lineage.setText("" if forked is None else f"Forked: shares the steps up to {forked + 1}.")
        self._lineage.setVisible(forked is not None)
        self.add_button.setEnabled(not columns.full)
        self.duplicate.setEnabled(not columns.full)
        self.fork.setEnabled(self._can_fork and not columns.full)
        self.remove.setEnabled(len(titles) > 1)
        self.left.setEnabled(columns.current > 0)
        self.right.setEnabled(columns.current < len(titles) - 1)

    def _make_chips(self, count: int) -> None:
        while len(self._chips) > count:
            chip = self._chips.pop()
            self._group.removeButton(chip)
            self._row.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        while len(self._chips) < count:
            chip = QToolButton(self)
            chip.setText(str(len(self._chips) + 1))
            chip.setCheckable(True)
            chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            chip.setIconSize(QSize(10, 10))
            chip.setFixedWidth(_CHIP)
            self._group.addButton(chip, len(self._chips))
            self._row.insertWidget(len(self._chips), chip)
            self._chips.append(chip)


def dot(index: int) -> QIcon:
    """A disc in the colour of a column."""
    return disc(theme().color(f"series.{index}"))


def disc(colour: QColor) -> QIcon:
    picture = QPixmap(20, 20)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(3, 3, 14, 14)
    painter.end()
    return QIcon(picture)
