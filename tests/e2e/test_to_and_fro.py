"""Panels opened, used and closed in a hurry, in any order and at any moment: none may take another with it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from tests.e2e.helpers import LONG, draw

PANELS = ("rl", "rl", "rl", "gp", "elastic_net", "kernel_trick", "attention", "anatomy", "inpaint", "guidance", "tokens", "tradeoff", "vote")
ROUNDS = 14


@pytest.mark.parametrize("seed", [1, 5])
def test_panels_come_and_go(open_studio: Any, qtbot: QtBot, seed: int) -> None:
    choose = random.Random(seed)
    studio = open_studio()
    panels = studio.window.panels
    for _ in range(ROUNDS):
        name = choose.choice(PANELS)
        panels.open(name)
        if choose.random() < 0.6:
            qtbot.waitUntil(lambda name=name: panels.panel(name) is not None, timeout=LONG)
        else:
            qtbot.wait(choose.choice((0, 20, 60, 150)))  # in the midst of being made
        panel = panels.panel(name)
        if panel is not None and name == "rl" and choose.random() < 0.5:
            qtbot.waitUntil(lambda panel=panel: panel.controls.described is not None, timeout=LONG)
            panel.press()
        elif panel is not None:
            panel.demo()
        qtbot.wait(choose.choice((0, 30, 300)))
        for other in panels.open_ids():
            if choose.random() < 0.5:
                panels.close(other)
    for name in panels.open_ids():
        panels.close(name)
    qtbot.waitUntil(lambda: studio.window.pump.watching() == 0, timeout=LONG)
    assert [note.text for note in studio.notifications.items() if note.level == "error"] == []
    panels.open("generate")
    qtbot.waitUntil(lambda: panels.panel("generate") is not None, timeout=LONG)
    draw(qtbot, studio, steps=1)
