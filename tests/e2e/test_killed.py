"""kill -9 in the midst of drawing and saving: what is listed is whole, what was told is there, the next start says so."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
from pytestqt.qtbot import QtBot

from studio.host.imagemeta import read_metadata
from studio.host.imagemeta.pixels import load_rgb
from studio.host.results import ResultsStore
from studio.host.session import SessionStore
from tests.e2e.helpers import LONG, generate_panel, said

LIVES = 5


def check_store(root: Path, told: set[str]) -> int:
    """Every listed result is whole and readable, every one told to be kept is listed; gives how many there are."""
    store = ResultsStore(root)
    records = store.records(limit=-1)
    assert store.notes == [] and list((root / "tmp").iterdir()) == []
    for record in records:
        store.verify(record.id)
        assert load_rgb(record.files["picture.png"]).shape == (16, 16, 3)
        assert read_metadata(record.files["picture.png"]).request == record.request
        with np.load(record.files["steps.npz"]) as steps:
            assert len(steps.files) > 0
    assert told <= {record.id for record in records}
    store.close()
    return len(records)


def test_killed_at_random_moments_of_drawing_and_saving(
    studios: Any, data_dir: Path, open_studio: Any, qtbot: QtBot
) -> None:
    chance, told, seen = random.Random(9), set[str](), set[str]()
    for turn in range(LIVES):
        life = studios.live("draw_without_end", data_dir)
        assert life.until("open") == "open generate"
        assert int(life.until("listed").split()[1]) >= len(told)
        assert ("did not close properly" in life.until("bar")) is (turn > 0)
        assert "session" not in life.until("notes")
        life.until("kept" if turn % 2 else "step")  # every second time it lives to tell of a result
        for _ in range(chance.randrange(80)):
            life.line()
        os.kill(life.pid, signal.SIGKILL)
        assert life.end() == -signal.SIGKILL
        told |= {line.split()[1] for line in life.told if line.startswith("kept")}
        seen |= {line for line in life.told if line.startswith("disk")}
        check_store(data_dir / "results", told)
        session = SessionStore(data_dir / "session.json")
        loaded = session.load()
        assert session.notes == [] and (loaded is None or [panel.panel for panel in loaded.panels] == ["generate"])
    assert len(told) >= LIVES // 2 and {"disk rename", "disk fsync"} <= seen
    # And a person who starts it now: told once, everything in the History, drawing goes on.
    studio = open_studio()
    said(qtbot, studio.window.bar, "did not close properly", "Results were kept")
    studio.window.toggle_dock("history")
    count = studio.services.results.count()
    qtbot.waitUntil(lambda: studio.window.history.model.rowCount() == count, timeout=LONG)
    assert count >= len(told)
    assert generate_panel(studio).controls.form.value().steps == 3
