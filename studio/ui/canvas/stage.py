"""The canvas with its tools around it: one widget for the stage of a panel."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.ui.canvas.document import CanvasDocument
from studio.ui.canvas.options import ToolOptions
from studio.ui.canvas.settings import CanvasSettings
from studio.ui.canvas.toolbar import CanvasTools, ViewTools
from studio.ui.canvas.view import CanvasView
from studio.ui.tokens import SPACE_M

_LINES = 108  # pixels: two lines of options and the one below the canvas


class CanvasStage(QWidget):
    """`view` in the middle, `tools` to its left, `options` above, a line with place and zoom below."""

    def __init__(self, document: CanvasDocument, settings: CanvasSettings | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = CanvasView(document, settings, self)
        self.tools = CanvasTools(self.view, self)
        self.options = ToolOptions(self.view, self)
        self._place, self._zoom = QLabel(self), QLabel(self)
        for label in (self._place, self._zoom):
            label.setProperty("tone", "faint")
        self.view.hovered.connect(self._place.setText)
        self.view.zoomed.connect(self._show_zoom)
        status = QHBoxLayout()
        status.setContentsMargins(SPACE_M, 0, SPACE_M, 0)
        status.addWidget(self._place)
        status.addStretch(1)
        status.addWidget(self._zoom)
        status.addWidget(ViewTools(self.view, self))
        self._middle = middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.tools)
        middle.addWidget(self.view, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.options)
        column.addLayout(middle, 1)
        column.addLayout(status)
        self.setTabOrder(self.view, self.options)
        self._show_zoom(self.view.viewport.scale)

    def add_beside(self, widget: QWidget) -> None:
        """Put a widget to the right of the view, as wide as it."""
        self._middle.addWidget(widget, 1)

    def minimumSizeHint(self) -> QSize:
        # A line of options that wraps asks for the height of its narrowest form; the column of tools is what counts.
        return QSize(super().minimumSizeHint().width(), self.tools.minimumSizeHint().height() + _LINES)

    def stop(self) -> None:
        """End what runs in the background; call it when the panel closes."""
        self.view.stop()

    def _show_zoom(self, scale: float) -> None:
        document = self.view.document
        self._zoom.setText(f"{document.width} × {document.height}   {100 * scale:.0f} %" if not document.is_empty else "")
