"""A room to build Anatomy panels in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugins.panel_room import PanelRoom


class AnatomyRoom(PanelRoom):
    """Anatomy panels."""

    def __call__(self, state: Any = None, model: str = "", **fields: Any) -> Any:
        panel = self.build()
        if state is not None:
            panel.restore(state)
        if fields:
            panel.controls.set(fields)
        self.show(panel)
        if model:
            panel.open_model(model)
        self.quiet()
        return panel

    def quiet(self) -> None:
        """Until nothing waits for a hand to rest, either."""
        super().quiet()
        while any(panel._rest.isActive() for panel in self.panels):
            self.qtbot.waitUntil(lambda: not any(panel._rest.isActive() for panel in self.panels))
            super().quiet()


@pytest.fixture
def anatomy_room(qtbot, tmp_path):
    from studio_plugins.anatomy.panel import AnatomyPanel

    with AnatomyRoom("anatomy", AnatomyPanel, tmp_path, qtbot) as room:
        yield room
