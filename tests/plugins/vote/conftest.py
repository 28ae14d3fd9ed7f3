"""Pictures to vote on, and a vote panel over a real engine, store and event pump, without the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.host.imagemeta import encode_png, envelope
from studio.host.results import ResultsStore

from tests.plugins.panel_room import PanelRoom


def keep(store: ResultsStore, prompt: str, seed: int, batch: int = 1, **settings: Any) -> str:
    """A kept run as Generate keeps it; each picture's colour is its own. Returns the id."""
    request = {"prompt": prompt, "seed": seed, "batch": batch, **settings}
    files = {}
    for i in range(batch):
        rng = np.random.default_rng((seed + i, len(str(sorted(settings.items())))))
        pixels = np.full((8, 8, 3), rng.integers(0, 256, 3), np.uint8)
        made = envelope("generate", request, {"picture": i, "seed": seed + i})
        files[f"picture-{i + 1:02}.png"] = encode_png(pixels, made)
    return store.add("generate", request, files, title=prompt).id


class VoteRoom(PanelRoom):
    """One vote panel, and the file its votes go to."""

    @property
    def panel(self) -> Any:
        return self.panels[0]

    @property
    def votes(self) -> Path:
        return self.panel_dir / "votes.jsonl"


@pytest.fixture
def store(room: VoteRoom) -> ResultsStore:
    return room.store


@pytest.fixture
def room(qtbot: QtBot, tmp_path: Path) -> Iterator[VoteRoom]:
    from studio_plugins.vote.panel import VotePanel

    with VoteRoom("vote", VotePanel, tmp_path, qtbot, (1200, 800)) as made:
        made.build().resize(*made.size)
        yield made
