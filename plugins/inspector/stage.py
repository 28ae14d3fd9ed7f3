"""The stage: a heat map or picture with the value under the pointer, a curve for one axis, and the scale of colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from studio.ui.curves import Curves
from studio.ui.image_view import ImageView
from studio.ui.theme import theme
from studio.ui.tokens import SPACE_L
from studio_plugins.inspector.axes import View, place
from studio_plugins.inspector.colours import lookup, real
from studio_plugins.inspector.jobs import Plane
from studio_plugins.inspector.reading import TensorInfo
from studio_plugins.inspector.tables import number_text


class HeatView(ImageView):
    """An ImageView that reads out the tensor's own index and value."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plane: Plane | None = None
        self._view: View | None = None
        self._shape: tuple[int, ...] = ()
        self.setAccessibleName("Values of the tensor as colours")

    def show_plane(self, plane: Plane | None, info: TensorInfo | None, view: View | None) -> None:
        self._plane, self._view, self._shape = plane, view, info.shape if info else ()
        if plane is None or 0 in plane.picture.shape:
            self.set_image(None)
            self.set_placeholder("This tensor has no values." if plane is not None else "")
            return
        thinned = max(plane.row_step, plane.col_step)
        self.set_image(plane.picture, caption=f"Every {ordinal(thinned)} value is shown" if thinned > 1 else "")

    def read_out(self, x: int, y: int) -> str:
        plane, view = self._plane, self._view
        if plane is None or view is None or y >= plane.values.shape[0] or x >= plane.values.shape[1]:
            return ""
        index = place(view, y * plane.row_step, x * plane.col_step, self._shape)
        value = plane.values[y, x]
        if plane.request.picture:
            return f"[{', '.join(map(str, index[:-1]))}, :] = {', '.join(value_text(channel) for channel in value)}"
        return f"[{', '.join(map(str, index))}] = {value_text(value)}"


class Scale(QWidget):
    """The colours of a heat map from the lowest to the highest value."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plane: Plane | None = None
        self.setFixedHeight(30)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def show_plane(self, plane: Plane | None) -> None:
        self._plane = plane
        self.setVisible(plane is not None and bool(plane.map))
        if plane is not None:
            self.setAccessibleName(f"Colours from {number_text(plane.low)} to {number_text(plane.high)}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, 30)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._plane is None or not self._plane.map:
            return
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("sunken"))
        painter.setPen(theme().color("muted"))
        low, high = number_text(self._plane.low, 4), number_text(self._plane.high, 4)
        metrics = painter.fontMetrics()
        side = max(metrics.horizontalAdvance(low), metrics.horizontalAdvance(high)) + 8
        box = self.rect().adjusted(SPACE_L, 0, -SPACE_L, -4)
        bar = QRect(box.x() + side, box.center().y() - 5, max(10, box.width() - 2 * side), 10)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, low)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, high)
        painter.drawImage(bar, QImage(np.ascontiguousarray(lookup(self._plane.map)[None]).data, 256, 1, 768, QImage.Format.Format_RGB888))


class Stage(QStackedWidget):
    """Shows an empty state, a heat map with its scale, or a curve."""

    def __init__(self, empty: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heat, self.scale = HeatView(), Scale()
        self.curve = Curves("index", "value", legend=False)
        heat = QWidget(self)
        layout = QVBoxLayout(heat)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.heat, 1)
        layout.addWidget(self.scale)
        self._heat_page = heat
        self._empty = empty
        for page in (empty, heat, self.curve):
            self.addWidget(page)

    def clear(self) -> None:
        """Back to the empty state."""
        self.heat.show_plane(None, None, None)
        self.scale.show_plane(None)
        self.curve.clear()
        self.setCurrentWidget(self._empty)

    def show_plane(self, plane: Plane, info: TensorInfo, view: View) -> None:
        """A tensor of one axis with more than one value as a curve, everything else as colours."""
        if len(info.shape) == 1 and plane.values.shape[1] > 1:
            values = real(plane.values[0])
            self.curve.clear()
            self.curve.set_series(info.name, np.arange(values.size) * plane.col_step, values)
            self.setCurrentWidget(self.curve)
            self.curve.refresh()
            return
        self.heat.show_plane(plane, info, view)
        self.scale.show_plane(plane)
        self.setCurrentWidget(self._heat_page)


def value_text(value: Any) -> str:
    """A value with as many digits as tell it from its neighbours."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool):
        return str(plain).lower()
    if isinstance(plain, complex):
        return f"{plain.real:.6g} {'-' if plain.imag < 0 else '+'} {abs(plain.imag):.6g}i"
    return f"{plain:,}" if isinstance(plain, int) else f"{plain:.9g}" if np.asarray(value).dtype == np.float64 else f"{plain:.7g}"


def ordinal(number: int) -> str:
    """2nd, 3rd, 4th, 11th, 21st ..."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
