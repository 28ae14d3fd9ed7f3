"""The log marginal likelihood over two hyper-parameters, with the way that each run of the optimiser took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX
from studio_plugins.gp.matrix_view import coloured

if TYPE_CHECKING:
    from studio.ml.gp.landscape import Landscape

Array = npt.NDArray[np.float64]

DEPTH = 25.0
"""Units of log likelihood below the top at which the colours end."""
_LEFT, _BOTTOM, _HEIGHT = 44, 34, 250


class LandscapeView(QWidget):
    """Signal: `picked` (theta down, theta across), when a place is clicked."""

    picked = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found: Landscape | None = None
        self._paths: tuple[Array, ...] = ()
        self._present: tuple[float, float] | None = None
        self._image = QImage()
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAccessibleName("Likelihood over two hyper-parameters")
        theme().changed.connect(self._paint_image)

    def show_landscape(self, found: Landscape | None) -> None:
        """Show a landscape, complete or not; None for none."""
        self._found = found
        self._paint_image()

    def show_paths(self, paths: Sequence[Array]) -> None:
        """Ways of the optimiser, each [i, 2]: theta down, theta across. The best run comes last."""
        self._paths = tuple(paths)
        self.update()

    def show_present(self, down: float, across: float) -> None:
        """Mark the present theta with a cross."""
        self._present = down, across
        self.update()

    def place(self, at: QPointF) -> tuple[float, float] | None:
        """theta down and across under a pixel, None beside the picture."""
        box, found = self._box(), self._found
        if found is None or not box.contains(at):
            return None
        share = (at.x() - box.left()) / box.width(), (box.bottom() - at.y()) / box.height()
        return (
            float(found.down[0] + share[1] * (found.down[-1] - found.down[0])),
            float(found.across[0] + share[0] * (found.across[-1] - found.across[0])),
        )

    # --- events ---

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        where = self.place(event.position())
        if where is None or self._found is None:
            return
        row = int(np.abs(self._found.down - where[0]).argmin())
        column = int(np.abs(self._found.across - where[1]).argmin())
        value = self._found.values[row, column]
        height = "" if np.isnan(value) else f": log p(y) = {value:.2f}"
        names = self._found.names
        text = f"{names[1]} {math.exp(where[1]):.3g}, {names[0]} {math.exp(where[0]):.3g}{height}"
        QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        where = self.place(event.position())
        if where is not None:
            self.picked.emit(*where)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, box = QPainter(self), self._box()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(box, theme().color("sunken"))
        if self._found is None or self._image.isNull():
            return
        painter.drawImage(box, self._image)
        self._paint_axes(painter, box, self._found)
        painter.setClipRect(box)
        for number, path in enumerate(self._paths):
            self._paint_path(painter, path, number == len(self._paths) - 1)
        if self._present is not None:
            at = self._pixel(*self._present)
            painter.setPen(QPen(theme().color("text"), 1.5))
            painter.drawLine(at - QPointF(6, 0), at + QPointF(6, 0))
            painter.drawLine(at - QPointF(0, 6), at + QPointF(0, 6))

    def _paint_path(self, painter: QPainter, path: Array, best: bool) -> None:
        token = "series.1" if best else "text"
        painter.setPen(QPen(theme().color(token), 2.0 if best else 1.0, Qt.PenStyle.SolidLine if best else Qt.PenStyle.DotLine))
        places = [self._pixel(*theta) for theta in path.tolist()]
        painter.drawPolyline(QPolygonF(places))
        painter.setBrush(theme().color(token))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(places[-1], 4.5 if best else 3.0, 4.5 if best else 3.0)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme().color(token), 1.2))
        painter.drawEllipse(places[0], 3.0, 3.0)

    def _paint_axes(self, painter: QPainter, box: QRectF, found: Landscape) -> None:
        font = self.font()
        font.setPixelSize(FONT_PX["small"])
        painter.setFont(font)
        painter.setPen(theme().color("plot.axis"))
        centre = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        for theta in _round_places(found.across):
            x = self._pixel(float(found.down[0]), theta).x()
            painter.drawText(QRectF(x - 30, box.bottom() + 2, 60, 14), centre, f"{math.exp(theta):g}")
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for theta in _round_places(found.down):
            y = self._pixel(theta, float(found.across[0])).y()
            painter.drawText(QRectF(0, y - 8, _LEFT - 4, 16), right, f"{math.exp(theta):g}")
        painter.drawText(QRectF(box.left(), box.bottom() + 16, box.width(), 16), centre, found.names[1])
        painter.save()
        painter.translate(2, box.center().y())
        painter.rotate(-90)
        painter.drawText(QRectF(-box.height() / 2, -2, box.height(), 14), centre, found.names[0])
        painter.restore()

    def _pixel(self, down: float, across: float) -> QPointF:
        box, found = self._box(), self._found
        assert found is not None
        return QPointF(
            box.left() + (across - found.across[0]) / (found.across[-1] - found.across[0]) * box.width(),
            box.bottom() - (down - found.down[0]) / (found.down[-1] - found.down[0]) * box.height(),
        )

    def _box(self) -> QRectF:
        return QRectF(_LEFT, 2, self.width() - _LEFT - 4, self.height() - _BOTTOM - 4)

    def _paint_image(self) -> None:
        found = self._found
        if found is None or not np.isfinite(found.values).any():
            self._image = QImage()
        else:
            top = float(found.values[np.isfinite(found.values)].max())
            share = np.nan_to_num(1 + (found.values - top) / DEPTH, nan=0.0, neginf=0.0).clip(0, 1)
            # In steps of about two units, as a map shows heights: places of the top step can hardly be told apart.
            steps = np.where(np.isfinite(found.values), np.ceil(share * 12) / 12, 0.0)[::-1]
            self._image = coloured(steps, theme().color("accent"), QColor("black"), theme().color("raised"))
        self.update()


def _round_places(thetas: Array) -> list[float]:
    """Logarithms of powers of ten within a stretch; of 1, 2, 5 times them where there are few."""
    low, high = math.exp(thetas[0]), math.exp(thetas[-1])
    for factors in ((1,), (1, 2, 5)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [factor * 10.0**power for power in powers for factor in factors]
        within = [math.log(value) for value in found if low <= value <= high]
        if len(within) >= 2:
            return within
    return [float(thetas[0]), float(thetas[-1])]
