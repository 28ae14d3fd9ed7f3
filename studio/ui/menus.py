"""Menus and shortcuts, made from the command registry: what is a command is in a menu, in the palette and on a key."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Protocol

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from studio.host.commands import Command, CommandRegistry

ORDER = ("File", "Panels", "View", "Tasks", "Help")
_QUIT = "app.quit"


class Runner(Protocol):
    """Runs a command by id and reports what goes wrong."""

    def __call__(self, command_id: str) -> object: ...


class Menus(QObject):
    """Rebuilt when commands come or go. Categories become menus in a fixed order, others follow by name; a category
    such as "View/Theme" becomes a sub-menu. Of the menus that panels bring, only that of the panel on show is in the
    bar; the commands of the others keep their keys and their place in the palette."""

    def __init__(self, window: QMainWindow, commands: CommandRegistry, run: Runner) -> None:
        super().__init__(window)
        self._window, self._commands, self._run = window, commands, run
        self._actions: dict[str, QAction] = {}
        self._menus: dict[str, QMenu] = {}
        self._hidden: frozenset[str] = frozenset()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.rebuild)
        self._stop = commands.on_change(self._later.start)
        self.rebuild()

    def stop(self) -> None:
        """Follow the registry no more (the window closes)."""
        self._stop()
        self._later.stop()

    def action(self, command_id: str) -> QAction | None:
        """The menu entry of a command."""
        return self._actions.get(command_id)

    def hide_panels(self, panel_ids: Iterable[str]) -> None:
        """Take the menus of these panels out of the bar: those that hold nothing but commands called `<panel id>.…`."""
        self._hidden = frozenset(panel_ids)
        owners: dict[str, set[str]] = {}
        for command in self._commands:
            owners.setdefault(command.category.partition("/")[0], set()).add(command.id.partition(".")[0])
        for name, menu in self._menus.items():
            if "/" not in name:
                left = owners.get(name, frozenset())  # nothing of a panel that has just closed
                menu.menuAction().setVisible(not left <= self._hidden)

    def rebuild(self) -> None:
        """Make all menus again."""
        bar = self._window.menuBar()
        bar.clear()
        for old in self._menus.values():
            old.deleteLater()
        for action in self._actions.values():
            self._window.removeAction(action)
            action.deleteLater()
        self._actions, self._menus = {}, {}
        listed = [command for command in self._commands if command.category]
        tops = {command.category.partition("/")[0] for command in listed}
        for top in [*(name for name in ORDER if name in tops), *sorted(tops - set(ORDER))]:
            menu = self._menus[top] = QMenu(top, bar)  # made here: of one that Qt makes, Python does not hear when it ends
            bar.addMenu(menu)
            menu.aboutToShow.connect(self._grey_out)
            menu.aboutToHide.connect(self._enable_all)
            for command in (c for c in listed if c.category.partition("/")[0] == top):
                self._place(menu, command).addAction(self._make(command))
        for command in (c for c in self._commands if not c.category and c.shortcut):
            self._window.addAction(self._make(command))
        self.hide_panels(self._hidden)

    def _place(self, menu: QMenu, command: Command) -> QMenu:
        below = command.category.partition("/")[2]
        if not below:
            if command.id == _QUIT and menu.actions():
                menu.addSeparator()
            return menu
        if command.category not in self._menus:
            self._menus[command.category] = QMenu(below, menu)
            menu.addMenu(self._menus[command.category])
        return self._menus[command.category]

    def _make(self, command: Command) -> QAction:
        action = QAction(command.title, self._window)
        if command.shortcut:
            action.setShortcut(QKeySequence(command.shortcut))
        action.triggered.connect(partial(self._triggered, command.id))
        self._actions[command.id] = action
        self._window.addAction(action)
        return action

    def _triggered(self, command_id: str, _checked: bool = False) -> None:
        self._run(command_id)

    def _enable_all(self) -> None:
        # A greyed action would swallow its shortcut later, when the command is possible again.
        for action in self._actions.values():
            action.setEnabled(True)

    def _grey_out(self) -> None:
        for command in self._commands:
            if command.id in self._actions:
                self._actions[command.id].setEnabled(command.is_enabled())
