"""Every window test starts in the light theme at 100 %; what it may leave behind is checked in tests/conftest.py."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import delete, isValid

from studio.app import Studio
from studio.ui.theme import theme

Opener = Callable[..., Studio]


@pytest.fixture(autouse=True)
def light_theme(qapp: QApplication) -> None:
    theme().apply("light", 1.0)


def _fake_plugin() -> ModuleType:
    spec = spec_from_file_location("fake_plugin", Path(__file__).with_name("fake_plugin.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def open_studio(qtbot: QtBot, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Opens windows on one data folder that holds the fake plugins; torch is not loaded. Closes what is left open."""
    _fake_plugin().write_plugins(data_dir)
    monkeypatch.setattr("studio.app.discover", _only_user_plugins)
    opened: list[Studio] = []

    def make(**options: object) -> Studio:
        studio = Studio(data_dir, **options)  # type: ignore[arg-type]
        opened.append(studio)
        studio.show()
        qtbot.waitUntil(lambda: studio.services.engine is not None, timeout=20_000)
        current = studio.window.panels.current_id()
        if current is not None:
            qtbot.waitUntil(lambda: studio.window.panels.frame(current).settled, timeout=20_000)
        return studio

    yield make
    for studio in opened:
        if isValid(studio):
            close(studio)
    for name in [name for name in sys.modules if name.startswith("_glassbox_user_plugin_")]:
        del sys.modules[name]


@pytest.fixture
def close_studio() -> Callable[[Studio], None]:
    return close


def close(studio: Studio) -> None:
    """Close a window as a person would, with everything behind it."""
    studio.window.close()
    assert studio.close()
    delete(studio.window)
    delete(studio)


def _only_user_plugins(folder: Path, **options: object) -> list[object]:
    """The built-in plugins have their own tests; here they would load torch."""
    from studio.host.discovery import discover

    return discover(folder, entry_points=(), **options)  # type: ignore[arg-type]
