"""Pictures of the panels and of the window, for the manual and for looking at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QEvent, QEventLoop, QSize
from PySide6.QtWidgets import QApplication

from studio.ui.theme import theme
from studio.ui.window import MainWindow

THEMES = ("light", "dark")
SIZE = QSize(1360, 860)
_PATIENCE_S = 60.0


class Running(Protocol):
    """A studio: its window, and how to end it."""

    window: MainWindow

    def show(self) -> None: ...
    def close(self) -> bool: ...


def render_panels(
    app: QApplication, start: Callable[[], Running], folder: Path, themes: Sequence[str] = THEMES, size: QSize = SIZE
) -> Iterator[Path]:
    """Open every panel in its demo state and save `panel-<id>-<theme>.png` and `window-<id>-<theme>.png`.

    Raises TimeoutError when a panel does not open.
    """
    studio = start()
    window = studio.window
    try:
        window.layout_.default()
        window.resize(size)
        studio.show()
        _wait(app, lambda: window.services.engine is not None, "the engine")
        engine = window.services.engine
        assert engine is not None
        _wait(app, engine.ready.is_set, "the engine")
        ids = [found.manifest.id for found in window.panels.plugins if found.manifest and found.usable]
        for panel_id in ids:
            window.panels.open(panel_id)
            frame = window.panels.frame(panel_id)
            assert frame is not None
            _wait(app, lambda frame=frame: frame.settled, panel_id)  # type: ignore[misc]
            panel = frame.panel
            if panel is not None:
                frame.guarded("while it showed its demo", panel.demo)
        for name in themes:
            theme().apply(name)
            for panel_id in ids:
                window.panels.open(panel_id)
                _settle(app, window)
                frame = window.panels.frame(panel_id)
                assert frame is not None
                yield _save(frame, folder / f"panel-{panel_id}-{name}.png")
                yield _save(window, folder / f"window-{panel_id}-{name}.png")
            window.docks["history"].show()
            window.docks["history"].raise_()
            _wait(app, window.history.model.is_idle, "the history")
            _settle(app, window)
            yield _save(window, folder / f"window-history-{name}.png")
            window.docks["history"].close()
            window.show_settings()
            _settle(app, window)
            yield _save(window, folder / f"window-settings-{name}.png")
            window.close_tab()
            window.palette_.open()
            _settle(app, window)
            yield _save(window, folder / f"window-commands-{name}.png")
            window.palette_.close_palette()
    finally:
        window.layout_.forget()
        window.close()
        studio.close()


def _save(widget: object, path: Path) -> Path:
    picture = widget.grab()  # type: ignore[attr-defined]
    if not picture.save(str(path)):
        raise OSError(f"{path} cannot be written; choose another folder")
    return path


def _settle(app: QApplication, window: MainWindow) -> None:
    """Let layouts, thumbnails and plots finish; what the saving of the last picture cost is no lag of the window."""
    app.processEvents()
    window.lag.reset(keep_all=False)
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
        app.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # outside app.exec() nothing else delivers these


def _wait(app: QApplication, condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not become ready within {_PATIENCE_S:g} s")
        app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
