"""Parameters by formula beside those counted, and what is left over."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHeaderView, QLabel, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from studio.ml.anatomy.counting import Count, Line
from studio.ml.anatomy.examining import Anatomy
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.anatomy.bars import Bar, Bars, Group
from studio_plugins.anatomy.words import full, parameters_words, percent, plain

COLUMNS = ("Part", "Formula", "With numbers", "By formula", "Counted", "Less")
_WIDE = 860
"""Pixels from which the numbers of each formula have a column of their own; else they are in its tooltip."""
_COLOURS = {
    "attention": "series.0", "feed-forward": "series.1", "cross-attention": "series.2", "beside the layers": "series.3",
    "norms": "series.4", "biases": "series.5",
}  # fmt: skip
OWN_KIND = (
    "This is a model of the studio's own: its tensors are counted in its weights, under Modules. Layers are followed, "
    "counted and timed of models of transformers only."
)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class CountsPage(QWidget):
    """A line a part; layers once, with how many of them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: Count | None = None
        self._title = QLabel(self)
        self._title.setProperty("tone", "title")
        self._title.setWordWrap(True)
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self._words.setProperty("tone", "muted")
        self.view = QTreeWidget(self)
        self.view.setColumnCount(len(COLUMNS))
        self.view.setHeaderLabels(list(COLUMNS))
        self.view.setUniformRowHeights(True)
        self.view.setAlternatingRowColors(True)
        self.view.setAccessibleName("Parameters by formula and counted")
        self.view.headerItem().setToolTip(5, "Counted, less the formula")
        header = self.view.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        for column, width in ((0, 190), (2, 200), (3, 122), (4, 122), (5, 62)):
            self.view.setColumnWidth(column, width)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_S)
        self.bar = Bars("Where the parameters are", self)
        self.bar.setFixedHeight(124)
        self.bar.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for widget, stretch in ((self._title, 0), (self._words, 0), (self.view, 1), (self.bar, 0)):
            layout.addWidget(widget, stretch)

    def show_anatomy(self, anatomy: Anatomy) -> None:
        """Another model."""
        count = anatomy.count
        title, words = verdict(anatomy)
        self._title.setText(title)
        self._words.setText(words)
        if count is self._shown:
            return
        self._shown = count
        self.bar.show_groups([shares(anatomy)])
        self.bar.setVisible(bool(anatomy.stacks))
        self.view.clear()
        for where in dict.fromkeys(line.where for line in count.lines):
            self._add_group(where, [line for line in count.lines if line.where == where], anatomy)
        sums = map(full, (count.explained, count.total, count.residual))
        total = QTreeWidgetItem(["all parameters", "", "", *sums])
        self._style(total, bold=True)
        self.view.addTopLevelItem(total)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.view.setColumnHidden(2, event.size().width() < _WIDE)

    def words(self) -> str:
        """The sentences above the table."""
        return f"{self._title.text()} {self._words.text()}"

    def cells(self) -> list[list[str]]:
        """The table as texts."""
        found = []
        for i in range(self.view.topLevelItemCount()):
            group = self.view.topLevelItem(i)
            for item in (group, *(group.child(j) for j in range(group.childCount()))):
                found.append([item.text(column) for column in range(len(COLUMNS))])
        return found

    def _add_group(self, where: str, lines: list[Line], anatomy: Anatomy) -> None:
        stack = next((stack for stack in anatomy.stacks if stack.name == where), None)
        counted = sum(line.times * line.counted for line in lines)
        expected = sum(line.times * line.expected for line in lines if line.expected is not None)
        name, each = "beside the layers", ""
        if stack is not None:
            name = f"{stack.layers} layers" if where == "layers" else f"{where}, {stack.layers} layers"
            each = f"{stack.layers}·{full(stack.block.parameters)}" if stack.known else ""
        group = QTreeWidgetItem([name, "", each, full(expected), full(counted), full(counted - expected)])
        self._style(group, bold=True)
        self.view.addTopLevelItem(group)
        for line in lines:
            times = f"   × {line.times}" if line.times > 1 else ""
            item = QTreeWidgetItem(
                [
                    f"{line.part}{times}", plain(line.symbols) or "other", line.numbers, _number(line.expected),
                    full(line.counted), full(line.counted if line.difference is None else line.difference),
                ]
            )  # fmt: skip
            item.setToolTip(0, line.part)
            tip = f"{plain(line.symbols)} = {line.numbers}" if line.symbols else "No formula is known"
            for column in (1, 2):
                item.setToolTip(column, tip)
            self._style(item)
            if line.difference or line.difference is None:
                item.setForeground(5, theme().color("warning"))
            group.addChild(item)
        group.setExpanded(where != "rest" or len(lines) < 16)

    def _style(self, item: QTreeWidgetItem, *, bold: bool = False) -> None:
        for column in range(len(COLUMNS)):
            if column >= 3:
                item.setTextAlignment(column, _RIGHT)
            if bold:
                font = item.font(column)
                font.setBold(True)
                item.setFont(column, font)


def shares(anatomy: Anatomy) -> Group:
    """Where the parameters are, in one bar."""
    inside: Counter[str] = Counter()
    for line in anatomy.count.lines:
        inside["beside the layers" if line.where == "rest" else line.part] += line.times * line.counted
    total = max(1, anatomy.count.total)
    segments = tuple(
        (float(value), _COLOURS.get(name, "series.7"), f"{name} {percent(value / total)}")
        for name, value in sorted(inside.items(), key=lambda item: -item[1])
        if value
    )
    return Group("Where they are", (Bar("all parameters", float(total), parameters_words(total), segments=segments),))


def verdict(anatomy: Anatomy) -> tuple[str, str]:
    """Whether the formulas explain the model, in words."""
    count = anatomy.count
    if anatomy.blueprint.own and not anatomy.stacks:
        return f"{full(count.total)} parameters", OWN_KIND
    if not anatomy.stacks:
        return (
            f"{full(count.total)} parameters",
            "No layers that attend were found here, so there is no formula to compare with. Modules has the tree.",
        )
    if count.residual == 0:
        names = ", ".join(dict.fromkeys(stack.family for stack in anatomy.stacks))
        return (
            f"{full(count.total)} parameters, all of them explained",
            f"The formulas of this family ({names}) give every parameter of every layer; the difference is exactly 0.",
        )
    share = percent(abs(count.residual) / max(1, count.total))
    return (
        f"{full(count.total)} parameters, {full(count.residual)} of them ({share}) are other",
        "This family is not one of those whose formulas are known here. Attention and feed-forward are assumed to be "
        "the plain ones of its configuration; whatever differs is counted, and no formula is claimed for it.",
    )


def _number(value: int | None) -> str:
    """Nothing where no formula is known."""
    return "" if value is None else full(value)
