"""A room to build Gaussian process panels in, and a hand to work on their plot with real mouse events."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt

from tests.plugins.panel_room import PanelRoom

LONG = 20_000


class Hand:
    """Presses, moves and releases the mouse on a function plot, in units of its axes."""

    def __init__(self, qtbot, plot) -> None:
        self._qtbot, self._plot = qtbot, plot

    def at(self, x: float, y: float) -> QPoint:
        import numpy as np

        wide, high = self._plot.canvas.pixels(np.array([x]), np.array([y]))
        return QPoint(round(float(wide[0])), round(float(high[0])))

    def click(self, x: float, y: float, keys=Qt.KeyboardModifier.NoModifier) -> None:
        self._qtbot.mouseClick(self._plot.canvas.viewport(), Qt.MouseButton.LeftButton, keys, self.at(x, y))

    def press(self, x: float, y: float, keys=Qt.KeyboardModifier.NoModifier) -> None:
        self._qtbot.mousePress(self._plot.canvas.viewport(), Qt.MouseButton.LeftButton, keys, self.at(x, y))

    def move(self, x: float, y: float) -> None:
        self._qtbot.mouseMove(self._plot.canvas.viewport(), self.at(x, y))

    def release(self, x: float, y: float) -> None:
        self._qtbot.mouseRelease(self._plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=self.at(x, y))

    def drag(self, start, end) -> None:
        self.press(*start)
        self.move(*((a + b) / 2 for a, b in zip(start, end, strict=True)))
        self.move(*end)
        self.release(*end)

    def key(self, key, keys=Qt.KeyboardModifier.NoModifier) -> None:
        self._qtbot.keyClick(self._plot.canvas, key, keys)


class GpRoom(PanelRoom):
    """Gaussian process panels; each comes with a `hand`."""

    def __call__(self, state=None):
        panel = self.build()
        if state is not None:
            panel.restore(state)
        self.show(panel)
        panel.hand = Hand(self.qtbot, panel.stage.plot)
        quiet(self.qtbot, panel)
        return panel


def quiet(qtbot, panel) -> None:
    """Wait until nothing is asked or answered any more and every event has arrived."""
    engine, pump = panel.context.engine, panel.context.window.pump
    qtbot.waitUntil(
        lambda: engine.wait_idle(0)
        and pump.watching() == 0
        and not any(line.busy for line in (panel.desk.posterior, panel.desk.parts, panel.desk.slopes)),
        timeout=LONG,
    )


@pytest.fixture
def gp_room(qtbot, tmp_path):
    from studio_plugins.gp.panel import GpPanel

    with GpRoom("gp", GpPanel, tmp_path, qtbot) as room:
        yield room
