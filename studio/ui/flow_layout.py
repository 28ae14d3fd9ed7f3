"""A row of widgets that goes on in the next line where the width ends."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget

from studio.ui.tokens import SPACE_S


class FlowLayout(QLayout):
    """Add widgets with `addWidget`; hidden ones take no room."""

    def __init__(self, parent: QWidget | None = None, spacing: int = SPACE_S) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setSpacing(spacing)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), place=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._arrange(rect, place=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._items:
            if not item.isEmpty():
                size = size.expandedTo(item.minimumSize())
        margins = self.contentsMargins()
        return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())

    def _arrange(self, rect: QRect, *, place: bool) -> int:
        """Place the items (in the middle of their line), or only find the height they need."""
        margins = self.contentsMargins()
        inside = rect.adjusted(margins.left(), margins.top(), -margins.right(), -margins.bottom())
        y, line, height = inside.top(), [], 0
        x = inside.left()
        for item in self._items:
            if item.isEmpty():
                continue
            size = item.sizeHint()
            if line and x + size.width() > inside.right() + 1:
                self._place(line, y, height, place)
                y, x, line, height = y + height + self.spacing(), inside.left(), [], 0
            line.append((item, QRect(QPoint(x, y), size)))
            x, height = x + size.width() + self.spacing(), max(height, size.height())
        self._place(line, y, height, place)
        return y + height - rect.top() + margins.bottom()

    @staticmethod
    def _place(line: list[tuple[QLayoutItem, QRect]], y: int, height: int, place: bool) -> None:
        for item, rect in line:
            if place:
                rect.moveTop(y + (height - rect.height()) // 2)
                item.setGeometry(rect)
