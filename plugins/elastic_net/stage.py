"""The centre: four ways to look at a penalised fit, on tabs."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from studio.ui.cards import EmptyState
from studio.ui.page_tabs import PageTabs
from studio_plugins.elastic_net.ball_page import BallPage
from studio_plugins.elastic_net.path_plot import PathPlot
from studio_plugins.elastic_net.results import Answer, Validated
from studio_plugins.elastic_net.steps_page import StepsPage
from studio_plugins.elastic_net.validation_page import ValidationPage

PAGES = {
    "path": ("Paths", "Every coefficient over the strength of the penalty"),
    "validation": ("Cross-validation", "Which strength predicts best"),
    "ball": ("Ball and loss", "Why coefficients become zero: the ball of the penalty touches the loss"),
    "steps": ("Soft-thresholding", "Coordinate descent, one coefficient's turn after another"),
}


class Stage(QStackedWidget):
    """Signal: `turned` (name of the page now on show)."""

    turned = Signal(str)

    def __init__(self, empty: EmptyState, parent: QWidget) -> None:
        super().__init__(parent)
        self.path, self.validation = PathPlot(self), ValidationPage(self)
        self.ball, self.steps = BallPage(self), StepsPage(self)
        self._pages = QStackedWidget(self)
        for page in (self.path, self.validation, self.ball, self.steps):
            self._pages.addWidget(page)
        self.tabs = PageTabs(PAGES, "Ways to look at the fit", parent)
        self.tabs.currentChanged.connect(self._turn)
        body = QWidget(self)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._pages)
        self._body = body
        self.addWidget(empty)
        self.addWidget(body)

    @property
    def page(self) -> str:
        """The name of the page on show."""
        return self.tabs.page

    def show_page(self, name: object) -> None:
        """Turn to a page; an unknown name is ignored."""
        self.tabs.show_page(name)

    def show_answer(self, answer: Answer, validated: Validated | None) -> None:
        """A fit, on every page that it has something for."""
        self.setCurrentWidget(self._body)
        self.path.show_answer(answer, validated)
        self.validation.show_answer(answer)
        if answer.plane is not None:
            self.ball.show_answer(answer)
        if answer.updates:
            self.steps.show_answer(answer)

    def show_validated(self, validated: Validated | None) -> None:
        self.validation.show_curve(validated)
        self.path.show_validated(validated)

    def _turn(self, index: int) -> None:
        self._pages.setCurrentIndex(index)
        self.turned.emit(self.page)
