"""Fitting on the stage, what the right column says of it, and what comes back in another session."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from studio.ml.gp.exact import Posterior
from studio.ml.gp.formula import conditional, joint
from studio_plugins.gp.asking import request_of, scene_of
from studio_plugins.gp.points import Points
from studio_plugins.gp.request import GpRequest

from tests.plugins.gp.conftest import LONG, quiet


@pytest.fixture
def short(qtbot, gp_room):
    """A panel with the example of too short a length-scale."""
    panel = gp_room()
    panel.show_example("short")
    panel.controls.form.set_value(GpRequest(restarts=1, seed=2))
    quiet(qtbot, panel)
    return panel


def evidence(scene) -> float:
    return Posterior.of(scene.model, scene.data).evidence.total


def test_a_fit_shows_its_iterations_and_becomes_one_step_of_undo(qtbot, short):
    before, passed = short.document.scene, []
    short.fits.passing.connect(passed.append)
    short.zones.primary.click()
    qtbot.waitUntil(lambda: short.document.scene != before, timeout=LONG)
    quiet(qtbot, short)
    after, top = short.document.scene, evidence(short.document.scene)
    assert passed and {scene.points is before.points for scene in passed} == {True}
    assert top > evidence(before) + 10
    theta = after.model.theta
    for nudge in 0.01 * np.concatenate([np.eye(len(theta)), -np.eye(len(theta))]):
        nudged = after.model.with_theta(theta + nudge)
        assert Posterior.of(nudged, after.data).evidence.total < top  # a top, looked at from every side
    course = short.insight.course.data()
    assert set(course) == {"run 1", "run 2"} and max(y.max() for _, y in course.values()) == pytest.approx(top, abs=1e-6)
    short.document.undo.undo()
    assert short.document.scene == before


def test_a_fit_is_kept_with_what_was_found(qtbot, short):
    short.zones.primary.click()
    store = short.context.results
    qtbot.waitUntil(lambda: store.count() == 1, timeout=LONG)
    quiet(qtbot, short)
    record = store.records()[0]
    found = json.loads(store.files(record.id)["model.json"].read_text())
    assert found["log_marginal_likelihood"] == pytest.approx(evidence(short.document.scene), abs=1e-9)
    assert len(found["runs"]) == 2 and found["kernel"] == str(short.document.scene.kernel)
    again = scene_of(GpRequest.checked(**record.request))
    assert evidence(again) == pytest.approx(evidence(short.document.scene), abs=1e-6)


def begin_long_fit(qtbot, panel) -> None:
    """A fit of a minute or so, of which some iterations have come."""
    x = np.linspace(-4, 4, 400)
    panel.document.edit("many points", points=Points.of(x, np.sin(x) + 0.1 * np.cos(40 * x)))
    panel.controls.form.set_value(GpRequest(restarts=50))
    panel.zones.primary.click()
    qtbot.waitUntil(lambda: bool(panel.insight.course.data()), timeout=LONG)
    assert panel.desk.fitting


def test_an_edit_stops_the_fit_and_keeps_the_edit(qtbot, short):
    begin_long_fit(qtbot, short)
    short.hand.click(0.0, 1.4)
    edited = short.document.scene
    qtbot.waitUntil(lambda: not short.desk.fitting and not short.desk.pending(), timeout=LONG)
    quiet(qtbot, short)
    assert short.document.scene == edited and len(edited.points) == 401
    assert short.context.results.count() == 0


def test_a_fit_without_points_says_what_is_missing(gp_room):
    panel = gp_room()
    panel.zones.primary.click()
    assert "two points" in panel.last_message.text and not panel.desk.fitting


def test_the_landscape_is_the_likelihood_and_a_click_takes_its_values(qtbot, short):
    page = short.insight.landscape
    page.ask()
    qtbot.waitUntil(lambda: page.view._found is not None and page.view._found.done == 32, timeout=LONG)
    quiet(qtbot, short)
    found, model = page.view._found, short.document.scene.model
    order = [parameter.name for parameter in model.parameters()]
    for row, column in ((3, 5), (20, 11)):
        theta = model.theta
        theta[[order.index(name) for name in found.names]] = found.down[row], found.across[column]
        there = Posterior.of(model.with_theta(theta), short.document.scene.data).evidence.total
        assert found.values[row, column] == pytest.approx(there, rel=1e-9)
    page.show()
    page.view.picked.emit(float(found.down[20]), float(found.across[11]))
    assert evidence(short.document.scene) == pytest.approx(found.values[20, 11], rel=1e-9)
    assert page.view._found is found  # only the two surveyed values are others
    short.hand.click(0.0, 0.0)
    assert page.view._found is None  # other points, another landscape
    quiet(qtbot, short)


def test_the_uncertainty_holds_the_fitted_values_and_goes_with_an_edit(qtbot, short):
    short.zones.primary.click()
    qtbot.waitUntil(lambda: short.context.results.count() == 1, timeout=LONG)
    quiet(qtbot, short)
    short.insight.doubt_button.click()
    qtbot.waitUntil(lambda: bool(short.insight.doubt._rows), timeout=LONG)
    for parameter in short.document.scene.model.parameters():
        low, high = map(float, short.insight.doubt.fact(parameter.name).split(" … "))
        assert low < parameter.value < high
    short.hand.click(0.0, 0.0)
    assert not short.insight.doubt._rows
    quiet(qtbot, short)


def test_the_matrix_and_the_plot_point_at_each_other(qtbot, short):
    matrix, scene = short.insight.matrix, short.document.scene
    box = matrix._box()
    at = QPointF(box.left() + box.width() * 2.5 / 14, box.top() + box.height() * 5.5 / 14)
    none, move = Qt.MouseButton.NoButton, QEvent.Type.MouseMove
    QApplication.sendEvent(matrix, QMouseEvent(move, at, at, none, none, Qt.KeyboardModifier.NoModifier))
    assert matrix._mark == (5, 2) and short.stage.plot.dots._linked == {5, 2}
    noise = np.diag(scene.data.noise_of(scene.model))
    assert np.allclose(matrix._glance.values, scene.kernel(scene.points.x) + noise, atol=1e-12)
    short.hand.move(float(scene.points.x[7, 0]), float(scene.points.y[7]))
    assert matrix._mark[0] == 7
    quiet(qtbot, short)


def test_the_formula_holds_the_matrices_of_few_points(qtbot, gp_room):
    panel = gp_room()
    for place in ((-1.0, 0.5), (1.0, -0.5)):
        panel.hand.click(*place)
    quiet(qtbot, panel)
    panel.hand.move(0.4, 2.0)
    scene, x = panel.document.scene, np.array([panel._pointer])
    mean, covariance = conditional(joint(scene.model, scene.data, x), scene.points.y)
    text = panel.insight.formula.text()
    assert f"{mean[0]:.4g}" in text and f"{covariance[0, 0]:.4g}" in text
    quiet(qtbot, panel)


def test_a_session_comes_back(qtbot, gp_room, short):
    short.controls.prior.noise_edited.emit(0.25, "")
    other = gp_room(short.state())
    assert other.document.scene == short.document.scene and not other.document.undo.canUndo()
    assert other.state() == short.state()
    quiet(qtbot, short)


def test_settings_of_another_version_are_taken_as_far_as_they_go(qtbot, short):
    stored = request_of(short.document.scene, GpRequest()).to_dict()
    notes = short.restore_request("gp", {**stored, "kernel": "RBF(", "colour": 3})
    assert len(notes) == 2 and len(short.document.scene.points) == 14 and short.document.undo.canUndo()
    assert short.restore_request("vote", {}) == ["settings of kind “vote”"]
    quiet(qtbot, short)


def test_a_cancelled_fit_leaves_the_document_as_it_was(qtbot, short):
    begin_long_fit(qtbot, short)
    before = short.document.scene
    short.run_bar.cancel.click()
    qtbot.waitUntil(lambda: not short.desk.pending(), timeout=LONG)
    quiet(qtbot, short)
    assert short.document.scene == before and short.controls.prior.noise.value() == before.noise
    shown = short.stage.function._shown[1].mean
    assert np.abs(shown - Posterior.of(before.model, before.data).predict(short._question.grid).mean).max() < 1e-9


def test_other_points_leave_nothing_of_the_fit_before(qtbot, short):
    short.zones.primary.click()
    qtbot.waitUntil(lambda: short.context.results.count() == 1, timeout=LONG)
    quiet(qtbot, short)
    assert short.insight.landscape._runs and "log p(y)" in short.last_message.text
    short.show_example("noise")
    assert not short.insight.landscape._runs and not short.insight.course.data()
    assert "log p(y)" not in short.last_message.text
    quiet(qtbot, short)
