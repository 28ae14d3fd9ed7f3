"""What leaves the panel says the same numbers as the panel."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication
from studio.host.export.tables import csv_text
from studio.ml.gp.errors import GPError
from studio.ml.gp.exact import Posterior
from studio.ml.gp.grammar import parse
from studio.ml.gp.mean import LinearMean
from studio_plugins.gp.answers import Question, answer, grid, surface_grid
from studio_plugins.gp.document import Scene
from studio_plugins.gp.points import Points
from studio_plugins.gp.script import script
from studio_plugins.gp.sharing import point_table

from tests.plugins.gp.conftest import quiet

KERNELS = (
    "2*RBF(0.7) + 0.3*Matern12(2)", "Matern32(0.4)*Linear(0.5)", "Matern52(1.3) + Constant(2)", "RationalQuadratic(0.8, 1.5)",
    "Periodic(1.1, 0.9)*RBF(3) + White(0.2)", "0.1*Polynomial(2, 1.5)", "Brownian(-6)",
)


GPYTORCH = tuple(kernel for kernel in KERNELS if "Brownian" not in kernel and "0.5)" not in kernel)


def answered(scene, grid):
    return answer(Question(scene.model, scene.data, grid, scene.way))


def run(text):
    """What the script works out, by name."""
    torch = pytest.importorskip("torch")
    before, names = torch.get_default_dtype(), {}
    try:
        exec(text, names)
    finally:
        torch.set_default_dtype(before)
    return names


def check(scene, grid, library="torch", evidence=True):
    """The script's numbers are those of the panel."""
    found = answered(scene, grid)
    names = run(script(scene, found, grid, library))
    assert np.abs(names["mean"].numpy() - found.prediction.mean).max() < 1e-6
    assert np.abs(names["sd"].numpy() ** 2 - found.prediction.variance).max() < 1e-6
    if evidence:
        assert float(names["evidence"]) == pytest.approx(sum(found.terms.values()), abs=1e-6)


def five(kernel, **more):
    x = np.array([-2.0, -0.5, 0.1, 1.7, 2.2])
    mean = LinearMean(0.3, (-0.2,))
    return Scene(Points.of(x, np.sin(x), [0, 0.3, 0, 0, 0]), parse(kernel), 0.2, mean, **more)


def plane(kernel, **more):
    """A scene over two inputs."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-2, 2, (12, 2))
    y = np.sin(x[:, 0]) * x[:, 1]
    return Scene(Points.of(x, y), parse(kernel), 0.1, LinearMean(0.1, (0.2, -0.3)), axes=("a", "b", "y"), **more)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_script_gives_the_same_numbers(kernel):
    check(five(kernel), grid((-3.0, 3.0)))


@pytest.mark.parametrize("kernel", GPYTORCH)
def test_the_script_for_gpytorch_gives_the_same_numbers(kernel):
    pytest.importorskip("gpytorch")
    check(five(kernel), grid((-3.0, 3.0)), "gpytorch")


@pytest.mark.parametrize("kernel", ["2*RBF([0.7, 1.5]) + Matern32(2)", "RationalQuadratic([1, 2], 0.7)*Polynomial(2, 1)"])
@pytest.mark.parametrize("library", ["torch", "gpytorch"])
def test_scripts_over_two_inputs_give_the_same_numbers(kernel, library):
    pytest.importorskip(library)
    check(plane(kernel), surface_grid(((-2.0, 2.0), (-1.5, 2.5))), library)


def test_scripts_of_the_other_ways_give_the_same_numbers():
    check(five("1.5*RBF(0.8)", method="sparse", inducing=3), grid((-3.0, 3.0)))
    check(five("1.5*RBF(0.8)", likelihood="student", degrees=3.0), grid((-3.0, 3.0)), evidence=False)


def test_what_the_script_cannot_write_is_said():
    scene, places = five("ArcCosine"), grid((0.0, 1.0))
    with pytest.raises(GPError, match="not ArcCosine"):
        script(scene, answered(scene, places), places)
    sparse = five("RBF", method="sparse")
    with pytest.raises(GPError, match="exact posterior alone"):
        script(sparse, answered(sparse, places), places, "gpytorch")
    labels = Scene(Points.of([0.0, 1.0], [0.0, 1.0]), likelihood="classes")
    with pytest.raises(GPError, match="Gaussian posteriors"):
        script(labels, answered(labels, places), places)
    centred = five("Linear(0.5)")
    with pytest.raises(GPError, match="passes through 0"):
        script(centred, answered(centred, places), places, "gpytorch")


def test_the_script_reads_very_many_points_from_the_table_that_is_exported(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-3, 3, 2500))
    scene = Scene(Points.of(x, np.sin(x) + rng.normal(0, 0.1, 2500)), parse("RBF(0.8)"), 0.1)
    places = grid((-3.0, 3.0))
    (tmp_path / "points.csv").write_text(csv_text(point_table(scene, answered(scene, places))))
    monkeypatch.chdir(tmp_path)
    check(scene, places)


def test_predictions_and_points_leave_as_tables(qtbot, gp_room):
    panel = gp_room()
    panel.copy_script()
    assert "nothing to copy" in panel.last_message.text
    panel.show_example("trust")
    quiet(qtbot, panel)
    found = {exportable.name: exportable for exportable in panel.exportables()}
    assert set(found) == {"plot", "predictions", "points", "model", "script"} and found["plot"].produce() is panel.stage.plot.plot_item()
    columns = found["predictions"].produce().columns
    assert columns["mean of y"] == panel.stage.function._shown[1].mean.tolist() and len(columns["x"]) == 400
    assert np.allclose(np.square(columns["sd of an observation"]) - np.square(columns["sd of f"]), 0.08**2)
    model = json.loads(found["model"].produce())
    assert model["log_marginal_likelihood"] == pytest.approx(Posterior.of(panel.document.scene.model, panel.document.scene.data).evidence.total)
    assert model["kernel"] == str(panel.document.scene.kernel) and model["method"] == "exact"
    points = found["points"].produce()
    assert csv_text(points).splitlines()[0].startswith("x,y,sd of the noise") and points.rows == 9
    panel.copy_script()
    assert "import torch" in QGuiApplication.clipboard().text()


def test_the_demo_shows_a_fitted_posterior_without_the_engine(qtbot, gp_room):
    panel = gp_room()
    panel.demo()
    scene = panel.document.scene
    expected = Posterior.of(scene.model, scene.data).predict(panel._question.grid).mean
    assert np.abs(panel.stage.function._shown[1].mean - expected).max() < 1e-12 and len(scene.points) == 9
    assert not panel.document.undo.canUndo() and panel.view_bar.view.samples == 4
    quiet(qtbot, panel)
