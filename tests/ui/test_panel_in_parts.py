"""Panels that are made in parts: the window lives in between, may close them there, and shows what goes wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPlainTextEdit
from pytestqt.qtbot import QtBot

PANEL = """
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLineEdit
from studio.host.commands import Command
from studio.host.panel import Panel

HEARD = []
TURNS = 5
PROXY = True


class Parts(Panel):
    def build(self):
        self.context.commands.register(Command("parts.do", "Do", HEARD.append))
        self.second, self.first, self.wanted = QLineEdit(self), QLineEdit(self), QLineEdit(self)
        self.setTabOrder(self.first, self.second)
        if PROXY:
            self.setFocusProxy(self.wanted)
        self.turns = 0
        clock = QTimer(self)
        clock.timeout.connect(self.turn)
        clock.start(0)
        try:
            while self.turns < TURNS:
                yield
        finally:
            HEARD.append("over")
        if TURNS == 1:
            raise RuntimeError("a fault in the second part")
        clock.stop()

    def turn(self):
        self.turns += 1

    def closing(self):
        HEARD.append("closing")
"""


@pytest.fixture
def opened(open_studio: Callable[..., Any], data_dir: Path, qtbot: QtBot) -> Callable[[float], tuple[Any, Any]]:
    """A window that has begun to open the panel, and the panel's module; it is over after so many turns of the loop."""
    folder = data_dir / "plugins" / "parts"
    folder.mkdir()
    (folder / "plugin.toml").write_text('id = "parts"\ntitle = "Parts"\nentry = "panel:Parts"\n')

    def begin(turns: float) -> tuple[Any, Any]:
        (folder / "panel.py").write_text(PANEL.replace("TURNS = 5", f'TURNS = float("{turns}")'))
        studio = open_studio()
        studio.window.activateWindow()
        qtbot.waitUntil(studio.window.isActiveWindow)
        panels = studio.window.panels
        panels.open("parts")
        qtbot.waitUntil(lambda: "parts.do" in studio.services.commands or panels.frame("parts").settled)
        return studio, sys.modules["_glassbox_user_plugin_parts.panel"]

    return begin


def test_the_window_lives_between_two_parts(opened: Any, qtbot: QtBot) -> None:
    studio, module = opened(5)
    panels = studio.window.panels
    qtbot.waitUntil(lambda: panels.frame("parts").settled)
    panel = panels.panel("parts")
    assert panel.isVisible() and panel.turns >= 5 and module.HEARD == ["over"]
    panels.close("parts")
    assert module.HEARD == ["over", "closing"]


def test_a_panel_closed_between_two_parts_is_made_no_further(opened: Any, qtbot: QtBot) -> None:
    studio, module = opened(float("inf"))
    panels = studio.window.panels
    assert panels.panel("parts") is None and not panels.frame("parts").settled
    panels.close("parts")
    assert "parts.do" not in studio.services.commands
    qtbot.waitUntil(lambda: module.HEARD == ["over"])
    module.TURNS = 5
    panels.open("parts")
    qtbot.waitUntil(lambda: panels.panel("parts") is not None)
    assert "parts.do" in studio.services.commands


def test_a_window_closed_between_two_parts(opened: Any, close_studio: Any) -> None:
    studio, module = opened(float("inf"))
    close_studio(studio)
    assert "closing" not in module.HEARD


def test_a_fault_in_a_later_part_is_shown_in_its_place(opened: Any, qtbot: QtBot) -> None:
    studio, _module = opened(1)
    panels = studio.window.panels
    qtbot.waitUntil(lambda: panels.frame("parts").settled)
    told = [text.toPlainText() for text in panels.frame("parts").findChildren(QPlainTextEdit)]
    assert panels.panel("parts") is None and any("a fault in the second part" in text for text in told)
    assert "parts.do" not in studio.services.commands


def test_the_keyboard_goes_where_the_panel_wants_it(opened: Any, qtbot: QtBot) -> None:
    studio, module = opened(5)
    panels = studio.window.panels
    qtbot.waitUntil(lambda: panels.frame("parts").settled)
    assert QApplication.focusWidget() is panels.panel("parts").wanted
    panels.close("parts")
    module.PROXY = False
    panels.open("parts")
    qtbot.waitUntil(lambda: panels.frame("parts").settled)
    assert QApplication.focusWidget() is panels.panel("parts").first, "the first that Tab comes to, not the first made"


def test_it_stays_with_whoever_types_while_a_panel_opens(opened: Any, qtbot: QtBot) -> None:
    studio, module = opened(float("inf"))
    panels, palette = studio.window.panels, studio.window.palette_
    palette.open()
    assert palette.line.hasFocus()
    module.TURNS = 5
    qtbot.waitUntil(lambda: panels.panel("parts") is not None)
    QTest.keyClicks(QApplication.focusWidget(), "open")
    assert palette.isVisible() and palette.line.text() == "open"
