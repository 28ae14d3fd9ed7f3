"""Points no one would draw: each gives a picture, or words one can act on, and every page survives them."""

from __future__ import annotations

import numpy as np
import pytest
from studio.ml.gp.grammar import parse
from studio_plugins.gp.document import Scene
from studio_plugins.gp.points import Points
from studio_plugins.gp.request import GpRequest
from studio_plugins.gp.stage import PAGES

from tests.plugins.gp.conftest import LONG, quiet
from tests.plugins.gp.test_gp_data import paste


def of(x, y, kernel="1*RBF(1)", noise=0.1, **more) -> Scene:
    return Scene(Points.of(x, y), parse(kernel), noise, **more)


SIX = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
ODD = {
    "one point": of([0.5], [1.0]),
    "the same point three times": of([1.0, 1.0, 1.0], [2.0, 2.0, 2.0]),
    "one place, other values, no noise": of([0.0, 0.0, 1.0], [1.0, -1.0, 0.0], noise=0.0),
    "constant y": of(SIX, np.full(6, 3.0)),
    "tiny units": of(SIX * 1e-12, np.sin(SIX) * 1e-12, "1e-24*RBF(1e-12)", 1e-13),
    "huge units": of(SIX * 1e12, np.sin(SIX) * 1e12, "1e24*RBF(1e12)", 1e11),
    "far from zero": of(SIX + 1e9, np.sin(SIX)),
    "a kernel that knows nothing of the units": of(SIX * 1e12, np.sin(SIX) * 1e-12),
    "labels all alike": of(SIX, np.ones(6), likelihood="classes"),
    "two inputs, all at one place": of(np.zeros((4, 2)), [1.0, 1.1, 0.9, 1.0], axes=("a", "b", "y")),
    "two inputs in a row": of(np.stack([SIX, SIX], axis=1), np.sin(SIX), axes=("a", "b", "y")),
    "outliers alone": of(SIX, [0.0, 1e6, -1e6, 1e5, 3.0, -1e6], likelihood="student"),
    "more inducing points than points": of(SIX, np.sin(SIX), method="sparse", inducing=100),
    "inducing points on one place": of(SIX, np.sin(SIX), method="sparse", places=(1.0, 1.0, 1.0)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_points_are_shown_and_fitted_or_told_in_words(qtbot, gp_room, name):
    panel = gp_room()
    panel._take_scene(name, ODD[name])
    for page in (*PAGES, "function"):
        panel.stage.show_page(page)
        quiet(qtbot, panel)
    assert not panel._unable, panel.last_message.text
    assert len(panel._answer.prediction.mean) == len(panel._question.grid)
    assert np.isfinite(panel._answer.prediction.mean).all()
    assert (panel._answer.prediction.variance >= 0).all()
    panel.grab()
    panel.controls.form.set_value(GpRequest(restarts=0, iterations=20))
    panel.zones.primary.click()
    qtbot.waitUntil(lambda: not panel.desk.pending(), timeout=LONG)
    quiet(qtbot, panel)
    said = panel.last_message
    assert said is not None and said.text and "Traceback" not in said.text


def test_what_a_covariance_needed_is_told(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("twice", ODD["one place, other values, no noise"])
    quiet(qtbot, panel)
    assert float(panel.insight.facts.fact("jitter")) > 0


def test_labels_that_are_none_and_sparse_without_noise_say_what_to_do(qtbot, gp_room):
    panel = gp_room()
    panel._take_scene("no labels", of(SIX, np.sin(SIX), likelihood="classes"))
    quiet(qtbot, panel)
    assert "0 or 1" in panel.last_message.text
    panel._take_scene("no noise", of(SIX, np.sin(SIX), method="sparse", noise=0.0))
    quiet(qtbot, panel)
    assert "noise above 0" in panel.last_message.text
    panel._take_scene("other dimensions", of(SIX, np.sin(SIX), "RBF([1, 2])"))
    quiet(qtbot, panel)
    assert "dimension" in panel.last_message.text
    panel._take_scene("well", of(SIX, np.sin(SIX)))
    quiet(qtbot, panel)
    assert panel._answer is not None and not panel._unable


def test_a_second_input_is_chosen_from_a_table(qtbot, gp_room):
    panel = gp_room()
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{a:.3f}\t{b:.3f}\t{np.sin(a) + b:.3f}" for a, b in rng.uniform(-2, 2, (12, 2)))
    paste(qtbot, panel, f"a\tb\tc\n{rows}")
    bar = panel.controls.data
    assert panel.stage.inputs == 1
    bar.y.setCurrentText("c")
    bar.second.setCurrentText("b")
    bar.second.activated.emit(2)
    quiet(qtbot, panel)
    scene = panel.document.scene
    assert scene.points.inputs == 2 and scene.axes == ("a", "b", "c") and len(scene.kernel.kernel.length) == 2
    assert panel.stage.surface.isVisible() and "over “a” and “b”" in panel.document.undo.undoText()
    bar.second.setCurrentIndex(0)
    bar.second.activated.emit(0)
    quiet(qtbot, panel)
    assert panel.document.scene.points.inputs == 1 and panel.stage.plot.isVisible()
