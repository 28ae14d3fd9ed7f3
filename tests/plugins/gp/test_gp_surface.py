"""The plot over two inputs: level lines where they belong, two views that agree, and points under the hand."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from studio_plugins.gp.points import Points
from studio_plugins.gp.surface_layers import Scale, contours, fog
from studio_plugins.gp.surface_plot import SurfacePlot, shifted

from studio.ui.heat import colours
from studio.ui.theme import theme
from tests.plugins.gp.conftest import Hand

X1, X2 = np.linspace(-5, 5, 41), np.linspace(-5, 5, 31)
MEAN = X1[None, :] + 10 * X2[:, None]
SD = np.hypot(X1[None, :], X2[:, None])
POINTS = Points.of([[-2.0, 1.0], [0.0, 0.0], [2.0, -1.0]], [-20.0, 0.0, 30.0])
HEARD = ("added", "taken", "dragged", "moved", "chosen", "hovered", "removed", "let_go", "ranged", "pointed")


class Ear:
    """What a plot says, in order."""

    def __init__(self, plot: SurfacePlot) -> None:
        self.heard: list[tuple[str, tuple]] = []
        for name in HEARD:
            getattr(plot, name).connect(lambda *values, name=name: self.heard.append((name, values)))

    def of(self, name: str) -> list[tuple]:
        return [values for said, values in self.heard if said == name]


@pytest.fixture
def plot(qtbot):
    widget = SurfacePlot()
    qtbot.addWidget(widget)
    widget.resize(900, 440)
    widget.show_points(POINTS, 0.5)
    widget.show_surface(X1, X2, MEAN, SD)
    with qtbot.waitExposed(widget):
        widget.show()
    widget.ear = Ear(widget)
    return widget


@pytest.fixture(params=["mean", "sd"])
def hand(request, qtbot, plot):
    """A hand on either view."""
    return Hand(qtbot, getattr(plot, request.param))


# --- level lines ---


def test_level_lines_of_a_plane_are_straight_and_whole():
    lines = contours(X1, X2, MEAN, np.array([-7.3, 12.0]))
    assert np.abs(lines.x + 10 * lines.y - np.array([-7.3, 12.0])[lines.level][:, None]).max() < 1e-12
    for level in (0, 1):
        here = lines.level == level
        length = np.hypot(np.diff(lines.x[here]), np.diff(lines.y[here])).sum()
        assert length == pytest.approx(np.hypot(10, 1))  # from x1 = -5 to 5 at a slope of -1/10, without gaps


def test_level_lines_of_a_cone_are_closed_circles():
    lines = contours(X1, X2, SD, np.array([1.05, 3.1, 4.55]))  # through no knot
    # The way between two knots is straight: off by at most h^2 / (8 r), h the longest side of a cell.
    for level, radius in enumerate((1.05, 3.1, 4.55)):
        here = lines.level == level
        assert np.abs(np.hypot(lines.x[here], lines.y[here]) - radius).max() < (1 / 3) ** 2 / 8 / radius
        ends = np.round(np.stack([lines.x[here].ravel(), lines.y[here].ravel()], axis=1), 9)
        assert (np.unique(ends, axis=0, return_counts=True)[1] == 2).all()
        length = np.hypot(np.diff(lines.x[here]), np.diff(lines.y[here])).sum()
        assert length == pytest.approx(2 * np.pi * radius, rel=0.02)


@pytest.mark.parametrize(("corners", "level", "joined"), [
    ([[1.0, 0.0], [0.0, 1.0]], 0.4, True), ([[1.0, 0.0], [0.0, 1.0]], 0.6, False),
    ([[0.0, 1.0], [1.0, 0.0]], 0.4, False), ([[0.0, 1.0], [1.0, 0.0]], 0.6, True),
])  # fmt: skip
def test_a_saddle_is_decided_by_its_middle(corners, level, joined):
    ends = np.array([0.0, 1.0])
    lines = contours(ends, ends, np.array(corners), np.array([level]))
    assert len(lines.level) == 2
    # Two lines that cut the corners off which lie on x + y = 1, or the two others.
    assert np.allclose((lines.x - lines.y).mean(axis=1) ** 2 > 0.05, joined)


def test_there_is_no_line_where_nothing_is_known():
    heights = SD.copy()
    heights[:, 20:] = np.nan
    lines = contours(X1, X2, heights, np.array([3.0]))
    assert len(lines.level) and lines.x.max() <= X1[19]
    assert not len(contours(X1, X2, np.full_like(SD, 2.0), np.array([3.0])).level)


@pytest.mark.parametrize(("low", "high"), [
    (0.0, 1.0), (-3.2, 3.9), (1e-12, 9e-12), (-4e11, 1e12), (7.0, 7.0), (0.0, 0.0),
])  # fmt: skip
def test_a_scale_is_round_and_holds_what_it_must(low, high):
    scale = Scale.around(low, high)
    room = 1e-6 * scale.step
    assert scale.low - room <= low <= high <= scale.high + room and 2 <= len(scale.levels) <= 10
    mantissa = scale.step / 10 ** np.floor(np.log10(scale.step) + 1e-9)
    assert min(abs(mantissa - np.array([1, 2, 5]))) < 1e-6
    assert np.allclose(scale.levels / scale.step, np.round(scale.levels / scale.step))
    texts = [text for _, text in scale.ticks()]
    assert len(set(texts)) == len(texts)


def test_a_scale_stays_while_values_change_a_little():
    assert Scale.around(-3.2, 3.9) == Scale.around(-3.25, 3.8)


# --- what is shown ---


def test_points_have_the_colours_of_the_surface_at_their_height(plot):
    scale = plot.mean.surface.scale
    for view in plot.views:
        for index, brush in enumerate(view.places._dots.data["brush"]):
            share = float(scale.shares(POINTS.y[index]))
            expected = colours()[round(share * 255)].astype(int)
            assert np.abs(expected - brush.color().getRgb()[:3]).max() <= 8  # 64 shades of 256


def test_the_picture_lies_where_its_values_are(plot):
    image = plot.mean.surface._image
    found = image.mapRectToParent(image.boundingRect())
    assert found.left() == pytest.approx(-5 - 0.125) and found.right() == pytest.approx(5 + 0.125)
    assert found.top() == pytest.approx(-5 - 1 / 6) and found.bottom() == pytest.approx(5 + 1 / 6)
    # Its first row is at the lower end of x2, where the mean is small and the colours dark.
    assert image.image[0].sum() < image.image[-1].sum()


def test_the_views_show_the_same_stretch(plot):
    plot.sd.canvas.setRange(xRange=(-1, 2), yRange=(0, 3), padding=0)
    assert np.allclose(plot.spans(), ((-1, 2), (0, 3))) and len(plot.ear.of("ranged")) == 1
    plot.fit(POINTS)
    assert np.allclose(plot.sd.canvas.getViewBox().viewRange(), plot.spans())
    (left, right), (low, high) = plot.spans()
    assert left < -2 and right > 2 and low < -1 and high > 1
    plot.fit(Points.of(np.empty((0, 2)), []))
    assert np.allclose(plot.spans(), ((-5, 5), (-5, 5)))
    plot.fit(Points.of([[3.0, 0.0]], [1.0]))
    assert np.allclose(plot.spans(), ((0, 6), (-1, 1)))


def test_the_readout_tells_mean_and_deviation_under_the_pointer(qtbot, plot, hand):
    plot.name_axes("east", "north", "height")
    hand.move(1.03, 2.47)
    (x1, x2), = plot.ear.of("pointed")[-1:]
    mean, _ = plot.value(x1, x2)
    assert mean == pytest.approx(x1 + 10 * x2, abs=1e-9)  # a plane is exact between the knots
    text, written = plot.readout.text(), plot.mean.surface.scale.written
    assert f"east {x1:.2f}, north {x2:.2f}" in text and f"mean {written(mean)} ±" in text
    hand.move(2.0, -1.0)
    assert "point 3: height 30 ± 0.5" in plot.readout.text() and plot.ear.of("hovered")[-1] == (2,)
    plot.show_surface(X1, X2, MEAN + 100, SD)  # the pointer rests, the surface does not
    (x1, x2), = plot.ear.of("pointed")[-1:]
    assert f"mean {plot.mean.surface.scale.written(x1 + 10 * x2 + 100)} ±" in plot.readout.text()
    assert plot.value(7.0, 0.0) is None


def test_shapes_that_do_not_belong_together_are_refused(plot):
    with pytest.raises(ValueError, match="do not belong together"):
        plot.show_surface(X1, X2, MEAN.T, SD.T)
    with pytest.raises(ValueError, match="two inputs, not 1"):
        plot.show_points(Points.of([1.0], [1.0]), 0.0)


def test_flat_and_unknown_surfaces_can_be_shown(plot):
    plot.show_points(Points.of(np.empty((0, 2)), []), 0.1)
    plot.show_surface(X1, X2, np.zeros_like(MEAN), np.ones_like(SD))
    plot.show_surface(X1, X2, np.full_like(MEAN, np.nan), np.full_like(SD, np.nan))
    plot.grab()
    plot.clear_surface()
    assert plot.value(0.0, 0.0) is None and plot.mean.surface._image.image is None


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_theme_colours_the_deviation(plot, name):
    before = theme().choice
    try:
        theme().apply(name)
        ground = theme().color("plot.background").getRgb()[:3]
        assert tuple(fog()[0]) == ground
        middle = plot.sd.surface._image.image[15, 20]  # where the deviation is 0
        assert tuple(middle) == ground
    finally:
        theme().apply(before)


def test_of_very_many_points_some_are_drawn_and_all_can_be_taken(qtbot, plot):
    x = np.random.default_rng(0).uniform(-4, 4, (50_000, 2))
    plot.show_points(Points.of(x, x[:, 0]), 0.1)
    drawn = plot.mean.places.drawn
    assert 3000 < drawn <= 4000 and f"{drawn:,} of 50,000 points are drawn" in plot.readout.text()
    at = plot.mean.canvas.pixels(x[1:2, 0], x[1:2, 1])  # the second one is not drawn
    assert plot.nearest(plot.mean, QPointF(float(at[0][0]), float(at[1][0]))) == 1
    plot.show_points(POINTS, 0.1)
    assert plot.mean.places.drawn == 3 and "drawn" not in plot.readout.text()


# --- the hand ---


def test_a_click_adds_a_point_there(plot, hand):
    hand.click(3.0, 3.0)
    unit = max(plot.mean.canvas.unit())
    assert np.allclose(plot.ear.of("added"), [(3.0, 3.0)], atol=unit)


def test_a_drag_is_told_at_each_step_and_shown_in_both_views(qtbot, plot, hand):
    hand.drag((0.0, 0.0), (1.0, 2.0))
    said = [name for name, _ in plot.ear.heard if name in ("taken", "dragged", "moved", "let_go", "added")]
    assert said == ["taken", "dragged", "dragged", "moved"]
    unit = 2 * max(plot.mean.canvas.unit())
    assert np.allclose(plot.ear.of("dragged")[-1], (1, 1.0, 2.0), atol=unit)
    indices, dx1, dx2 = plot.ear.of("moved")[0]
    assert indices == (1,) and np.allclose((dx1, dx2), (1.0, 2.0), atol=unit)
    plot.show_surface(X1, X2, MEAN, SD)  # what follows from the place: both are drawn together
    for view in plot.views:
        assert np.allclose([view.places._marked.data["x"], view.places._marked.data["y"]], [[1.0], [2.0]], atol=unit)
        assert len(view.places._dots.data) == 2
    plot.show_points(shifted(POINTS, (1,), dx1, dx2), 0.5)
    assert len(plot.mean.places._dots.data) == 3


def test_a_drag_without_an_answer_shows_after_a_moment(qtbot, plot, hand):
    hand.press(0.0, 0.0)
    hand.move(1.0, 1.0)
    qtbot.waitUntil(lambda: plot.mean.places._marked.data["x"].tolist() == pytest.approx([1.0], abs=0.1), timeout=5000)
    hand.key(Qt.Key.Key_Escape)
    assert plot.ear.of("let_go") == [()] and not plot.ear.of("moved")
    assert plot.mean.places._marked.data["x"].tolist() == [0.0]  # back where it was, still chosen
    hand.release(1.0, 1.0)


def test_a_box_chooses_shift_extends_and_the_chosen_move_together(plot, hand):
    hand.drag((-3.0, 2.0), (1.0, -0.5))
    assert plot.selection == (0, 1)
    hand.press(2.0, -1.0, Qt.KeyboardModifier.ShiftModifier)
    hand.release(2.0, -1.0)
    assert plot.selection == (0, 1, 2)
    hand.drag((0.0, 0.0), (0.0, 1.0))
    indices, dx1, dx2 = plot.ear.of("moved")[-1]
    assert indices == (0, 1, 2) and abs(dx1) < 0.1 and dx2 == pytest.approx(1.0, abs=0.1)
    assert not plot.ear.of("dragged")


def test_keys_choose_nudge_and_remove(plot, hand):
    hand.key(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert plot.selection == (0, 1, 2)
    hand.key(Qt.Key.Key_Up)
    assert np.allclose(plot.ear.of("moved")[-1][1:], (0.0, 2 * plot.mean.canvas.unit()[1]))
    hand.key(Qt.Key.Key_Delete)
    assert plot.ear.of("removed") == [((0, 1, 2),)]
    hand.key(Qt.Key.Key_Escape)
    assert plot.selection == () and plot.ear.of("chosen")[-1] == ((),)
    hand.key(Qt.Key.Key_Delete)
    assert len(plot.ear.of("removed")) == 1


def test_a_selection_that_no_longer_fits_is_let_go_of(plot):
    plot.choose((2,))
    plot.show_points(POINTS.without([2]), 0.5)
    assert plot.selection == ()


def test_the_wheel_zooms_both(qtbot, plot):
    from PySide6.QtGui import QWheelEvent
    from PySide6.QtWidgets import QApplication

    port = plot.sd.canvas.viewport()
    at = QPointF(port.rect().center())
    turn = QWheelEvent(
        at, port.mapToGlobal(at), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(port, turn)
    (left, right), (low, high) = plot.spans()
    assert right - left < 9.9 and high - low < 9.9


def test_the_pointer_in_one_view_shows_in_the_other(qtbot, plot):
    Hand(qtbot, plot.mean).move(1.0, 1.0)
    assert len(plot.sd.places._cross.data) == 1 and len(plot.mean.places._cross.data) == 0
    plot.mean.canvas.hovered.emit(None)
    assert len(plot.sd.places._cross.data) == 0
