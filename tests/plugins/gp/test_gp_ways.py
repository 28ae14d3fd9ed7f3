"""Each way to the posterior is the science's own, and what is said of it is true."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from studio.ml.gp.classification import Classifier
from studio.ml.gp.errors import BadData
from studio.ml.gp.exact import Posterior
from studio.ml.gp.grammar import parse
from studio.ml.gp.sparse import SparsePosterior
from studio.ml.gp.student import StudentPosterior
from studio_plugins.gp import ways
from studio_plugins.gp.answers import Question, answer, grid
from studio_plugins.gp.asking import request_of, scene_of
from studio_plugins.gp.document import Scene
from studio_plugins.gp.packing import MANY, Unpackable, pack, unpack
from studio_plugins.gp.points import Points
from studio_plugins.gp.request import GpRequest

from tests.plugins.gp.conftest import LONG, quiet


def wave(n: int, **more) -> Scene:
    x = np.sort(np.random.default_rng(0).uniform(-4, 4, n))
    y = np.sin(x) + np.random.default_rng(1).normal(0, 0.2, n)
    return Scene(Points.of(x, y), parse("1*RBF(1)"), 0.2, **more)


def answered(scene: Scene, **more):
    return answer(Question(scene.model, scene.data, grid((-4.0, 4.0)), scene.way, **more))


def test_the_method_follows_the_number_of_points_and_says_why():
    few, many = wave(40), wave(ways.EXACT_LIMIT + 1)
    assert few.way.name == "exact" and "40 points" in few.way.why
    assert many.way.name == "sparse" and "2,001 points are more than 2,000" in many.way.why
    assert len(many.way.inducing) == ways.USUAL_INDUCING
    assert replace(many, method="exact").way.name == "exact" and replace(few, method="sparse").way.name == "sparse"
    assert replace(few, method="stochastic").way.name == "stochastic"
    assert ways.way("gaussian", "auto", np.zeros((ways.SPARSE_LIMIT + 1, 1))).name == "stochastic"
    assert replace(few, likelihood="student").way.name == "student" and wave(0, method="sparse").way.name == "exact"


def test_inducing_points_lie_among_the_points_and_are_always_the_same():
    x = np.random.default_rng(2).uniform(-3, 3, (500, 1))
    spread = ways.spread_out(x, 20)
    assert spread.shape == (20, 1) and (np.diff(spread[:, 0]) > 0).all() and x.min() < spread.min() < spread.max() < x.max()
    plane = np.random.default_rng(3).uniform(-3, 3, (500, 2))
    chosen = ways.spread_out(plane, 20)
    assert chosen.shape == (20, 2) and (chosen[:, None] == plane).all(axis=2).any(axis=1).all()
    assert np.array_equal(chosen, ways.spread_out(plane, 20)) and len(ways.spread_out(plane[:5], 20)) == 5


def test_the_sparse_way_is_the_bound_with_the_exact_value_above_it():
    scene = wave(300, method="sparse", inducing=12)
    found = answered(scene, samples=True)
    alone = SparsePosterior.of(scene.model, scene.data, scene.way.inducing)
    assert np.array_equal(found.prediction.mean, alone.predict(grid((-4.0, 4.0))).mean)
    exact = Posterior.of(scene.model, scene.data).evidence.total
    upper, said = found.bracket
    assert sum(found.terms.values()) <= exact + 1e-9 <= upper + 1e-9 and said == pytest.approx(exact)
    assert set(found.terms) == {"fit", "complexity", "constant", "slack"} and found.gaussian is None
    variance = np.einsum("ij,ij->i", found.spread.root, found.spread.root)
    assert np.abs(variance - found.prediction.variance[::2]).max() < 1e-8  # samples and band are of one distribution


def test_student_noise_lets_go_of_an_outlier_and_labels_give_a_probability():
    outlier = wave(30, likelihood="student", degrees=3.0)
    y = outlier.points.y.copy()
    y[10] += 5
    outlier = replace(outlier, points=Points.of(outlier.points.x, y))
    found = answered(outlier)
    assert isinstance(found.found, StudentPosterior) and found.found.weights.argmin() == 10 and found.found.weights[10] < 0.1
    assert found.gaussian is found.found.gaussian
    labels = wave(30, likelihood="classes")
    labels = replace(labels, points=Points.of(labels.points.x, (labels.points.y > 0).astype(float)))
    found = answered(labels, samples=True)
    assert isinstance(found.found, Classifier) and set(found.terms) == {"fit", "complexity"}
    assert found.prediction.mean == pytest.approx(found.found.latent(grid((-4.0, 4.0))).mean)
    variance = np.einsum("ij,ij->i", found.spread.root, found.spread.root)
    assert np.abs(variance - found.prediction.variance[::2]).max() < 1e-8


def test_a_matrix_of_very_many_points_is_refused_in_words():
    scene = wave(ways.DENSE_LIMIT + 1, method="exact")
    with pytest.raises(BadData, match="Choose inducing points"):
        answered(scene)


def test_very_many_points_travel_packed_and_come_back_to_the_bit():
    scene = wave(MANY + 5, method="sparse", inducing=7)
    request = request_of(scene, GpRequest())
    assert request.x == () and request.packed and GpRequest.from_json(request.to_json()) == request
    assert scene_of(request).points == scene.points and scene_of(request).way.name == "sparse"
    assert len(request.packed) < 24 * len(scene.points)
    points = scene.points
    assert all(np.array_equal(a, b) for a, b in zip(unpack(pack(points.x, points.y, points.own)), (points.x, points.y, points.own), strict=True))


@pytest.mark.parametrize("text", ["no base64!", "AAAA", pack(np.zeros((2, 1)), np.zeros(2), np.zeros(2))[:-8] + "AAAAAAAA"])
def test_packed_points_that_are_damaged_are_refused(text):
    with pytest.raises(Unpackable):
        unpack(text)
    with pytest.raises(ValueError, match="packed"):
        scene_of(GpRequest.checked(packed=text))


def test_a_request_says_what_does_not_go_together():
    with pytest.raises(ValueError, match="each point needs 2 x"):
        GpRequest.checked(x=(1.0, 2.0, 3.0), y=(1.0,), inputs=2, axes=("a", "b", "y"))
    with pytest.raises(ValueError, match="need 3 names"):
        GpRequest.checked(inputs=2)
    with pytest.raises(ValueError, match="2 coordinates"):
        GpRequest.checked(inputs=2, axes=("a", "b", "y"), places=(1.0,))
    with pytest.raises(ValueError, match="must rise"):
        GpRequest.checked(rules=({"name": "noise", "low": 2.0, "high": 1.0},))
    with pytest.raises(ValueError, match="above 0"):
        GpRequest.checked(rules=({"name": "noise", "median": -1.0},))


# --- in the panel ---


def test_an_inducing_point_is_dragged_at_the_foot_of_the_plot(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("points", wave(60, inducing=6))
    panel.controls.method.method_edited.emit("sparse")
    quiet(qtbot, panel)
    plot, before = panel.stage.plot, panel.document.scene
    assert np.array_equal(plot.inducing.places, before.way.inducing[:, 0]) and len(plot.inducing.places) == 6
    start = (float(plot.inducing.places[2]), plot.inducing._foot())
    count = panel.document.undo.count()
    panel.hand.drag(start, (start[0] + 0.5, start[1]))
    quiet(qtbot, panel)
    scene = panel.document.scene
    assert scene.way.inducing[2, 0] == pytest.approx(start[0] + 0.5, abs=2 * plot.canvas.unit()[0])
    assert panel.document.undo.count() == count + 1  # the whole way is one step
    expected = SparsePosterior.of(scene.model, scene.data, scene.way.inducing)
    assert np.array_equal(panel.stage.function._shown[1].mean, expected.predict(panel._question.grid).mean)
    assert "gap" in panel.insight.facts.fact("exact")
    panel.document.undo.undo()
    assert panel.document.scene == before
    quiet(qtbot, panel)


def test_inducing_points_by_variance_raise_the_bound(qtbot, gp_room):
    panel = gp_room()
    scene = wave(200, method="sparse", inducing=5, places=(-4.0, -3.9, -3.8, -3.7, -3.6))
    panel._take_scene("points", scene)
    quiet(qtbot, panel)
    low = sum(panel._answer.terms.values())
    panel.controls.method.spread.click()
    qtbot.waitUntil(lambda: panel.document.scene.places != scene.places, timeout=LONG)
    quiet(qtbot, panel)
    assert sum(panel._answer.terms.values()) > low + 50 and len(panel.document.scene.way.inducing) == 5


def test_values_become_labels_and_undo_brings_them_back(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("points", wave(25))
    quiet(qtbot, panel)
    before = panel.document.scene
    panel.controls.prior.likelihood_wanted.emit("classes")
    quiet(qtbot, panel)
    scene = panel.document.scene
    middle = 0.5 * (before.points.y.min() + before.points.y.max())
    assert np.array_equal(scene.points.y, (before.points.y > middle).astype(float)) and "class 1" in panel.last_message.text
    chance = panel.stage.function._chance
    assert ((0 < chance) & (chance < 1)).all()
    expected = Classifier.of(scene.model, scene.data).probability(panel._question.grid)
    assert np.array_equal(chance, expected)
    panel.hand.click(0.1, 0.8)
    assert panel.document.scene.points.y[-1] == 1.0
    panel.document.undo.undo()
    panel.document.undo.undo()
    assert panel.document.scene == before
    quiet(qtbot, panel)


def test_a_dragged_label_changes_sides(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("labels", Scene(Points.of([-1.0, 0.0, 1.0], [0.0, 0.0, 1.0]), parse("2*RBF"), likelihood="classes"))
    quiet(qtbot, panel)
    before = panel.stage.function._chance[200]
    panel.hand.press(0.0, 0.0)
    panel.hand.move(0.05, 0.5)
    panel.hand.move(0.05, 0.9)
    qtbot.waitUntil(lambda: panel.stage.function._chance[200] > before + 0.1, timeout=LONG)
    panel.hand.release(0.05, 0.9)
    quiet(qtbot, panel)
    assert panel.document.scene.points.y.tolist() == [0.0, 1.0, 1.0]


def test_a_fit_through_inducing_points_raises_the_bound_and_is_kept(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("points", replace(wave(400, method="sparse", inducing=10), kernel=parse("1*RBF(3)")))
    panel.controls.form.set_value(GpRequest(restarts=0))
    quiet(qtbot, panel)
    before = sum(panel._answer.terms.values())
    panel.zones.primary.click()
    qtbot.waitUntil(lambda: panel.context.results.count() == 1, timeout=LONG)
    quiet(qtbot, panel)
    assert sum(panel._answer.terms.values()) > before + 5
    record = panel.context.results.records()[0]
    assert record.provenance["method"] == "sparse"
    found = json.loads(panel.context.results.files(record.id)["model.json"].read_text())
    assert found["log_marginal_likelihood"] == pytest.approx(sum(panel._answer.terms.values()), abs=1e-6)


def test_very_many_points_are_learned_from_in_batches(qtbot, gp_room):
    pytest.importorskip("gpytorch")
    panel = gp_room()
    scene = wave(4000, method="stochastic", inducing=12)
    panel._take_scene("points", scene)
    quiet(qtbot, panel)
    assert "press Fit" in panel.last_message.text
    panel.controls.form.set_value(GpRequest(iterations=60))
    seen = []
    panel.desk.learned.connect(seen.append)
    panel.zones.primary.click()
    qtbot.waitUntil(lambda: panel.context.results.count() == 1, timeout=LONG)
    quiet(qtbot, panel)
    assert seen and "learned from 60 batches" in panel.last_message.text
    found = panel._answer
    sparse = SparsePosterior.of(panel.document.scene.model, scene.data, found.way.inducing)
    bound = sum(found.terms.values())
    assert bound <= sparse.evidence.total + 1e-6 and bound == pytest.approx(found.found.evidence.total)
    assert sparse.evidence.total - bound < 10  # of some 700
    assert np.abs(panel.stage.function._shown[1].mean[20:-20] - sparse.predict(panel._question.grid).mean[20:-20]).max() < 0.05
    assert "script" not in {exportable.name for exportable in panel.exportables()}
    panel.document.edit("noise", noise=0.5)  # what was learned was for other values
    quiet(qtbot, panel)
    assert "press Fit" in panel.last_message.text


def test_a_million_points_are_not_written_into_every_session(qtbot, gp_room, monkeypatch):
    from studio_plugins.gp import results

    monkeypatch.setattr(results, "MOST_KEPT", 1000)
    panel = gp_room()
    panel._take_scene("points", wave(3000))
    quiet(qtbot, panel)
    state = panel.state()
    assert state["request"]["packed"] == "" and state["request"]["kernel"] == str(panel.document.scene.kernel)
    again = gp_room(state)
    assert "3,000 points" in again.last_message.text and len(again.document.scene.points) == 0


def test_rules_hold_a_fit_back(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("points", wave(40))
    quiet(qtbot, panel)
    rules = panel.controls.rules
    assert list(rules.lines) == [p.name for p in panel.document.scene.model.parameters()]
    popup = rules.open("RBF.length")
    popup.fixed.click()
    popup.close()
    assert "fixed" in rules.lines["RBF.length"].text()
    popup = rules.open("Scale.variance")
    popup.edits["high"].setText("0.5")
    popup.edits["high"].editingFinished.emit()
    popup.edits["low"].setText("0.7")
    popup.edits["low"].editingFinished.emit()
    assert "must rise" in popup.problem.text()
    popup.edits["low"].setText("")
    popup.edits["low"].editingFinished.emit()
    popup.close()
    panel.controls.form.set_value(GpRequest(restarts=0))
    before = panel.document.scene
    panel.zones.primary.click()
    qtbot.waitUntil(lambda: panel.document.scene != before, timeout=LONG)
    quiet(qtbot, panel)
    kernel = panel.document.scene.kernel
    assert kernel.kernel.length == 1.0 and kernel.variance <= 0.5 + 1e-9 and panel.document.scene.noise != 0.2
    again = scene_of(GpRequest.checked(**panel.context.results.records()[0].request))
    assert again.rules == panel.document.scene.rules
