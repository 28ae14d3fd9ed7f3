"""The plot under the hand: points are added, dragged, chosen, trusted and removed, and every step comes back."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from studio.ml.gp.exact import Posterior
from studio.ml.gp.grammar import parse
from studio_plugins.gp.points import Points

from tests.plugins.gp.conftest import LONG, quiet


def shown(panel):
    """The mean on the stage."""
    return panel.stage.function._shown[1].mean


def true_mean(panel):
    scene = panel.document.scene
    return Posterior.of(scene.model, scene.data).predict(panel._question.grid).mean


@pytest.fixture
def three(qtbot, gp_room):
    """A panel with three points that were clicked."""
    panel = gp_room()
    for place in ((-2.0, -1.0), (0.0, 1.0), (2.0, 0.5)):
        panel.hand.click(*place)
    quiet(qtbot, panel)
    return panel


def test_clicks_add_points_and_the_mean_bends_through_them(three):
    points = three.document.scene.points
    pixel = max(three.stage.plot.canvas.unit())
    assert np.allclose(points.x[:, 0], [-2, 0, 2], atol=pixel) and np.allclose(points.y, [-1, 1, 0.5], atol=pixel)
    assert np.abs(shown(three) - true_mean(three)).max() < 1e-12
    assert three.stage.function.invitation.isHidden()


def test_a_dragged_point_takes_the_mean_along_before_it_is_let_go(qtbot, three):
    before = shown(three).copy()
    hand = three.hand
    hand.press(0.0, 1.0)
    hand.move(0.3, 0.0)
    hand.move(0.5, -1.0)
    qtbot.waitUntil(lambda: abs(float(np.interp(0.5, three._question.grid[:, 0], shown(three))) + 1) < 0.1, timeout=LONG)
    assert not np.allclose(before, shown(three)) and three.document.scene.points.y[1] == pytest.approx(1.0, abs=0.02)
    moved = shown(three).copy()
    hand.release(0.5, -1.0)
    quiet(qtbot, three)
    assert np.abs(shown(three) - true_mean(three)).max() < 1e-12
    assert np.abs(moved - shown(three)).max() < 1e-9  # the drag's short way gives the same function


def test_everything_comes_back_with_undo(qtbot, three):
    document, hand = three.document, three.hand
    scenes = [document.scene]
    hand.drag((0.0, 1.0), (1.0, 2.0))
    scenes.append(document.scene)
    hand.key(Qt.Key.Key_Delete)
    scenes.append(document.scene)
    three.controls.kernel.line.setText("2*Matern32(0.7) + Linear")
    three.controls.kernel.line.setModified(True)
    three.controls.kernel._read()
    scenes.append(document.scene)
    three.controls.prior.noise_edited.emit(0.3, "")
    scenes.append(document.scene)
    assert [len(scene.points) for scene in scenes] == [3, 3, 2, 2, 2]
    assert scenes[-1].kernel == parse("2*Matern32(0.7) + Linear") and scenes[-1].noise == 0.3
    for scene in reversed(scenes[:-1]):
        document.undo.undo()
        assert document.scene == scene
    for scene in scenes[1:]:
        document.undo.redo()
        assert document.scene == scene
    quiet(qtbot, three)


def test_escape_gives_a_drag_up(qtbot, three):
    before, count = three.document.scene, three.document.undo.count()
    three.hand.press(0.0, 1.0)
    three.hand.move(1.0, -1.0)
    three.hand.key(Qt.Key.Key_Escape)
    three.hand.release(1.0, -1.0)
    quiet(qtbot, three)
    assert three.document.scene == before and three.document.undo.count() == count
    assert np.abs(shown(three) - true_mean(three)).max() < 1e-12


def test_a_box_chooses_and_the_chosen_move_together(qtbot, three):
    hand, plot = three.hand, three.stage.plot
    hand.drag((-3.0, 1.5), (1.0, -2.0))
    assert plot.selection == (0, 1)
    start = three.document.scene.points
    hand.drag((0.0, 1.0), (0.5, 0.5))
    moved = three.document.scene.points
    assert np.allclose((moved.x - start.x)[:, 0], [0.5, 0.5, 0], atol=0.03) and moved.y[2] == start.y[2]
    hand.key(Qt.Key.Key_Right)
    nudged = three.document.scene.points
    assert np.allclose(nudged.x[:2] - moved.x[:2], 2 * plot.canvas.unit()[0])
    hand.key(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    hand.key(Qt.Key.Key_Delete)
    assert len(three.document.scene.points) == 0 and not three.stage.function.invitation.isHidden()
    quiet(qtbot, three)


def test_an_error_bar_that_is_pulled_gives_the_point_noise_of_its_own(qtbot, three):
    hand, dots = three.hand, three.stage.plot.dots
    hand.drag((0.5, 1.5), (-0.5, 0.5))  # a box around the middle point
    assert dots.bars() == [1]
    end = three.document.scene.points.y[1] + dots.reach(1)
    hand.drag((0.0, end), (0.0, end + 1.0))
    quiet(qtbot, three)
    scene = three.document.scene
    assert scene.points.noise(scene.noise)[1] == pytest.approx(0.1 + 1.0 / dots.multiple, abs=0.03)
    assert scene.points.own[0] == 0 and np.abs(shown(three) - true_mean(three)).max() < 1e-12
    three.document.undo.undo()
    assert not three.document.scene.points.own.any()
    quiet(qtbot, three)


@pytest.mark.parametrize("name", ["length", "noise"])
def test_a_ruler_turns_its_value_and_comes_back_in_one_step(qtbot, three, name):
    plot, hand = three.stage.plot, three.hand
    before, count = three.document.scene, three.document.undo.count()
    tip = plot.rulers._tip(name, plot.rulers.value(name))
    way = (0.8, 0.0) if name == "length" else (0.0, 0.8)
    hand.drag(tip, (tip[0] + way[0], tip[1] + way[1]))
    scene = three.document.scene
    value = scene.kernel.length if name == "length" else scene.noise
    assert value == pytest.approx((1.0 if name == "length" else 0.1) + 0.8, abs=0.03)
    assert three.document.undo.count() == count + 1
    three.document.undo.undo()
    assert three.document.scene == before
    quiet(qtbot, three)


def test_points_refuse_what_does_not_belong_together():
    with pytest.raises(ValueError, match="do not belong together"):
        Points.of([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="finite"):
        Points.of([1.0], [np.nan])
    points = Points.of([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert points.without([1]) == Points.of([1.0, 3.0], [1.0, 3.0])
    assert points.with_noise([0], 0.5, 0.3).noise(0.3)[0] == pytest.approx(0.5)
