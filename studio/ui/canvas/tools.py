"""What the pointer does on the canvas: one class per kind of tool. Places are in picture pixels, also outside of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath

from studio.ui.canvas import overlay, shapes
from studio.ui.canvas.brush import Brush, Point
from studio.ui.canvas.document import CanvasDocument, Target
from studio.ui.canvas.ink import ColourInk, Erase, Ink, MaskInk
from studio.ui.canvas.operations import WholeMask
from studio.ui.canvas.settings import CanvasSettings, Combine, ToolName
from studio.ui.canvas.stroke import Stroke
from studio.ui.canvas.tiles import Raster
from studio.ui.canvas.viewport import Viewport

Keys = Qt.KeyboardModifier


@dataclass(frozen=True)
class Pointer:
    """Where the pointer is, how hard a pen presses, and which keys are held."""

    place: QPointF
    pressure: float = 1.0
    keys: Keys = Keys.NoModifier

    @property
    def shift(self) -> bool:
        return bool(self.keys & Keys.ShiftModifier)

    @property
    def point(self) -> Point:
        return Point(self.place.x(), self.place.y(), self.pressure)


class Tool(ABC):
    """`press`, `drag` and `release` follow one another; `cancel` takes back what is under way."""

    def __init__(self, document: CanvasDocument, settings: CanvasSettings) -> None:
        self.document, self.settings = document, settings

    @property
    @abstractmethod
    def active(self) -> bool:
        """Between press and release."""

    @abstractmethod
    def press(self, pointer: Pointer) -> None: ...

    def drag(self, pointer: Pointer) -> None:
        """The pointer moved while pressed."""

    def release(self, pointer: Pointer) -> None:
        """The pointer was let go: this makes the undoable step."""

    def cancel(self) -> None:
        """Leave everything as it was before the press."""

    def draw(self, painter: QPainter, viewport: Viewport) -> None:
        """Show what is under way, over the picture (pixels of the widget)."""


class StrokeTool(Tool):
    """Brush and eraser. Shift draws straight: at the press from the end of the last stroke, while dragging from the press."""

    def __init__(self, document: CanvasDocument, settings: CanvasSettings, name: ToolName) -> None:
        super().__init__(document, settings)
        self.name = name
        self.last: Point | None = None
        self._stroke: Stroke | None = None
        self._anchor: Point | None = None
        document.resized.connect(self._forget)

    @property
    def active(self) -> bool:
        return self._stroke is not None

    def press(self, pointer: Pointer) -> None:
        choices = self.settings.values
        brush = choices.brush_of(self.name) or Brush()
        erases = self.name is ToolName.ERASER
        target = "mask" if choices.target is Target.MASK else "colour hints"
        text = f"Erase {target}" if erases else f"Paint {target}"
        self._stroke = self.document.begin_stroke(choices.target, _ink(self.settings, erases), brush, text)
        self._anchor = self.last if pointer.shift and self.last is not None else pointer.point
        self._stroke.to(self._anchor)
        self._stroke.to(pointer.point)

    def drag(self, pointer: Pointer) -> None:
        if self._stroke is None:
            return
        if pointer.shift and self._anchor is not None:
            self._stroke.restart()
            self._stroke.to(self._anchor)
        else:
            self._anchor = self._stroke.last
        self._stroke.to(pointer.point)

    def release(self, pointer: Pointer) -> None:
        stroke, self._stroke = self._stroke, None
        if stroke is not None:
            self.last = stroke.last
            stroke.finish()

    def cancel(self) -> None:
        stroke, self._stroke = self._stroke, None
        if stroke is not None:
            stroke.restart()

    def _forget(self) -> None:
        self._stroke = self.last = self._anchor = None


class ShapeTool(Tool):
    """Selects what lies inside an outline, or paints it on the colour hints.

    Shift at the press adds, Ctrl or Alt takes away, whatever the tool bar says; Shift while dragging makes squares and
    circles.
    """

    def __init__(
        self, document: CanvasDocument, settings: CanvasSettings, name: ToolName, outline: Callable[[list[QPointF]], QPainterPath]
    ) -> None:
        super().__init__(document, settings)
        self.name = name
        self._outline = outline
        self._points: list[QPointF] = []
        self._combine = Combine.ADD

    @property
    def active(self) -> bool:
        return bool(self._points)

    def press(self, pointer: Pointer) -> None:
        self._combine = combine_with(pointer.keys, self.settings.values.combine)
        self._points = [pointer.place]

    def drag(self, pointer: Pointer) -> None:
        if self.name is ToolName.LASSO:
            self._points.append(pointer.place)
        elif self._points:
            square = pointer.shift
            self._points[1:] = [shapes.squared(self._points[0], pointer.place) if square else pointer.place]

    def release(self, pointer: Pointer) -> None:
        points, self._points = self._points, []
        found = shapes.coverage_of(self._outline(points), self.document.width, self.document.height) if len(points) > 1 else None
        if found is not None:
            fill(self.document, self.settings, *found, self._combine, f"{self.name.capitalize()} selection")

    def cancel(self) -> None:
        self._points = []

    def draw(self, painter: QPainter, viewport: Viewport) -> None:
        if len(self._points) > 1:
            overlay.draw_outline(painter, viewport.transform().map(self._outline(self._points)))


class FloodTool(Tool):
    """Selects what has the colour under the pointer, or paints it on the colour hints."""

    def __init__(self, document: CanvasDocument, settings: CanvasSettings, work: WholeMask) -> None:
        super().__init__(document, settings)
        self._work = work

    @property
    def active(self) -> bool:
        return False

    def press(self, pointer: Pointer) -> None:
        x, y = int(np.floor(pointer.place.x())), int(np.floor(pointer.place.y()))
        if not (0 <= x < self.document.width and 0 <= y < self.document.height):
            return
        choices = self.settings.values
        combine = combine_with(pointer.keys, choices.combine)

        def take(found: Raster) -> None:
            fill(self.document, self.settings, 0, 0, found, combine, "Fill by colour")

        self._work.flood(x, y, choices.tolerance, choices.contiguous, choices.show_hints, take)


def make_tools(document: CanvasDocument, settings: CanvasSettings, work: WholeMask) -> dict[ToolName, Tool]:
    """One of each for a document."""
    return {
        ToolName.BRUSH: StrokeTool(document, settings, ToolName.BRUSH),
        ToolName.ERASER: StrokeTool(document, settings, ToolName.ERASER),
        ToolName.LASSO: ShapeTool(document, settings, ToolName.LASSO, shapes.polygon),
        ToolName.RECTANGLE: ShapeTool(document, settings, ToolName.RECTANGLE, lambda points: shapes.rectangle(points[0], points[-1])),
        ToolName.ELLIPSE: ShapeTool(document, settings, ToolName.ELLIPSE, lambda points: shapes.ellipse(points[0], points[-1])),
        ToolName.FLOOD: FloodTool(document, settings, work),
    }


def combine_with(keys: Keys, otherwise: Combine) -> Combine:
    """How a shape begun with these keys meets what is there."""
    if keys & (Keys.ControlModifier | Keys.AltModifier):
        return Combine.SUBTRACT
    return Combine.ADD if keys & Keys.ShiftModifier else otherwise


def fill(
    document: CanvasDocument, settings: CanvasSettings, left: int, top: int, coverage: Raster, combine: Combine, text: str
) -> None:
    """Add `coverage` to what is painted on, take it away, or leave nothing else; one undoable step."""
    target = settings.values.target
    ink = _ink(settings, combine is Combine.SUBTRACT)
    if combine is not Combine.REPLACE:
        document.cover(target, left, top, coverage, ink, text)
        return
    fresh = np.zeros(document.raster(target).shape, np.uint8)
    inside = fresh[top : top + coverage.shape[0], left : left + coverage.shape[1]]
    ink.lay(inside, inside.copy(), coverage)
    if target is Target.MASK:
        document.set_mask(fresh, text)
    else:
        document.set_hints(fresh, text)


def _ink(settings: CanvasSettings, erases: bool) -> Ink:
    if settings.values.target is Target.MASK:
        return MaskInk(0 if erases else 255)
    if erases:
        return Erase()
    colour = QColor(settings.values.colour)
    return ColourInk(colour.red(), colour.green(), colour.blue())
