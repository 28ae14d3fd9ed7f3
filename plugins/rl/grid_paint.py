"""Painting a grid world: its cells, its wind, who walks there and where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QLineF, QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QApplication

from studio.ml.rl.grid import Cell, GridWorld
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX
from studio_plugins.rl.overlays import short

MOST_CELL, LEAST_CELL = 104, 6
WIND_ROOM = 18
"""Pixels at the foot of a board with wind."""
TAIL = 160
"""Steps of the trail that are seen; the oldest have faded."""
_BANDS = 8


@dataclass(frozen=True)
class Board:
    """Where the cells of a grid lie on a widget, in whole pixels so that edges are sharp."""

    rows: int
    columns: int
    cell: int
    left: int
    top: int

    @classmethod
    def fitted(cls, grid: GridWorld, box: QRect) -> Board:
        """As large as the box allows, in its middle."""
        room = min(box.width() // grid.columns, box.height() // grid.rows)
        cell = max(LEAST_CELL, min(MOST_CELL, room))
        left = box.left() + (box.width() - cell * grid.columns) // 2
        top = box.top() + (box.height() - cell * grid.rows) // 2
        return cls(grid.rows, grid.columns, cell, left, max(box.top(), top))

    @property
    def area(self) -> QRect:
        return QRect(self.left, self.top, self.cell * self.columns, self.cell * self.rows)

    @property
    def gap(self) -> int:
        """Half the room between two cells."""
        return 2 if self.cell >= 56 else 1

    @property
    def radius(self) -> float:
        return min(7.0, 0.13 * self.cell)

    def rect(self, cell: Cell) -> QRect:
        """A cell without the room around it."""
        r, c = cell
        whole = QRect(self.left + c * self.cell, self.top + r * self.cell, self.cell, self.cell)
        return whole.adjusted(self.gap, self.gap, -self.gap, -self.gap)

    def centre(self, cell: tuple[float, float]) -> QPointF:
        return QPointF(self.left + (cell[1] + 0.5) * self.cell, self.top + (cell[0] + 0.5) * self.cell)

    def at(self, point: QPointF | QPoint) -> Cell | None:
        """The cell under a point of the widget."""
        r, c = int((point.y() - self.top) // self.cell), int((point.x() - self.left) // self.cell)
        return (r, c) if 0 <= r < self.rows and 0 <= c < self.columns else None

    def column_at(self, x: float) -> int | None:
        c = int((x - self.left) // self.cell)
        return c if 0 <= c < self.columns else None


def paint_lid(painter: QPainter, board: Board, grid: GridWorld) -> None:
    """All that stands still: what lies under it is seen through the floor of open cells."""
    colours = theme()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    between = QPainterPath()
    between.setFillRule(Qt.FillRule.OddEvenFill)
    between.addRect(QRectF(board.area).adjusted(-1, -1, 1, 1))
    solid = grid.walls
    for r in range(grid.rows):
        for c in range(grid.columns):
            if (r, c) not in solid:
                between.addRoundedRect(QRectF(board.rect((r, c))), board.radius, board.radius)
    painter.fillPath(between, colours.color("sunken"))
    _paint_walls(painter, board, grid)
    for cell in grid.cliffs:
        _paint_cliff(painter, board, cell)
    for cell in grid.holes:
        _paint_hole(painter, board, cell)
    for cell in grid.goals:
        _paint_goal(painter, board, cell)
    _paint_start(painter, board, grid.start)
    for cell, reward in grid.rewards:
        if cell not in grid.walls:
            _paint_reward(painter, board, cell, reward)
    if any(grid.wind):
        _paint_wind(painter, board, grid)


def _paint_walls(painter: QPainter, board: Board, grid: GridWorld) -> None:
    """Walls side by side are one mass."""
    painter.setBrush(theme().color("border_strong"))
    mass = QPainterPath()
    mass.setFillRule(Qt.FillRule.WindingFill)
    for r, c in grid.walls:
        box = QRectF(board.rect((r, c)))
        mass.addRoundedRect(box, board.radius, board.radius)
        gap = 2 * board.gap
        if (r, c + 1) in grid.walls:
            mass.addRect(QRectF(box.center().x(), box.top(), box.width() + gap, box.height()))
        if (r + 1, c) in grid.walls:
            mass.addRect(QRectF(box.left(), box.center().y(), box.width(), box.height() + gap))
    painter.drawPath(mass)


def _block(painter: QPainter, board: Board, cell: Cell, token: str) -> QRectF:
    box = QRectF(board.rect(cell))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color(token))
    painter.drawRoundedRect(box, board.radius, board.radius)
    return box


def _paint_cliff(painter: QPainter, board: Board, cell: Cell) -> None:
    box = _block(painter, board, cell, "error_soft")
    painter.save()
    shape = QPainterPath()
    shape.addRoundedRect(box, board.radius, board.radius)
    painter.setClipPath(shape)
    line = QColor(theme().color("error"))
    line.setAlpha(110)
    painter.setPen(QPen(line, max(1.0, board.cell / 34)))
    step = max(5.0, board.cell / 5)
    # One hatching for all cells, so that it runs on from cell to cell.
    offset = (box.left() + box.top()) % step
    x = box.left() - box.height() - offset
    while x < box.right():
        painter.drawLine(QLineF(x, box.bottom(), x + box.height(), box.top()))
        x += step
    painter.restore()


def _paint_hole(painter: QPainter, board: Board, cell: Cell) -> None:
    box = _block(painter, board, cell, "accent_soft")
    colours = theme()
    side = box.width()
    hole = QRectF(box.left() + 0.16 * side, box.top() + 0.24 * side, 0.68 * side, 0.56 * side)
    painter.setBrush(colours.color("window") if colours.dark else colours.color("muted"))
    painter.drawEllipse(hole)
    painter.setBrush(QColor(0, 0, 0, 150 if colours.dark else 90))
    painter.drawEllipse(hole.adjusted(0.05 * side, 0.10 * side, -0.05 * side, 0))


def _paint_goal(painter: QPainter, board: Board, cell: Cell) -> None:
    box = _block(painter, board, cell, "success_soft")
    side, colour = box.width(), theme().color("success")
    x, y = box.left() + 0.32 * side, box.top() + 0.2 * side
    painter.setPen(QPen(colour, max(1.4, side / 18), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.drawLine(QLineF(x, y, x, y + 0.62 * side))
    flag = QPainterPath(QPointF(x, y))
    flag.cubicTo(x + 0.16 * side, y - 0.08 * side, x + 0.26 * side, y + 0.1 * side, x + 0.42 * side, y)
    flag.lineTo(x + 0.42 * side, y + 0.3 * side)
    flag.cubicTo(x + 0.26 * side, y + 0.4 * side, x + 0.16 * side, y + 0.22 * side, x, y + 0.3 * side)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPath(flag)


def _paint_start(painter: QPainter, board: Board, cell: Cell) -> None:
    box = QRectF(board.rect(cell))
    margin = max(1.5, 0.06 * box.width())
    pen = QPen(theme().color("text"), max(1.2, board.cell / 30))
    pen.setDashPattern([3, 2])
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(box.adjusted(margin, margin, -margin, -margin), board.radius, board.radius)


def _paint_reward(painter: QPainter, board: Board, cell: Cell, reward: float) -> None:
    """The number in a chip at the upper edge; a dot where the cell is too small for it."""
    box = QRectF(board.rect(cell))
    colours = theme()
    tone = "success" if reward > 0 else "error" if reward < 0 else "muted"
    painter.setPen(Qt.PenStyle.NoPen)
    if board.cell < 22:
        painter.setBrush(colours.color(tone))
        painter.drawEllipse(QPointF(box.right() - 3, box.top() + 3), 2, 2)
        return
    painter.setFont(font(min(12, max(8, board.cell // 5)), bold=True))
    text = ("+" if reward > 0 else "") + short(reward)
    metrics = painter.fontMetrics()
    width = min(box.width() - 2, metrics.horizontalAdvance(text) + 6)
    chip = QRectF(box.right() - width - 1, box.top() + 1, width, metrics.height())
    painter.setBrush(colours.color(tone if tone == "muted" else f"{tone}_soft"))
    painter.drawRoundedRect(chip, 4, 4)
    painter.setPen(colours.color("raised" if tone == "muted" else tone))
    painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, text)


def _paint_wind(painter: QPainter, board: Board, grid: GridWorld) -> None:
    """An arrow for each cell that the wind pushes, at the foot of its column."""
    foot = board.area.bottom() + 3
    colour = theme().color("accent")
    painter.setPen(QPen(colour, 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    for column, strength in enumerate(grid.wind):
        count = min(abs(strength), max(1, board.cell // 7))
        middle = board.left + (column + 0.5) * board.cell
        for k in range(count):
            x = middle + (k - (count - 1) / 2) * 6
            ends = (foot + 12, foot + 2) if strength > 0 else (foot + 2, foot + 12)
            back = 3 if strength > 0 else -3
            painter.drawLine(QLineF(x, ends[0], x, ends[1]))
            painter.drawLine(QLineF(x, ends[1], x - 2.5, ends[1] + back))
            painter.drawLine(QLineF(x, ends[1], x + 2.5, ends[1] + back))


def paint_trail(painter: QPainter, board: Board, grid: GridWorld, trail: Sequence[int], colour: QColor) -> None:
    """The way of the present episode, older steps fainter; a way gone twice is as fresh as the last time."""
    bands = _fresh_steps([grid.cell(state) for state in trail[-TAIL:]], grid.start)
    width = max(2, round(0.08 * board.cell))
    rim = max(1, width // 3)
    for light, wide in ((True, width + 2 * rim), (False, width)):
        ink = QColor(theme().color("raised")) if light else QColor(colour)
        for band, steps in enumerate(bands):
            strength = (band + 1) / _BANDS
            ink.setAlpha(round(150 * strength if light else 30 + 225 * strength))
            for first, last in steps:
                _paint_step(painter, board, first, last, ink, wide)


def _paint_step(painter: QPainter, board: Board, first: Cell, last: Cell, ink: QColor, width: int) -> None:
    """From the middle of one cell to that of another. Upright rectangles where they do: smooth lines are filled by Qt's
    pool of threads, and the window would wait for it whenever agents keep all cores busy."""
    (r, c), half = first, board.cell // 2
    x, y = board.left + c * board.cell + half, board.top + r * board.cell + half
    down, right = (last[0] - r) * board.cell, (last[1] - c) * board.cell
    if down and right:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(ink, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
        painter.drawLine(x, y, x + right, y + down)
    elif down:
        painter.fillRect(x - width // 2, min(y, y + down), width, abs(down), ink)
    else:
        painter.fillRect(min(x, x + right) - width // 2, y - width // 2, abs(right) + width, width, ink)


def _fresh_steps(cells: Sequence[Cell], start: Cell) -> list[list[tuple[Cell, Cell]]]:
    """For each band of age, the oldest first, pairs of cells. A fall back to the start is no step."""
    bands: list[list[tuple[Cell, Cell]]] = [[] for _ in range(_BANDS)]
    gone: set[frozenset[Cell]] = set()
    count = len(cells) - 1
    for k in range(count, 0, -1):
        here, before = cells[k], cells[k - 1]
        pair = frozenset((here, before))
        fell = here == start and abs(before[0] - here[0]) + abs(before[1] - here[1]) > 1
        if not (fell or here == before or pair in gone):
            gone.add(pair)
            bands[_BANDS - 1 - (count - k) * _BANDS // count].append((before, here))
    return bands


def paint_agent(
    painter: QPainter, board: Board, place: tuple[float, float], colour: QColor, looking: tuple[int, int] | None
) -> None:
    """The agent at a place between cells; its eye says which way it went last."""
    radius = max(3.0, 0.25 * board.cell)
    ratio = painter.device().devicePixelRatioF()
    marker = _marker(radius, colour.rgba(), theme().color("raised").rgba(), looking, ratio)
    middle, half = board.centre(place), marker.width() / ratio / 2
    painter.drawImage(QPoint(round(middle.x() - half), round(middle.y() - half)), marker)


@lru_cache(maxsize=64)
def _marker(radius: float, colour: int, rim: int, looking: tuple[int, int] | None, ratio: float) -> QImage:
    """The agent's picture, drawn once for each colour and direction."""
    side = int(2 * (radius * 1.3 + 2))
    image = QImage(round(side * ratio), round(side * ratio), QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    centre = QPointF(side / 2, side / 2)
    for reach, shift, ink in (
        (1.12, 0.09 * radius + 1, QColor(0, 0, 0, 60)), (1.08, 0.0, QColor.fromRgba(rim)), (0.88, 0.0, QColor.fromRgba(colour))
    ):  # fmt: skip
        painter.setBrush(ink)
        painter.drawEllipse(centre + QPointF(0, shift), radius * reach, radius * reach)
    if looking is not None and radius >= 5:
        painter.setBrush(QColor.fromRgba(rim))
        painter.drawEllipse(centre + QPointF(looking[1], looking[0]) * (0.42 * radius), radius * 0.27, radius * 0.27)
    painter.end()
    return image


def paint_fall(painter: QPainter, board: Board, cell: Cell) -> None:
    """A cross where the last step went over the edge."""
    centre, reach = board.centre(cell), 0.2 * board.cell
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme().color("error"), max(2.0, board.cell / 14), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.drawLine(centre + QPointF(-reach, -reach), centre + QPointF(reach, reach))
    painter.drawLine(centre + QPointF(-reach, reach), centre + QPointF(reach, -reach))


def font(pixels: int | str, *, bold: bool = False) -> QFont:
    """The application's font in pixels or in one of the theme's sizes."""
    made = QFont(QApplication.font())
    made.setPixelSize(pixels if isinstance(pixels, int) else round(FONT_PX[pixels] * theme().font_scale))
    made.setBold(bold)
    return made
