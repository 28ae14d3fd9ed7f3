"""The picture of a grid world with all that lies over it, but for the agent and the pointer: made once a look."""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from studio.ml.rl.grid import GridWorld
from studio.ml.rl.learner import TableLook
from studio.ui.theme import theme
from studio_plugins.rl.grid_layers import (
    LEGEND_ROOM, paint_diagonals, paint_legend, paint_map, paint_numbers, paint_policies,
)  # fmt: skip
from studio_plugins.rl.grid_paint import Board, font, paint_lid, paint_trail
from studio_plugins.rl.overlays import Overlays, Shades, short

HEADER_ROOM, TALL = 18, 170
"""Pixels of the line above the board, and of a view that has room for it."""


def header(grid: GridWorld) -> str:
    """The world's own numbers in a line."""
    parts = [f"{grid.rows} × {grid.columns}", f"step {short(grid.step_reward)}"]
    if grid.cliffs:
        parts.append(f"cliff {short(grid.cliff_reward)}")
    if grid.slip:
        parts.append(f"slips with probability {grid.slip:.2g}")
    return "   ·   ".join(parts)


@dataclass
class Scene:
    """Pictures kept from look to look: the lid, all that stands still; the legend; and the whole, which `refresh` makes
    stale. They are images, not pixmaps, so that a job can paint as well as a widget."""

    overlays: Overlays = field(default_factory=Overlays)
    token: str = "accent"
    off_policy: bool = True
    _lid: QImage | None = None
    _whole: QImage = field(default_factory=QImage)
    _legend: tuple[object, QImage] | None = None
    _stale: bool = True

    def forget(self) -> None:
        """Make all anew: the world, the theme or the size is another."""
        self._lid, self._legend, self._stale = None, None, True

    def refresh(self) -> None:
        """Make the whole anew: the agent knows something else."""
        self._stale = True

    def picture(
        self, size: QSize, ratio: float, board: Board, grid: GridWorld, table: TableLook | None, shades: Shades | None
    ) -> QImage:
        """The whole for a view of `size` logical pixels; table, shades: None where nothing is known."""
        if self._stale:
            self._stale = False
            if self._whole.isNull() or self._whole.deviceIndependentSize().toSize() != size or self._whole.devicePixelRatio() != ratio:
                self._whole = _blank(size, ratio)
            if self._lid is None:
                self._lid = self._painted_lid(size, ratio, board, grid)
            self._whole.fill(theme().color("sunken"))
            painter = QPainter(self._whole)
            self._paint(painter, size, board, grid, table, shades)
            painter.end()
        return self._whole

    def _painted_lid(self, size: QSize, ratio: float, board: Board, grid: GridWorld) -> QImage:
        lid = _blank(size, ratio, QImage.Format.Format_ARGB32_Premultiplied)
        lid.fill(QColor(Qt.GlobalColor.transparent))
        painter = QPainter(lid)
        if self.overlays.heat == "actions":
            paint_diagonals(painter, board)
        paint_lid(painter, board, grid)
        painter.end()
        return lid

    def _paint(
        self, painter: QPainter, size: QSize, board: Board, grid: GridWorld, table: TableLook | None, shades: Shades | None
    ) -> None:
        assert self._lid is not None
        behind = paint_map(painter, board, grid, shades)
        painter.drawImage(0, 0, self._lid)
        if table is not None:
            if self.overlays.trail:
                paint_trail(painter, board, grid, table.trail, theme().color(self.token))
            paint_policies(painter, board, grid, table, self.overlays, behind)
            if shades is not None and self.overlays.numbers:
                paint_numbers(painter, board, grid, shades, behind)
            painter.drawImage(4, size.height() - LEGEND_ROOM + 2, self._drawn_legend(painter, size, shades))
        if size.height() >= TALL:
            painter.setFont(font("small"))
            painter.setPen(theme().color("faint"))
            painter.drawText(QRect(6, 0, size.width() - 12, HEADER_ROOM), Qt.AlignmentFlag.AlignVCenter, header(grid))


    def _drawn_legend(self, painter: QPainter, size: QSize, shades: Shades | None) -> QImage:
        """Made anew only when its words change: text is a third of what painting costs."""
        key = (shades.ends() if shades is not None else None, self.overlays, self.off_policy)
        if self._legend is None or self._legend[0] != key:
            room = QSize(size.width() - 8, LEGEND_ROOM - 2)
            made = _blank(room, painter.device().devicePixelRatioF())
            made.fill(theme().color("sunken"))
            inside = QPainter(made)
            paint_legend(inside, QRect(QPoint(), room), shades, self.overlays, off_policy=self.off_policy)
            inside.end()
            self._legend = (key, made)
        return self._legend[1]


def _blank(size: QSize, ratio: float, kind: QImage.Format = QImage.Format.Format_RGB32) -> QImage:
    made = QImage(round(size.width() * ratio), round(size.height() * ratio), kind)
    made.setDevicePixelRatio(ratio)
    return made
