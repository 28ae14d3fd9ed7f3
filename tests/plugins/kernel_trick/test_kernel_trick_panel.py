"""The Kernel trick panel: clicking, dragging and undoing points, turning space, matrices, keeping, exports."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton
from studio_plugins.kernel_trick.request import KernelTrickRequest


def button(panel, text):
    return next(found for found in panel.findChildren(QPushButton) if found.text() == text)


@pytest.fixture
def rings(kernel_room):
    """A panel with a ring in a ring."""
    return kernel_room(example="circles")


@pytest.fixture
def plane(qtbot, kernel_room):
    """An empty plane, and a function that clicks into it."""
    panel = kernel_room()
    qtbot.mouseClick(button(panel, "Click my own points"), Qt.MouseButton.LeftButton)
    panel.grab()
    viewport = panel.stage.points.widget.viewport()

    def click(x, y, mouse=Qt.MouseButton.LeftButton):
        qtbot.mouseClick(viewport, mouse, pos=panel.stage.points.pixel(x, y).toPoint())

    return panel, click


def test_a_new_panel_invites(kernel_room):
    panel = kernel_room()
    assert panel.stage.currentIndex() == 0 and panel.exportables() == [] and not panel.zones.primary.isEnabled()


def test_clicks_add_points_of_both_classes(kernel_room, plane):
    panel, click = plane
    click(0.5, 0.5)
    click(-0.5, -0.5, Qt.MouseButton.RightButton)
    kernel_room.quiet()
    dots = panel.document.points
    assert [dot[2] for dot in dots] == [0, 1] and dots[0][:2] == pytest.approx((0.5, 0.5), abs=0.02)
    assert panel.desk.look.boundary is not None and panel.insight.fact("support vectors") == "2"
    panel.controls.set_label(1)
    click(1.0, -1.0)
    assert panel.document.points[2][2] == 1


def test_one_class_is_said_in_words(kernel_room, plane):
    panel, click = plane
    for x in (0.0, 0.5):
        click(x, x)
    kernel_room.quiet()
    assert "both classes" in panel.last_message.text
    click(-1.0, 0.0, Qt.MouseButton.RightButton)
    kernel_room.quiet()
    assert panel.last_message is None


def test_a_dragged_point_takes_the_boundary_along(qtbot, kernel_room, rings):
    points, before = rings.stage.points, rings.document.points
    rings.grab()
    start, end = points.pixel(*before[0][:2]).toPoint(), points.pixel(1.5, 1.5).toPoint()
    viewport = points.widget.viewport()
    looks = []
    rings.desk.looked.connect(looks.append)
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=start)
    for share in (0.25, 0.5, 0.75):
        qtbot.mouseMove(viewport, start + (end - start) * share)
        kernel_room.quiet()
    assert rings.document.points == before and len(looks) == 3
    assert len({float(look.points[0, 0]) for look in looks}) == 3 and len(looks[0].field) < 100
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=end)
    kernel_room.quiet()
    moved = rings.document.points
    assert moved[0][:2] == pytest.approx((1.5, 1.5), abs=0.03) and moved[1:] == before[1:]
    assert rings.desk.look.points[0] == pytest.approx(moved[0][:2])
    rings.document.undo.undo()
    kernel_room.quiet()
    assert rings.document.points == before and rings.desk.look.points[0] == pytest.approx(before[0][:2])


def test_a_drag_can_be_given_up(qtbot, kernel_room, rings):
    points, before = rings.stage.points, rings.document.points
    rings.grab()
    start = points.pixel(*before[0][:2]).toPoint()
    viewport = points.widget.viewport()
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(viewport, start + QPoint(40, 40))
    qtbot.keyClick(points.widget, Qt.Key.Key_Escape)
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=start + QPoint(40, 40))
    kernel_room.quiet()
    assert rings.document.points == before and rings.desk.look.points[0] == pytest.approx(before[0][:2])


def test_keys_act_on_the_chosen_point(qtbot, kernel_room, rings):
    points, before = rings.stage.points, rings.document.points
    rings.grab()
    place = points.pixel(*before[3][:2]).toPoint()
    qtbot.mouseClick(points.widget.viewport(), Qt.MouseButton.LeftButton, pos=place)
    chosen = points.choice[0]
    qtbot.keyClick(points.widget, Qt.Key.Key_Space)
    assert rings.document.points[chosen][2] == 1 - before[chosen][2]
    qtbot.keyClick(points.widget, Qt.Key.Key_Right)
    assert rings.document.points[chosen][0] > before[chosen][0]
    qtbot.keyClick(points.widget, Qt.Key.Key_Delete)
    assert len(rings.document.points) == len(before) - 1
    for _ in range(3):
        rings.document.undo.undo()
    assert rings.document.points == before
    kernel_room.quiet()


def test_examples_and_clear_come_back_with_undo(kernel_room, rings):
    before = rings.document.points
    rings.show_example("moons")
    rings.clear()
    assert rings.document.points == () and rings.stage.currentIndex() == 1
    rings.document.undo.undo()
    rings.document.undo.undo()
    assert rings.document.points == before
    kernel_room.quiet()


def test_space_turns_with_the_mouse_and_the_keys(qtbot, rings):
    space = rings.stage.lift.space
    assert rings.desk.look.lifted is not None and "separates" in rings.stage.lift.text()
    before = space.azimuth, space.elevation
    viewport = space.widget.viewport()
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=QPoint(80, 80))
    qtbot.mouseMove(viewport, QPoint(120, 100))
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=QPoint(120, 100))
    assert (space.azimuth, space.elevation) == pytest.approx((before[0] - 20, before[1] + 10))
    qtbot.keyClick(space.widget, Qt.Key.Key_Right)
    assert space.azimuth == pytest.approx(before[0] - 14)
    space.turn(0.0, 90.0)
    places, _ = space.project(np.array([[0.0, 0.5, 0.0], [-0.5, 0.0, 0.3]]))
    assert places[0] == pytest.approx([0.5, 0.0]) and places[1][0] == pytest.approx(0) and places[1][1] > 0.5


def test_the_lift_plays_from_flat_to_lifted(qtbot, rings):
    rings.play_lift()
    assert rings.stage.lift.space.rise == 0
    qtbot.waitUntil(lambda: rings.stage.lift.space.rise == 1.0, timeout=10_000)


def test_a_cell_of_the_gram_matrix_points_at_its_two_points(kernel_room, rings):
    rings.stage.show_page("gram")
    kernel_room.quiet()
    rings.stage.gram._tell(0, 40)
    first, second = rings.stage.points._marked
    labels = [dot[2] for dot in rings.document.points]
    assert labels[first] == 0 and labels[second] == 1  # sorted by class
    exact = rings.desk.look.grams.exact[first, second]
    assert f"{exact:.4g}" in rings.insight.numbers()
    rings.stage.points.hovered.emit(5)
    assert rings.stage.gram.kernel._cell == (rings.stage.gram.features._cell[0], rings.stage.gram.kernel._cell[1])
    assert rings.stage.gram.kernel._cell[0] >= 0


def test_the_line_of_the_fourier_page_sets_the_features(kernel_room, rings):
    rings.stage.show_page("fourier")
    kernel_room.quiet()
    assert "100 features" in rings.stage.fourier.text()
    rings.stage.fourier.count.emit(401)
    kernel_room.quiet()
    assert rings.desk.look.grams.count == 402 and "402 features" in rings.stage.fourier.text()
    rings.controls.form.set_fields({"kernel": "polynomial"})
    kernel_room.quiet()
    assert "dot product of 6" in rings.stage.fourier.text()


def test_state_and_results_come_back(qtbot, kernel_room, rings):
    rings.controls.form.set_fields({"kernel": "polynomial", "degree": 4, "machine": "ridge"})
    rings.stage.lift.space.turn(30.0, 40.0)
    kernel_room.quiet()
    other = kernel_room(state=rings.state())
    kernel_room.quiet()
    assert other.document.points == rings.document.points and other.stage.lift.space.azimuth == 30.0
    assert other.controls.form.value() == rings.controls.form.value()
    assert not other.document.undo.canUndo()
    qtbot.mouseClick(rings.zones.primary, Qt.MouseButton.LeftButton)
    kernel_room.quiet()
    (record,) = kernel_room.store.records()
    assert {"points.csv", "gram.csv", "boundary.json"} <= set(record.files)
    fresh = kernel_room()
    assert fresh.restore_request("kernel_trick", record.request) == []
    kernel_room.quiet()
    assert fresh.desk.look.request == KernelTrickRequest.from_json(record.request)
    assert fresh.restore_request("generate", {}) == ["settings of kind “generate”"]


def test_everything_shown_can_leave(kernel_room, rings, tmp_path):
    names = set()
    for page in ("lift", "gram", "fourier"):
        rings.stage.show_page(page)
        kernel_room.quiet()
        rings.grab()
        for item in rings.exportables():
            names.add(item.name)
            for suffix in {"plot": ("png", "svg", "pdf"), "table": ("csv",), "script": ("py",)}[item.kind]:
                assert rings.context.export.save(item, tmp_path / f"{item.name}.{suffix}").stat().st_size > 100
    assert {
        "points and boundary plot",
        "points in space plot",
        "Gram matrix two ways",
        "Fourier feature errors",
        "script",
    } <= names
    rings.copy_script()
    assert "SVC(" in QGuiApplication.clipboard().text()


def test_both_themes_draw(kernel_room, rings):
    from studio.ui.theme import theme

    rings.demo()
    for name in ("dark", "light"):
        theme().apply(name)
        assert not rings.grab().isNull()
    kernel_room.quiet()
