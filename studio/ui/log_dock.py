"""Notifications that stay: a list in a dock, newest first, details one click away."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from studio.host.notifications import Notification, NotificationCenter
from studio.ui.cards import EmptyState
from studio.ui.message_bar import MessageBar
from studio.ui.panel_layout import Column
from studio.ui.tokens import SPACE_S

SHOWN = 100


class LogDock(QWidget):
    """Shows a NotificationCenter. `arrived` brings each notification to the GUI thread; `unread_changed` counts those
    that came while the dock was hidden."""

    arrived = Signal(object)
    unread_changed = Signal(int)

    def __init__(self, center: NotificationCenter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._center = center
        self._cards: dict[int, QWidget] = {}
        copy, clear = QPushButton("Copy all", self), QPushButton("Clear", self)
        copy.clicked.connect(lambda _checked=False: self.copy())
        clear.clicked.connect(lambda _checked=False: self.clear())
        self._tools = QFrame(self)
        row = QHBoxLayout(self._tools)
        row.setContentsMargins(SPACE_S, 4, SPACE_S, 0)
        row.addStretch(1)
        for button in (copy, clear):
            button.setProperty("role", "link")
            row.addWidget(button)
        self._column = Column(self)
        self._column.layout_.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(EmptyState("All quiet", "What happens in the background is noted here.", icon="bell"))
        self._stack.addWidget(self._column)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._tools)
        layout.addWidget(self._stack, 1)
        self._tools.hide()
        self.arrived.connect(self._show)
        self._stop_listening = center.on_add(self.arrived.emit)

    def stop(self) -> None:
        """Listen no more (the window closes)."""
        self._stop_listening()

    def clear(self) -> None:
        """Forget all notifications."""
        self._center.clear()
        for card in self._cards.values():
            card.deleteLater()
        self._cards.clear()
        self._show_state()

    def copy(self) -> None:
        """All notifications as text on the clipboard, details included."""
        lines = [f"{_time(n):%H:%M:%S} {n.level}: {n.text}\n{n.details}".rstrip() for n in self._center.items()]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._center.mark_read()
        self.unread_changed.emit(0)

    def _show(self, item: Notification) -> None:
        old = self._cards.pop(item.id, None)
        if old is not None:
            old.deleteLater()
        card = self._card(item)
        self._cards[item.id] = card
        self._column.layout_.insertWidget(0, card)
        while len(self._cards) > SHOWN:
            oldest = next(iter(self._cards))
            self._cards.pop(oldest).deleteLater()
            self._center.dismiss(oldest)
        self._show_state()
        if self.isVisible():
            self._center.mark_read()
        self.unread_changed.emit(self._center.unread())

    def _show_state(self) -> None:
        self._stack.setCurrentIndex(1 if self._cards else 0)
        self._tools.setVisible(bool(self._cards))
        self.unread_changed.emit(self._center.unread())

    def _dismissed(self, item_id: int) -> None:
        card = self._cards.pop(item_id, None)
        if card is not None:
            card.deleteLater()
        self._center.dismiss(item_id)
        self._show_state()

    def _card(self, item: Notification) -> QWidget:
        holder = QWidget(self._column)
        when = QLabel(f"{_time(item):%H:%M}" + (f" · {item.count} times" if item.count > 1 else ""), holder)
        when.setProperty("tone", "faint")
        bar = MessageBar(holder)
        bar.show_message(item.text, item.level, item.details)
        bar.dismissed.connect(partial(self._dismissed, item.id))
        layout = QVBoxLayout(holder)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(when, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(bar)
        return holder


def _time(item: Notification) -> datetime:
    return datetime.fromtimestamp(item.when)
