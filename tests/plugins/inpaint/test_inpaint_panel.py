"""The Inpaint panel by mouse and keys: open, paint a mask, draw, apply; outside the selection not a bit changes."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from tests.plugins.inpaint.conftest import INPAINT
from tests.plugins.panel_room import END, PanelRoom

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def room(qtbot, tmp_path, tiny_bundled):
    from studio_plugins.inpaint.panel import InpaintPanel

    with PanelRoom("inpaint", InpaintPanel, tmp_path, qtbot, (1400, 860)) as made:
        yield made


@pytest.fixture
def panel(qtbot, room):
    """A panel with the example on its canvas."""
    panel = room.show(room.build())
    qtbot.mouseClick(panel.empty.buttons[1], LEFT)
    qtbot.waitUntil(lambda: not panel.document.is_empty, timeout=END)
    panel.controls.form.set_fields({"steps": 3, "model": INPAINT, "whole": False})
    return panel


def stroke(qtbot, panel, *places):
    """Paint along places of the picture with the mouse."""
    view = panel.canvas.view
    panel.settings.set_brush(diameter=30)
    points = [view.viewport.to_widget(QPointF(*place)).toPoint() for place in places]
    qtbot.mousePress(view, LEFT, pos=points[0])
    for point in points[1:]:
        qtbot.mouseMove(view, point)
    qtbot.mouseRelease(view, LEFT, pos=points[-1])


def draw(qtbot, panel, **fields):
    """Press Paint and wait for the version."""
    panel.controls.form.set_fields(fields)
    before = len(panel.versions.all)
    qtbot.mouseClick(panel.zones.primary, LEFT)
    qtbot.waitUntil(lambda: len(panel.versions.all) > before, timeout=END)
    return panel.versions.all[before:]


def test_an_object_is_replaced_and_nothing_else(qtbot, panel):
    before = panel.document.flattened().copy()
    stroke(qtbot, panel, (80, 50), (105, 75), (85, 85))
    version = draw(qtbot, panel)[0]
    assert (panel.document.flattened() == before).all(), "a version was applied behind the person's back"
    assert panel.versions.current is version and panel.canvas.view.preview is not None
    qtbot.mouseClick(panel.strip.apply_button, LEFT)
    after = panel.document.flattened()
    region, composite = version.result.view.region, version.result.view.composite
    outside = np.ones(after.shape[:2], bool)
    rows, columns = region.inside(after.shape)
    outside[rows, columns] = composite[region.within(after.shape)] == 0
    assert (after[outside] == before[outside]).all() and (after[~outside] != before[~outside]).any()
    assert version.applied and panel.canvas.view.preview is None
    panel.document.undo.undo()
    assert (panel.document.flattened() == before).all() and not version.applied
    panel.document.undo.redo()
    assert (panel.document.flattened() == after).all() and version.applied
