"""Mouse and pen as one: pressed, moved and let go, with a pressure."""

from __future__ import annotations

from abc import abstractmethod

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPointingDevice, QTabletEvent
from PySide6.QtWidgets import QWidget


class PointerWidget(QWidget):
    """Turns Qt's events into four calls. Places are in pixels of the widget; a mouse presses with 1."""

    @abstractmethod
    def _grab(self, at: QPointF) -> None:
        """The middle button was pressed."""

    @abstractmethod
    def _press(self, at: QPointF, pressure: float, keys: Qt.KeyboardModifier, eraser: bool) -> None:
        """The left button or a pen was pressed; `eraser`: with the pen's other end."""

    @abstractmethod
    def _move(self, at: QPointF, pressure: float, keys: Qt.KeyboardModifier) -> None: ...

    @abstractmethod
    def _release(self, at: QPointF, pressure: float, keys: Qt.KeyboardModifier) -> None: ...

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.MiddleButton:
            self._grab(event.position())
        elif event.button() == Qt.MouseButton.LeftButton:
            self._press(event.position(), 1.0, event.modifiers(), False)
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._move(event.position(), 1.0, event.modifiers())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._release(event.position(), 1.0, event.modifiers())

    def tabletEvent(self, event: QTabletEvent) -> None:
        kind = event.type()
        if kind == QEvent.Type.TabletPress:
            eraser = event.pointerType() == QPointingDevice.PointerType.Eraser
            self._press(event.position(), event.pressure(), event.modifiers(), eraser)
        elif kind == QEvent.Type.TabletMove:
            self._move(event.position(), event.pressure(), event.modifiers())
        else:
            self._release(event.position(), event.pressure(), event.modifiers())
        event.accept()  # or Qt sends it again as a mouse event, without pressure
