"""A room to build Elastic net panels in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugins.panel_room import PanelRoom


class NetRoom(PanelRoom):
    """Elastic net panels."""

    def __call__(self, state: Any = None, **fields: Any) -> Any:
        panel = self.build()
        if state is not None:
            panel.restore(state)
        if fields:
            panel.controls.set(**fields)
        return self.show(panel)


@pytest.fixture
def net_room(qtbot, tmp_path):
    from studio_plugins.elastic_net.panel import ElasticNetPanel

    with NetRoom("elastic_net", ElasticNetPanel, tmp_path, qtbot) as room:
        yield room


@pytest.fixture
def csv(tmp_path):
    """Writes a table and gives its path."""

    def write(text: str, name: str = "table.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
