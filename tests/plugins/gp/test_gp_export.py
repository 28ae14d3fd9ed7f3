"""What leaves the panel says the same numbers as the panel."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication
from studio.host.export.tables import csv_text
from studio.ml.gp.errors import GPError
from studio.ml.gp.exact import Posterior
from studio.ml.gp.grammar import parse
from studio.ml.gp.mean import LinearMean
from studio_plugins.gp.document import Scene
from studio_plugins.gp.points import Points
from studio_plugins.gp.script import script

from tests.plugins.gp.conftest import quiet

KERNELS = (
    "2*RBF(0.7) + 0.3*Matern12(2)", "Matern32(0.4)*Linear(0.5)", "Matern52(1.3) + Constant(2)", "RationalQuadratic(0.8, 1.5)",
    "Periodic(1.1, 0.9)*RBF(3) + White(0.2)", "0.1*Polynomial(2, 1.5)", "Brownian(-6)",
)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_script_gives_the_same_numbers(kernel):
    torch = pytest.importorskip("torch")
    x = np.array([-2.0, -0.5, 0.1, 1.7, 2.2])
    scene = Scene(Points.of(x, np.sin(x), [0, 0.3, 0, 0, 0]), parse(kernel), 0.2, LinearMean(0.3, (-0.2,)))
    before, names = torch.get_default_dtype(), {}
    try:
        exec(script(scene, 1e-9, (-3.0, 3.0)), names)
    finally:
        torch.set_default_dtype(before)
    posterior = Posterior.of(scene.model, scene.data)
    expected = posterior.predict(np.linspace(-3, 3, 400)[:, None])
    white = 0.2 if "White" in kernel else 0.0
    assert np.abs(names["mean"].numpy() - expected.mean).max() < 1e-6
    assert np.abs(names["sd"].numpy() ** 2 + white - expected.variance).max() < 1e-6
    assert float(names["evidence"]) == pytest.approx(posterior.evidence.total, abs=1e-6)


def test_a_kernel_without_a_written_formula_is_said():
    with pytest.raises(GPError, match="not ArcCosine"):
        script(Scene(Points.of([0.0], [1.0]), parse("ArcCosine")), 0.0, (0.0, 1.0))


def test_predictions_and_points_leave_as_tables(qtbot, gp_room):
    panel = gp_room()
    panel.copy_script()
    assert "nothing to copy" in panel.last_message.text
    panel.show_example("trust")
    quiet(qtbot, panel)
    found = {exportable.name: exportable for exportable in panel.exportables()}
    assert set(found) == {"plot", "predictions", "points"} and found["plot"].produce() is panel.stage.plot.plot_item()
    columns = found["predictions"].produce().columns
    assert columns["mean of y"] == panel.stage._shown[1].mean.tolist() and len(columns["x"]) == 400
    assert np.allclose(np.square(columns["sd of an observation"]) - np.square(columns["sd of f"]), 0.08**2)
    points = found["points"].produce()
    assert csv_text(points).splitlines()[0].startswith("x,y,sd of the noise") and points.rows == 9
    panel.copy_script()
    assert "import torch" in QGuiApplication.clipboard().text()


def test_the_demo_shows_a_fitted_posterior_without_the_engine(qtbot, gp_room):
    panel = gp_room()
    panel.demo()
    scene = panel.document.scene
    expected = Posterior.of(scene.model, scene.data).predict(panel._question.grid).mean
    assert np.abs(panel.stage._shown[1].mean - expected).max() < 1e-12 and len(scene.points) == 9
    assert not panel.document.undo.canUndo() and panel.view_bar.view.samples == 4
    quiet(qtbot, panel)
