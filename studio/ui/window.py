"""The main window: activity bar, tabs, docks and engine bar, and what a panel may ask of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QDesktopServices, QDragEnterEvent, QDropEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStackedWidget, QTabBar, QTabWidget, QVBoxLayout, QWidget

from studio.engine import Task
from studio.host.commands import CommandError
from studio.host.discovery import Discovered
from studio.host.notifications import NotificationCenter
from studio.host.panel import Panel
from studio.host.results import ResultMissing, ResultRecord
from studio.ui.about import about_topics
from studio.ui.activity_bar import ActivityBar
from studio.ui.background import Background
from studio.ui.cards import EmptyState
from studio.ui.command_palette import CommandPalette
from studio.ui.compare_page import ComparePage
from studio.ui.dock import Dock
from studio.ui.drop import PAINTING_KIND, dropped_pictures, take_picture
from studio.ui.engine_bar import EngineBar
from studio.ui.help_dock import HelpDock
from studio.ui.history_dock import HistoryDock
from studio.ui.icons import IconButton
from studio.ui.lag import LagMeter
from studio.ui.layout_state import Layout
from studio.ui.log_dock import LogDock
from studio.ui.menus import Menus
from studio.ui.message_bar import MessageBar
from studio.ui.panel_host import PanelHost
from studio.ui.pump import Pump
from studio.ui.replay import Comparison, Replayer
from studio.ui.services import Services
from studio.ui.settings_page import SettingsPage
from studio.ui.theme import Theme, theme
from studio.ui.tokens import SPACE_S
from studio.ui.window_commands import register_commands

log = logging.getLogger("studio.ui")


class MainWindow(QMainWindow):
    """Made and painted before the engine exists; `attach()` brings it to life once the services are complete."""

    painted = Signal()  # once, after the first paint
    closed = Signal()

    def __init__(self, services: Services, plugins: Sequence[Discovered], notifications: NotificationCenter) -> None:
        super().__init__()
        self.services = services
        self.notifications = notifications
        self._plugins = list(plugins)
        self._painted = False
        self._attached = False
        self.setWindowTitle("Glassbox Studio")
        self.setWindowIcon(theme().icon("app", "accent"))
        self.setAcceptDrops(True)
        self.background = Background("window-disk", self)
        self.pump = Pump(self)
        self.lag = LagMeter(self)
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.setMovable(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.tabBar().setElideMode(Qt.TextElideMode.ElideRight)
        self.panels = PanelHost(self.tabs, services, self, self.pump)
        self.panels.plugins = self._plugins
        self.activity = ActivityBar(self)
        self.bar = MessageBar(self)
        self.history = HistoryDock(self)
        self.log = LogDock(notifications, self)
        self.help = HelpDock(about_topics(services), self)
        self.docks = {
            "history": Dock("history", "History", self.history, self),
            "help": Dock("help", "Help", self.help, self),
            "log": Dock("log", "Notifications", self.log, self),
        }
        self.engine_bar = EngineBar(self.lag, self)
        self._replayer: Replayer | None = None
        self._settings_page: SettingsPage | None = None
        self._build()
        register_commands(self)
        self.palette_ = CommandPalette(services.commands, self.run_command, self)
        self.menus = Menus(self, services.commands, self.run_command)
        self.tabs.currentChanged.connect(lambda _index: self._hide_other_menus())
        self.layout_ = Layout(self)
        self.layout_.default()

    def _build(self) -> None:
        empty = EmptyState(
            "Nothing is open", "Choose a panel on the left, or press Ctrl+K and type what you want to do.", icon="glassbox",
            actions=[("Two-minute tour", lambda: self.show_help("getting-started"))],
        )  # fmt: skip
        self._stack = QStackedWidget(self)
        self._stack.addWidget(empty)
        self._stack.addWidget(self.tabs)
        centre = QVBoxLayout()
        centre.setContentsMargins(0, 0, 0, 0)
        centre.setSpacing(0)
        self._bar_holder = QWidget(self)
        holder = QVBoxLayout(self._bar_holder)
        holder.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        holder.addWidget(self.bar)
        self._bar_holder.hide()
        self.bar.dismissed.connect(self._bar_holder.hide)
        centre.addWidget(self._bar_holder)
        centre.addWidget(self._stack, 1)
        body = QWidget(self)
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.activity)
        row.addLayout(centre, 1)
        self.setCentralWidget(body)
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().setContentsMargins(0, 0, 0, 0)
        self.statusBar().addWidget(self.engine_bar, 1)
        for found in self._plugins:
            manifest = found.manifest
            if found.disabled:
                continue
            name = manifest.id if manifest else found.name
            tip = found.error or (manifest.description if manifest else "")
            self.activity.add_panel(
                name, manifest.title if manifest else found.name, tip, manifest.icon if manifest else "",
                manifest.folder if manifest else None, partial(self.panels.open, name), broken=not found.usable,
            )  # fmt: skip
        for name, title, icon in (("history", "History", "history"), ("log", "Notices", "bell"), ("help", "Help", "help")):
            self.activity.add_tool(name, title, self.docks[name].windowTitle(), icon, partial(self.toggle_dock, name))
            self.docks[name].turned.connect(partial(self.activity.set_tool_on, name))
        self.activity.add_tool("settings", "Settings", "Settings", "settings", self.show_settings)
        self.tabs.currentChanged.connect(lambda _index: self._tab_changed())
        self.tabs.tabBar().tabMoved.connect(lambda _from, _to: self.layout_.save_soon())
        self.panels.state_changed.connect(lambda: self.layout_.save_soon())
        self.panels.broken_changed.connect(
            lambda name, broken: self.activity.mark_broken(name, partial(self.panels.icon_of, name), broken)
        )
        self.panels.opened.connect(lambda _panel: self._tab_changed())
        self.log.unread_changed.connect(lambda count: self.activity.set_badge("log", count))
        self.help.command_asked.connect(self.run_command)
        self.history.restore_asked.connect(self._restore_record)
        self.history.replay_asked.connect(self._replay_record)
        self.history.picture_sent.connect(lambda path: self.open_request(PAINTING_KIND, {"picture": str(path)}))
        self.services.settings.on_change(lambda settings: self._settings_changed())
        self._tab_changed()

    # -- life --

    def attach(self) -> None:
        """The engine and the results store exist now."""
        engine, results = self.services.engine, self.services.results
        assert engine is not None and results is not None
        self._attached = True
        self.engine_bar.attach(engine)
        self.history.attach(results, self.background)
        self._replayer = Replayer(engine, results, self.pump, self.background, self)
        self._replayer.finished.connect(self._show_comparison)
        self._replayer.failed.connect(lambda text, details: self.notify(text, "error", details))
        self.panels.attach()
        self.lag.start()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self.painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save, cancel, let go. Nothing is asked: results are on disk already, and a cancelled run can be started again."""
        self.layout_.save_now()
        self.engine_bar.stop()
        self.lag.stop()
        self.history.stop()
        self.log.stop()
        self.menus.stop()
        if self.services.engine is not None:
            for task in self.services.engine.tasks():
                task.cancel()
        self._close_settings()
        self.panels.close_all()
        self.pump.stop()
        self.background.close()
        event.accept()
        self.closed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.layout_.save_soon()

    # -- what a panel may ask --

    @property
    def theme(self) -> Theme:
        return theme()

    def watch(self, task: Task, receiver: Panel) -> None:
        """Deliver a task's events to a panel."""
        self.pump.watch(task, receiver)

    def notify(self, text: str, level: str = "info", details: str = "") -> None:
        """Keep a notification; warnings and errors are shown above the panels as well, until dismissed."""
        self.notifications.add(text, level, details)
        if level in ("warning", "error"):
            self.show_bar(text, level, details)

    def open_result(self, result_id: str) -> None:
        """Restore a stored result in its panel."""
        if self.services.results is None:
            return
        try:
            self._restore_record(self.services.results.get(result_id))
        except ResultMissing as error:
            self.notify(str(error), "warning")

    def open_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        """Restore a request in the panel that owns its kind."""
        problems = self.panels.open_request(kind, request)
        if problems and self.panels.owner_of(kind) is None:
            self.notify(problems[0], "warning")
        return problems

    # -- what commands do --

    def show_bar(
        self, text: str, level: str = "info", details: str = "", actions: Sequence[tuple[str, Callable[[], None]]] = ()
    ) -> None:
        """Show a message above the panels."""
        self._bar_holder.show()
        self.bar.show_message(text, level, details, actions)

    def run_command(self, command_id: str) -> object:
        """Run a command; what goes wrong is told, never raised into Qt."""
        try:
            return self.services.commands.run(command_id)
        except CommandError as error:
            self.notify(str(error), "warning")
        except Exception as error:  # a plugin's command: whatever it raises is told
            log.exception("The command %s failed", command_id)
            self.notify(f"The command failed: {error or type(error).__name__}", "error", repr(error))
        return None

    def toggle_dock(self, name: str) -> None:
        """Open, bring to the front, or close a dock."""
        dock = self.docks[name]
        if dock.isVisible() and not dock.visibleRegion().isEmpty():
            dock.close()
        else:
            dock.show()
            dock.raise_()
        self.activity.set_tool_on(name, dock.isVisible())
        self.layout_.save_soon()

    def show_help(self, topic: str) -> None:
        """Open the Help dock at a page."""
        self.help.show_topic(topic)
        self.docks["help"].show()
        self.docks["help"].raise_()

    def show_settings(self) -> None:
        """Open the Settings tab."""
        if self._settings_page is None:
            providers = {"devices": self._devices}
            self._settings_page = SettingsPage(self.services.settings, self._plugins, providers, self)
            self._settings_page.folder_asked.connect(self.open_data_folder)
            self._add_page(self._settings_page, "Settings", "settings", self._close_settings)
        self.tabs.setCurrentWidget(self._settings_page)
        self._tab_changed()

    def open_data_folder(self) -> None:
        """Show the data folder in the file manager."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.services.paths.root)))

    def close_tab(self) -> None:
        """Close the tab on show."""
        widget = self.tabs.currentWidget()
        current = self.panels.current_id()
        if current is not None:
            self.panels.close(current)
        elif widget is not None:
            self._close_page(widget)
        self._tab_changed()

    def set_theme(self, name: str) -> None:
        """Switch the theme and remember it."""
        self.services.settings.update("appearance.theme", name)

    def take_file(self, path: Path) -> None:
        """Restore the settings in a picture file."""
        take_picture(path, self.background, self.open_request, self.panels, self.notify)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_pictures(event.mimeData()) and event.source() is None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for path in dropped_pictures(event.mimeData())[:1]:
            self.take_file(path)
        event.acceptProposedAction()

    # -- inside --

    def _add_page(self, page: QWidget, title: str, icon: str, close: Callable[[], None]) -> None:
        index = self.tabs.addTab(page, theme().icon(icon, "muted"), title)
        button = IconButton("cancel", f"Close {title} (Ctrl+W)", self.tabs.tabBar(), size=12)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda _checked=False: close())
        self.tabs.tabBar().setTabButton(index, QTabBar.ButtonPosition.RightSide, button)

    def _close_page(self, page: QWidget) -> None:
        if page is self._settings_page:
            self._close_settings()
            return
        self.tabs.removeTab(self.tabs.indexOf(page))
        page.deleteLater()
        self._tab_changed()

    def _close_settings(self) -> None:
        page, self._settings_page = self._settings_page, None
        if page is not None:
            page.stop()
            self.tabs.removeTab(self.tabs.indexOf(page))
            page.deleteLater()
            self._tab_changed()

    def _tab_changed(self) -> None:
        self._stack.setCurrentIndex(1 if self.tabs.count() else 0)
        current = self.panels.current_id()
        self.activity.set_current(current)
        self.activity.set_tool_on("settings", self._settings_page is not None and self.tabs.currentWidget() is self._settings_page)
        found = next((d for d in self._plugins if d.manifest and d.manifest.id == current), None)
        manifest = found.manifest if found else None
        frame = self.panels.frame(current) if current else None
        panel = frame.panel if frame else None
        text = str(frame.guarded("while it wrote its help", panel.help_text, "")) if frame and panel else ""
        if not text and manifest is not None and manifest.help_path is not None:
            text = manifest.help_path.read_text(encoding="utf-8", errors="replace")
        self.help.set_panel(manifest.title if manifest else "", text)

    def _hide_other_menus(self) -> None:
        current = self.panels.current_id()
        self.menus.hide_panels(d.manifest.id for d in self._plugins if d.manifest and d.manifest.id != current)

    def _settings_changed(self) -> None:
        appearance = self.services.settings.value.appearance
        if (theme().choice, theme().font_scale) != (appearance.theme, appearance.font_scale):
            theme().apply(appearance.theme, appearance.font_scale)

    def _devices(self) -> list[tuple[str, str]]:
        choices = [("auto", "Automatic"), ("cpu", "CPU")]
        if self.services.engine is not None:
            info = self.services.engine.device_info()
            if info.kind != "cpu":
                choices.append((info.kind, info.name))
        return choices

    def _restore_record(self, record: ResultRecord) -> None:
        self.open_request(record.kind, record.request)

    def _replay_record(self, record: ResultRecord) -> None:
        if self._replayer is not None:
            self._replayer.start(record, self._plugins)
            self.notifications.add(f"Replaying “{record.title or record.kind}”.", "info")

    def _show_comparison(self, comparison: Comparison) -> None:
        page = ComparePage(comparison, self)
        self._add_page(page, "Compare", "compare", lambda: self._close_page(page))
        self.tabs.setCurrentWidget(page)
        self._tab_changed()
