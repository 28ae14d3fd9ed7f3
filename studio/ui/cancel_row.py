"""The row below a panel's primary button: cancel what runs."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from studio.ui.theme import theme


class CancelRow(QWidget):
    """`cancelled` when it is pressed; on only while something runs or waits."""

    cancelled = Signal()

    def __init__(self, tip: str = "Cancel what is being drawn (Esc)", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cancel = QToolButton(self)
        self.cancel.setText("Cancel")
        self.cancel.setToolTip(tip)
        self.cancel.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.cancel.setEnabled(False)
        self.cancel.clicked.connect(lambda _checked=False: self.cancelled.emit())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(self.cancel)
        theme().changed.connect(self._paint_icon)
        self._paint_icon()

    def set_busy(self, running: int, waiting: int = 0) -> None:
        """How many tasks run, and wait."""
        self.cancel.setEnabled(running + waiting > 0)

    def _paint_icon(self) -> None:
        self.cancel.setIcon(theme().icon("stop", "error"))
