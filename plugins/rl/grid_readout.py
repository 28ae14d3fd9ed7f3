"""The numbers of one cell, in words and on a card beside it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from studio.ml.rl.grid import Cell, GridWorld
from studio.ml.rl.learner import TableLook
from studio.ui.theme import theme
from studio_plugins.rl.grid_edits import description
from studio_plugins.rl.grid_paint import Board, font
from studio_plugins.rl.overlays import short

ARROWS = {"U": "↑", "R": "→", "D": "↓", "L": "←"}
NAMES = {"U": "up", "R": "right", "D": "down", "L": "left"}
_PAD = 8


def heading(grid: GridWorld, cell: Cell) -> str:
    """Where it is, what stands there, and what entering it gives where that is out of the ordinary."""
    text = f"row {cell[0] + 1}, column {cell[1] + 1} · {description(grid, cell)}"
    reward = dict(grid.rewards).get(cell, grid.cliff_reward if cell in grid.cliffs else None)
    return text if reward is None else f"{text}, reward {short(reward)}"


def lines(grid: GridWorld, table: TableLook | None, cell: Cell) -> list[str]:
    """What is known of a cell, a line each; the first is its heading."""
    told = [heading(grid, cell)]
    state = grid.state(cell)
    if table is None or state >= len(table.q) or cell in grid.walls:
        return told
    visits = int(table.visits[state])
    if not visits:
        return [*told, "not visited yet"]
    for k, move in enumerate(grid.moves):
        q, chance = float(table.q[state, k]), float(table.policy[state, k])
        told.append(f"{ARROWS[move]} Q {short(q)}   π {chance:.3f}")
    told.append(f"visits {visits:,}   |TD error| {short(float(table.error[state]))}")
    if table.transition is not None:
        updates = [u for u in table.transition.updates if u.state == state]
        if updates:
            told.append(f"last TD error {short(updates[-1].error)}")
    return told


def paint_card(painter: QPainter, around: QRect, board: Board, grid: GridWorld, table: TableLook | None, cell: Cell) -> None:
    """The numbers on a card beside the cell, wherever there is room within `around`."""
    told, colours = lines(grid, table, cell), theme()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(font("small"))
    metrics = painter.fontMetrics()
    height = metrics.height()
    width = max(metrics.horizontalAdvance(line) for line in told) + 2 * _PAD
    card = QRectF(0, 0, width, height * len(told) + 2 * _PAD)
    box, gap = board.rect(cell), 6
    right_fits = box.right() + gap + width <= around.right()
    x = box.right() + gap if right_fits else max(around.left() + 2.0, box.left() - gap - width)
    y = min(max(around.top() + 2.0, box.center().y() - card.height() / 2), around.bottom() - card.height() - 2)
    card.moveTopLeft(QPointF(x, y))
    painter.setPen(QPen(colours.color("border_strong"), 1))
    painter.setBrush(colours.color("raised"))
    painter.drawRoundedRect(card, 6, 6)
    best = _best(table, grid.state(cell))
    for k, line in enumerate(told):
        strong = k == 0 or k - 1 in best
        painter.setPen(colours.color("text" if strong else "muted"))
        row = QRectF(card.left() + _PAD, card.top() + _PAD + k * height, width - _PAD, height)
        painter.drawText(row, Qt.AlignmentFlag.AlignVCenter, line)


def _best(table: TableLook | None, state: int) -> set[int]:
    if table is None or state >= len(table.q) or not table.visits[state]:
        return set()
    row = table.q[state]
    return {k for k in range(len(row)) if row[k] >= row.max() - 1e-12}
