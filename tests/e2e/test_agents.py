"""A training in a real window: killed with -9 in its midst, and gone on with from the last checkpoint, bit for bit."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
from pytestqt.qtbot import QtBot

from studio.ml.rl.session import Session
from tests.e2e.helpers import LONG, close, said


def test_a_killed_window_goes_on_with_its_training(studios: Any, data_dir: Path, open_studio: Any, qtbot: QtBot) -> None:
    life = studios.live("train_agents", data_dir)
    while min(map(int, life.until("trained").split()[1:])) < 800:
        continue
    os.kill(life.pid, signal.SIGKILL)
    assert life.end() == -signal.SIGKILL

    studio = open_studio()
    panels = studio.window.panels
    panels.open("rl")
    qtbot.waitUntil(lambda: panels.panel("rl") is not None, timeout=LONG)
    said(qtbot, panels.frame("rl").bar, "broken off", "of 60,000")
    panel = panels.panel("rl")
    dict(panel.last_message.actions)["Take it up"]()
    qtbot.waitUntil(lambda: len(panel.desk.views) == 2 and panel.zones.primary.text() == "Go on", timeout=LONG)
    steps = [panel.desk.views[index].steps for index in (0, 1)]
    assert all(100 < step < 60_000 for step in steps), steps

    panel.zones.primary.click()
    qtbot.waitUntil(lambda: len(panel.desk.views) == 2 and all(map(panel.desk.finished, panel.desk.seats)), timeout=LONG)
    for index, seat in enumerate(panel.desk.seats):
        alone = Session(seat.plan)
        while not alone.done:
            alone.advance()
        for one, other in zip(panel.desk.views[index].curves["return"], alone.view().curves["return"], strict=True):
            assert np.array_equal(one.values, other.values) and np.array_equal(one.steps, other.steps)
    qtbot.waitUntil(lambda: studio.services.results.count() == 2, timeout=LONG)
    close(studio)
    assert list((data_dir / "panels" / "rl" / "runs").iterdir()) == [], "what has ended is not offered again"
