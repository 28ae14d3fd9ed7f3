"""The bar on the left: one button a panel, and below them the docks and the settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio.ui.theme import restyle, theme
from studio.ui.tokens import SPACE_S

WIDTH = 84
_BROKEN = "This panel cannot be opened; activate to see why"


class ActivityBar(QFrame):
    """`add_panel` for each plugin found, `add_tool` for what stands at the bottom."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "window")
        self.setProperty("edge", "right")
        self.setFixedWidth(WIDTH)
        self.setAccessibleName("Panels")
        self._panels: dict[str, QToolButton] = {}
        self._tools: dict[str, QToolButton] = {}
        self._icons: dict[QToolButton, Callable[[], QIcon]] = {}
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        body = QWidget(area)
        area.setWidget(body)
        body.setAutoFillBackground(False)
        area.viewport().setAutoFillBackground(False)
        self._top = QVBoxLayout(body)
        self._bottom = QVBoxLayout()
        for layout in (self._top, self._bottom):
            layout.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
            layout.setSpacing(4)
        self._top.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(area, 1)
        outer.addLayout(self._bottom)
        theme().changed.connect(self._repaint_icons)

    def add_panel(
        self, panel_id: str, title: str, tip: str, icon: str, folder: Path | None, on_click: Callable[[], object], *, broken: bool = False
    ) -> None:
        """A button that opens a panel; a broken one is greyed but can be clicked, to see why."""
        button = self._button(title, tip, on_click)
        token = "disabled" if broken else "muted"
        self._icons[button] = lambda: theme().plugin_icon("broken" if broken else icon or "panel", folder, token)
        button.setProperty("broken", broken)
        if broken:
            button.setAccessibleDescription(_BROKEN)
        self._top.insertWidget(self._top.count() - 1, button)
        self._panels[panel_id] = button
        button.setIcon(self._icons[button]())

    def add_tool(self, name: str, title: str, tip: str, icon: str, on_click: Callable[[], object]) -> None:
        """A button at the bottom of the bar."""
        button = self._button(title, tip, on_click)
        self._icons[button] = lambda: theme().plugin_icon(icon)
        self._bottom.addWidget(button)
        self._tools[name] = button
        button.setIcon(self._icons[button]())

    def clear_panels(self) -> None:
        """Remove the panel buttons (plugins were enabled or disabled)."""
        for button in self._panels.values():
            self._icons.pop(button)
            self._top.removeWidget(button)
            button.deleteLater()
        self._panels = {}

    def mark_broken(self, panel_id: str, icon: Callable[[], QIcon], broken: bool) -> None:
        """Grey a panel that turned out not to open, or take that back."""
        button = self._panels.get(panel_id)
        if button is None:
            return
        self._icons[button] = (lambda: theme().plugin_icon("broken", None, "disabled")) if broken else icon
        button.setProperty("broken", broken)
        button.setAccessibleDescription(_BROKEN if broken else "")
        button.setIcon(self._icons[button]())
        restyle(button)

    def set_current(self, panel_id: str | None) -> None:
        """Mark the panel on show."""
        for name, button in self._panels.items():
            button.setChecked(name == panel_id)

    def set_tool_on(self, name: str, on: bool) -> None:
        """Mark a dock as open."""
        self._tools[name].setChecked(on)

    def set_badge(self, name: str, count: int) -> None:
        """Write a number of unread things beside a tool's title."""
        button = self._tools[name]
        title = str(button.property("title"))
        button.setText(f"{title} {min(count, 99)}" if count else title)
        button.setAccessibleName(f"{title}, {count} new" if count else title)

    def panel_button(self, panel_id: str) -> QToolButton:
        """The button of a panel. Raises KeyError."""
        return self._panels[panel_id]

    def _button(self, title: str, tip: str, on_click: Callable[[], object]) -> QToolButton:
        button = QToolButton(self)
        button.setProperty("role", "activity")
        button.setProperty("title", title)
        fits = button.fontMetrics().horizontalAdvance(title) < WIDTH - 2 * SPACE_S
        button.setText(title if fits else title.replace(" ", "\n", 1))
        button.setToolTip(f"{title}\n{tip}" if tip and tip != title else title)
        button.setAccessibleName(title)
        button.setCheckable(True)
        button.setIconSize(QSize(24, 24))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(partial(_clicked, on_click))
        return button

    def _repaint_icons(self) -> None:
        for button, make in self._icons.items():
            button.setIcon(make())


def _clicked(callback: Callable[[], object], _checked: bool = False) -> None:
    callback()
