"""What the hand and the controls do to the document: every edit is one step of Undo, with words for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QObject, Signal

from studio.ml.gp.jet import Array
from studio.ml.gp.model import Model
from studio_plugins.gp.controls import Controls
from studio_plugins.gp.document import Document, Scene
from studio_plugins.gp.points import Points
from studio_plugins.gp.prior_editor import fitted_mean
from studio_plugins.gp.rulers import LENGTH
from studio_plugins.gp.stage import Stage
from studio_plugins.gp.tree import ruled, with_value


class Edits(QObject):
    """Signals: `passing` (a Scene while something is pulled, not yet kept), `undone` when a gesture ended with nothing
    changed, `said` (text, level)."""

    passing = Signal(object)
    undone = Signal()
    said = Signal(str, str)

    def __init__(self, document: Document, stage: Stage, controls: Controls) -> None:
        super().__init__(document)
        self._document, self._stage = document, stage
        plot, surface = stage.plot, stage.surface
        plot.added.connect(lambda x, y: self.add((x,), y))
        plot.moved.connect(self.move)
        plot.removed.connect(self.remove)
        plot.trusted.connect(self.trust)
        plot.pulled.connect(self._pull)
        plot.turned.connect(self.turn)
        plot.induced.connect(self.place_inducing)
        plot.let_go.connect(self.undone)
        surface.added.connect(lambda x1, x2: self.add((x1, x2), self._height(x1, x2)))
        surface.moved.connect(self.move_over)
        surface.removed.connect(self.remove)
        surface.let_go.connect(self.undone)
        edit = document.edit
        controls.kernel.edited.connect(lambda kernel, merge: edit("change of the kernel", merge=merge, kernel=kernel))
        prior, method = controls.prior, controls.method
        prior.noise_edited.connect(lambda noise, merge: edit("change of the noise", merge=merge, noise=noise))
        prior.mean_edited.connect(lambda mean, merge: edit("change of the mean", merge=merge, mean=mean))
        prior.mean_wanted.connect(lambda kind: edit("mean function", mean=fitted_mean(kind, document.scene.points)))
        prior.likelihood_wanted.connect(self.observe)
        prior.degrees_edited.connect(lambda value, merge: edit("degrees of freedom", merge=merge, degrees=value))
        method.method_edited.connect(lambda name: edit("method", method=name))
        method.count_edited.connect(lambda count: edit("inducing points", merge="count", inducing=count, places=()))
        method.evenly_wanted.connect(lambda: edit("inducing points spread evenly", places=()))
        controls.point.placed.connect(self.place)
        controls.point.trusted.connect(lambda index, noise: self.trust((index,), noise))
        controls.rules.edited.connect(lambda rules: edit("bounds and priors", rules=rules))

    # --- points ---

    def add(self, place: Sequence[float], y: float) -> None:
        """A new point; of two classes it gets the label it is nearer to."""
        scene = self._document.scene
        y = float(y > 0.5) if scene.likelihood == "classes" else y
        self._document.edit("new point", points=scene.points.added(place, y))

    def move(self, chosen: Sequence[int], dx: float, dy: float) -> None:
        """Chosen points moved in the plot over one input."""
        self._document.edit("move", points=self._labelled(self._points.shifted(chosen, dx, dy)))

    def move_over(self, chosen: Sequence[int], dx1: float, dx2: float) -> None:
        """Chosen points moved in the plane of two inputs; what was seen there goes with them."""
        x = self._points.x.copy()
        x[list(chosen)] += (dx1, dx2)
        self._document.edit("move", points=Points(x, self._points.y, self._points.own))

    def place(self, index: int, place: tuple[float, ...], y: float, merge: str = "") -> None:
        """One point put somewhere by numbers."""
        self._document.edit("place of a point", merge=merge, points=self._labelled(self._points.at(index, place, y)))

    def remove(self, chosen: Sequence[int]) -> None:
        """Chosen points taken away."""
        self._stage.choose_none()
        self._document.edit("removal", points=self._points.without(chosen))

    def clear(self) -> None:
        """No points any more."""
        self._document.edit("removal of all points", points=Points(), source="", axes=("x", "y"), places=())

    def trust(self, chosen: Sequence[int], noise: float) -> None:
        """An error bar is let go: the chosen points have this noise in all."""
        scene = self._document.scene
        self._document.edit("error bar", points=scene.points.with_noise(chosen, noise, scene.noise))
        self.undone.emit()

    def _pull(self, chosen: Sequence[int], noise: float) -> None:
        scene = self._document.scene
        points = scene.points.with_noise(chosen, noise, scene.noise)
        self._stage.plot.dots.show(points, chosen, scene.noise)
        self.passing.emit(replace(scene, points=points))

    def dragged(self, index: int, place: tuple[float, ...], y: float) -> Scene:
        """The document as if one point were elsewhere."""
        scene = self._document.scene
        return replace(scene, points=self._labelled(scene.points.at(index, place, y)))

    # --- the model ---

    def turn(self, ruler: str, value: float, _end: bool) -> None:
        """A ruler is pulled: the whole way is one step of Undo."""
        scene = self._document.scene
        if ruler == LENGTH:
            found = ruled(scene.kernel)
            if found is not None:
                self._document.edit("length-scale", merge="ruler", kernel=with_value(scene.kernel, found[0], "length", value))
        else:
            self._document.edit("noise", merge="ruler", noise=value)

    def place_inducing(self, places: Array, _end: bool = True) -> None:
        """Inducing points [m, D] are put somewhere: the whole way of a drag is one step of Undo."""
        flat = tuple(np.ravel(places).tolist())
        self._document.edit("inducing point", merge="inducing", method="sparse", inducing=max(1, len(places)), places=flat)

    def take_model(self, model: Model) -> None:
        """Another kernel, noise and mean function, as a search found them."""
        found = self._document.scene.with_model(model)
        self._document.edit("kernel of the search", kernel=found.kernel, noise=found.noise, mean=found.mean, rules=())

    def observe(self, likelihood: str) -> None:
        """Observations scatter otherwise; for two classes the values become labels, which Undo takes back."""
        scene = self._document.scene
        changes: dict[str, object] = {"likelihood": likelihood}
        points = scene.points
        if likelihood == "classes" and not np.isin(points.y, (0.0, 1.0)).all():
            middle = 0.5 * float(points.y.min() + points.y.max())
            changes["points"] = Points(points.x, (points.y > middle).astype(float), np.zeros(len(points)))
            self.said.emit(f"Values above {middle:.4g} are class 1 now, the others class 0. Undo brings the values back.", "info")
        elif likelihood == "student" and points.own.any():
            self.said.emit("Student-t noise finds out itself which points to trust: their own error bars are passed over.", "info")
        if likelihood == "student" and scene.noise == 0:
            changes["noise"] = 0.1
        self._document.edit("observations", **changes)
        self._stage.fit(self._points)

    @property
    def _points(self) -> Points:
        return self._document.scene.points

    def _labelled(self, points: Points) -> Points:
        """Of two classes a point dragged upwards is of class 1."""
        if self._document.scene.likelihood != "classes":
            return points
        return Points(points.x, (points.y > 0.5).astype(float), points.own)

    def _height(self, x1: float, x2: float) -> float:
        """What a new point over two inputs shows: the mean there, so that it first changes the certainty alone."""
        found = self._stage.surface.value(x1, x2)
        return found[0] if found is not None else 0.0
