"""An inspector panel over a real engine, store and event pump, without the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from tests.plugins.panel_room import PanelRoom


class InspectorRoom(PanelRoom):
    """One inspector panel."""

    @property
    def panel(self) -> Any:
        return self.panels[0]


@pytest.fixture
def room(qtbot: QtBot, tmp_path: Path) -> Iterator[InspectorRoom]:
    from studio_plugins.inspector.panel import InspectorPanel

    with InspectorRoom("inspector", InspectorPanel, tmp_path, qtbot, (1200, 800)) as made:
        made.show(made.build())
        yield made
