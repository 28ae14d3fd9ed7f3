"""The window's own commands: what stands in the menus and in the palette before any plugin adds to them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from studio.host.commands import Command
from studio.host.export import Exportable
from studio.ui.drop import SUFFIXES
from studio.ui.theme import theme

if TYPE_CHECKING:
    from studio.ui.window import MainWindow

_DIGITS = 9


def register_commands(window: MainWindow) -> None:
    """Register them all."""
    add = window.services.commands.register

    def live() -> bool:
        return bool(window.engine_bar.live_tasks())

    def has_tab() -> bool:
        return window.tabs.count() > 0

    add(Command("file.open", "Open picture…", lambda: ask_picture(window), "Ctrl+O", "File"))
    add(Command("file.export", "Export…", lambda: ask_export(window), "Ctrl+E", "File", lambda: bool(_exportables(window))))
    add(Command("file.close", "Close tab", window.close_tab, "Ctrl+W", "File", has_tab))
    add(Command("file.settings", "Settings", window.show_settings, "Ctrl+,", "File"))
    for kind, title in (("import_models", "Import released checkpoints…"), ("download_model", "Download from Hugging Face…")):
        ask = partial(window.open_request, kind, {})  # an empty order: its panel asks
        add(Command(f"file.{kind}", title, ask, "", "File", partial(_is_owned, window, kind)))
    add(Command("file.folder", "Open the data folder", window.open_data_folder, "", "File"))
    add(Command("app.quit", "Quit", window.close, "Ctrl+Q", "File"))
    usable = [d for d in window.panels.plugins if d.manifest and not d.disabled]
    for place, found in enumerate(usable):
        assert found.manifest is not None
        keys = f"Ctrl+{place + 1}" if place < _DIGITS else ""
        title, name = f"Open {found.manifest.title}", found.manifest.id
        add(Command(f"panels.{name}", title, partial(window.panels.open, name), keys, "Panels"))
    add(Command("view.palette", "Command palette", lambda: window.palette_.open(), "Ctrl+K", "View"))
    for name, keys in (("history", "Ctrl+H"), ("log", "Ctrl+L"), ("help", "F1")):
        title = f"Show or hide {window.docks[name].windowTitle()}"
        add(Command(f"view.{name}", title, partial(window.toggle_dock, name), keys, "View"))
    for name in theme().names():
        add(Command(f"theme.{name}", f"{name.capitalize()} theme", partial(window.set_theme, name), "", "View/Theme"))
    add(Command("view.theme", "Switch between light and dark", lambda: _other_theme(window), "Ctrl+Shift+T", "View"))
    add(Command("view.layout", "Reset the window layout", lambda: window.layout_.default(), "", "View"))
    add(Command("view.fullscreen", "Full screen", lambda: _full_screen(window), "F11", "View"))
    add(Command("view.next", "Next tab", lambda: _step_tab(window, 1), "Ctrl+Tab", "View", has_tab))
    add(Command("view.previous", "Previous tab", lambda: _step_tab(window, -1), "Ctrl+Shift+Tab", "View", has_tab))
    add(Command("tasks.cancel", "Cancel all tasks", lambda: _each(window, "cancel"), "Ctrl+Shift+Esc", "Tasks", live))
    add(Command("tasks.pause", "Pause all tasks", lambda: _each(window, "pause"), "", "Tasks", live))
    add(Command("tasks.resume", "Resume all tasks", lambda: _each(window, "resume"), "", "Tasks", live))
    add(Command("tasks.show", "Show all tasks", window.engine_bar.toggle_popup, "Ctrl+J", "Tasks"))
    add(Command("history.search", "Search results", lambda: _search_history(window), "Ctrl+F", "View"))
    add(Command("history.empty", "Empty the trash…", window.history.ask_to_empty_trash, "", "File"))
    for key, title in (
        ("getting-started", "Two-minute tour"), ("shortcuts", "Keyboard shortcuts"), ("plugins", "Write a plugin"),
        ("privacy", "Privacy"), ("about", "About Glassbox Studio"),
    ):  # fmt: skip
        add(Command(f"help.{key}", title, partial(window.show_help, key), "", "Help"))


def _is_owned(window: MainWindow, kind: str) -> bool:
    """Whether a panel here takes orders of this kind."""
    return window.panels.owner_of(kind) is not None


def ask_picture(window: MainWindow) -> None:
    """Choose a picture and restore its settings."""
    dialog = QFileDialog(window, "Open a picture made with the studio or another tool")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilter(f"Pictures ({' '.join('*' + suffix for suffix in SUFFIXES)})")
    dialog.fileSelected.connect(lambda name: window.take_file(Path(name)))
    dialog.open()


def ask_export(window: MainWindow) -> None:
    """Choose what of the panel on show to export, then where to."""
    from PySide6.QtGui import QCursor
    from PySide6.QtWidgets import QMenu

    offered = _exportables(window)
    if len(offered) == 1:
        ask_where(window, offered[0])
        return
    menu = QMenu(window)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    for exportable in offered:
        menu.addAction(exportable.name, partial(ask_where, window, exportable))
    menu.popup(QCursor.pos() if window.geometry().contains(QCursor.pos()) else window.geometry().center())


def ask_where(window: MainWindow, exportable: Exportable) -> None:
    """Choose a file and write it on the background thread."""
    service = window.services.export
    dialog = QFileDialog(window, f"Export {exportable.name}", service.suggest_name(exportable), service.filters(exportable.kind))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.fileSelected.connect(lambda name: export_to(window, exportable, Path(name)))
    dialog.open()


def export_to(window: MainWindow, exportable: Exportable, path: Path) -> None:
    """Write an exportable; plots are drawn by Qt and stay on the GUI thread."""

    def done(written: Path) -> None:
        window.notify(f"Saved “{written}”.", "success")

    def failed(error: Exception) -> None:
        window.notify(f"“{exportable.name}” could not be saved. {error}", "error")

    if exportable.kind == "plot":
        try:
            done(window.services.export.save(exportable, path))
        except Exception as error:  # a plugin's produce(): whatever it raises is told
            failed(error)
        return
    window.background.run(lambda: window.services.export.save(exportable, path), done, failed)


def _exportables(window: MainWindow) -> list[Exportable]:
    current = window.panels.current_id()
    frame = window.panels.frame(current) if current else None
    if frame is None or frame.panel is None:
        return []
    return list(frame.guarded("while it listed what it can export", frame.panel.exportables, ()))


def _other_theme(window: MainWindow) -> None:
    window.set_theme("light" if theme().dark else "dark")


def _full_screen(window: MainWindow) -> None:
    window.showNormal() if window.isFullScreen() else window.showFullScreen()


def _step_tab(window: MainWindow, step: int) -> None:
    window.tabs.setCurrentIndex((window.tabs.currentIndex() + step) % window.tabs.count())


def _each(window: MainWindow, action: str) -> None:
    for task in window.engine_bar.live_tasks():
        getattr(task, action)()


def _search_history(window: MainWindow) -> None:
    dock = window.docks["history"]
    dock.show()
    dock.raise_()
    window.history.search.setFocus()
