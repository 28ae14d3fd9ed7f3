"""A room to build Kernel trick panels in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugins.panel_room import PanelRoom


class KernelRoom(PanelRoom):
    """Kernel trick panels."""

    def __call__(self, state: Any = None, example: str = "", **fields: Any) -> Any:
        panel = self.build()
        if state is not None:
            panel.restore(state)
        if fields:
            panel.controls.form.set_fields(fields)
        self.show(panel)
        if example:
            panel.show_example(example)
            self.quiet()
        return panel


@pytest.fixture
def kernel_room(qtbot, tmp_path):
    from studio_plugins.kernel_trick.panel import KernelTrickPanel

    with KernelRoom("kernel_trick", KernelTrickPanel, tmp_path, qtbot) as room:
        yield room
