"""The left column: data, kernel, noise and mean, the way to the posterior, and how all is fitted."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from studio.ui.collapsible import Collapsible
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio_plugins.gp.data_bar import DataBar
from studio_plugins.gp.document import Scene
from studio_plugins.gp.kernel_editor import KernelEditor
from studio_plugins.gp.method_editor import MethodEditor
from studio_plugins.gp.point_editor import PointEditor
from studio_plugins.gp.prior_editor import PriorEditor
from studio_plugins.gp.request import GpRequest
from studio_plugins.gp.rules_editor import RulesEditor

IN_THE_DOCUMENT = (
    "x", "y", "own", "packed", "inputs", "kernel", "noise", "mean", "mean_values", "likelihood", "degrees", "method",
    "inducing", "places", "rules", "source", "axes",
)  # fmt: skip
"""Fields of a request that are edited as the document is; the others are in the form."""


class Controls(QWidget):
    """Builds its parts into a PanelLayout. Signal: `changed`, when a setting of the form is edited."""

    changed = Signal()

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the parts below, which live in the zones
        self.data = DataBar(zones)
        self.point = PointEditor(zones)
        self.kernel = KernelEditor(zones)
        self.prior = PriorEditor(zones)
        self.form: RequestForm[GpRequest] = RequestForm(GpRequest, zones, exclude=IN_THE_DOCUMENT)
        self.form.changed.connect(self.changed)
        self.method = MethodEditor(zones)
        self.rules = RulesEditor(zones)
        rules = Collapsible("Bounds and priors", zones, expanded=False)
        rules.add(self.rules)
        for part in (self.data, self.point, self.kernel, self.prior, self.method, rules, self.form):
            zones.add_control(part)

    def show_scene(self, scene: Scene, chosen: Sequence[int]) -> None:
        """Show a state of the document with the points that are chosen; says nothing."""
        self.data.show_scene(scene)
        self.point.show_scene(scene, chosen)
        self.kernel.show_kernel(scene.kernel, scene.points.inputs)
        self.prior.show_prior(scene.noise, scene.mean, scene.likelihood, scene.degrees)
        self.method.show_scene(scene)
        self.rules.show_scene(scene)
