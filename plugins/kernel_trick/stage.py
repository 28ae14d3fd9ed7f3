"""The centre: the plane of the points on the left, and beside it what a kernel makes of them."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio.ui.cards import EmptyState
from studio.ui.icons import IconButton
from studio.ui.page_tabs import PageTabs
from studio.ui.plot import Legend
from studio.ui.tokens import SPACE_M, SPACE_S
from studio_plugins.kernel_trick.fourier_page import FourierPage
from studio_plugins.kernel_trick.gram_page import GramPage
from studio_plugins.kernel_trick.points_plot import PointsPlot
from studio_plugins.kernel_trick.request import Dot
from studio_plugins.kernel_trick.results import Look
from studio_plugins.kernel_trick.space_plot import SpacePlot

PAGES = {
    "lift": ("Lifted into space", "Where a plane separates what no line does"),
    "gram": ("Gram matrix", "The same matrix by the kernel and by features"),
    "fourier": ("Fourier features", "How many random features the Gaussian needs"),
}
_WIDE = 0.8
"""Width over height from which the two halves stand side by side, not one above the other."""
_FRAME_MS, _RISE_FRAMES = 33, 36
_LEGEND = (
    ("●", "series.0", "class A"),
    ("■", "series.1", "class B"),
    ("━", "text", "boundary f = 0"),
    ("╌", "muted", "street f = ±1"),
    ("○", "text", "support vector"),
    ("╌", "series.2", "plane of the lift"),
)


class _Square(QWidget):
    """Keeps one widget square and in the middle: both axes of the plane have one unit."""

    def __init__(self, inner: QWidget) -> None:
        super().__init__()
        self._inner = inner
        inner.setParent(self)
        self.setMinimumSize(inner.minimumSize())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        side = min(event.size().width(), event.size().height())
        self._inner.setGeometry((event.size().width() - side) // 2, (event.size().height() - side) // 2, side, side)


class LiftPage(QWidget):
    """Points in space, and how far they are lifted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.space = SpacePlot(self)
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self._rise = QSlider(Qt.Orientation.Horizontal, self)
        self._rise.setRange(0, _RISE_FRAMES)
        self._rise.setValue(_RISE_FRAMES)
        self._rise.setAccessibleName("How far the points are lifted")
        self._rise.setToolTip("How far the points are lifted")
        self._rise.valueChanged.connect(lambda value: self.space.set_rise(value / _RISE_FRAMES))
        self._play = IconButton("play", "Lift the points", self)
        self._play.clicked.connect(lambda _checked=False: self.play())
        self._clock = QTimer(self)
        self._clock.setInterval(_FRAME_MS)
        self._clock.timeout.connect(self._climb)
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        for widget, stretch in (
            (self._play, 0),
            (QLabel("flat", self), 0),
            (self._rise, 1),
            (QLabel("lifted", self), 0),
        ):
            row.addWidget(widget, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self.space, 1)
        layout.addLayout(row)
        layout.addWidget(self._words)

    def play(self) -> None:
        """Lift the points from the plane."""
        self._rise.setValue(0)
        self._clock.start()

    def stop(self) -> None:
        self._clock.stop()

    def show_look(self, look: Look) -> None:
        """The lift of a look that has one."""
        if look.lifted is not None:
            self.space.show_look(look)
        self._words.setText(sentence(look))

    def text(self) -> str:
        return self._words.text()

    def _climb(self) -> None:
        self._rise.setValue(self._rise.value() + 1)
        if self._rise.value() >= _RISE_FRAMES or not self.isVisible():
            self._clock.stop()


class Stage(QStackedWidget):
    """Signals: `turned` (name of the page now on show), `pointed` (two points, −1 none)."""

    turned = Signal(str)
    pointed = Signal(int, int)

    def __init__(self, empty: EmptyState, parent: QWidget) -> None:
        super().__init__(parent)
        self.points = PointsPlot(self)
        self.lift, self.gram, self.fourier = LiftPage(self), GramPage(self), FourierPage(self)
        self._pages = QStackedWidget(self)
        for page in (self.lift, self.gram, self.fourier):
            self._pages.addWidget(page)
        self.tabs = PageTabs(PAGES, "Ways to look at the kernel", self)
        self.tabs.currentChanged.connect(self._turn)
        self._split = QSplitter(Qt.Orientation.Horizontal, self)
        self._split.addWidget(_column(Legend(_LEGEND, self), _Square(self.points)))
        self._split.addWidget(_column(self.tabs, self._pages))
        self._halved = False
        self._split.setChildrenCollapsible(False)
        for half in (0, 1):
            self._split.setStretchFactor(half, 1)
        self.addWidget(empty)
        self.addWidget(self._split)
        self.gram.pointed.connect(self._point)
        self.points.hovered.connect(lambda index: self._point(index, index))
        self.points.chosen.connect(self._choose)

    @property
    def page(self) -> str:
        """The name of the page on show."""
        return self.tabs.page

    def show_page(self, name: object) -> None:
        """Turn to a page; an unknown name is ignored."""
        self.tabs.show_page(name)

    def show_dots(self, dots: tuple[Dot, ...], begun: bool) -> None:
        """The points, or the invitation before the first."""
        self.points.show_dots(dots)
        self.setCurrentIndex(1 if begun or dots else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = event.size().width() > _WIDE * event.size().height()
        orientation = Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical
        if orientation != self._split.orientation() or not self._halved:
            self._split.setOrientation(orientation)
            self._split.setSizes([1000, 1000])  # in proportion: two halves
            self._halved = True

    def show_look(self, look: Look) -> None:
        """All that follows from the points."""
        self.points.show_look(look)
        self.gram.show_look(look)
        if self.page == "lift":
            self.lift.show_look(look)
        elif self.page == "fourier":
            self.fourier.show_look(look)

    def _turn(self, index: int) -> None:
        self._pages.setCurrentIndex(index)
        self.turned.emit(self.page)

    def _point(self, first: int, second: int) -> None:
        pair = tuple(i for i in (first, second) if i >= 0)
        self.points.mark(pair)
        self.lift.space.mark(pair)
        self.gram.point(first, second)
        self.pointed.emit(first, second)

    def _choose(self, chosen: tuple[int, ...]) -> None:
        self.lift.space.mark(chosen)


def _column(head: QWidget, body: QWidget) -> QWidget:
    """One widget above another, which takes the room."""
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_S, SPACE_S)
    layout.setSpacing(SPACE_S)
    layout.addWidget(head)
    layout.addWidget(body, 1)
    return column


def sentence(look: Look) -> str:
    """Whether a plane does what no line did."""
    if look.lifted is None:
        return "Click points of both classes into the plane; here they are lifted into space."
    if look.lifted.plane is None:
        return look.problem
    wrong = look.lifted.wrong
    result = (
        "A plane separates the classes in space"
        if not wrong
        else f"The best plane leaves {wrong} points on the wrong side"
    )
    return f"{result}; seen from above it is the dashed boundary in the plot. Drag to turn, wheel to come nearer."
