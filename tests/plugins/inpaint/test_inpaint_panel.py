"""The Inpaint panel by mouse and keys: open, paint a mask, draw, apply; outside the selection not a bit changes."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt

from tests.plugins.panel_room import END, PanelRoom


@pytest.fixture
def room(qtbot, tmp_path):
    from studio_plugins.inpaint.panel import InpaintPanel

    with PanelRoom("inpaint", InpaintPanel, tmp_path, qtbot, (1400, 860)) as made:
        yield made


def test_an_object_is_replaced_and_nothing_else(qtbot, room):
    panel = room.show(room.build())
    qtbot.mouseClick(panel.stack.currentWidget().buttons[1], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel.document.is_empty, timeout=END)
    before = panel.document.flattened().copy()
    view = panel.canvas.view
    panel.settings.set_brush(diameter=40)
    places = [view.viewport.to_widget(place).toPoint() for place in (QPointF(80, 50), QPointF(105, 75), QPointF(85, 85))]
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=places[0])
    for place in places[1:]:
        qtbot.mouseMove(view, place)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=places[-1])
    assert panel.document.mask.any()
    panel.controls.form.set_fields({"steps": 4})
    qtbot.mouseClick(panel.zones.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(panel.versions.all), timeout=END)
    version = panel.versions.all[0]
    panel.apply(version)
    after = panel.document.flattened()
    outside = np.ones(after.shape[:2], bool)
    region = version.result.view.region
    within, (rows, columns) = region.within(after.shape), region.inside(after.shape)
    outside[rows, columns] = version.result.view.composite[within] == 0
    assert (after[outside] == before[outside]).all() and (after[~outside] != before[~outside]).any()
    panel.document.undo.undo()
    assert (panel.document.flattened() == before).all()
