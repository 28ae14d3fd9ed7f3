"""The widget on which a document is seen and painted, by mouse, pen and keyboard."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.ui.canvas import overlay
from studio.ui.canvas.document import CanvasDocument
from studio.ui.canvas.frame import Frame
from studio.ui.canvas.handles import Handles, Side
from studio.ui.canvas.keys import key_action
from studio.ui.canvas.operations import WholeMask
from studio.ui.canvas.pointing import PointerWidget
from studio.ui.canvas.preview import Preview
from studio.ui.canvas.render import Renderer
from studio.ui.canvas.settings import CanvasSettings, ToolName
from studio.ui.canvas.tools import Pointer, Tool, make_tools
from studio.ui.canvas.viewport import Viewport
from studio.ui.theme import theme

ZOOM_STEP = 1.2  # a notch of the wheel
_LONGEST_UNSEEN_S = 0.006  # a stroke goes on at most so long before it is shown
_NOTCH = 120  # of a wheel: Qt's unit


class CanvasView(PointerWidget):
    """Shows and edits one document with the tool of `settings`.

    Wheel zooms at the pointer, Ctrl or Shift with it changes the brush; Space or the middle button pans; the grips on the
    picture's edges extend it. All keys are in `keys.py`. `work` computes what takes longer than a frame. Call `stop` when
    the panel closes.
    """

    hovered = Signal(str)  # what is under the pointer, in words; empty outside
    zoomed = Signal(float)  # screen pixels per picture pixel
    failed = Signal(str)  # what could not be done, in words

    def __init__(self, document: CanvasDocument, settings: CanvasSettings | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.settings = settings if settings is not None else CanvasSettings(self)
        self.work = WholeMask(document, self)
        self.viewport = Viewport()
        self._renderer = Renderer(document, self.settings, self)
        self._frame = Frame()
        self._tools = make_tools(document, self.settings, self.work)
        self._handles = Handles(document)
        self._in_use: Tool | None = None
        self._panned_from: QPointF | None = None
        self._space = False
        self._pointer: QPointF | None = None
        self._hovered_side: Side | None = None
        self._placeholder = ""
        self._shown_at = 0.0
        self._preview: Preview | None = None
        self._split: float | None = None
        self._moved_by: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setTabletTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 160)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Canvas")
        self._renderer.painted.connect(self._on_painted)
        self._renderer.all_changed.connect(self._spoil_all)
        document.moved.connect(self._on_moved)
        document.resized.connect(self._on_resized)
        self.settings.changed.connect(self._show_cursor)
        self.work.busy_changed.connect(self._on_busy)
        self.work.failed.connect(self.failed)
        theme().changed.connect(self._spoil_all)
        self._describe()

    # -- looking --

    def set_placeholder(self, text: str) -> None:
        """Quiet text in the middle while there is no picture."""
        self._placeholder = text
        self.update()

    def set_preview(self, preview: Preview | None, split: float | None = None) -> None:
        """Lay a picture over the document, which it is no part of; only right of `split`, a share of the width, if given."""
        if preview is not self._preview or split != self._split:
            self._preview, self._split = preview, split
            self.update()

    @property
    def preview(self) -> Preview | None:
        """What is laid over the document."""
        return self._preview

    def fit(self) -> None:
        """Show the whole picture."""
        self.viewport.fit()
        self._view_changed()

    def actual_size(self) -> None:
        """One picture pixel a screen pixel."""
        self.viewport.actual_size()
        self._view_changed()

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Enlarge by `factor`, keeping the widget's point `around` (default: its middle) where it is."""
        self.viewport.zoom(factor, around)
        self._view_changed()

    def pan(self, by: QPointF) -> None:
        """Move the picture by so many pixels."""
        self.viewport.pan(by)
        self._view_changed()

    def rotate(self, degrees: float) -> None:
        """Turn the view clockwise; the picture itself stays as it is."""
        fitted = self.viewport.fitted
        self.viewport.rotate(degrees)
        if fitted:
            self.viewport.fit()
        self._view_changed()

    def straighten(self) -> None:
        """Turn the view back."""
        self.rotate(-self.viewport.angle)

    def view_state(self) -> dict[str, Any]:
        """Zoom, place and rotation as JSON data."""
        return self.viewport.state()

    def restore_view(self, state: Mapping[str, Any]) -> None:
        """Show what was shown when the state was taken, or the whole picture."""
        self.viewport.restore(state)
        self._view_changed()

    # -- changing --

    def undo(self) -> None:
        """Take the last change back; nothing happens in the middle of a stroke."""
        if not self.busy:
            self.document.undo.undo()

    def redo(self) -> None:
        """Make again what was taken back."""
        if not self.busy:
            self.document.undo.redo()

    @property
    def busy(self) -> bool:
        """Whether something is under way that must not be disturbed: a stroke, a shape, a computation."""
        return self._in_use is not None or self._handles.active or bool(self.work.busy)

    @property
    def prepared(self) -> bool:
        """Whether all memory is taken that the first strokes will need."""
        return self._renderer.prepared

    def cancel(self) -> None:
        """Take back the stroke or shape under way, stop extending, drop what is computed."""
        if self._in_use is not None:
            self._in_use.cancel()
            self._in_use = None
        self._handles.release()
        self.work.cancel()
        self.update()

    def stop(self) -> None:
        """End what runs in the background; the view is not used any more."""
        self.work.close()
        self._renderer.stop()

    # -- drawing --

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._frame.rect.size() != self.size():
            self._frame.resize(self.size(), self.devicePixelRatioF())
        self._frame.refresh(self._renderer, self.viewport)
        self._shown_at = time.perf_counter()
        painter = QPainter(self)
        for rect in event.region():
            self._frame.show(painter, rect)
        if self.document.is_empty:
            painter.setPen(theme().color("faint"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(24, 24, -24, -24), flags, self._placeholder)
        else:
            self._draw_preview(painter)
            self._draw_over(painter)
        if self.hasFocus():
            overlay.draw_focus(painter, self.rect())

    def _draw_preview(self, painter: QPainter) -> None:
        if self._preview is not None:
            left = 0 if self._split is None else round(self._split * self.width())
            picture = QRect(0, 0, self.document.width, self.document.height)
            self._preview.draw(painter, self.viewport, picture, self.rect().adjusted(left, 0, 0, 0))

    def _draw_over(self, painter: QPainter) -> None:
        self._handles.draw(painter, self.viewport, self._hovered_side)
        if self._in_use is not None:
            self._in_use.draw(painter, self.viewport)
        if self._handles.active:
            overlay.draw_label(painter, self.rect(), self._handles.words())
        elif self.work.busy:
            overlay.draw_label(painter, self.rect(), f"{self.work.busy} … (Esc stops)")
        outline = self._brush_outline()
        if outline is not None:
            overlay.draw_brush(painter, outline)

    def _brush_outline(self) -> QRectF | None:
        """The circle of the brush around the pointer, or None."""
        brush = self.settings.values.brush_of(self.settings.values.tool)
        hidden = self._space or self._panned_from is not None or self._hovered_side is not None or self._handles.active
        if brush is None or self._pointer is None or hidden or self.document.is_empty:
            return None
        radius = max(1.5, brush.diameter / 2 * self.viewport.scale)
        return QRectF(self._pointer.x() - radius, self._pointer.y() - radius, 2 * radius, 2 * radius)

    def _update_outline(self) -> None:
        outline = self._brush_outline()
        if outline is not None:
            self.update(outline.toAlignedRect().adjusted(-3, -3, 3, 3))

    def _on_painted(self, rect: QRect) -> None:
        shown = self.viewport.widget_rect(rect) & self.rect()
        if not shown.isEmpty():
            self._frame.spoil(shown)
            self.update(shown)

    def _spoil_all(self) -> None:
        self._frame.spoil(self.rect())
        self.update()

    def _view_changed(self) -> None:
        self._spoil_all()
        self._describe()
        self.zoomed.emit(self.viewport.scale)

    def _describe(self) -> None:
        document = self.document
        size = f"{document.width} by {document.height} pixels" if not document.is_empty else "no picture"
        self.setAccessibleDescription(f"{size}, {self.settings.values.tool} tool, zoom {100 * self.viewport.scale:.0f} %")

    # -- what happened --

    def _on_moved(self, left: int, top: int) -> None:
        self._moved_by = (left, top)

    def _on_resized(self) -> None:
        moved, self._moved_by = self._moved_by, None
        self._in_use = None
        if moved is None:
            self.viewport.fitted = True
        elif not self.viewport.fitted:
            self.viewport.shift(*moved)
        self.viewport.set_sizes(QSizeF(self.size()), QSizeF(self.document.width, self.document.height))
        self._view_changed()

    def _on_busy(self, _text: str) -> None:
        self._show_cursor()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.viewport.set_sizes(QSizeF(event.size()), QSizeF(self.document.width, self.document.height))
        self._view_changed()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._space = False
        self._show_cursor()
        self.update()

    # -- input --

    def _grab(self, at: QPointF) -> None:
        self._panned_from = at
        self._show_cursor()

    def _press(self, at: QPointF, pressure: float, keys: Qt.KeyboardModifier, eraser: bool) -> None:
        tool = ToolName.ERASER if eraser else self.settings.values.tool
        side = self._handles.at(at, self.viewport)
        if self._space:
            self._panned_from = at
        elif side is not None and not self.busy:
            self._handles.press(side, self.viewport.to_picture(at))
        elif not self.document.is_empty and not self.busy:
            self._in_use = self._tools[tool]
            self._in_use.press(Pointer(self.viewport.to_picture(at), pressure, keys))
            if not self._in_use.active:
                self._in_use = None
        self._show_cursor()

    def _move(self, at: QPointF, pressure: float, keys: Qt.KeyboardModifier) -> None:
        self._update_outline()
        self._pointer = at
        place = self.viewport.to_picture(at)
        if self._panned_from is not None:
            by, self._panned_from = at - self._panned_from, at
            self.pan(by)
        elif self._handles.active:
            self._handles.drag(place, free=bool(keys & Qt.KeyboardModifier.ControlModifier))
            self.update()
        elif self._in_use is not None:
            self._in_use.drag(Pointer(place, pressure, keys))
            if time.perf_counter() - self._shown_at > _LONGEST_UNSEEN_S:
                self.repaint(self._frame.stale)  # Qt serves input before painting: a quick hand would see nothing for long
            if self.settings.values.brush_of(self.settings.values.tool) is None:
                self.update()
        else:
            self._hover(at)
        self._update_outline()
        self.hovered.emit(self._read_out(place))

    def _release(self, at: QPointF, pressure: float, keys: Qt.KeyboardModifier) -> None:
        self._panned_from = None
        if self._handles.active:
            try:
                self.document.extend(*self._handles.release())
            except ValueError as error:
                self.failed.emit(f"The canvas cannot be extended so far: {error}.")
        tool, self._in_use = self._in_use, None
        if tool is not None:
            tool.release(Pointer(self.viewport.to_picture(at), pressure, keys))
        self._show_cursor()
        self.update()

    def _hover(self, at: QPointF) -> None:
        side = self._handles.at(at, self.viewport)
        if side != self._hovered_side:
            self._hovered_side = side
            self._show_cursor()
            self.update()

    def _read_out(self, place: QPointF) -> str:
        x, y = int(place.x() // 1), int(place.y() // 1)
        if not (0 <= x < self.document.width and 0 <= y < self.document.height):
            return ""
        return f"x {x}  y {y}   mask {self.document.mask[y, x] / 2.55:.0f} %"

    def _show_cursor(self) -> None:
        shapes = Qt.CursorShape
        if self._panned_from is not None:
            self.setCursor(shapes.ClosedHandCursor)
        elif self._space:
            self.setCursor(shapes.OpenHandCursor)
        elif self.work.busy:
            self.setCursor(shapes.BusyCursor)
        elif self._hovered_side is not None:
            self.setCursor(self._handles.cursor(self._hovered_side, self.viewport))
        else:
            self.setCursor(shapes.ArrowCursor if self.document.is_empty else shapes.CrossCursor)
        self._update_outline()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = (event.angleDelta().y() or event.angleDelta().x()) / _NOTCH  # Alt and, on some systems, Shift swap the axes
        if event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier):
            self._update_outline()
            self.settings.grow_brush(turned)
        else:
            self.zoom(ZOOM_STEP**turned, event.position())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._update_outline()
        self._pointer = None
        self.hovered.emit("")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self._space = True
            self._show_cursor()
            self.update()
            return
        action = key_action(event)
        if action is None:
            super().keyPressEvent(event)
        else:
            action(self)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self._show_cursor()
        super().keyReleaseEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(640, 560)
