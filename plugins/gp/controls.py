"""The left column: data, kernel, noise and mean, and how they are fitted."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio_plugins.gp.data_bar import DataBar
from studio_plugins.gp.document import Scene
from studio_plugins.gp.kernel_editor import KernelEditor
from studio_plugins.gp.prior_editor import PriorEditor
from studio_plugins.gp.request import GpRequest

IN_THE_DOCUMENT = ("x", "y", "own", "kernel", "noise", "mean", "mean_values", "source", "axes")
"""Fields of a request that are edited as the document is; the others are in the form."""


class Controls(QWidget):
    """Builds its parts into a PanelLayout. Signal: `changed`, when a setting of the form is edited."""

    changed = Signal()

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the parts below, which live in the zones
        self.data = DataBar(zones)
        self.kernel = KernelEditor(zones)
        self.prior = PriorEditor(zones)
        self.form: RequestForm[GpRequest] = RequestForm(GpRequest, zones, exclude=IN_THE_DOCUMENT)
        self.form.changed.connect(self.changed)
        for part in (self.data, self.kernel, self.prior, self.form):
            zones.add_control(part)

    def show_scene(self, scene: Scene) -> None:
        """Show a state of the document; says nothing."""
        self.data.show_scene(scene)
        self.kernel.show_kernel(scene.kernel)
        self.prior.show_prior(scene.noise, scene.mean)
