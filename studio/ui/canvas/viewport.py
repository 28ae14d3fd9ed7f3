"""Where the picture lies in the widget: zoom, pan, rotation. Geometry only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF
from PySide6.QtGui import QTransform

MARGIN = 32  # pixels free around a fitted picture: room for the handles on its edges
MAX_SCALE = 64.0
_LEAST_SHOWN = 0.25  # of the fitted scale: one can step back from a picture, but not lose it


class Viewport:
    """`scale` screen pixels per picture pixel, `angle` degrees clockwise, `centre` the picture point in the middle of the
    widget. A fitted viewport stays fitted when widget or picture change their size.
    """

    def __init__(self) -> None:
        self.scale = 1.0
        self.angle = 0.0
        self.centre = QPointF()
        self.fitted = True
        self._widget = QSizeF(1, 1)
        self._picture = QSizeF(0, 0)

    def set_sizes(self, widget: QSizeF, picture: QSizeF) -> None:
        """Take over new sizes, both in pixels."""
        self._widget, self._picture = widget, picture
        if self.fitted:
            self.fit()

    def fit(self) -> None:
        """Show the whole picture in the middle; small pictures are enlarged by whole factors."""
        scale = self._fitted_scale()
        self.scale = float(int(scale)) if scale >= 2 and self.angle == 0 else scale
        self.centre = self._middle()
        self.fitted = True

    def actual_size(self) -> None:
        """One picture pixel a screen pixel."""
        self.zoom(1 / self.scale)

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Enlarge by `factor`; the picture under the widget's point `around` (default: its middle) stays there."""
        point = around if around is not None else self._widget_middle()
        anchor = self.to_picture(point)
        least = min(self._fitted_scale() * _LEAST_SHOWN, 1.0)
        self.scale = min(max(self.scale * factor, least), MAX_SCALE)
        self._keep(anchor, point)

    def rotate(self, degrees: float, around: QPointF | None = None) -> None:
        """Turn clockwise around a point of the widget (default: its middle)."""
        point = around if around is not None else self._widget_middle()
        anchor = self.to_picture(point)
        self.angle = (self.angle + degrees + 180) % 360 - 180
        self._keep(anchor, point)

    def pan(self, by: QPointF) -> None:
        """Move the picture by so many pixels of the widget."""
        self.centre = self.to_picture(self._widget_middle() - by)
        self.fitted = False

    def shift(self, left: int, top: int) -> None:
        """The picture grew by so many pixels at its left and top: what was shown stays where it is."""
        self.centre += QPointF(left, top)
        self.fitted = False

    def state(self) -> dict[str, Any]:
        """Zoom, place and rotation as JSON data."""
        return {"fitted": self.fitted, "scale": self.scale, "angle": self.angle, "centre": [self.centre.x(), self.centre.y()]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Show what was shown when the state was taken; fit the picture instead where it holds no numbers."""
        try:
            scale, angle, x, y = (float(value) for value in (state["scale"], state["angle"], *state["centre"]))
            good = all(map(math.isfinite, (scale, angle, x, y))) and scale > 0
        except (KeyError, TypeError, ValueError):
            good = False
        if good:
            self.angle = (angle + 180) % 360 - 180
            self.centre = QPointF(x, y)
            self.zoom(scale / self.scale)
        if not good or state.get("fitted"):
            self.fit()

    def transform(self) -> QTransform:
        """From picture to widget. Unrotated, the corner of the picture lies on a whole pixel: nothing blurs at 1:1."""
        middle = self._widget_middle()
        made = QTransform.fromTranslate(middle.x(), middle.y())
        made.rotate(self.angle)
        made.scale(self.scale, self.scale)
        made.translate(-self.centre.x(), -self.centre.y())
        if self.angle == 0:
            made = QTransform(made.m11(), made.m12(), made.m21(), made.m22(), round(made.dx()), round(made.dy()))
        return made

    def to_picture(self, point: QPointF) -> QPointF:
        """The place in the picture under a point of the widget."""
        return self.transform().inverted()[0].map(point)

    def to_widget(self, point: QPointF) -> QPointF:
        """The point of the widget over a place in the picture."""
        return self.transform().map(point)

    def picture_rect(self, exposed: QRect) -> QRectF:
        """Around what lies under a rectangle of the widget, in picture pixels."""
        return self.transform().inverted()[0].mapRect(QRectF(exposed))

    def widget_rect(self, rect: QRect) -> QRect:
        """Around a rectangle of the picture, in pixels of the widget, and what smoothing spreads beyond it."""
        return self.transform().mapRect(QRectF(rect)).toAlignedRect().adjusted(-2, -2, 2, 2)

    def _keep(self, anchor: QPointF, point: QPointF) -> None:
        self.fitted = False
        offset = self.to_picture(point) - anchor
        self.centre -= offset

    def _widget_middle(self) -> QPointF:
        return QPointF(self._widget.width() / 2, self._widget.height() / 2)

    def _middle(self) -> QPointF:
        return QPointF(self._picture.width() / 2, self._picture.height() / 2)

    def _fitted_scale(self) -> float:
        turned = QTransform().rotate(self.angle).mapRect(QRectF(0, 0, max(1.0, self._picture.width()), max(1.0, self._picture.height())))
        room = (max(8.0, self._widget.width() - 2 * MARGIN), max(8.0, self._widget.height() - 2 * MARGIN))
        return float(min(room[0] / turned.width(), room[1] / turned.height(), MAX_SCALE))
