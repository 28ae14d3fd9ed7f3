"""A dock with a quiet title of its own."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QHideEvent, QShowEvent
from PySide6.QtWidgets import QDockWidget, QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.ui.icons import IconButton
from studio.ui.tokens import SPACE_M, SPACE_S

WIDTH = 320


class Dock(QDockWidget):
    """`turned` fires when it is opened or closed (not when a tab covers it)."""

    turned = Signal(bool)

    def __init__(self, name: str, title: str, content: QWidget, parent: QWidget) -> None:
        super().__init__(title, parent)
        self.setObjectName(f"dock-{name}")  # saveState finds docks by this
        self.name = name
        self.setAllowedAreas(Qt.DockWidgetArea.RightDockWidgetArea)
        bar = QFrame(self)
        bar.setProperty("edge", "bottom")
        label = QLabel(title, bar)
        label.setProperty("tone", "title")
        close = IconButton("cancel", f"Close {title}", bar, size=14)
        close.clicked.connect(self.close)
        row = QHBoxLayout(bar)
        row.setContentsMargins(SPACE_M, 6, SPACE_S, 6)
        row.addWidget(label, 1)
        row.addWidget(close)
        self.setTitleBarWidget(bar)
        holder = _Holder(content, self)
        self.setWidget(holder)
        self.toggleViewAction().toggled.connect(self.turned)

    def closeEvent(self, event: QCloseEvent) -> None:
        super().closeEvent(event)
        self.turned.emit(False)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.turned.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.turned.emit(not self.isHidden())


class _Holder(QFrame):
    """Gives the dock its first width and its edge."""

    def __init__(self, content: QWidget, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("edge", "left")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(content)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 480)

    def minimumSizeHint(self) -> QSize:
        return QSize(248, 200)
