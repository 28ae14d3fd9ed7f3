"""The centre: the function (over one input or two), and pages that look deeper into it."""

from __future__ import annotations

from collections.abc import Iterator
import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from studio.ml.gp.classification import Classifier
from studio.ml.gp.jet import Array
from studio.ui.page_tabs import PageTabs
from studio_plugins.gp import answers
from studio_plugins.gp.answers import Answer, Pull, Pulled, Question
from studio_plugins.gp.components_page import ComponentsPage
from studio_plugins.gp.document import Scene
from studio_plugins.gp.function_plot import FunctionPlot
from studio_plugins.gp.function_view import FunctionView
from studio_plugins.gp.points import Points
from studio_plugins.gp.search_page import SearchPage
from studio_plugins.gp.slope_page import SlopePage
from studio_plugins.gp.surface_plot import SurfacePlot
from studio_plugins.gp.view import View

PAGES = {
    "function": ("Function", "Points, mean and band: what the hand works on"),
    "components": ("Components", "A sum of kernels taken apart: what each term says"),
    "slope": ("Slope and area", "The derivative and the integral of f, with their bands"),
    "search": ("Structure search", "Find a kernel: sums and products compared by BIC"),
}


class Stage(QWidget):
    """Signals: `example` (a name) and `opening` from the invitation, `turned` (name of the page now on show)."""

    example = Signal(str)
    opening = Signal()
    turned = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.tabs = PageTabs(PAGES, "Ways to look at the process", self)
        self._pages = QStackedWidget(self)
        self._inputs = 1
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.tabs)
        layout.addWidget(self._pages, 1)

    def build(self) -> Iterator[None]:
        """Make the pages, as `Panel.build`."""
        self.function = FunctionView(self)
        self.function.example.connect(self.example)
        self.function.opening.connect(self.opening)
        yield
        self.surface = SurfacePlot(self)
        yield
        self.components, self.slope, self.search = ComponentsPage(self), SlopePage(self), SearchPage(self)
        for page in (self.function, self.surface, self.components, self.slope, self.search):
            self._pages.addWidget(page)
        self.tabs.currentChanged.connect(lambda _index: self._turn())
        yield

    # --- which page ---

    @property
    def page(self) -> str:
        """The name of the page on show."""
        return self.tabs.page

    def show_page(self, name: object) -> None:
        """Turn to a page; an unknown name is ignored."""
        self.tabs.show_page(name)

    def _turn(self) -> None:
        pages: dict[str, QWidget] = {
            "function": self.function if self._inputs == 1 else self.surface,
            "components": self.components, "slope": self.slope, "search": self.search,
        }  # fmt: skip
        self._pages.setCurrentWidget(pages[self.page])
        self.turned.emit(self.page)

    # --- the plot of the function ---

    @property
    def plot(self) -> FunctionPlot:
        """The plot of functions over one input."""
        return self.function.plot

    @property
    def view(self) -> View:
        """What is drawn of a belief."""
        return self.function.view

    @property
    def inputs(self) -> int:
        """Number of inputs of what is on show."""
        return self._inputs

    @property
    def busy(self) -> bool:
        """Whether the hand is at work on a plot."""
        return any(canvas.busy for canvas in (self.plot.canvas, *(view.canvas for view in self.surface.views)))

    def grid(self) -> Array:
        """The places [m, D] where the function is shown."""
        return answers.grid(self.plot.span()) if self._inputs == 1 else answers.surface_grid(self.surface.spans())

    def span(self) -> tuple[float, float]:
        """The stretch of the first input that shows."""
        return self.plot.span() if self._inputs == 1 else self.surface.spans()[0]

    def fit(self, points: Points) -> None:
        """Show all points."""
        (self.plot if points.inputs == 1 else self.surface).fit(points)

    @property
    def selection(self) -> tuple[int, ...]:
        """The points that are chosen."""
        return self.plot.selection if self._inputs == 1 else self.surface.selection

    def choose_none(self) -> None:
        """Let go of the selection."""
        self.plot.choose(())
        self.surface.choose(())

    def link(self, indices: set[int]) -> None:
        """Make points stand out that another view points at."""
        if self._inputs == 1:
            self.plot.dots.link(indices)
        else:
            self.surface.hover(min(indices, default=-1))

    # --- what is shown ---

    def show_scene(self, scene: Scene) -> None:
        """The points and the handles; what is believed follows with an answer."""
        if scene.points.inputs != self._inputs:
            self._inputs = scene.points.inputs
            self._turn()
        if self._inputs == 1:
            self.function.show_scene(scene)
        else:
            self.surface.show_points(scene.points, 0.0 if scene.likelihood == "classes" else scene.noise)
            self.surface.name_axes(*scene.axes)

    def show_answer(self, answer: Answer, question: Question) -> None:
        """Mean, bands and samples of a posterior where the question wanted them."""
        if question.grid.shape[1] == 1:
            self.function.show_answer(answer, question.grid[:, 0])
            return
        mean = answer.prediction.mean
        if isinstance(answer.found, Classifier):
            mean = answer.found.probability(question.grid)
        self._show_surface(question.grid, mean, answer.prediction.variance)

    def show_pulled(self, pulled: Pulled, pull: Pull) -> None:
        """The posterior while a point is dragged."""
        grid = pull.taken.question.grid
        if grid.shape[1] == 1:
            self.function.show_pulled(pulled, pull)
        else:
            self.surface.settle()
            self._show_surface(grid, pulled.moved.mean, pulled.moved.variance)

    def set_view(self, view: View) -> None:
        """Draw other bands or samples of what is known."""
        self.function.set_view(view)

    def close_down(self) -> None:
        """The panel closes."""
        self.function.close_down()

    def _show_surface(self, grid: Array, mean: Array, variance: Array) -> None:
        shape = (answers.SIDES, answers.SIDES)
        x1, x2 = grid[: answers.SIDES, 0], grid[:: answers.SIDES, 1]
        self.surface.show_surface(x1, x2, mean.reshape(shape), np.sqrt(variance).reshape(shape))
