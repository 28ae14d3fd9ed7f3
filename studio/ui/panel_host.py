"""Opens, closes and guards the panels in the tabs of the window."""

from __future__ import annotations

import json
import logging
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QTabWidget,
    QWidget,
)
from shiboken6 import isValid

from studio.engine import Task
from studio.host.context import PanelContext, WindowLike
from studio.host.discovery import Discovered, PluginError
from studio.host.manifest import Manifest
from studio.host.panel import Panel
from studio.ui.icons import IconButton
from studio.ui.panel_frame import PanelFrame
from studio.ui.panel_loader import PanelLoader
from studio.ui.pump import Pump
from studio.ui.services import Services
from studio.ui.theme import theme

log = logging.getLogger("studio.ui")
JsonMap = Mapping[str, Any]


class PanelHost(QObject):
    """One tab a panel: loaded when it is first shown, kept from taking the window down with it, closed with its state kept."""

    current_changed = Signal(object)  # panel id or None
    state_changed = Signal()
    opened = Signal(str)
    broken_changed = Signal(str, bool)

    def __init__(self, tabs: QTabWidget, services: Services, window: WindowLike, pump: Pump) -> None:
        super().__init__(tabs)
        self._tabs = tabs
        self._services = services
        self._window = window
        self._pump = pump
        self._loader = PanelLoader(self)
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._frames: dict[str, PanelFrame] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._pending: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        self.plugins: Sequence[Discovered] = ()
        tabs.currentChanged.connect(lambda _index: self.current_changed.emit(self.current_id()))
        pump.slot_failed.connect(self._slot_failed)
        theme().changed.connect(self._repaint_icons)

    # -- what is open --

    def open_ids(self) -> list[str]:
        """The open panels in the order of their tabs."""
        frames = [self._tabs.widget(i) for i in range(self._tabs.count())]
        return [frame.panel_id for frame in frames if isinstance(frame, PanelFrame)]

    def current_id(self) -> str | None:
        frame = self._tabs.currentWidget()
        return frame.panel_id if isinstance(frame, PanelFrame) else None

    def frame(self, panel_id: str) -> PanelFrame | None:
        return self._frames.get(panel_id)

    def panel(self, panel_id: str) -> Panel | None:
        """The built panel, or None while it is closed, loading or broken."""
        frame = self._frames.get(panel_id)
        return frame.panel if frame else None

    def states(self) -> dict[str, dict[str, Any]]:
        """State by panel id, of the open panels and of those closed earlier."""
        for panel_id, frame in self._frames.items():
            if frame.panel is not None:
                state = frame.guarded("while its state was saved", partial(_json_state, frame.panel))
                if state is not None:
                    self._states[panel_id] = state
        return dict(self._states)

    def set_states(self, states: Mapping[str, dict[str, Any]]) -> None:
        """What `states()` gave in an earlier session; used when a panel opens."""
        self._states = dict(states)

    # -- opening and closing --

    def open(self, panel_id: str, *, focus: bool = True) -> None:
        """Show a panel, loading it first when needed; of one whose plugin is gone the person is told."""
        found = next((d for d in self.plugins if _id_of(d) == panel_id), None)
        if panel_id in self._frames:
            if focus:
                self._tabs.setCurrentWidget(self._frames[panel_id])
            return
        if found is None:
            self._window.notify(
                f"The panel “{panel_id}” is not installed any more. Install its plugin again, or enable it in the settings.", "warning"
            )
            return
        title = found.manifest.title if found.manifest else found.name
        frame = PanelFrame(panel_id, title, self._tabs)
        self._frames[panel_id] = frame
        index = self._tabs.addTab(frame, self._icon(found), title)
        self._tabs.tabBar().setTabButton(index, QTabBar.ButtonPosition.RightSide, self._close_button(panel_id, title))
        if focus:
            self._tabs.setCurrentWidget(frame)
        self._load(frame, found)

    def close(self, panel_id: str) -> None:
        """Close a panel's tab: its state is kept, its tasks are cancelled."""
        frame = self._frames.pop(panel_id, None)
        if frame is None:
            return
        panel = frame.panel
        if panel is not None:
            state = frame.guarded("while it was closed", partial(_json_state, panel))
            if isinstance(state, dict):
                self._states[panel_id] = state
            frame.guarded("while it was closed", panel.closing)
        self._tabs.removeTab(self._tabs.indexOf(frame))
        if panel is not None:
            self._pump.forget(panel)  # also what it asked for while it was hidden
        self._services.commands.unregister_prefix(f"{panel_id}.")
        if self._services.engine is not None:
            self._services.engine.cancel_owner(panel_id)
        frame.deleteLater()
        self.state_changed.emit()

    def close_all(self) -> None:
        """The window closes: let every panel go and stop the loader."""
        for panel_id in list(self._frames):
            self.close(panel_id)
        self._loader.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    # -- requests --

    def owner_of(self, kind: str) -> str | None:
        """The id of the panel that owns a kind of request."""
        return next((d.manifest.id for d in self.plugins if d.usable and d.manifest and kind in d.manifest.requests), None)

    def open_request(self, kind: str, request: JsonMap) -> list[str]:
        """Restore a request in its panel (opening it first); what could not be mapped is shown there and returned."""
        owner = self.owner_of(kind)
        if owner is None:
            return [f"No panel here makes results of kind “{kind}”. Install or enable its plugin."]
        self.open(owner)
        frame = self._frames[owner]
        if frame.panel is None:
            self._pending.setdefault(owner, []).append((kind, dict(request)))
            return []
        return self._restore_request(frame, kind, request)

    def _restore_request(self, frame: PanelFrame, kind: str, request: JsonMap) -> list[str]:
        assert frame.panel is not None
        panel = frame.panel
        problems = frame.guarded(
            "while the settings were restored", lambda: [str(problem) for problem in panel.restore_request(kind, request)]
        )
        if problems is None:
            return ["The settings could not be restored."]
        if problems:
            frame.message(f"Settings restored, except: {'; '.join(problems)}", "warning")
        elif request:
            frame.message("Settings restored.", "success")
        return problems

    # -- loading --

    def _load(self, frame: PanelFrame, found: Discovered) -> None:
        manifest = found.manifest
        if manifest is None or found.error is not None or found.disabled:
            reason = found.error or ("This panel is disabled in the settings." if found.disabled else "Its plugin.toml is missing.")
            frame.show_broken(reason, "")
            return
        if self._services.engine is None:
            return  # attach() comes back to it
        self._loader.load(
            manifest, lambda cls: self._build(frame, manifest, cls), lambda error: self._broken(frame, found, error)
        )

    def attach(self) -> None:
        """The engine and the stores exist now: load the panels that wait for them."""
        for panel_id, frame in list(self._frames.items()):
            found = next((d for d in self.plugins if _id_of(d) == panel_id), None)
            if frame.panel is None and found is not None and found.usable:
                self._load(frame, found)

    def _build(self, frame: PanelFrame, manifest: Manifest, cls: type[Any]) -> Iterator[None]:
        """Make a panel and show it; the window lives at each `yield`."""
        if self._frames.get(manifest.id) is not frame or frame.panel is not None:
            return  # closed meanwhile
        panel: Panel | None = None
        try:
            if not issubclass(cls, Panel):
                raise PluginError(f"“{manifest.entry}” is not a subclass of studio.host.panel.Panel.", manifest.id)
            panel = cls(self._context(manifest))
            panel.title = panel.title or manifest.title
            frame.take_in(panel)
            for _ in panel.build() or ():
                yield
                if self._frames.get(manifest.id) is not frame:
                    self._pump.forget(panel)
                    return
        except (Exception, SystemExit) as error:  # a plugin's constructor: whatever it raises belongs in its own place
            if panel is not None and isValid(panel):  # not where its __init__ forgot Panel's
                panel.deleteLater()
            self._services.commands.unregister_prefix(f"{manifest.id}.")
            self._broken(frame, next(d for d in self.plugins if d.manifest is manifest), error)
            return
        frame.show_panel(panel)
        state = self._states.get(manifest.id)
        if state:
            frame.guarded("while its last state was restored", lambda: panel.restore(state))
        panel.state_changed.connect(self.state_changed)
        for kind, request in self._pending.pop(manifest.id, []):
            self._restore_request(frame, kind, request)
        if self._tabs.currentWidget() is frame:
            _focus_first(panel)
        self.broken_changed.emit(manifest.id, False)
        self.opened.emit(manifest.id)
        self.state_changed.emit()

    def _broken(self, frame: PanelFrame, found: Discovered, error: BaseException) -> None:
        if frame not in self._frames.values():
            return
        details = error.details if isinstance(error, PluginError) and error.details else _trace(error)
        message = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        frame.show_broken(message, details, lambda: self._load(frame, found))
        self.broken_changed.emit(frame.panel_id, True)
        self.opened.emit(frame.panel_id)

    def _context(self, manifest: Manifest) -> PanelContext:
        services = self._services
        assert services.engine is not None and services.results is not None
        return PanelContext(
            panel_id=manifest.id, engine=services.engine, results=services.results, settings=services.settings,
            commands=services.commands, export=services.export, panel_dir=self._panel_dir(manifest.id),
            window=self._window,
        )  # fmt: skip

    def _panel_dir(self, panel_id: str) -> Path:
        """A panel's own folder; one for this run only where the data folder takes nothing (the window has said so)."""
        folder = self._services.paths.root / "panels" / panel_id
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            if self._scratch is None:
                self._scratch = tempfile.TemporaryDirectory(prefix="glassbox-")
            folder = Path(self._scratch.name) / panel_id
            folder.mkdir(exist_ok=True)
        return folder

    def watch(self, task: Task, receiver: Panel) -> None:
        """Deliver a task's events to a panel."""
        self._pump.watch(task, receiver)

    def _slot_failed(self, receiver: object, error: Exception) -> None:
        for frame in self._frames.values():
            if frame.panel is receiver:
                frame.report("while it showed a result", error)
                return
        log.error("A receiver of events failed", exc_info=error)

    # -- looks --

    def icon_of(self, panel_id: str) -> QIcon:
        """The icon of a panel in the colour of the theme."""
        found = next((d for d in self.plugins if _id_of(d) == panel_id), None)
        return theme().icon("panel", "muted") if found is None else self._icon(found)

    def _icon(self, found: Discovered) -> QIcon:
        manifest = found.manifest
        if manifest is None:
            return theme().icon("broken", "error")
        return theme().plugin_icon(manifest.icon or "panel", manifest.folder)

    def _close_button(self, panel_id: str, title: str) -> QWidget:
        button = IconButton("cancel", f"Close {title} (Ctrl+W)", self._tabs.tabBar(), size=12)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda _checked=False: self.close(panel_id))
        return button

    def _repaint_icons(self) -> None:
        for panel_id, frame in self._frames.items():
            found = next((d for d in self.plugins if _id_of(d) == panel_id), None)
            if found is not None:
                self._tabs.setTabIcon(self._tabs.indexOf(frame), self._icon(found))


def _id_of(found: Discovered) -> str:
    return found.manifest.id if found.manifest else found.name


def _focus_first(panel: Panel) -> None:
    """Put the keyboard where the panel wants it, or into its first field, unless the person uses it elsewhere already."""
    focused = QApplication.focusWidget()
    if focused is not None and not isinstance(focused, (QTabBar, PanelFrame)):
        return
    (panel.focusProxy() or _first_field(panel) or panel).setFocus(Qt.FocusReason.OtherFocusReason)


def _first_field(panel: Panel) -> QWidget | None:
    """The first that Tab comes to."""
    fields = (QLineEdit, QPlainTextEdit, QAbstractSpinBox, QComboBox)
    widget = panel.nextInFocusChain()
    while widget is not panel:
        if isinstance(widget, fields) and panel.isAncestorOf(widget) and widget.isVisibleTo(panel) and widget.isEnabled():
            return widget
        widget = widget.nextInFocusChain()
    return None


def _json_state(panel: Panel) -> dict[str, Any]:
    """The state of a panel, or the TypeError that says why it is no JSON."""
    state = panel.state()
    json.dumps(state)
    return state


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
