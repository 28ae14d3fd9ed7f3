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


def test_the_canvas_is_extended_by_its_edge_and_the_new_area_drawn(qtbot, panel):
    view, before = panel.canvas.view, panel.document.flattened().copy()
    grip = view._handles.place((1, 0), view.viewport).toPoint()
    qtbot.mousePress(view, LEFT, pos=grip)
    for by in (20, 40, 60):
        qtbot.mouseMove(view, grip + type(grip)(by, 0))
    qtbot.mouseRelease(view, LEFT, pos=grip + type(grip)(60, 0))
    wider = panel.document.width
    assert wider > before.shape[1] and panel.controls.request().mode == "extend"
    version = draw(qtbot, panel)[0]
    QTest.keyClick(panel.strip.list, Qt.Key.Key_Return)
    after = panel.document.flattened()
    assert version.applied and after.shape[2] == 3, "parts of the new area were not drawn"
    region, composite = version.result.view.region, version.result.view.composite
    kept = np.ones(after.shape[:2], bool)
    rows, columns = region.inside(after.shape)
    kept[rows, columns] = composite[region.within(after.shape)] == 0
    assert kept[:, : before.shape[1]].any()
    assert (after[:, : before.shape[1]][kept[:, : before.shape[1]]] == before[kept[:, : before.shape[1]]]).all()
    for _ in range(2):
        QTest.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (panel.document.flattened() == before).all()


def test_versions_are_kept_discarded_and_compared(qtbot, panel):
    stroke(qtbot, panel, (80, 50), (105, 75))
    first, second, third = draw(qtbot, panel, batch=3)
    assert [version.seed - first.seed for version in (first, second, third)] == [0, 1, 2]
    strip, versions = panel.strip, panel.versions
    qtbot.mouseClick(strip.list.viewport(), LEFT, pos=strip.list.visualItemRect(strip.list.item(1)).center())
    assert versions.current is second
    QTest.keyClick(strip.list, Qt.Key.Key_K)
    assert second.kept
    panel.bar.way_actions["slider"].trigger()
    assert panel.looking.divider.isVisible()
    before = panel.looking.divider.share
    QTest.keyClick(panel.looking.divider, Qt.Key.Key_Left)
    assert panel.looking.divider.share < before
    panel.bar.way_actions["beside"].trigger()
    assert panel.canvas.view.preview is None and panel.looking._beside.preview is not None
    panel.canvas.view.zoom(2.0)
    assert panel.looking._beside.viewport.scale == panel.canvas.view.viewport.scale
    panel.bar.way_actions["blink"].trigger()
    qtbot.waitUntil(lambda: panel.canvas.view.preview is None, timeout=END)
    qtbot.waitUntil(lambda: panel.canvas.view.preview is not None, timeout=END)
    panel.bar.way_actions["over"].trigger()
    versions.choose(third)
    QTest.keyClick(strip.list, Qt.Key.Key_Delete)
    assert versions.all == [first, second] and versions.current is None
    versions.discard_others()
    assert versions.all == [second]


def test_steps_of_a_version_are_looked_at(qtbot, panel):
    stroke(qtbot, panel, (80, 50), (105, 75))
    version = draw(qtbot, panel)[0]
    assert panel.strip.timeline.count() == 3 and panel.strip.timeline.isVisible()
    last = panel.looking.preview.image.copy()
    panel.strip.timeline.set_value(0)
    assert panel.looking.preview.image != last and panel.insight.step.fact("step") == "1 of 3"
    panel.strip.timeline.set_value(2)
    assert panel.looking.preview.image == last
    assert float(panel.insight.seam_facts.fact("seam error")) == round(version.result.filled.seams[0].error, 2)


def test_what_the_network_sees_follows_the_brush(qtbot, panel):
    assert not panel.insight.sees.isVisible()
    stroke(qtbot, panel, (80, 50), (105, 75))
    qtbot.waitUntil(lambda: panel.insight.sees.isVisible(), timeout=END)
    few = panel.insight.facts.fact("drawn")
    stroke(qtbot, panel, (30, 20), (105, 110))
    qtbot.waitUntil(lambda: panel.insight.facts.fact("drawn") != few, timeout=END)
    assert panel.insight.facts.fact("network") == "16 × 16"


def test_methods_are_compared_on_one_selection_and_seed(qtbot, room, panel):
    stroke(qtbot, panel, (80, 50), (105, 75))
    qtbot.mouseClick(panel.compare_button, LEFT)
    qtbot.waitUntil(lambda: panel.methods.result is not None, timeout=END)
    result, table = panel.methods.result, panel.methods.table
    assert list(result.filled) == ["trained", "replace_x0", "replace_x_t"] and panel.methods.isVisible()
    assert len({filled.patches.tobytes() for filled in result.filled.values()}) == 3
    for place, filled in enumerate(result.filled.values()):
        assert table.image(1, place) is not None
        assert f"{filled.seams[0].error:.2f}" in table.headings()[place].lines[0]
    assert panel.methods.numbers().rows == 3 and panel.versions.all == []
    QTest.keyClick(panel, Qt.Key.Key_Escape)
    assert panel.canvas.isVisible()


def test_layers_are_hidden_faded_moved_and_removed_undoably(qtbot, panel):
    stroke(qtbot, panel, (80, 50), (105, 75))
    panel.painting.apply(draw(qtbot, panel)[0])
    layers, document = panel.insight.layers, panel.document
    whole = document.flattened().copy()
    assert layers.list.count() == 2
    layers.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert (document.flattened() != whole).any() and not document.layers[1].visible
    document.undo.undo()
    layers.opacity.setValue(40)
    assert document.layers[1].opacity == 0.4
    document.undo.undo()
    layers.list.setCurrentRow(0)
    qtbot.mouseClick(layers.down, LEFT)
    assert layers.list.currentRow() == 1
    document.undo.undo()
    layers.list.setCurrentRow(0)
    qtbot.mouseClick(layers.remove, LEFT)
    assert len(document.layers) == 1
    document.undo.undo()
    assert (document.flattened() == whole).all()


def test_without_a_selection_nothing_is_drawn_and_it_says_so(qtbot, panel):
    qtbot.mouseClick(panel.zones.primary, LEFT)
    assert "Nothing is selected" in panel.last_message.text and not panel.desk.pending()
