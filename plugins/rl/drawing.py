"""Moments of a world as pixels, for files: painted on images, so that no widget is needed and a job can do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFont, QFontDatabase, QFontMetricsF, QImage, QPainter

from studio.host.export import ExportError
from studio.ml.rl.grid import STEPS, GridWorld
from studio.ml.rl.learner import Look, TableLook
from studio.ui.replay import pixels_of
from studio.ui.theme import theme
from studio_plugins.rl.grid_layers import LEGEND_ROOM
from studio_plugins.rl.grid_paint import WIND_ROOM, Board, paint_agent
from studio_plugins.rl.grid_scene import HEADER_ROOM, Scene
from studio_plugins.rl.overlays import Overlays, shades

Pixels = NDArray[np.uint8]
_CELL, _WIDTH, _HEIGHT, _LEAST = 64, 800, 560, 420
"""Pixels of a cell at most, of a board at most, and of a picture's width at least: the legend is written there."""
_LETTER, _MARGIN = 16, 16


@dataclass(frozen=True, eq=False)
class Manner:
    """How the stage draws a run now. token: its colour. off_policy: whether it learns about a policy not its own."""

    overlays: Overlays = field(default_factory=Overlays)
    token: str = "series.0"
    off_policy: bool = True


@dataclass(frozen=True, eq=False)
class Moment:
    """What is to be drawn: a state of a grid, a frame, or a text. trail: states so far, this one included."""

    state: int | None = None
    trail: tuple[int, ...] = ()
    action: Any = None
    frame: Pixels | None = None
    text: str = ""


class GridArtist:
    """Draws moments of one grid world over what is known of it, as the stage does."""

    def __init__(self, grid: GridWorld, table: TableLook | None, manner: Manner) -> None:
        self._grid, self._manner = grid, manner
        self._table = table if table is not None and len(table.q) == grid.rows * grid.columns else None
        self._shades = None if self._table is None else shades(manner.overlays.heat, grid, self._table)
        foot = LEGEND_ROOM + (WIND_ROOM if any(grid.wind) else 0)
        cell = max(8, min(_CELL, _WIDTH // grid.columns, _HEIGHT // grid.rows))
        self._size = QSize(max(_LEAST, cell * grid.columns + 8), cell * grid.rows + HEADER_ROOM + foot + 4)
        box = QRect(4, HEADER_ROOM + 2, self._size.width() - 8, cell * grid.rows)
        self._board = Board.fitted(grid, box)
        self._scene = Scene(manner.overlays, manner.token, manner.off_policy)

    def draw(self, moment: Moment) -> Pixels:
        """uint8 [H, W, 3]."""
        table = self._table
        if table is not None and moment.state is not None:
            table = replace(table, state=moment.state, trail=moment.trail)
        self._scene.refresh()
        image = self._scene.picture(self._size, 1.0, self._board, self._grid, table, self._shades).copy()
        if moment.state is not None:
            painter = QPainter(image)
            place, colour = self._grid.cell(moment.state), theme().color(self._manner.token)
            paint_agent(painter, self._board, place, colour, self._looking(moment.action))
            painter.end()
        return rgb_of(image)

    def _looking(self, action: Any) -> tuple[int, int] | None:
        if not isinstance(action, (int, np.integer)) or not 0 <= action < len(self._grid.moves):
            return None
        return STEPS[self._grid.moves[int(action)]]


class TextArtist:
    """Draws worlds that only write, in letters of one width; all pictures are as large as the largest text needs."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._font = QFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._font.setPixelSize(_LETTER)
        metrics = QFontMetricsF(self._font)
        lines = [text.splitlines() or [""] for text in texts]
        width = max((metrics.horizontalAdvance(line) for text in lines for line in text), default=0.0)
        height = metrics.lineSpacing() * max(map(len, lines), default=1)
        self._size = QSize(max(160, round(width) + 2 * _MARGIN), max(80, round(height) + 2 * _MARGIN))

    def draw(self, moment: Moment) -> Pixels:
        """uint8 [H, W, 3]."""
        image = QImage(self._size, QImage.Format.Format_RGB32)
        image.fill(theme().color("sunken"))
        painter = QPainter(image)
        painter.setFont(self._font)
        painter.setPen(theme().color("text"))
        inside = QRect(_MARGIN, _MARGIN, self._size.width() - 2 * _MARGIN, self._size.height() - 2 * _MARGIN)
        painter.drawText(inside, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, moment.text)
        painter.end()
        return rgb_of(image)


class FrameArtist:
    """Worlds that draw themselves."""

    def draw(self, moment: Moment) -> Pixels:
        """uint8 [H, W, 3]. Raises ExportError."""
        if moment.frame is None:
            raise ExportError("This world gave no picture of itself. Try another episode.")
        return np.ascontiguousarray(moment.frame)


def still(look: Look, manner: Manner) -> Pixels:
    """What is to be seen at a look, uint8 [H, W, 3]. Raises ExportError."""
    if look.frame is not None:
        return FrameArtist().draw(Moment(frame=look.frame))
    table = look.table
    if look.grid is not None:
        moment = Moment(table.state, table.trail, look.action) if table is not None else Moment()
        return GridArtist(look.grid, table, manner).draw(moment)
    if not look.text:
        raise ExportError("This world has no picture of itself.")
    return TextArtist([look.text]).draw(Moment(text=look.text))


def rgb_of(image: QImage) -> Pixels:
    """A picture without transparency as uint8 [H, W, 3]."""
    return np.ascontiguousarray(pixels_of(image)[:, :, :3])
