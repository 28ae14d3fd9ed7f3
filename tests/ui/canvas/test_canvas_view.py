"""The canvas used by mouse, pen, wheel and keyboard, in a shown widget."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QPointingDevice, QTabletEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.ui.canvas.document import Target
from studio.ui.canvas.handles import SIDES
from studio.ui.canvas.settings import CanvasSettings, Combine, ToolName

Keys = Qt.KeyboardModifier


def shown(view) -> np.ndarray:
    """What the widget shows, [H, W, 3]."""
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def wheel(view, notches: int, keys: Keys = Keys.NoModifier, at: QPointF | None = None) -> None:
    place = at or QPointF(view.rect().center())
    event = QWheelEvent(place, view.mapToGlobal(place), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton, keys,
                        Qt.ScrollPhase.NoScrollPhase, False)  # fmt: skip
    QApplication.sendEvent(view, event)


def test_a_stroke_is_painted_where_the_mouse_went_and_seen_there(view, drag) -> None:
    before = shown(view)
    drag(view, (50, 100), (150, 100), (250, 100))
    mask = view.document.mask
    assert mask[100, 50] == mask[100, 250] == 255 and mask[50, 150] == 0
    after = shown(view)
    changed = np.argwhere((before != after).any(axis=2))
    assert (after[250, 300] != before[250, 300]).any()  # the picture's corner lies at (150, 150)
    assert np.abs(after[200, 300].astype(int) - before[200, 300]).max() == 0 and len(changed) > 40 * 200
    view.undo()
    assert not mask.any() and view.document.undo.canRedo()
    view.redo()
    assert mask[100, 150] == 255


def test_strokes_leave_the_picture_and_come_back(view, drag) -> None:
    drag(view, (-60, 50), (40, 50))
    assert view.document.mask[50, 0] == 255  # begun outside
    drag(view, (280, 100), (340, 100), (340, 150), (280, 150))
    assert view.document.mask[100, 299] == view.document.mask[150, 299] == 255 and view.document.undo.count() == 2
    view.undo()
    assert view.document.mask[50, 0] == 255 and not view.document.mask[100, 290]


def test_shift_draws_straight(view, drag) -> None:
    view.settings.set_brush(diameter=10, hardness=1)
    drag(view, (20, 20))
    drag(view, (220, 20), keys=Keys.ShiftModifier)  # from the end of the last stroke
    assert (view.document.mask[20, 20:221] == 255).all()
    drag(view, (20, 100), (100, 190), (220, 100), keys=Keys.NoModifier, release=False)
    view.cancel()
    assert not view.document.mask[60:].any()
    drag(view, (20, 150), keys=Keys.NoModifier, release=False)
    for place in ((100, 60), (220, 150)):  # what the detour painted is taken back
        point = view.viewport.to_widget(QPointF(*place))
        view._move(point, 1.0, Keys.ShiftModifier)
    view._release(point, 1.0, Keys.ShiftModifier)
    assert (view.document.mask[150, 20:221] == 255).all() and not view.document.mask[80:120, 60:120].any()


def test_the_eraser_and_its_own_size(view, drag) -> None:
    view.settings.set_brush(diameter=50)
    drag(view, (50, 100), (250, 100))
    QTest.keyClick(view, Qt.Key.Key_E)
    assert view.settings.values.tool is ToolName.ERASER
    view.settings.set_brush(diameter=20, hardness=1.0)
    drag(view, (150, 60), (150, 140))
    assert view.document.mask[100, 150] == 0 and view.document.mask[100, 120] == 255
    assert view.settings.values.brush.diameter == 50 and view.settings.values.eraser.diameter == 20


def test_brackets_and_wheel_change_the_brush(view) -> None:
    size = view.settings.values.brush.diameter
    QTest.keyClicks(view, "]]")
    larger = view.settings.values.brush.diameter
    assert larger > size * 1.25
    QTest.keyClicks(view, "[[")
    assert view.settings.values.brush.diameter == pytest.approx(size, abs=1.5)
    wheel(view, 1, Keys.ControlModifier)
    assert view.settings.values.brush.diameter > size
    QTest.keyClicks(view, "{")
    assert view.settings.values.brush.hardness == pytest.approx(0.8)
    view.settings.set_brush(diameter=1)
    QTest.keyClicks(view, "[")
    assert view.settings.values.brush.diameter == 1
    QTest.keyClicks(view, "]")
    assert view.settings.values.brush.diameter == 2


def test_the_wheel_zooms_at_the_pointer_and_one_turns_and_pans(view, drag) -> None:
    at = QPointF(240, 190)
    place = view.viewport.to_picture(at)
    wheel(view, 3, at=at)
    assert view.viewport.scale == pytest.approx(1.2**3)
    offset = view.viewport.to_picture(at) - place
    assert abs(offset.x()) < 0.5 and abs(offset.y()) < 0.5
    QTest.keyClicks(view, "66")
    assert view.viewport.angle == 30.0
    drag(view, (100, 100), (120, 100))
    assert view.document.mask[100, 110] == 255  # painted where it is seen
    QTest.keyClicks(view, "510")
    assert view.viewport.angle == 0 and view.viewport.fitted
    corner = view.viewport.to_widget(QPointF(0, 0))
    drag(view, (10, 10), (60, 30), button=Qt.MouseButton.MiddleButton)
    moved = view.viewport.to_widget(QPointF(0, 0)) - corner
    assert moved.x() > 10 and view.document.undo.count() == 1
    QTest.keyPress(view, Qt.Key.Key_Space)
    drag(view, (10, 10), (60, 30))
    QTest.keyRelease(view, Qt.Key.Key_Space)
    assert view.document.undo.count() == 1 and view.viewport.to_widget(QPointF(0, 0)) != corner + moved


@pytest.mark.parametrize(("tool", "area"), [(ToolName.RECTANGLE, 100 * 60), (ToolName.ELLIPSE, np.pi * 50 * 30)])
def test_shapes_add_and_take_away(view, drag, tool: ToolName, area: float) -> None:
    view.settings.set(tool=tool)
    drag(view, (50, 50), (100, 90), (150, 110))
    mask = view.document.mask
    assert mask.sum() / 255 == pytest.approx(area, rel=0.01)
    drag(view, (180, 50), (280, 110))
    assert mask.sum() / 255 == pytest.approx(2 * area, rel=0.01)  # without a key it adds
    drag(view, (50, 50), (150, 110), keys=Keys.ControlModifier)
    assert mask.sum() / 255 == pytest.approx(area, rel=0.01) and mask[80, 100] == 0
    view.settings.set(combine=Combine.REPLACE)
    drag(view, (0, 0), (60, 50))
    assert mask[20, 30] == 255 and mask[80, 230] == 0
    drag(view, (100, 100), (150, 120), keys=Keys.ShiftModifier)  # a square, added
    assert mask[20, 30] == 255 and (mask[140, 125] > 0) and view.document.undo.count() == 5


def test_the_lasso_goes_around(view, drag) -> None:
    view.settings.set(tool=ToolName.LASSO)
    drag(view, (50, 50), (150, 50), (150, 150), (50, 150))
    assert view.document.mask.sum() / 255 == pytest.approx(100 * 100, rel=0.01)
    drag(view, (10, 10), (40, 10), (40, 40), release=False)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.document.undo.count() == 1 and not view.busy


def test_a_fill_by_colour_is_computed_elsewhere(view, drag, qtbot) -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[50:100, 50:100] = 200
    view.document.set_picture(picture)
    view.settings.set(tool=ToolName.FLOOD)
    drag(view, (60, 60))
    assert view.busy
    drag(view, (200, 150))  # taken by nobody meanwhile
    qtbot.waitUntil(lambda: not view.busy, timeout=20_000)
    assert view.document.mask.sum() == 255 * 50 * 50 and view.document.mask[60, 60] == 255
    view.work.grow(3)
    qtbot.waitUntil(lambda: not view.busy)
    assert view.document.mask[47, 60] == 255
    view.work.feather(2)
    view.cancel()
    assert not view.busy
    view.work.grow(3)
    view.document.edit_mask(lambda mask: 255 - mask)
    with qtbot.waitSignal(view.failed) as told:
        pass
    assert "changed meanwhile" in told.args[0]


def test_colour_hints_are_painted_filled_and_erased(view, drag) -> None:
    QTest.keyClick(view, Qt.Key.Key_X)
    assert view.settings.values.target is Target.HINTS
    view.settings.set(colour="#0a141e")
    drag(view, (50, 100), (150, 100))
    assert view.document.hints[100, 100].tolist() == [10, 20, 30, 255] and not view.document.mask.any()
    view.settings.set(tool=ToolName.RECTANGLE)
    drag(view, (200, 20), (250, 60))
    assert (view.document.hints[20:60, 200:250] == (10, 20, 30, 255)).all()
    drag(view, (200, 20), (220, 60), keys=Keys.ControlModifier)
    assert not view.document.hints[20:60, 200:220, 3].any() and view.document.hints[30, 230, 3] == 255
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert not view.document.hints.any() and view.document.undo.count() == 4


def test_a_pen_presses_and_its_other_end_erases(view) -> None:
    def pen(kind: QEvent.Type, place: tuple[float, float], pressure: float, pointer: QPointingDevice.PointerType) -> None:
        device = QPointingDevice("pen", 7, QPointingDevice.DeviceType.Stylus, pointer, QPointingDevice.Capability.Pressure, 1, 1)
        at = view.viewport.to_widget(QPointF(*place))
        pressed = Qt.MouseButton.NoButton if kind == QEvent.Type.TabletRelease else Qt.MouseButton.LeftButton
        event = QTabletEvent(kind, device, at, view.mapToGlobal(at), pressure, 0, 0, 0, 0, 0, Keys.NoModifier, Qt.MouseButton.LeftButton, pressed)
        QApplication.sendEvent(view, event)
        assert event.isAccepted()

    kinds = QPointingDevice.PointerType
    for pointer, light in ((kinds.Pen, 0.25), (kinds.Eraser, 1.0)):
        pen(QEvent.Type.TabletPress, (50, 100), light, pointer)
        pen(QEvent.Type.TabletMove, (250, 100), 1.0, pointer)
        pen(QEvent.Type.TabletRelease, (250, 100), 0.0, pointer)
        if pointer is kinds.Pen:
            widths = [np.count_nonzero(view.document.mask[:, x]) for x in (60, 150, 240)]
            assert widths[0] < widths[1] < widths[2] <= 41
    assert not view.document.mask.any() and view.document.undo.count() == 2


def test_dragging_a_grip_extends_the_canvas(view, drag) -> None:
    grips = {side: view.viewport.to_picture(view._handles.place(side, view.viewport)) for side in SIDES}
    right = grips[(1, 0)]
    seen = view.viewport.to_widget(QPointF(0, 0))
    drag(view, (right.x(), right.y()), (right.x() + 50, right.y() + 90))
    assert (view.document.width, view.document.height) == (348, 200)  # to multiples of 8
    assert (view.document.mask[:, 300:] == 255).all() and not view.document.mask[:, :300].any()
    corner = view.viewport.to_picture(view._handles.place((-1, -1), view.viewport))
    drag(view, (corner.x(), corner.y()), (corner.x() - 20, corner.y() - 11), keys=Keys.ControlModifier)
    assert (view.document.width, view.document.height) == (368, 211)
    assert view.viewport.to_widget(QPointF(20, 11)) == seen  # what was shown stays where it is
    corner = view.viewport.to_picture(view._handles.place((-1, -1), view.viewport))
    drag(view, (corner.x(), corner.y()), (corner.x() + 60, corner.y() + 60))  # inwards: nothing
    view.undo()
    view.undo()
    assert (view.document.width, view.document.height) == (300, 200) and not view.document.mask.any()


def test_an_extension_beyond_the_limit_is_refused_in_words(view, drag, qtbot) -> None:
    view.zoom(0.01)
    right = view.viewport.to_picture(view._handles.place((1, 0), view.viewport))
    with qtbot.waitSignal(view.failed) as told:
        drag(view, (right.x(), right.y()), (right.x() + 90_000, right.y()))
    assert "at most" in told.args[0] and view.document.width == 300


@pytest.mark.parametrize("theme_name", ["light", "dark"])
def test_mask_alone_and_overlay(view, drag, theme_name: str) -> None:
    from studio.ui.theme import theme

    theme().apply(theme_name)
    drag(view, (50, 100), (250, 100))
    view.settings.set(overlay="#00ff00", overlay_opacity=1.0)
    assert tuple(shown(view)[250, 300]) == (0, 255, 0)
    QTest.keyClick(view, Qt.Key.Key_M)
    picture = shown(view)
    assert tuple(picture[250, 300]) == (255, 255, 255) and tuple(picture[190, 300]) == (0, 0, 0)
    view.settings.set(mask_alone=False, show_mask=False)
    assert tuple(shown(view)[250, 300]) == tuple(view.document.layers[0].pixels[100, 150, :3])


def test_settings_are_saved_and_bad_ones_keep_their_default(qapp) -> None:
    settings = CanvasSettings()
    settings.set(tool=ToolName.LASSO, tolerance=9, overlay="#123456", brush={"diameter": 77.0, "hardness": 0.5})
    other = CanvasSettings()
    other.restore({**settings.state(), "tolerance": 999, "eraser": {"diameter": "wide"}, "unknown": 1})
    assert other.values.tool is ToolName.LASSO and other.values.brush.diameter == 77.0 and other.values.overlay == "#123456"
    assert other.values.tolerance == 24 and other.values.eraser.diameter == 60.0


@pytest.mark.parametrize("state", [{}, {"scale": "x"}, {"scale": float("nan"), "angle": 0, "centre": [1, 2]}, {"scale": 1, "angle": 0, "centre": [1]}])
def test_a_bad_view_shows_the_whole_picture(view, state: dict) -> None:
    view.restore_view(state)
    assert view.viewport.fitted


def test_the_view_comes_back(view) -> None:
    view.rotate(45)
    view.zoom(2.5)
    view.pan(QPointF(30, -20))
    state, seen = view.view_state(), view.viewport.transform()
    view.straighten()
    view.fit()
    view.restore_view(state)
    assert all(abs(getattr(view.viewport.transform(), name)() - getattr(seen, name)()) < 1e-6 for name in ("m11", "m12", "dx", "dy"))
