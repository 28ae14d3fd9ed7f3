"""Greedy ways of several agents on one map of the grid, side by side where they share cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.ml.rl.grid import GridWorld
from studio.ui.theme import theme
from studio_plugins.rl.grid_paint import Board, paint_lid

_MARGIN = 4


class Way(NamedTuple):
    """States in order; `arrives`: drawn solid, otherwise dashed. name: in words, for those who cannot see it."""

    name: str
    colour: str
    states: tuple[int, ...]
    arrives: bool


class PathMap(QWidget):
    """`set_world`, then `set_ways`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid: GridWorld | None = None
        self._ways: tuple[Way, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 90)
        self.setAccessibleName("Greedy ways through the world")
        theme().changed.connect(self.update)

    def set_world(self, grid: GridWorld | None) -> None:
        self._grid, self._ways = grid, ()
        self.setVisible(grid is not None)
        self.update()

    def set_ways(self, ways: Sequence[Way]) -> None:
        self._ways = tuple(ways)
        told = (f"{way.name}: {len(way.states) - 1} steps{'' if way.arrives else ', never arrives'}" for way in ways)
        self.setAccessibleDescription("; ".join(told))
        self.update()

    def ways(self) -> tuple[Way, ...]:
        return self._ways

    def sizeHint(self) -> QSize:
        return QSize(420, 180)

    def paintEvent(self, event: QPaintEvent) -> None:
        grid = self._grid
        if grid is None:
            return
        painter, colours = QPainter(self), theme()
        board = Board.fitted(grid, QRect(self.rect()).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN))
        painter.fillRect(board.area, colours.color("raised"))
        paint_lid(painter, board, grid)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = max(2.0, board.cell * 0.09)
        for place, way in enumerate(self._ways):
            aside = (place - (len(self._ways) - 1) / 2) * (width + 1.5)
            style = Qt.PenStyle.SolidLine if way.arrives else Qt.PenStyle.DotLine
            join, cap = Qt.PenJoinStyle.RoundJoin, Qt.PenCapStyle.RoundCap
            painter.setPen(QPen(colours.color(way.colour), width, style, cap, join))
            points = [board.centre(grid.cell(state)) + QPointF(aside, aside) for state in way.states]
            painter.drawPolyline(QPolygonF(points))
            if points:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colours.color(way.colour))
                painter.drawEllipse(points[-1], width, width)
                painter.setBrush(Qt.BrushStyle.NoBrush)
