"""Rooms to build Agents panels in, and a panel with its example."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from tests.plugins.panel_room import PanelRoom
from tests.plugins.rl.rl_room import RlRoom


@pytest.fixture
def rl_room(qtbot: QtBot, tmp_path: Path) -> Iterator[RlRoom]:
    from studio_plugins.rl.panel import RlPanel

    with RlRoom("rl", RlPanel, tmp_path, qtbot, size=(1500, 900)) as room:
        yield room


@pytest.fixture
def room(qtbot: QtBot, tmp_path: Path) -> Iterator[PanelRoom]:
    from studio_plugins.rl.panel import RlPanel

    with PanelRoom("rl", RlPanel, tmp_path, qtbot) as room:
        yield room


@pytest.fixture
def panel(room: PanelRoom) -> Any:
    """With its example, before anything is trained."""
    made = room.show(room.build())
    made.demo()
    room.quiet()
    return made
