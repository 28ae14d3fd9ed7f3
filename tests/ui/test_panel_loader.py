"""Panels are loaded in turns of the loop: in order, one failing alone, also when a panel makes the loop turn itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication
from pytestqt.qtbot import QtBot

from studio.host.discovery import USER_PREFIX, PluginError
from studio.host.manifest import Manifest, read_manifest
from studio.ui.panel_loader import PanelLoader

GOOD = "import threading\nfrom studio.host.panel import Panel\nclass One(Panel): made_on = threading.current_thread().name\n"


@pytest.fixture
def loader(qapp: QCoreApplication) -> Iterator[PanelLoader]:
    made = PanelLoader()
    yield made
    made.close()
    made.deleteLater()


def plugin(folder: Path, name: str, source: str = GOOD) -> Manifest:
    place = folder / name
    place.mkdir()
    (place / "plugin.toml").write_text(f'id = "{name}"\ntitle = "{name}"\nentry = "panel:One"\n', encoding="utf-8")
    (place / "panel.py").write_text(source, encoding="utf-8")
    return read_manifest(place, "", "user").model_copy(update={"package": USER_PREFIX + name})


class Heard:
    def __init__(self) -> None:
        self.classes: list[type[Any]] = []
        self.errors: list[Exception] = []


def test_classes_are_made_on_the_gui_thread(loader: PanelLoader, qtbot: QtBot, tmp_path: Path) -> None:
    heard = Heard()
    loader.load(plugin(tmp_path, "loader_a"), heard.classes.append, heard.errors.append)
    qtbot.waitUntil(lambda: bool(heard.classes or heard.errors))
    assert [(cls.__name__, cls.made_on) for cls in heard.classes] == [("One", "MainThread")]


@pytest.mark.parametrize("source", ["raise SystemExit(3)", "import no_such_thing", "class One(", "Two = 3", "1 / 0"])
def test_one_that_fails_is_told_and_the_next_is_loaded(loader: PanelLoader, qtbot: QtBot, tmp_path: Path, source: str) -> None:
    heard = Heard()
    loader.load(plugin(tmp_path, "loader_bad", source), heard.classes.append, heard.errors.append)
    loader.load(plugin(tmp_path, "loader_b"), heard.classes.append, heard.errors.append)
    qtbot.waitUntil(lambda: bool(heard.classes))
    assert [type(error) for error in heard.errors] == [PluginError] and "loader_bad" in str(heard.errors[0])


def test_a_panel_that_loads_another_and_waits_for_it(loader: PanelLoader, qtbot: QtBot, tmp_path: Path) -> None:
    heard, inner = Heard(), plugin(tmp_path, "loader_d")

    def built(cls: type[Any]) -> None:
        loader.load(inner, heard.classes.append, heard.errors.append)
        qtbot.waitUntil(lambda: len(heard.classes) >= 1)
        heard.classes.append(cls)

    loader.load(plugin(tmp_path, "loader_c"), built, heard.errors.append)
    loader.load(plugin(tmp_path, "loader_e"), heard.classes.append, heard.errors.append)
    qtbot.waitUntil(lambda: len(heard.classes) == 3)


def test_nothing_follows_once_it_is_closed(loader: PanelLoader, qtbot: QtBot, tmp_path: Path) -> None:
    heard = Heard()
    loader.load(plugin(tmp_path, "loader_f"), lambda _cls: loader.close(), heard.errors.append)
    loader.load(plugin(tmp_path, "loader_g"), heard.classes.append, heard.errors.append)
    qtbot.wait(500)
    assert not heard.classes and not heard.errors
