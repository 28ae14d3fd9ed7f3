"""Painting what an agent has learnt of a grid world: maps, policies, numbers and their legend."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from studio.ml.rl.grid import STEPS, GridWorld
from studio.ml.rl.learner import TableLook
from studio.ui.pictures import to_qimage
from studio.ui.theme import theme
from studio_plugins.rl.grid_paint import Board, font
from studio_plugins.rl.overlays import HEATS, Overlays, Shades, brief, bright, ink, painted, ramp

LEGEND_ROOM = 24
ARROWED, NUMBERED, ROOMY = 15, 46, 66
"""Pixels a cell needs for arrows, for numbers, and for all their digits beside an arrow that points down."""
TARGET = "series.4"
_LEVELS = 12
"""Lengths that an arrow can have, so that cells of equal policy are painted once."""
_BAR, _GLYPH = 92, 12


def paint_map(painter: QPainter, board: Board, grid: GridWorld, shown: Shades | None) -> NDArray[np.uint32]:
    """The colours of a map under the lid, or plain floor; gives the colour [rows, columns] in each cell's middle."""
    if shown is None:
        floor = theme().color("raised")
        painter.fillRect(board.area, floor)
        return np.full((board.rows, board.columns), floor.rgb(), np.uint32)
    colours = painted(shown)
    if colours.ndim == 3:
        _paint_triangles(painter, board, grid, colours)
        return np.ascontiguousarray(colours[:, :, 0])
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
    painter.drawImage(board.area, _image(colours))
    return colours


def _image(pixels: NDArray[np.uint32]) -> QImage:
    """A picture over the array's own memory: it is painted before the array goes."""
    pixels = np.ascontiguousarray(pixels)
    return QImage(pixels.data, pixels.shape[1], pixels.shape[0], 4 * pixels.shape[1], QImage.Format.Format_RGB32)


def _paint_triangles(painter: QPainter, board: Board, grid: GridWorld, colours: NDArray[np.uint32]) -> None:
    """Four triangles a cell, as one picture: so many polygons would take longer than a frame."""
    pixels = colours.reshape(-1).take(_triangles(board.rows, board.columns, board.cell, grid.moves))
    painter.drawImage(board.area.topLeft(), _image(pixels))


