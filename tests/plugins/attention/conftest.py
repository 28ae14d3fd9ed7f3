"""A room to build Attention panels in, over the bundled models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from tests.plugins.panel_room import PanelRoom

SENTENCE = "a cat left of a red apple on a blue background."


class AttentionRoom(PanelRoom):
    """Attention panels."""

    def open(self, model: str = "emoji-paraphrase", **fields: Any) -> Any:
        """A panel with a model and its input, not read yet."""
        panel = self.build()
        panel.controls.form.set_fields({"model": model})
        panel.controls.form.set_fields(fields or {"text": SENTENCE})
        return self.show(panel)

    def read(self, panel: Any) -> None:
        """Press Read and wait for the end."""
        before = panel.sight.overview
        self.qtbot.mouseClick(panel.zones.primary, Qt.MouseButton.LeftButton)
        self.qtbot.waitUntil(lambda: panel.sight.overview is not before and "sink" in panel.sight.statistics, timeout=60_000)
        self.quiet()


@pytest.fixture
def room(qtbot: QtBot, tmp_path: Path) -> Iterator[AttentionRoom]:
    from studio_plugins.attention.panel import AttentionPanel

    with AttentionRoom("attention", AttentionPanel, tmp_path, qtbot, (1400, 860)) as made:
        yield made


@pytest.fixture
def panel(room: AttentionRoom) -> Any:
    """A panel that shows a sentence read by the bundled encoder-decoder."""
    opened = room.open()
    room.read(opened)
    return opened
