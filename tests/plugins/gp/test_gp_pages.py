"""The pages beside the function, two inputs, and draws of the hyper-parameters: each shows what the science says."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from studio.ml.gp.calculus import running_integral, slope
from studio.ml.gp.components import decomposed
from studio.ml.gp.exact import Posterior
from studio.ml.gp.grammar import parse
from studio_plugins.gp import answers
from studio_plugins.gp.document import Scene
from studio_plugins.gp.examples import EXAMPLES
from studio_plugins.gp.points import Points
from studio_plugins.gp.request import GpRequest

from tests.plugins.gp.conftest import LONG, quiet


def sum_of_two() -> Scene:
    x = np.linspace(-4, 4, 40)
    return Scene(Points.of(x, np.sin(4 * x) + 0.5 * x), parse("1*Periodic(1.5708, 1) + 2*RBF(3)"), 0.1)


def posterior(panel) -> Posterior:
    scene = panel.document.scene
    return Posterior.of(scene.model, scene.data)


# --- pages ---


def test_the_terms_of_a_sum_are_drawn_one_below_the_other(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("sum", sum_of_two())
    panel.stage.show_page("components")
    quiet(qtbot, panel)
    shown = [plot for plot in panel.stage.components.plots if plot.isVisible()]
    expected = decomposed(posterior(panel), panel._question.grid)
    assert len(shown) == len(expected) == 2
    for plot, part in zip(shown, expected, strict=True):
        x, mean = plot.mean()
        assert np.array_equal(x, panel._question.grid[:, 0]) and np.allclose(mean, part.mean, atol=1e-12)
    total = sum(part.mean for part in expected)
    assert np.allclose(total, panel.stage.function._shown[1].mean, atol=1e-9)
    panel.document.edit("one term", kernel=parse("RBF"))
    quiet(qtbot, panel)
    assert [plot.isVisible() for plot in panel.stage.components.plots] == [True, False]
    assert {"term 1", "plot"} <= {exportable.name for exportable in panel.exportables()}


def test_slope_and_integral_are_those_of_the_posterior(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("sum", sum_of_two())
    panel.stage.show_page("slope")
    quiet(qtbot, panel)
    page, grid = panel.stage.slope, panel._question.grid
    _, drawn = page._beliefs[0].mean_curve.getData()
    assert np.allclose(drawn, slope(posterior(panel), grid).mean, atol=1e-12)
    area = running_integral(posterior(panel), grid[::4, 0])
    assert f"{area.mean[-1]:.5g} ± {math.sqrt(area.variance[-1]):.2g}" in page.area_note.text()
    panel.document.edit("rough", kernel=parse("Matern12"))
    quiet(qtbot, panel)
    assert not page._plots[0].isVisible() and page._plots[1].isVisible() and page._slope_note.text()


def test_pages_say_why_they_are_empty(qtbot, gp_room):
    panel = gp_room()
    panel.stage.show_page("components")
    quiet(qtbot, panel)
    note = panel.stage.components._note
    assert "points first" in note.text()
    panel._take_scene("labels", EXAMPLES["classes"].scene())
    panel.stage.show_page("components")
    quiet(qtbot, panel)
    assert "Gaussian posterior" in note.text()
    panel._take_scene("plane", EXAMPLES["inputs"].scene())
    panel.stage.show_page("components")
    quiet(qtbot, panel)
    assert "one input" in note.text()


def test_a_search_grows_a_tree_whose_best_kernel_can_be_taken(qtbot, gp_room):
    panel = gp_room()
    page = panel.stage.search
    panel.stage.show_page("search")
    page.button.click()
    assert "three points" in panel.last_message.text
    panel._take_scene("points", EXAMPLES["periodic"].scene())
    panel.stage.show_page("search")
    page.rounds.setValue(1)
    page.button.click()
    qtbot.waitUntil(lambda: "done" in page._state.text(), timeout=LONG)
    quiet(qtbot, panel)
    assert page.tree.topLevelItemCount() == 4
    bics = [node.bic for node in page._nodes]
    best = int(np.argmin(bics))
    assert page.tree.currentItem() is page._items[best] and page._items[best].text(0).startswith("★")
    model = page._nodes[best].model
    data = panel.document.scene.data
    evidence = Posterior.of(model, data).evidence.total
    assert bics[best] == pytest.approx(-2 * evidence + len(model.theta) * math.log(len(data)), abs=1e-6)
    before = panel.document.scene
    page.take.click()
    quiet(qtbot, panel)
    assert panel.document.scene.kernel == model.kernel and sum(panel._answer.terms.values()) == pytest.approx(evidence)
    panel.document.undo.undo()
    assert panel.document.scene == before
    panel.document.edit("another point", points=before.points.added([0.0], 0.0))
    assert page.tree.topLevelItemCount() == 0  # the search was of other points
    quiet(qtbot, panel)


def test_a_search_ends_with_its_points(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("points", EXAMPLES["periodic"].scene())
    panel.stage.show_page("search")
    panel.stage.search.rounds.setValue(6)
    panel.stage.search.button.click()
    qtbot.waitUntil(lambda: len(panel.stage.search._nodes) > 1, timeout=LONG)
    panel.edits.clear()
    qtbot.waitUntil(lambda: not panel.desk.pending(), timeout=LONG)
    quiet(qtbot, panel)
    assert panel.stage.search.tree.topLevelItemCount() == 0


def test_leave_one_out_is_drawn_for_every_point_and_follows_the_hand(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("points", EXAMPLES["noise"].scene())
    quiet(qtbot, panel)
    layer = panel.stage.plot.left_out
    assert not layer._marks.isVisible()
    panel.view_bar.loo.click()
    quiet(qtbot, panel)
    loo = posterior(panel).leave_one_out()
    x, y = layer._marks.getData()
    points = panel.document.scene.points
    assert layer._marks.isVisible() and np.array_equal(x, points.x[:, 0]) and np.allclose(y, loo.mean, atol=1e-12)
    outside = np.abs(points.y - loo.mean) > 2 * np.sqrt(loo.variance)
    assert outside.any() and len(layer._misses._x) == outside.sum() and len(layer._bars._x) == (~outside).sum()
    place = float(points.x[10, 0]), float(points.y[10])
    panel.hand.press(*place)
    panel.hand.move(place[0], place[1] + 0.4)
    panel.hand.move(place[0], place[1] + 1.0)
    moved = points.at(10, (place[0],), place[1] + 1.0)
    there = Posterior.of(panel.document.scene.model, replace(panel.document.scene, points=moved).data).leave_one_out()
    pixel = 2 * panel.stage.plot.canvas.unit()[1]
    qtbot.waitUntil(lambda: np.abs(layer._marks.getData()[1] - there.mean).max() < 3 * pixel, timeout=LONG)
    panel.hand.release(place[0], place[1] + 1.0)
    quiet(qtbot, panel)


def test_draws_of_the_hyper_parameters_widen_the_band(qtbot, gp_room, monkeypatch):
    from studio_plugins.gp import jobs

    monkeypatch.setattr(jobs, "DRAWS", 30)
    monkeypatch.setattr(jobs, "WARMUP", 30)
    panel = gp_room()
    panel._take_scene("points", EXAMPLES["short"].scene())
    panel.document.edit("a better start", kernel=parse("1.2*RBF(1.5)"))
    quiet(qtbot, panel)
    panel.insight.sampling_wanted.emit()
    qtbot.waitUntil(lambda: panel.stage.plot.averaged._curves[0].isVisible(), timeout=LONG)
    quiet(qtbot, panel)
    facts = panel.insight.draws
    assert "30, " in facts.fact("draws") and "…" in facts.fact("RBF.length")
    low, high = (curve.getData()[1] for curve in panel.stage.plot.averaged._curves)
    assert (high > low).all() and len(low) == answers.GRID
    panel.document.edit("another value", noise=0.2)
    quiet(qtbot, panel)
    assert not panel.stage.plot.averaged._curves[0].isVisible() and facts.isHidden()


# --- two inputs ---


class Over:
    """A hand on the mean view of a surface."""

    def __init__(self, qtbot, surface) -> None:
        self._qtbot, self._canvas = qtbot, surface.mean.canvas

    def at(self, place) -> QPoint:
        wide, high = self._canvas.pixels(np.array([place[0]]), np.array([place[1]]))
        return QPoint(round(float(wide[0])), round(float(high[0])))

    def click(self, place) -> None:
        self._qtbot.mouseClick(self._canvas.viewport(), Qt.MouseButton.LeftButton, pos=self.at(place))

    def press(self, place) -> None:
        self._qtbot.mousePress(self._canvas.viewport(), Qt.MouseButton.LeftButton, pos=self.at(place))

    def move(self, place) -> None:
        self._qtbot.mouseMove(self._canvas.viewport(), self.at(place))

    def release(self, place) -> None:
        self._qtbot.mouseRelease(self._canvas.viewport(), Qt.MouseButton.LeftButton, pos=self.at(place))


@pytest.fixture
def plane(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("plane", EXAMPLES["inputs"].scene())
    quiet(qtbot, panel)
    panel.over = Over(qtbot, panel.stage.surface)
    return panel


def true_surface(panel):
    found = posterior(panel).predict(panel._question.grid)
    shape = (answers.SIDES, answers.SIDES)
    return found.mean.reshape(shape), np.sqrt(found.variance).reshape(shape)


def test_two_inputs_are_shown_as_surfaces(plane):
    assert plane.stage.inputs == 2 and plane.stage.surface.isVisible() and not plane.stage.plot.isVisible()
    x1, x2, mean, sd = plane.stage.surface._shown
    expected = true_surface(plane)
    assert np.allclose(mean, expected[0], atol=1e-12) and np.allclose(sd, expected[1], atol=1e-9)
    assert np.array_equal(np.stack(np.meshgrid(x1, x2), axis=-1).reshape(-1, 2), plane._question.grid)
    assert {"mean", "standard deviation", "predictions", "points"} <= {e.name for e in plane.exportables()}
    columns = next(e for e in plane.exportables() if e.name == "predictions").produce().columns
    assert list(columns)[:3] == ["x1", "x2", "mean of y"] and len(columns["x1"]) == answers.SIDES**2


def test_a_point_is_added_dragged_and_given_a_value_over_two_inputs(qtbot, plane):
    surface, over = plane.stage.surface, plane.over
    over.click((3.3, -3.6))
    quiet(qtbot, plane)
    points = plane.document.scene.points
    assert len(points) == 61 and np.allclose(points.x[-1], (3.3, -3.6), atol=2 * max(surface.mean.canvas.unit()))
    there = Posterior.of(plane.document.scene.model, plane.document.scene.data.without(60)).predict(points.x[-1:]).mean[0]
    assert points.y[-1] == pytest.approx(there, abs=0.02)  # the surface between the places of its grid
    before = surface._shown[3].copy()
    over.press(points.x[-1])
    over.move((2.0, -3.0))
    over.move((0.0, -3.8))
    qtbot.waitUntil(lambda: np.abs(surface._shown[3] - before).max() > 0.05, timeout=LONG)
    over.release((0.0, -3.8))
    quiet(qtbot, plane)
    moved = plane.document.scene.points
    assert np.allclose(moved.x[-1], (0.0, -3.8), atol=2 * max(surface.mean.canvas.unit())) and moved.y[-1] == points.y[-1]
    editor = plane.controls.point
    assert editor.isVisible() and editor.edits[1].isVisible() and editor.edits[2].value() == moved.y[-1]
    editor.edits[2].setText("2.5")
    editor.edits[2].setModified(True)
    editor.edits[2].editingFinished.emit()
    quiet(qtbot, plane)
    assert plane.document.scene.points.y[-1] == 2.5 and np.allclose(surface._shown[2], true_surface(plane)[0], atol=1e-9)
    plane.edits.remove((60,))
    quiet(qtbot, plane)
    assert len(plane.document.scene.points) == 60


def test_a_fit_over_two_inputs_finds_which_matters_more(qtbot, plane):
    plane.controls.form.set_value(GpRequest(restarts=0))
    before = plane.document.scene
    plane.zones.primary.click()
    qtbot.waitUntil(lambda: plane.document.scene != before, timeout=LONG)
    quiet(qtbot, plane)
    first, second = plane.document.scene.kernel.kernel.length
    assert second > 2 * first
    state = plane.state()
    plane.edits.clear()
    quiet(qtbot, plane)
    assert plane.stage.inputs == 1 and plane.stage.plot.isVisible()
    plane.restore(state)
    quiet(qtbot, plane)
    assert plane.stage.inputs == 2 and len(plane.document.scene.points) == 60


def test_an_answer_over_one_input_that_comes_late_is_not_drawn_over_two(qtbot, plane, gp_room):
    state = plane.state()
    late = gp_room()
    late._take_scene("busy", Scene(Points.of(np.linspace(-3, 3, 900), np.zeros(900))))  # takes long enough to be overtaken
    late.restore(state)
    assert late.desk.posterior.busy
    quiet(qtbot, late)
    assert late.stage.inputs == 2 and np.allclose(late.stage.surface._shown[2], true_surface(late)[0], atol=1e-9)


def test_a_kernel_gets_a_length_scale_for_each_input(qtbot, plane):
    plane.document.edit("one length", kernel=parse("RBF(1.5)"))
    card = plane.controls.kernel.blocks.cards()[()]
    card._set_lengths(2)
    assert plane.document.scene.kernel.length == (1.5, 1.5)
    plane.controls.kernel.blocks.cards()[()]._set_lengths(1)
    assert plane.document.scene.kernel.length == 1.5
    quiet(qtbot, plane)


def test_the_chosen_point_is_put_somewhere_by_numbers(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("points", EXAMPLES["trust"].scene())
    quiet(qtbot, panel)
    editor = panel.controls.point
    assert editor.isHidden()
    panel.stage.plot.choose((4,))
    assert not editor.isHidden() and editor.edits[0].value() == pytest.approx(0.1) and editor.edits[1].isHidden()
    for edit, text in ((editor.edits[0], "0.5"), (editor.edits[3], "0.3")):
        edit.setText(text)
        edit.setModified(True)
        edit.editingFinished.emit()
    scene = panel.document.scene
    assert scene.points.x[4, 0] == 0.5 and scene.points.noise(scene.noise)[4] == pytest.approx(0.3)
    panel.stage.plot.choose((1, 2))
    assert editor.isHidden()
    quiet(qtbot, panel)
