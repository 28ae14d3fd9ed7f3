"""The tree of modules: parameters, share, shape and number format; repeated layers once."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QHBoxLayout, QHeaderView, QLabel, QLineEdit, QPushButton, QStyledItemDelegate, QStyleOptionViewItem, QTreeWidget,
    QTreeWidgetItem, QVBoxLayout, QWidget,
)  # fmt: skip

from studio.ml.anatomy.tree import Node, Weight
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.anatomy.words import full, percent, shape_words

COLUMNS = ("Module", "Parameters", "Share", "Shape", "Format")
SHARE = Qt.ItemDataRole.UserRole + 1
_OPEN = 3
"""Levels that are open at first."""
_MOST = 20_000
"""Lines that are listed; a model with more distinct modules is cut."""


class ShareDelegate(QStyledItemDelegate):
    """A bar behind the percentage."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        share = index.data(SHARE)
        if isinstance(share, float) and share > 0:
            colour = theme().color("accent_soft")
            cell = option.rect.adjusted(2, 3, -2, -3)  # type: ignore[attr-defined]
            painter.fillRect(QRect(cell.left(), cell.top(), max(1, round(cell.width() * share)), cell.height()), colour)
        super().paint(painter, option, index)


class TreePage(QWidget):
    """A line a module and a line a tensor; what is typed above shows only what matches."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tree: Node | None = None
        self._total = 1
        self._lines = 0
        self.view = QTreeWidget(self)
        self.view.setColumnCount(len(COLUMNS))
        self.view.setHeaderLabels(list(COLUMNS))
        self.view.setUniformRowHeights(True)
        self.view.setAlternatingRowColors(True)
        self.view.setAccessibleName("Modules and their parameters")
        self.view.setItemDelegateForColumn(2, ShareDelegate(self.view))
        header = self.view.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 116), (2, 78), (3, 112), (4, 70)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            self.view.setColumnWidth(column, width)
        self._find = QLineEdit(self)
        self._find.setPlaceholderText("Find a module or tensor")
        self._find.setAccessibleName("Find a module or tensor")
        self._find.setClearButtonEnabled(True)
        self._find.textChanged.connect(self._filter)
        self._words = QLabel(self)
        self._words.setProperty("tone", "muted")
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        row.addWidget(self._find, 1)
        for text, tip, act in (
            ("Open all", "Open every module", self.view.expandAll),
            ("Close", "Close all but the first levels", self._fold),
        ):
            button = QPushButton(text, self)
            button.setToolTip(tip)
            button.clicked.connect(lambda _checked=False, act=act: act())
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addLayout(row)
        layout.addWidget(self.view, 1)
        layout.addWidget(self._words)

    def show_tree(self, tree: Node) -> None:
        """Another model."""
        if tree == self._tree:
            return
        self._tree, self._total, self._lines = tree, max(1, tree.parameters), 0
        self.view.clear()
        self.view.addTopLevelItem(self._item(tree))
        self._fold()
        tensors = sum(len(node.weights) for node in tree.walk())
        cut = f" Only the first {full(_MOST)} lines are listed." if self._lines >= _MOST else ""
        self._words.setText(
            f"{full(tree.parameters)} parameters in {full(tensors)} different tensors. A tensor that is used twice "
            f"counts once.{cut}"
        )

    def texts(self) -> list[str]:
        """The names of all lines, from top to bottom."""
        found: list[str] = []

        def walk(item: QTreeWidgetItem) -> None:
            found.append(item.text(0))
            for i in range(item.childCount()):
                walk(item.child(i))

        for i in range(self.view.topLevelItemCount()):
            walk(self.view.topLevelItem(i))
        return found

    def _item(self, node: Node) -> QTreeWidgetItem:
        self._lines += 1
        name = f"{node.name}   ×\u2009{node.repeat}" if node.repeat > 1 else node.name
        item = QTreeWidgetItem([f"{name}   {node.kind}" if node.kind != node.name else name])
        item.setToolTip(0, f"{node.path or node.name}\n{node.kind}")
        self._fill(item, node.parameters)
        if node.repeat > 1:
            item.setToolTip(1, f"{node.repeat} times {full(node.each)}")
        for weight in node.weights:
            if self._lines < _MOST:
                item.addChild(self._weight(weight, node))
        for child in node.children:
            if self._lines < _MOST:
                item.addChild(self._item(child))
        return item

    def _weight(self, weight: Weight, node: Node) -> QTreeWidgetItem:
        self._lines += 1
        item = QTreeWidgetItem([weight.name, "", "", shape_words(weight.shape), weight.dtype.lower()])
        item.setForeground(0, theme().color("muted"))
        if weight.tied:
            item.setText(1, "tied")
            item.setToolTip(1, f"The same tensor as {weight.tied}; it counts there")
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        else:
            self._fill(item, weight.count)
        return item

    def _fill(self, item: QTreeWidgetItem, count: int) -> None:
        item.setText(1, full(count))
        item.setText(2, percent(count / self._total))
        item.setData(2, SHARE, count / self._total)
        for column in (1, 2):
            item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def _fold(self) -> None:
        self.view.collapseAll()
        self.view.expandToDepth(_OPEN - 1)

    def _filter(self, text: str) -> None:
        """Show what matches, and what it lies in."""
        wanted = text.strip().lower()

        def visit(item: QTreeWidgetItem, inside: bool) -> bool:
            here = inside or wanted in item.text(0).lower()
            below = [visit(item.child(i), here) for i in range(item.childCount())]
            shown = here or any(below)
            item.setHidden(not shown)
            if wanted and any(below):
                item.setExpanded(True)
            return shown

        for i in range(self.view.topLevelItemCount()):
            visit(self.view.topLevelItem(i), not wanted)
