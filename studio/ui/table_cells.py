"""How the cells and headings of a PictureTable look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen
from PySide6.QtWidgets import QApplication

from studio.ui.pictures import to_qimage
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX

GAP, EDGE, LEFT, LINE = 8, 8, 74, 16


@dataclass(frozen=True)
class ColumnHeading:
    """Above a column: a bold title with a dot in the colour token, short lines below it (the last in `tone`)."""

    title: str
    lines: tuple[str, ...] = ()
    colour: str = ""
    tone: str = "muted"
    tip: str = ""


@dataclass(frozen=True, eq=False)
class RowHeading:
    """Left of a row; `colours` [256, 3] with `low` and `high` make a legend for what is shown in false colours."""

    title: str
    tip: str = ""
    colours: npt.NDArray[np.uint8] | None = None
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, eq=False)
class Cell:
    """A picture, the numbers behind its colours, a remark at its lower edge; faded when another column owns it."""

    image: QImage | None = None
    values: npt.NDArray[Any] | None = None
    note: str = ""
    faded: bool = False


def paint_cell(painter: QPainter, cell: Cell, rect: QRect, seen: QRectF, pixel: QPoint | None) -> None:
    """The part `seen` of a cell's picture, with a frame around the pixel under the pointer."""
    colours = theme()
    if cell.image is None:
        painter.setPen(QPen(colours.color("border"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(rect, 4, 4)
    else:
        painter.setOpacity(0.5 if cell.faded else 1.0)
        smaller = seen.width() > rect.width() * painter.device().devicePixelRatioF()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smaller)
        painter.drawImage(QRectF(rect), cell.image, seen)
        painter.setOpacity(1.0)
        if pixel is not None:
            _paint_pixel(painter, pixel, rect, seen)
    if cell.note:
        _paint_note(painter, cell.note, rect)


def _paint_pixel(painter: QPainter, pixel: QPoint, rect: QRect, seen: QRectF) -> None:
    scale = rect.width() / seen.width()
    box = QRectF(
        rect.x() + (pixel.x() - seen.x()) * scale, rect.y() + (pixel.y() - seen.y()) * scale, scale, scale
    )
    if not QRectF(rect).contains(box.center()):
        return
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, margin in ((QColor("black"), 1.0), (QColor("white"), 0.0)):
        painter.setPen(QPen(colour, 1))
        painter.drawRect(box.adjusted(-margin, -margin, margin, margin))


def _paint_note(painter: QPainter, note: str, rect: QRect) -> None:
    painter.setFont(_font("small"))
    metrics = painter.fontMetrics()
    shown = metrics.elidedText(note, Qt.TextElideMode.ElideRight, rect.width() - 12)
    box = QRectF(0, 0, metrics.horizontalAdvance(shown) + 10, metrics.height() + 4)
    box.moveCenter(QPointF(rect.center().x() + 0.5, rect.bottom() - box.height() / 2 - 3))
    back = QColor(theme().color("raised"))
    back.setAlpha(225)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(back)
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(theme().color("muted"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, shown)


def paint_column_heading(
    painter: QPainter, heading: ColumnHeading, box: QRect, menu: QRect, *, current: bool
) -> None:
    """A column's heading in `box`, its three dots in `menu`."""
    colours = theme()
    inner = box.adjusted(GAP // 2, 2, -GAP // 2, -4)
    if current:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.color("accent_soft"))
        painter.drawRoundedRect(inner, 5, 5)
    x = inner.left() + 6
    if heading.colour:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.color(heading.colour))
        painter.drawEllipse(QRectF(x, EDGE + LINE / 2 - 4.5, 9, 9))
        x += 14
    bold = _font("strong")
    bold.setBold(True)
    painter.setFont(bold)
    painter.setPen(colours.color("text"))
    for i, part in enumerate(_two_lines(painter, heading.title, inner.right() - x)):
        _line(painter, part, QRect(x, EDGE + LINE * i, inner.right() - x, LINE))
    painter.setPen(colours.color("muted"))
    _line(painter, "⋯", menu, Qt.AlignmentFlag.AlignCenter)
    painter.setFont(_font("small"))
    for i, text in enumerate(heading.lines):
        last = i == len(heading.lines) - 1
        painter.setPen(colours.color(heading.tone if last else "muted"))
        right = menu.left() if i == 0 else inner.right()  # the dots stand in the first of these lines
        line = QRect(inner.left() + 6, EDGE + LINE * (i + 2) + 2, right - inner.left() - 8, LINE)
        _line(painter, text, line)


def paint_row_heading(painter: QPainter, heading: RowHeading, rect: QRect) -> None:
    """A row's heading in front of its first cell `rect`: title, and the colours' legend where it has one."""
    colours = theme()
    painter.setFont(_font("strong"))
    painter.setPen(colours.color("text"))
    box = QRect(EDGE, rect.top(), LEFT - EDGE, LINE)
    for word in heading.title.split("\n"):
        _line(painter, word, box)
        box.translate(0, LINE)
    if heading.colours is None or heading.high <= heading.low:
        return
    if rect.bottom() - box.top() < 2.5 * LINE:  # no room for a bar
        painter.setFont(_font("small"))
        painter.setPen(colours.color("muted"))
        _line(painter, f"{heading.low:.2g} – {heading.high:.2g}", box)
        return
    bar = QRect(EDGE, box.top() + 3, 8, rect.bottom() - box.top() - 3)
    ramp = to_qimage(np.ascontiguousarray(heading.colours[::-1, None]))
    painter.drawImage(QRectF(bar), ramp, QRectF(ramp.rect()))
    painter.setFont(_font("small"))
    painter.setPen(colours.color("muted"))
    ends = QRect(bar.right() + 5, bar.top() - 1, LEFT - bar.right() - 6, bar.height() + 2)
    painter.drawText(ends, Qt.AlignmentFlag.AlignTop, f"{heading.high:.2g}")
    painter.drawText(ends, Qt.AlignmentFlag.AlignBottom, f"{heading.low:.2g}")


def _two_lines(painter: QPainter, text: str, width: int) -> list[str]:
    """A title in at most two lines, as many words as fit into `width` pixels, the rest below."""
    words, metrics = text.split(" "), painter.fontMetrics()
    fitting = (n for n in range(1, len(words) + 1) if metrics.horizontalAdvance(" ".join(words[:n])) <= width)
    count = max(fitting, default=1)
    below = " ".join(words[count:])
    return [" ".join(words[:count]), *([below] if below else [])]


def _line(
    painter: QPainter, text: str, box: QRect, align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignVCenter
) -> None:
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, box.width())
    painter.drawText(box, align, shown)


def _font(name: str) -> QFont:
    font = QFont(QApplication.font())
    font.setPixelSize(round(FONT_PX[name] * theme().font_scale))
    return font
