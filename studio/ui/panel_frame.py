"""The frame around a panel: its message bar, and what is shown while it loads or when it cannot be opened."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QStackedLayout, QVBoxLayout, QWidget

from studio.host.panel import Panel, PanelMessage
from studio.ui.broken import BrokenPage
from studio.ui.message_bar import MessageBar
from studio.ui.tokens import SPACE_S

log = logging.getLogger("studio.ui")


class PanelFrame(QWidget):
    """One tab. Starts as a placeholder; `show_panel` or `show_broken` fill it."""

    def __init__(self, panel_id: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.panel_id = panel_id
        self.title = title
        self.panel: Panel | None = None
        self.setProperty("surface", "surface")
        self.bar = MessageBar(self)
        holder = QVBoxLayout()
        holder.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        holder.addWidget(self.bar)
        self._bar_holder = QWidget(self)
        self._bar_holder.setLayout(holder)
        self._bar_holder.hide()
        self.bar.dismissed.connect(self._bar_holder.hide)
        waiting = QLabel(f"Opening {title}…", self)
        waiting.setProperty("tone", "faint")
        waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._body = QWidget(self)
        self._stack = QStackedLayout(self._body)
        self._stack.addWidget(waiting)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._bar_holder)
        layout.addWidget(self._body, 1)

    @property
    def settled(self) -> bool:
        """Whether the panel stands, or it is clear that it cannot."""
        return self._stack.currentIndex() > 0

    def take_in(self, panel: Panel) -> None:
        """Give a panel its place before it is built: widgets that move house are styled once more, all of them."""
        panel.hide()
        panel.setParent(self._body)

    def show_panel(self, panel: Panel) -> None:
        """Show the built panel in its place."""
        self.panel = panel
        self._stack.addWidget(panel)
        self._stack.setCurrentWidget(panel)
        panel.posted.connect(self.show_posted)
        if panel.last_message is not None:
            self.show_posted(panel.last_message)

    def show_broken(self, message: str, details: str, retry: Callable[[], Any] | None = None) -> None:
        """Say why the panel cannot be opened."""
        page = BrokenPage(self.title, message, details, retry, self)
        self._stack.addWidget(page)
        self._stack.setCurrentWidget(page)

    def show_posted(self, message: PanelMessage | None) -> None:
        """A message of the panel, or None to clear."""
        if message is None:
            self.bar.clear()
            return
        self.message(message.text, message.level, message.details, message.actions)

    def message(
        self, text: str, level: str = "info", details: str = "", actions: tuple[tuple[str, Callable[[], None]], ...] = ()
    ) -> None:
        """Show a message in this panel's bar."""
        self._bar_holder.show()
        self.bar.show_message(text, level, details, actions)

    def guarded(self, what: str, call: Callable[[], Any], default: Any = None) -> Any:
        """Run a hook of the panel; what it raises is shown in its bar and logged, and `default` returned."""
        try:
            return call()
        except (Exception, SystemExit) as error:  # a plugin's hook: whatever it raises belongs in its own bar
            self.report(what, error)
            return default

    def report(self, what: str, error: BaseException) -> None:
        """Show a fault of the plugin in its bar."""
        details = "".join(traceback.format_exception(error))
        log.error("Panel %s, %s: %s", self.panel_id, what, details)
        text = f"{self.title} met a fault {what}: {error or type(error).__name__}. The rest of the window is not affected."
        self.message(text, "error", details)
