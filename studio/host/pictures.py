"""Pictures put together: enlarged without blur, side by side, and in a grid with headings. numpy and PIL only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]

INK, PAPER, MUTED = (34, 38, 46), (255, 255, 255), (104, 112, 124)


@dataclass(frozen=True)
class GridLabels:
    """Headings of a labelled grid; `row_title` and `rows` are empty for a single row."""

    column_title: str
    columns: tuple[str, ...]
    row_title: str = ""
    rows: tuple[str, ...] = ()


def enlarge(pictures: Pixels, factor: int) -> Pixels:
    """[..., H, W, 3] -> [..., H·factor, W·factor, 3], each pixel a sharp square."""
    return pictures.repeat(factor, axis=-3).repeat(factor, axis=-2)


def best_columns(count: int) -> int:
    """Columns that make `count` pictures most nearly square, wider than high: 1, 2, 2, 2, 3, 3, 3, 3, 3, 4, ..."""
    return max(1, int(np.ceil(np.sqrt(count))))


def tile(pictures: Pixels, columns: int = 0, gap: int = 2, paper: tuple[int, int, int] = PAPER) -> Pixels:
    """[N, H, W, 3] -> one picture, row by row with `gap` pixels between; 0 columns means most nearly square."""
    count, height, width, _ = pictures.shape
    columns = columns or best_columns(count)
    rows = -(-count // columns)
    sheet = np.empty((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), np.uint8)
    sheet[:] = paper
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def thumbnail(pictures: Pixels, side: int = 192) -> Pixels:
    """A small square-ish picture of up to nine of [N, H, W, 3], enlarged by whole factors."""
    sheet = tile(pictures[:9])
    return enlarge(sheet, max(1, side // max(sheet.shape[:2])))


def labelled_grid(cells: Sequence[Pixels | None], labels: GridLabels, factor: int = 4) -> Pixels:
    """Cells row by row as one picture with headings; a missing cell (None) stays empty.

    cells: each [H, W, 3] of one size, len(rows or [""]) × len(columns) of them, at least one present.
    """
    first = next(cell for cell in cells if cell is not None)
    height, width = first.shape[0] * factor, first.shape[1] * factor
    text = _font(max(12, min(18, height // 8)))
    line = text.size + 8
    columns = [_wrapped(name, text, width) for name in labels.columns]
    rows = [_wrapped(name, text, max(width, 120)) for name in labels.rows]
    left = max((_width(part, text) for row in rows for part in row), default=0) + 16 if rows else 0
    heading = max(len(name) for name in columns) * line + line + 4
    top = heading + (line if rows else 0)
    gap = 6
    sheet = Image.new(
        "RGB", (left + len(columns) * (width + gap) + gap, top + (len(rows) or 1) * (height + gap) + gap), PAPER
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((left + gap, 4), labels.column_title, fill=MUTED, font=text)
    if rows:
        draw.text((8, top - line), labels.row_title, fill=MUTED, font=text)
    for c, name in enumerate(columns):
        for n, part in enumerate(name):
            x = left + gap + c * (width + gap) + (width - _width(part, text)) // 2
            draw.text((x, 4 + line * (n + 1)), part, fill=INK, font=text)
    for r, name in enumerate(rows):
        middle = top + gap + r * (height + gap) + height // 2 - line * len(name) // 2
        for n, part in enumerate(name):
            draw.text((8, middle + n * line), part, fill=INK, font=text)
    pixels = np.asarray(sheet).copy()
    for i, cell in enumerate(cells):
        if cell is not None:
            y = top + gap + (i // len(columns)) * (height + gap)
            x = left + gap + (i % len(columns)) * (width + gap)
            pixels[y : y + height, x : x + width] = enlarge(cell, factor)
    return pixels


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType; install a Pillow with it to draw grids with headings")
    return font


def _width(text: str, font: ImageFont.FreeTypeFont) -> int:
    return int(np.ceil(font.getlength(text)))


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int, lines: int = 3) -> list[str]:
    """The text in at most `lines` lines that fit into `width` pixels; what does not fit ends in an ellipsis."""
    rows: list[str] = []
    current = ""
    for word in text.split() or [""]:
        longer = f"{current} {word}".strip()
        if current and _width(longer, font) > width:
            rows.append(current)
            current = word
        else:
            current = longer
    rows.append(current)
    if len(rows) > lines:
        rows = [*rows[: lines - 1], rows[lines - 1] + "…"]
    return [_shortened(row, font, width) for row in rows]


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    while len(text) > 1 and _width(text, font) > width:
        text = text[:-2] + "…"
    return text


def to_pixels(x: NDArray[np.float32]) -> Pixels:
    """[-1, 1] -> uint8, rounded half up: floor(127.5 (x + 1) + 0.5), clipped."""
    grey = np.floor((x + np.float32(1)) * np.float32(127.5) + np.float32(0.5))
    pixels: Pixels = np.clip(grey, 0, 255).astype(np.uint8)
    return pixels
