"""Where the pictures of a batch or a sweep stand on the stage. Plain arithmetic in logical pixels."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF

from studio_plugins.generate.grid import GridLabels, best_columns

GAP, CAPTION, HEADING = 10, 20, 24


@dataclass(frozen=True)
class PictureLayout:
    """Rectangles of the pictures (or cells), and of the headings of a sweep."""

    cells: tuple[QRectF, ...]
    column_headings: tuple[QRectF, ...] = ()
    row_headings: tuple[QRectF, ...] = ()

    def at(self, x: float, y: float) -> int | None:
        """Index of the picture at a point, None beside all of them."""
        return next((i for i, cell in enumerate(self.cells) if cell.contains(x, y)), None)


def lay_out(
    count: int,
    picture: tuple[int, int],
    area: QRectF,
    ratio: float,
    *,
    captions: bool = False,
    labels: GridLabels | None = None,
    row_width: float = 0.0,
) -> PictureLayout:
    """Place `count` pictures of (width, height) pixels as large as fits into `area`, whole numbers of screen pixels to a picture pixel.

    `ratio` is the device pixel ratio; `row_width` the room for row headings of a sweep.
    """
    if not count or area.width() <= 0 or area.height() <= 0:
        return PictureLayout(())
    width, height = picture
    below = CAPTION if captions else 0
    left = row_width if labels and labels.rows else 0.0
    top = 2 * HEADING if labels else 0.0
    choices = [len(labels.columns)] if labels else range(1, count + 1)
    scale, columns = max((_fit(count, c, picture, area, left, top, below), c) for c in choices)
    if labels is None and scale == _fit(count, best_columns(count), picture, area, left, top, below):
        columns = best_columns(count)
    scale = crisp(scale, ratio)
    cell_w, cell_h = width * scale, height * scale
    rows = -(-count // columns)
    whole_w = left + columns * cell_w + (columns - 1) * GAP
    whole_h = top + rows * (cell_h + below) + (rows - 1) * GAP
    # On whole device pixels, or nearest-neighbour enlargement would make uneven squares.
    x0 = _snap(area.x() + max(0.0, (area.width() - whole_w) / 2) + left, ratio)
    y0 = _snap(area.y() + max(0.0, (area.height() - whole_h) / 2) + top, ratio)
    cells = tuple(
        QRectF(x0 + (i % columns) * (cell_w + GAP), y0 + (i // columns) * (cell_h + below + GAP), cell_w, cell_h)
        for i in range(count)
    )
    if labels is None:
        return PictureLayout(cells)
    heads = tuple(QRectF(cell.x(), cell.y() - HEADING, cell_w, HEADING) for cell in cells[:columns])
    sides = tuple(
        QRectF(x0 - left, cells[r * columns].y(), left - GAP, cell_h) for r in range(rows) if labels.rows
    )
    return PictureLayout(cells, heads, sides)


def crisp(scale: float, ratio: float) -> float:
    """The largest scale not above `scale` that maps a picture pixel to a whole number of device pixels; unchanged when shrinking."""
    device = scale * ratio
    return int(device) / ratio if device >= 1 else scale


def _fit(
    count: int, columns: int, picture: tuple[int, int], area: QRectF, left: float, top: float, below: float
) -> float:
    rows = -(-count // columns)
    room_w = area.width() - left - (columns - 1) * GAP
    room_h = area.height() - top - (rows - 1) * GAP - rows * below
    return max(0.02, min(room_w / columns / picture[0], room_h / rows / picture[1]))


def _snap(value: float, ratio: float) -> float:
    return round(value * ratio) / ratio
