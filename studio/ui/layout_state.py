"""What the session remembers of the window: open panels, geometry, docks. Saved soon after each change, off the GUI thread."""

from __future__ import annotations

import base64
import binascii
import logging
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QObject, QRect, Qt, QTimer
from PySide6.QtGui import QGuiApplication

from studio.host.atomic import FileUnwritable
from studio.host.session import OpenPanel, Session, SessionStore

if TYPE_CHECKING:
    from studio.ui.window import MainWindow

log = logging.getLogger("studio.ui")

LAYOUT_VERSION = 1  # raise when docks are added, removed or renamed: an older state then gives the default layout
DEFAULT_SIZE = (1360, 860)
_SAVE_AFTER_MS = 1500


class Layout(QObject):
    """Restores, resets and saves the arrangement of one window."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._store: SessionStore | None = None
        self._pristine: QByteArray | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SAVE_AFTER_MS)
        self._timer.timeout.connect(self._save)

    def default(self) -> None:
        """Docks on the right as tabs, closed; size as designed or as large as the screen allows."""
        window = self._window
        if self._pristine is None:
            docks = list(window.docks.values())
            for dock in docks:
                window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
            for first, second in zip(docks, docks[1:], strict=False):
                window.tabifyDockWidget(first, second)
            for dock in docks:
                dock.hide()
            self._pristine = window.saveState(LAYOUT_VERSION)
        else:
            # Adding tabbed docks a second time leaves a stray tab bar behind (seen with Qt 6.11); restoring does not.
            window.restoreState(self._pristine, LAYOUT_VERSION)
        screen = window.screen().availableGeometry()
        size = min(DEFAULT_SIZE[0], screen.width()), min(DEFAULT_SIZE[1], screen.height())
        window.resize(*size)

    def begin(self, store: SessionStore, session: Session | None) -> None:
        """Take up the last session and save to this store from now on."""
        window = self._window
        if session is not None:
            self._restore_window(session)
            window.panels.set_states({panel.panel: panel.state for panel in session.panels})
            for panel in session.panels:
                window.panels.open(panel.panel, focus=panel.panel == session.active)
        self._store = store

    def session(self) -> Session:
        """What is open now."""
        window = self._window
        states = window.panels.states()
        panels = tuple(OpenPanel(panel=name, state=states.get(name, {})) for name in window.panels.open_ids())
        arrangement = {
            "geometry": _text(window.saveGeometry()), "state": _text(window.saveState(LAYOUT_VERSION)),
        }  # fmt: skip
        return Session(panels=panels, active=window.panels.current_id() or "", window=arrangement)

    def save_soon(self) -> None:
        """Save a moment after the last change."""
        if self._store is not None:
            self._timer.start()

    def forget(self) -> None:
        """Save no more: this window was opened for its picture."""
        self._timer.stop()
        self._store = None

    def save_now(self) -> None:
        """Save before the window closes, and save no more."""
        self._timer.stop()
        store, self._store = self._store, None
        if store is None:
            return
        try:
            store.save(self.session())
        except FileUnwritable as error:
            log.error("The session could not be saved: %s", error)

    def _save(self) -> None:
        store = self._store
        if store is None:
            return
        session = self.session()
        self._window.background.run(lambda: store.save(session), None, self._failed)

    def _failed(self, error: Exception) -> None:
        self._window.notify(f"The session could not be saved. {error}", "warning")

    def _restore_window(self, session: Session) -> None:
        window = self._window
        geometry, state = _bytes(session.window.get("geometry", "")), _bytes(session.window.get("state", ""))
        if geometry and window.restoreGeometry(geometry) and not _on_a_screen(window.frameGeometry()):
            self.default()  # the screen it was on is gone
        if state and not window.restoreState(state, LAYOUT_VERSION):
            self.default()
            window.notifications.add("The window has its default layout: the saved one is of another version.")


def _on_a_screen(place: QRect) -> bool:
    return any(screen.availableGeometry().intersects(place) for screen in QGuiApplication.screens())


def _text(blob: QByteArray) -> str:
    return base64.b64encode(blob.data()).decode("ascii")


def _bytes(text: str) -> QByteArray | None:
    try:
        return QByteArray(base64.b64decode(text, validate=True)) if text else None
    except (binascii.Error, ValueError):
        return None
