"""Searching the structure of a kernel: the tree of what was tried, growing while it is fitted, the best on top."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QAbstractItemView, QHBoxLayout, QHeaderView, QLabel, QPushButton, QSpinBox, QTreeWidget, QTreeWidgetItem, QVBoxLayout,
    QWidget,
)  # fmt: skip

from studio.ui.tokens import SPACE_M, SPACE_S

if TYPE_CHECKING:
    from studio.ml.gp.search import Growth, Node

_ABOUT = (
    "Starts from RBF, RationalQuadratic, Periodic and Linear; each round adds one of them to the best kernel so far, or "
    "multiplies one of its terms by it, and fits every candidate. BIC = −2 log p(y) + p log n: lower is better, and each "
    "hyper-parameter must earn its place. The search is greedy: it finds the best of what it tried."
)
_HEADINGS = ("kernel", "log p(y)", "p", "BIC", "to the best")


class SearchPage(QWidget):
    """Signals: `wanted` (rounds), `taken` (Model of a node)."""

    wanted = Signal(int)
    taken = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        about = QLabel(_ABOUT, self)
        about.setProperty("tone", "muted")
        about.setWordWrap(True)
        self.rounds = QSpinBox(self)
        self.rounds.setRange(1, 6)
        self.rounds.setValue(3)
        self.rounds.setSuffix(" rounds")
        self.rounds.setAccessibleName("Rounds")
        self.rounds.setToolTip("How many operations deep the tree grows")
        self.button = QPushButton("Search", self)
        self.button.setToolTip("Search for a kernel that explains the points; Cancel stops it")
        self.button.clicked.connect(lambda _checked=False: self.wanted.emit(self.rounds.value()))
        self.take = QPushButton("Take this kernel", self)
        self.take.setToolTip("Put the chosen kernel on the stage, with its fitted values; undoable")
        self.take.setEnabled(False)
        self.take.clicked.connect(lambda _checked=False: self._take())
        self._state = QLabel(self)
        self._state.setProperty("tone", "muted")
        self.tree = QTreeWidget(self)
        self.tree.setHeaderLabels(list(_HEADINGS))
        self.tree.setAccessibleName("Kernels tried")
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.setUniformRowHeights(True)
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, len(_HEADINGS)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.itemSelectionChanged.connect(lambda: self.take.setEnabled(self._chosen() is not None))
        self.tree.itemDoubleClicked.connect(lambda _item, _column: self._take())
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        for widget in (self.rounds, self.button, self.take):
            row.addWidget(widget)
        row.addWidget(self._state, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addWidget(about)
        layout.addLayout(row)
        layout.addWidget(self.tree, 1)
        self._items: list[QTreeWidgetItem] = []
        self._nodes: tuple[Node, ...] = ()
        self._best: int | None = None

    def clear(self) -> None:
        """Nothing has been searched for these points."""
        self.tree.clear()
        self._items, self._nodes, self._best = [], (), None
        self._state.clear()
        self.take.setEnabled(False)

    def show_growth(self, grown: Growth, over: bool = False) -> None:
        """The tree so far."""
        if len(grown.tree) < len(self._items):
            self.clear()
        self._nodes = grown.tree
        for index in range(len(self._items), len(grown.tree)):
            self._add(index, grown.tree[index])
        best = grown.best
        best_bic = grown.tree[best].bic if best is not None else math.nan
        for index, (item, node) in enumerate(zip(self._items, grown.tree, strict=True)):
            self._write(item, node, best_bic, index == best, index == grown.fitting and not over)
        fitted = sum(math.isfinite(node.bic) for node in grown.tree)
        self._state.setText(f"{fitted} kernels fitted" + (", done" if over else ""))
        if over and best is not None:
            self.tree.setCurrentItem(self._items[best])
        if best is not None and best != self._best:
            self.tree.scrollToItem(self._items[best])
        self._best = best

    def model(self, index: int) -> object:
        """The model of a node."""
        return self._nodes[index].model

    def _add(self, index: int, node: Node) -> None:
        item = QTreeWidgetItem()
        item.setData(0, Qt.ItemDataRole.UserRole, index)
        if node.parent is None:
            self.tree.addTopLevelItem(item)
        else:
            self._items[node.parent].addChild(item)
            self._items[node.parent].setExpanded(True)
        for column in range(1, len(_HEADINGS)):
            item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._items.append(item)

    def _write(self, item: QTreeWidgetItem, node: Node, best_bic: float, best: bool, fitting: bool) -> None:
        item.setText(0, f"★ {node.structure}" if best else node.structure)
        item.setToolTip(0, str(node.model.kernel))
        item.setText(1, _number(node.evidence))
        item.setText(2, str(len(node.model.theta)))
        item.setText(3, "fitting…" if fitting and not math.isfinite(node.bic) else _number(node.bic))
        item.setText(4, "" if best or not math.isfinite(node.bic) else f"+{node.bic - best_bic:.1f}")
        font = QFont(self.tree.font())
        font.setBold(best)
        item.setFont(0, font)

    def _chosen(self) -> int | None:
        items = self.tree.selectedItems()
        if not items:
            return None
        index: int = items[0].data(0, Qt.ItemDataRole.UserRole)
        return index if math.isfinite(self._nodes[index].bic) else None

    def _take(self) -> None:
        index = self._chosen()
        if index is not None:
            self.taken.emit(self._nodes[index].model)


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−") if math.isfinite(value) else "–"