def paint_diagonals(painter: QPainter, board: Board) -> None:
    """Lines between the four triangles of every cell."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    line = QColor(theme().color("sunken"))
    line.setAlpha(150)
    painter.setPen(QPen(line, 1))
    for r in range(board.rows):
        for c in range(board.columns):
            box = QRectF(board.rect((r, c)))
            painter.drawLine(box.topLeft(), box.bottomRight())
            painter.drawLine(box.bottomLeft(), box.topRight())


@lru_cache(maxsize=4)
def _triangles(rows: int, columns: int, side: int, moves: str) -> NDArray[np.intp]:
    """For each pixel of the board, which of the values [rows, columns, moves] lies there."""
    y, x = np.mgrid[0:side, 0:side]
    above, left = y < x, y < side - 1 - x  # of the two diagonals
    which = np.select(
        [above & left, above & ~left, ~above & ~left], [moves.index("U"), moves.index("R"), moves.index("D")], moves.index("L")
    )
    cells = np.arange(rows * columns).reshape(rows, 1, columns, 1) * len(moves)
    return (cells + which[None, :, None, :]).reshape(rows * side, columns * side)


def paint_policies(
    painter: QPainter, board: Board, grid: GridWorld, table: TableLook, overlays: Overlays, behind: NDArray[np.uint32]
) -> None:
    """Arrows of the policy acted by, heads of the greedy one, outlines of the best one."""
    if board.cell < ARROWED or not (overlays.behaviour or overlays.target or overlays.optimal):
        return
    known = table.visits > 0
    nothing = np.zeros(table.q.shape, np.uint8)
    levels = np.ceil(table.policy * _LEVELS - 1e-9).astype(np.uint8) * known[:, None] if overlays.behaviour else nothing
    greedy = greedy_actions(table) if overlays.target else nothing
    best = (table.optimal > 0).astype(np.uint8) if overlays.optimal and table.optimal is not None else nothing
    codes = np.concatenate([levels, greedy, best], axis=1).astype(np.uint8)
    closed = grid.walls | grid.cliffs | grid.holes | grid.goals
    colours = theme()
    dark_ink, light_ink, target = ink(0xFFFFFF).rgba(), ink(0).rgba(), colours.color(TARGET).rgba()
    backs = behind.reshape(-1).tolist()
    drawn = codes.any(axis=1).tolist()
    side, columns, left, top = board.cell, board.columns, board.left, board.top
    ratio = painter.device().devicePixelRatioF()
    for state, code in enumerate(codes):
        if not drawn[state] or divmod(state, columns) in closed:
            continue
        on = dark_ink if bright(backs[state]) else light_ink
        r, c = divmod(state, columns)
        painter.drawImage(left + c * side, top + r * side, _sign(code.tobytes(), grid.moves, side, on, target, ratio))


def greedy_actions(table: TableLook) -> NDArray[np.uint8]:
    """[S, A]: 1 for every action that no other beats, in states that were visited."""
    best = table.q >= table.q.max(axis=1, keepdims=True) - 1e-12
    actions: NDArray[np.uint8] = (best & (table.visits > 0)[:, None]).astype(np.uint8)
    return actions


@lru_cache(maxsize=512)
def _sign(code: bytes, moves: str, side: int, on: int, target: int, ratio: float) -> QImage:
    """The arrows of one cell. code: levels, greedy and best of each move. on, target: colours. ratio: of the screen."""
    image = QImage(round(side * ratio), round(side * ratio), QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    line, centre, count = QColor.fromRgba(on), side / 2, len(moves)
    levels, greedy, best = code[:count], code[count : 2 * count], code[2 * count :]
    width = max(1.3, 0.055 * side)
    for move, level in zip(moves, levels, strict=True):
        if level:
            r, c = STEPS[move]
            reach = side * (0.02 + 0.26 * level / _LEVELS)
            painter.setPen(QPen(line, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(QLineF(centre, centre, centre + c * reach, centre + r * reach))
    if any(levels):
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(line)
        painter.drawEllipse(QPointF(centre, centre), 0.85 * width, 0.85 * width)
    for move, chosen in zip(moves, greedy, strict=True):
        if chosen:
            edge = QColor(line)
            edge.setAlpha(150)
            painter.setPen(QPen(edge, max(0.6, side / 70)))
            painter.setBrush(QColor.fromRgba(target))
            painter.drawPolygon(_head(move, side, 1.0))
    for move, chosen in zip(moves, best, strict=True):
        if chosen:
            painter.setPen(QPen(line, max(1.1, side / 34), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPolygon(_head(move, side, 1.25))
    painter.end()
    return image


def _head(move: str, side: float, scale: float) -> QPolygonF:
    """The head of an arrow near the edge of a cell that it points to."""
    r, c = STEPS[move]
    middle, half = side * 0.385, side * 0.06 * scale
    tip, base, wide = middle + half, middle - half, side * 0.095 * scale
    centre = side / 2
    return QPolygonF([
        QPointF(centre + c * tip, centre + r * tip),
        QPointF(centre + c * base - r * wide, centre + r * base + c * wide),
        QPointF(centre + c * base + r * wide, centre + r * base - c * wide),
    ])  # fmt: skip


def paint_numbers(painter: QPainter, board: Board, grid: GridWorld, shown: Shades, behind: NDArray[np.uint32]) -> None:
    """The numbers of a map in the lower left corners of cells that are large enough."""
    if board.cell < NUMBERED or shown.values.ndim != 2:
        return
    painter.setFont(font(min(13, max(8, board.cell // 6))))
    closed = grid.walls | grid.cliffs | grid.holes | grid.goals
    pens = (ink(0), ink(0xFFFFFF))  # for dark and for bright cells
    values, backs, cell = shown.values.ravel().tolist(), behind.ravel().tolist(), board.cell
    for state, number in enumerate(values):
        r, c = divmod(state, board.columns)
        if number == number and (r, c) not in closed:
            painter.setPen(pens[bright(backs[state])])
            foot = board.top + (r + 1) * cell - board.gap - 5
            painter.drawText(board.left + c * cell + board.gap + 4, foot, brief(number, fewer=cell < ROOMY))


def paint_legend(painter: QPainter, box: QRect, shown: Shades | None, overlays: Overlays, *, off_policy: bool) -> None:
    """The colour scale with its numbers, and what the arrows are; as much of it as there is room for."""
    colours = theme()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(font("small"))
    metrics = painter.fontMetrics()
    x, middle = box.left() + 2, box.center().y()

    def write(text: str, token: str) -> None:
        nonlocal x
        painter.setPen(colours.color(token))
        width = metrics.horizontalAdvance(text)
        painter.drawText(QRect(x, box.top(), width + 2, box.height()), Qt.AlignmentFlag.AlignVCenter, text)
        x += width + 6

    keys = _keys(overlays, off_policy)
    room = box.width()
    if shown is not None:
        low, high = shown.ends()
        title = HEATS[shown.heat] + (", log" if shown.heat == "visits" else "")
        if room >= 300:
            write(title, "muted")
        write(low, "text")
        bar = QRectF(x, middle - 4, min(_BAR, room // 4), 9)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        strip = to_qimage(ramp(shown.heat)[None])
        painter.drawImage(bar, strip, QRectF(strip.rect()))
        painter.setPen(QPen(colours.color("border"), 1))
        painter.drawRect(bar)
        painter.restore()
        x += int(bar.width()) + 6
        write(high, "text")
        x += 8
    for kind, text in keys:
        if x + _GLYPH + 6 + metrics.horizontalAdvance(text) > box.right():
            break
        _paint_key(painter, QPointF(x + _GLYPH / 2, middle + 0.5), kind)
        x += _GLYPH + 5
        write(text, "muted")
        x += 6


def _keys(overlays: Overlays, off_policy: bool) -> list[tuple[str, str]]:
    """What the signs in the cells are called. On-policy agents learn about the policy they act by, so that is both."""
    keys = []
    if overlays.behaviour:
        keys.append(("behaviour", "behaviour" if off_policy else "behaviour = target"))
    if overlays.target:
        keys.append(("target", "greedy = target" if off_policy else "greedy"))
    if overlays.optimal:
        keys.append(("optimal", "optimal"))
    return keys


def _paint_key(painter: QPainter, centre: QPointF, kind: str) -> None:
    line = theme().color("text")
    if kind == "behaviour":
        painter.setPen(QPen(line, 1.8, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(centre + QPointF(-4, 0), centre + QPointF(5, 0))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(line)
        painter.drawEllipse(centre + QPointF(-4, 0), 2, 2)
        return
    head = QPolygonF([centre + QPointF(5, 0), centre + QPointF(-4, -5), centre + QPointF(-4, 5)])
    filled = kind == "target"
    painter.setPen(Qt.PenStyle.NoPen if filled else QPen(line, 1.4))
    painter.setBrush(theme().color(TARGET) if filled else Qt.BrushStyle.NoBrush)
    painter.drawPolygon(head)
