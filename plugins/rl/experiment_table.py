"""The measured numbers: a row for each ε, with means and standard errors."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from studio.host.export import Table
from studio_plugins.rl.experiment_plot import TITLES
from studio_plugins.rl.measurement import EPSILONS, RULES, Point
from studio_plugins.rl.score_words import number, plus_minus

ROW = 22
COLUMNS = ("ε", "Sarsa", "Expected S.", "Q-learning", "Sarsa − Q")


class ExperimentTable(QWidget):
    """Signal: `placed` (which ε was clicked)."""

    placed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = QTableWidget(len(EPSILONS), len(COLUMNS), self)
        self.view.setAccessibleName("Measured online returns")
        self.view.setHorizontalHeaderLabels(list(COLUMNS))
        for column, rule in enumerate(RULES, start=1):
            self.view.horizontalHeaderItem(column).setToolTip(f"{TITLES[rule]}: online return, mean ± standard error")
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(ROW)
        self.view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.view.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setShowGrid(False)
        self.view.setFixedHeight(len(EPSILONS) * ROW + self.view.horizontalHeader().sizeHint().height() + 2)
        self.view.cellClicked.connect(lambda row, _column: self.placed.emit(row))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self.show_points({})

    def show_points(self, points: Mapping[float, Point]) -> None:
        """By ε; the others are empty."""
        for row, epsilon in enumerate(EPSILONS):
            point = points.get(epsilon)
            texts, tips = [f"{epsilon:g}"], [""]
            for rule in RULES:
                score = point.scores[rule] if point else None
                texts.append(plus_minus(*score.online[:2]) if score else "")
                tips.append(
                    f"Greedy: {plus_minus(*score.greedy[:2])} ({score.greedy.seeds} seeds); "
                    f"{100 * score.circling:.0f} % go in circles. "
                    f"Exploring, without learning: {number(score.behaviour.mean)}" if score else ""
                )  # fmt: skip
            texts.append(plus_minus(*point.difference[:2]) if point else "")
            tips.append("")
            for column, (text, tip) in enumerate(zip(texts, tips, strict=True)):
                item = QTableWidgetItem(text)
                item.setToolTip(tip)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.view.setItem(row, column, item)

    def place(self, at: int) -> None:
        """Set a row apart."""
        self.view.selectRow(at)


def experiment_table(points: Mapping[float, Point]) -> Table:
    """Every number measured, unrounded: a row for each ε and agent."""
    rows = [(epsilon, rule, points[epsilon]) for epsilon in sorted(points, reverse=True) for rule in RULES]
    scores = [point.scores[rule] for _, rule, point in rows]
    return Table({
        "epsilon": [epsilon for epsilon, _, _ in rows],
        "agent": [rule for _, rule, _ in rows],
        "seeds": [score.online.seeds for score in scores],
        "online return": [score.online.mean for score in scores],
        "online standard error": [score.online.error for score in scores],
        "greedy return": [score.greedy.mean for score in scores],
        "greedy standard error": [score.greedy.error for score in scores],
        "share of greedy policies that circle": [score.circling for score in scores],
        "steps of the commonest greedy way": [len(score.path) - 1 if score.share else None for score in scores],
        "Sarsa minus Q-learning": [point.difference.mean for _, _, point in rows],
        "standard error of the difference": [point.difference.error for _, _, point in rows],
    })  # fmt: skip
