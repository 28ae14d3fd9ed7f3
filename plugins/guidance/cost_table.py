"""The cost meter: what each column costs, counted and measured, against the unguided one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from studio.ui.theme import theme
from studio_plugins.guidance.results import Cost
from studio_plugins.guidance.titles import SHORT

HEADINGS = (
    ("column", "By number and colour, as above the stage's settings"),
    ("ev.", "Evaluations of the denoiser per picture, and gradients taken through other networks"),
    ("GFLOP", "Multiplications and additions per picture, in thousands of millions, counted on the networks in use"),
    ("×", "GFLOP against an unguided run of the same number of steps"),
    ("s", "Seconds of drawing, measured, scores not included"),
    ("×", "Seconds against the unguided column, if there is one"),
)


class CostTable(QWidget):
    """One row a column; `set_costs` fills it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(6)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(0, 1)
        self._cells: list[list[QLabel]] = []
        self._titles: Sequence[str] = ()
        self._add_row([text for text, _ in HEADINGS])
        for label, (_, tip) in zip(self._cells[0], HEADINGS, strict=True):
            label.setProperty("tone", "faint")
            label.setToolTip(tip)
        theme().changed.connect(self._name_rows)

    def set_costs(self, titles: Sequence[str], costs: Sequence[Cost | None], unguided: float | None) -> None:
        """The costs by column, None for what is not drawn; `unguided`: seconds of the unguided column."""
        self._titles = titles
        while len(self._cells) <= len(titles):
            self._add_row([""] * len(HEADINGS))
        for row, labels in enumerate(self._cells[1:]):
            there = row < len(titles)
            cost = costs[row] if there else None
            for label, text in zip(labels[1:], values(cost, unguided), strict=True):
                label.setText(text)
            for label in labels:
                label.setVisible(there)
            labels[0].setToolTip(titles[row] if there else "")
            labels[1].setToolTip("" if cost is None else _counted(cost))
        self._name_rows()

    def row(self, index: int) -> list[str]:
        """What stands in a row."""
        return [label.text() for label in self._cells[1 + index]]

    def _name_rows(self) -> None:
        """Number and colour of each column; its title is the tooltip, for there is no room for it."""
        for row in range(len(self._titles)):
            colour = theme().color(f"series.{row}").name()
            self._cells[1 + row][0].setText(f'<span style="color:{colour}">●</span> {row + 1}')

    def _add_row(self, texts: Sequence[str]) -> None:
        row: list[QLabel] = []
        for column, text in enumerate(texts):
            label = QLabel(text, self)
            if column:
                label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self._grid.addWidget(label, len(self._cells), column)
            row.append(label)
        self._cells.append(row)


def values(cost: Cost | None, unguided: float | None) -> list[str]:
    """A column's numbers as text, in the order of HEADINGS."""
    if cost is None:
        return ["–"] * (len(HEADINGS) - 1)
    gradients = sum(cost.gradients.values())
    return [
        f"{cost.evaluations}+{gradients}" if gradients else str(cost.evaluations),
        f"{cost.gflop:.3g}" if cost.gflop else "–",
        f"{cost.times:.2f}" if cost.times else "–",
        f"{cost.seconds:.1f}" if cost.seconds else "–",
        f"{cost.seconds / unguided:.2f}" if unguided and cost.seconds else "–",
    ]


def _counted(cost: Cost) -> str:
    parts = [f"{cost.evaluations} evaluations of the denoiser"]
    parts += [f"{number} gradients of {SHORT[name]}" for name, number in cost.gradients.items()]
    if cost.computed < cost.evaluations:
        parts.append(f"of these evaluations {cost.computed} were left to do, the others are shared")
    return ", ".join(parts)
