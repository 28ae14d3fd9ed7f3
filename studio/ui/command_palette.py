"""Ctrl+K: every command of the studio, found by a few letters."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRect, QSize, Qt
from PySide6.QtGui import QFont, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import QApplication, QFrame, QLineEdit, QListWidget, QListWidgetItem, QStyle, QStyledItemDelegate, QVBoxLayout, QWidget

from studio.host.commands import Command, CommandRegistry
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX, SPACE_M, SPACE_S

_WIDTH, _ROWS, _ROW_HEIGHT = 560, 9, 34
_COMMAND = int(Qt.ItemDataRole.UserRole)


class CommandPalette(QFrame):
    """An overlay in its window. Letters search, Up and Down choose, Enter runs, Escape closes."""

    def __init__(self, commands: CommandRegistry, run: Callable[[str], object], parent: QWidget) -> None:
        super().__init__(parent)
        self._commands = commands
        self._run = run
        self._window = parent
        self._back_to: QWidget | None = None
        self.setProperty("surface", "card")
        self.setProperty("floating", True)
        self.line = QLineEdit(self)
        self.line.setPlaceholderText("What do you want to do?")
        self.line.setAccessibleName("Search commands")
        self.line.textChanged.connect(self._search)
        self.line.installEventFilter(self)
        self.list = QListWidget(self)
        self.list.setItemDelegate(_CommandDelegate(self.list))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setMouseTracking(True)
        self.list.setAccessibleName("Commands found")
        self.list.itemClicked.connect(lambda _item: self._choose())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_M)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self.line)
        layout.addWidget(self.list)
        self.hide()

    def open(self) -> None:
        """Show the palette in the upper middle of its window, with an empty line."""
        window = self._window
        self.move((window.width() - self._width()) // 2, 72)
        focus = QApplication.focusWidget()
        self._back_to = focus if focus is not None and not self.isAncestorOf(focus) else None
        self.line.clear()
        self._search("")
        self.show()
        self.raise_()
        self.line.setFocus()

    def close_palette(self) -> None:
        """Hide and give the keyboard back to where it was."""
        self.hide()
        if self._back_to is not None:
            self._back_to.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusOut and not self.isAncestorOf(QApplication.focusWidget() or self.line):
            self.hide()
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: _ROWS, Qt.Key.Key_PageUp: -_ROWS}
            key = Qt.Key(event.key())
            if key in step:
                row = self.list.currentRow() + step[key]
                self.list.setCurrentRow(min(max(row, 0), self.list.count() - 1))
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose()
                return True
            if key == Qt.Key.Key_Escape:
                self.close_palette()
                return True
        return super().eventFilter(watched, event)

    def _search(self, text: str) -> None:
        self.list.clear()
        for command in self._commands.search(text):
            item = QListWidgetItem(command.title)
            item.setData(_COMMAND, command)
            if not command.is_enabled():
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            self.list.addItem(item)
        if self.list.count() == 0:
            nothing = QListWidgetItem(f"No command matches “{text}”")
            nothing.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(nothing)
        self.list.setCurrentRow(0)
        self.list.setFixedHeight(_ROW_HEIGHT * min(self.list.count(), _ROWS) + 4)
        self.adjustSize()
        self.resize(self._width(), self.sizeHint().height())

    def _width(self) -> int:
        return min(_WIDTH, self._window.width() - 80)

    def _choose(self) -> None:
        item = self.list.currentItem()
        command: Command | None = item.data(_COMMAND) if item is not None else None
        if command is None or not command.is_enabled():
            return
        self.close_palette()
        self._run(command.id)


class _CommandDelegate(QStyledItemDelegate):
    """Category faint, title plain, shortcut on the right."""

    def sizeHint(self, option: object, index: object) -> QSize:
        return QSize(200, _ROW_HEIGHT)

    def paint(self, painter: QPainter, option: object, index: object) -> None:
        colours = theme()
        style: object = option
        rect: QRect = style.rect  # type: ignore[attr-defined]
        state = style.state  # type: ignore[attr-defined]
        command: Command | None = index.data(_COMMAND)  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver) and command is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.color("accent_soft" if state & QStyle.StateFlag.State_Selected else "hover"))
            painter.drawRoundedRect(rect, 6, 6)
        inner = rect.adjusted(10, 0, -10, 0)
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        middle = Qt.AlignmentFlag.AlignVCenter
        if command is None:
            painter.setPen(colours.color("faint"))
            painter.drawText(inner, left | middle, index.data())  # type: ignore[attr-defined]
            painter.restore()
            return
        painter.setPen(colours.color("text" if command.is_enabled() else "disabled"))
        painter.drawText(inner, left | middle, command.title)
        font = QFont(painter.font())
        font.setPixelSize(FONT_PX["small"])
        offset = painter.fontMetrics().horizontalAdvance(command.title) + 12
        painter.setFont(font)
        painter.setPen(colours.color("faint"))
        painter.drawText(inner.adjusted(offset, 1, 0, 0), left | middle, command.category)
        if command.shortcut:
            keys = QKeySequence(command.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
            painter.setPen(colours.color("muted"))
            painter.drawText(inner, right | middle, keys)
        painter.restore()
