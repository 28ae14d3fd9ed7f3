"""The same Gram matrix two ways, and the difference: k(xᵢ, xⱼ) beside φ(xᵢ)·φ(xⱼ)."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from studio.ml.linear.problem import Array
from studio.ui.plot import Plot
from studio.ui.tokens import SPACE_S
from studio_plugins.kernel_trick.results import Look
from studio_plugins.kernel_trick.words import number


class MatrixPlot(Plot):
    """A square matrix as a picture, first row on top. Signal: `pointed` (i, j; −1, −1 beside it)."""

    pointed = Signal(int, int)

    def __init__(self, colours: str, parent: QWidget | None = None) -> None:
        super().__init__("", "", parent)
        self._colours = self.pg.colormap.get(colours)
        self._matrix: Array | None = None
        self._levels = (0.0, 1.0)
        self._cell = (-1, -1)
        self._image = self.pg.ImageItem()
        self.item.addItem(self._image)
        self._cross = [self.pg.InfiniteLine(angle=angle) for angle in (90, 0)]
        for line in self._cross:
            line.hide()
            self.item.addItem(line, ignoreBounds=True)
        for side in ("bottom", "left"):
            self.item.hideAxis(side)
        self.setMinimumSize(80, 80)
        self.view.invertY(True)
        self.view.setAspectLocked(True)
        self.view.setMouseEnabled(x=False, y=False)
        self.widget.scene().sigMouseMoved.connect(self._hover)

    def show_matrix(self, matrix: Array, levels: tuple[float, float]) -> None:
        """Rows downwards; `levels` are the ends of the colours."""
        self._matrix, self._levels = matrix, levels
        self._image.setImage(matrix.T, levels=levels, lut=self._colours.getLookupTable(nPts=256), axisOrder="col-major")
        n = max(1, len(matrix))
        self.view.setRange(xRange=(0, n), yRange=(0, n), padding=0.02)

    def point(self, i: int, j: int) -> None:
        """Cross hairs on a row and a column; a negative one hides its line."""
        self._cell = (i, j)
        self.redraw()

    def redraw(self) -> None:
        for line, at in zip(self._cross, (self._cell[1], self._cell[0]), strict=True):
            line.setVisible(at >= 0)
            line.setValue(at + 0.5)
            line.setPen(self.pen("series.1", 1.5))

    def _hover(self, place: QPointF) -> None:
        at = self.view.mapSceneToView(place)
        i, j = int(np.floor(at.y())), int(np.floor(at.x()))
        n = 0 if self._matrix is None else len(self._matrix)
        inside = 0 <= i < n and 0 <= j < n and self.view.sceneBoundingRect().contains(place)
        self.pointed.emit(*((i, j) if inside else (-1, -1)))


class GramPage(QWidget):
    """Three matrices over the points, sorted by class. Signal: `pointed` (numbers of two points, −1 none)."""

    pointed = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kernel, self.features = MatrixPlot("viridis", self), MatrixPlot("viridis", self)
        self.difference = MatrixPlot("CET-D1", self)
        self._order: Any = np.empty(0, int)
        self._titles = [QLabel(self) for _ in range(3)]
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self._cells = []
        for title, plot in zip(self._titles, self.matrices(), strict=True):
            title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            title.setProperty("tone", "muted")
            plot.pointed.connect(self._tell)
            cell = QWidget(self)
            column = QVBoxLayout(cell)
            column.setContentsMargins(0, 0, 0, 0)
            column.addWidget(title)
            column.addWidget(plot, 1)
            self._cells.append(cell)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(SPACE_S)
        self._across = 0
        self._arrange(3)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange(3 if event.size().width() > 1.5 * event.size().height() else 2)

    def _arrange(self, across: int) -> None:
        """Three in a row where there is width, else two and one; the words fill what is left."""
        if across == self._across:
            return
        self._across = across
        for place, cell in enumerate(self._cells):
            self._grid.addWidget(cell, place // across, place % across)
        self._grid.addWidget(self._words, 1, 0 if across == 3 else 1, 1, across if across == 3 else 1)
        for column in range(3):
            self._grid.setColumnStretch(column, int(column < across))
        self._grid.setRowStretch(0, 1)
        self._grid.setRowStretch(1, 1 if across == 2 else 0)

    def matrices(self) -> tuple[MatrixPlot, MatrixPlot, MatrixPlot]:
        return self.kernel, self.features, self.difference

    def show_look(self, look: Look) -> None:
        """Both matrices of a look."""
        self._order = np.argsort(look.labels, kind="stable")
        at = np.ix_(self._order, self._order)
        exact, featured, difference = (m[at] for m in (look.grams.exact, look.grams.featured, look.grams.difference))
        both = np.concatenate([exact.ravel(), featured.ravel()]) if exact.size else np.zeros(1)
        levels = (float(both.min()), float(max(both.max(), both.min() + 1e-12)))
        reach = max(float(np.abs(difference).max(initial=0.0)), 1e-16)
        self.kernel.show_matrix(exact, levels)
        self.features.show_matrix(featured, levels)
        self.difference.show_matrix(difference, (-reach, reach))
        for title, text in zip(self._titles, _titles(look.grams.count), strict=True):
            title.setText(text)
        self._words.setText(sentence(look))

    def point(self, first: int, second: int) -> None:
        """Cross hairs at two points (−1 none)."""
        places = {int(index): place for place, index in enumerate(self._order)}
        for plot in self.matrices():
            plot.point(places.get(first, -1), places.get(second, -1))

    def text(self) -> str:
        return self._words.text()

    def _tell(self, i: int, j: int) -> None:
        known = 0 <= i < len(self._order) and 0 <= j < len(self._order)
        self.pointed.emit(*((int(self._order[i]), int(self._order[j])) if known else (-1, -1)))


def _titles(count: int) -> tuple[str, str, str]:
    return "by the kernel\nk(xᵢ, xⱼ)", f"by {count} features\nφ(xᵢ)·φ(xⱼ)", "the second\nless the first"


def sentence(look: Look) -> str:
    """How near the two are, and why."""
    difference = look.grams.difference
    if not difference.size:
        return "Click points into the plane to fill the matrices."
    largest, typical = float(np.abs(difference).max()), float(np.sqrt(np.square(difference).mean()))
    how = f"Largest difference {number(largest, 2)}, typically {number(typical, 2)}. "
    if look.kernel.name == "rbf":
        return how + (
            f"The Gaussian kernel is a dot product of infinitely many features; {look.grams.count} random cosines and "
            "sines come this near. Take more of them to come nearer."
        )
    return how + (
        f"This kernel is exactly a dot product of {look.grams.count} features; what differs is rounding. The kernel "
        "gets it from one power of x·z, without ever making the features."
    )
