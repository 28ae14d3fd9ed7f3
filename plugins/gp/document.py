"""What is being looked at: points, kernel, noise and mean function, with every change undoable."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.ml.gp.kernel import Kernel
from studio.ml.gp.mean import Mean, ZeroMean
from studio.ml.gp.model import Data, Model
from studio.ml.gp.stationary import RBF
from studio.ui.states import States
from studio_plugins.gp.points import Points
from studio_plugins.gp.request import Rule, data_of
from studio_plugins.gp.ways import USUAL_INDUCING, Likelihood, Method, Way, way

UNDO_LIMIT = 200


@dataclass(frozen=True)
class Scene:
    """One state of the document. `noise` is σ, a standard deviation in units of y; `source` says where the points came
    from, `axes` names the inputs and what was seen. `likelihood` and `degrees`: how observations scatter around f;
    `method`, `inducing` and `places`: how the posterior is worked out; `rules`: what a fit may change."""

    points: Points = field(default_factory=Points)
    kernel: Kernel = RBF(1.0)
    noise: float = 0.1
    mean: Mean = ZeroMean()
    source: str = ""
    axes: tuple[str, ...] = ("x", "y")
    likelihood: Likelihood = "gaussian"
    degrees: float = 4.0
    method: Method = "auto"
    inducing: int = USUAL_INDUCING
    places: tuple[float, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def model(self) -> Model:
        """The prior and the common noise, as the science takes them: variances. Labels have no noise of their own."""
        return Model(self.kernel, 0.0 if self.likelihood == "classes" else self.noise**2, self.mean)

    @property
    def data(self) -> Data:
        return data_of(self.points, self.likelihood)

    @property
    def way(self) -> Way:
        """How the posterior is worked out."""
        return way(
            self.likelihood, self.method, self.points.x, inducing=self.inducing, places=self.places, degrees=self.degrees
        )

    def with_model(self, model: Model) -> Scene:
        """The same points under another kernel, noise and mean function."""
        noise = self.noise if self.likelihood == "classes" else math.sqrt(model.noise)
        return replace(self, kernel=model.kernel, noise=noise, mean=model.mean)


class Document(QObject):
    """Holds the current Scene. Signal: `changed` (before, after), after each edit, undo and redo."""

    changed = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.scene = Scene()
        self.undo = States(self.scene, UNDO_LIMIT, self)
        self.undo.turned.connect(self._show)

    def edit(self, text: str, *, merge: str = "", **changes: Any) -> None:
        """Change some fields of the scene, undoable as `text`; edits that follow each other with the same `merge` are
        undone together. An edit that changes nothing is not kept."""
        after = replace(self.scene, **changes)
        if after != self.scene:
            self.undo.record(text, after, merge)
            self._show(after)

    def start_with(self, scene: Scene) -> None:
        """Take up a scene with nothing to undo: what an earlier session left."""
        self.undo.begin(scene)
        self._show(scene)

    def _show(self, scene: Scene) -> None:
        before, self.scene = self.scene, scene
        self.changed.emit(before, scene)
