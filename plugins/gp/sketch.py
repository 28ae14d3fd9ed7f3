"""Beside a block: how its covariance falls with distance, k(0, r), and three functions drawn from it alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.ml.gp.errors import GPError
from studio.ml.gp.kernel import Kernel
from studio.ui.theme import theme

Array = npt.NDArray[np.float64]

PLACES, DRAWS, SEED = 64, 3, 5
_JITTER = 1e-8  # of the largest variance: these curves are for looking at
_HEIGHT, _GAP, _INSET = 46, 10, 3


class Sketch(QWidget):
    """Two small drawings side by side, each as high as its own values reach."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kernel: Kernel | None = None
        self._span, self._inputs = (0.0, 1.0), 1
        self._shape, self._draws = np.empty(0), np.empty((0, 0))
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Left: k(0, r), how alike two values are at a distance r, up to half of the plot’s width. "
            "Right: functions drawn from this block alone, over the plot’s width."
        )
        theme().changed.connect(self.update)

    def show_kernel(self, kernel: Kernel, span: tuple[float, float], inputs: int = 1) -> None:
        """Draw a kernel over the stretch of x that the plot shows; of several inputs along the first, the others at 0."""
        if (kernel, span, inputs) == (self._kernel, self._span, self._inputs):
            return
        self._kernel, self._span, self._inputs = kernel, span, inputs
        try:
            self._shape = shape(kernel, 0.5 * (span[1] - span[0]), inputs)
            self._draws = draws(kernel, span, inputs)
        except GPError as error:
            self._shape, self._draws = np.empty(0), np.empty((0, 0))
            self.setToolTip(str(error))
        self.setAccessibleName(f"k(0, r) of {kernel}, and functions drawn from it")
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        half = (self.width() - _GAP) / 2
        left, right = QRectF(0, 0, half, self.height()), QRectF(half + _GAP, 0, half, self.height())
        colours = theme()
        for box in (left, right):
            painter.fillRect(box, colours.color("sunken"))
        if len(self._shape):
            low, high = min(0.0, float(self._shape.min())), float(max(self._shape.max(), 1e-300))
            _line(painter, left, self._shape, low, high, QPen(colours.color("accent"), 1.6))
        if self._draws.size:
            reach = float(np.abs(self._draws).max()) or 1.0
            for k, values in enumerate(self._draws.T):
                _line(painter, right, values, -reach, reach, QPen(colours.color(f"series.{1 + k}"), 1.0))


def shape(kernel: Kernel, reach: float, inputs: int = 1) -> Array:
    """k(0, r) for r from 0 to `reach` [PLACES]."""
    return kernel(np.zeros((1, inputs)), _along((0.0, reach), inputs))[0]


def draws(kernel: Kernel, span: tuple[float, float], inputs: int = 1) -> Array:
    """Functions of the prior over the span [PLACES, DRAWS], always from the same normal numbers."""
    x = _along(span, inputs)
    values, vectors = np.linalg.eigh(kernel(x))
    root = vectors * np.sqrt(np.maximum(values, _JITTER * max(float(values[-1]), 0.0)))
    # Turned back to the axes of x: eigenvectors may swap and flip while a value changes, their product may not.
    return (root @ vectors.T) @ np.random.default_rng(SEED).standard_normal((PLACES, DRAWS))


def _along(span: tuple[float, float], inputs: int) -> Array:
    """Places [PLACES, inputs] along the first input."""
    x = np.zeros((PLACES, inputs))
    x[:, 0] = np.linspace(*span, PLACES)
    return x


def _line(painter: QPainter, box: QRectF, values: Array, low: float, high: float, pen: QPen) -> None:
    inner = box.adjusted(0, _INSET, 0, -_INSET)
    rise = (values - low) / ((high - low) or 1.0)
    across = np.linspace(inner.left(), inner.right(), len(values))
    points = [QPointF(x, inner.bottom() - up * inner.height()) for x, up in zip(across, rise, strict=True)]
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.drawPolyline(QPolygonF(points))
