"""Between the document and a request: what is on the stage as pure data, and back."""

from __future__ import annotations

from studio.ml.gp.grammar import parse
from studio_plugins.gp.document import Scene
from studio_plugins.gp.points import Points
from studio_plugins.gp.prior_editor import kind_of
from studio_plugins.gp.request import GpRequest


def request_of(scene: Scene, form: GpRequest) -> GpRequest:
    """The scene, with what the form says of the fit. Raises RequestError."""
    points = scene.points
    return form.replace(
        x=tuple(points.x[:, 0].tolist()),
        y=tuple(points.y.tolist()),
        own=tuple(points.own.tolist()) if points.own.any() else (),
        kernel=str(scene.kernel),
        noise=scene.noise,
        mean=kind_of(scene.mean),
        mean_values=tuple(scene.mean.theta.tolist()),
        source=scene.source,
        axes=scene.axes,
    )


def scene_of(request: GpRequest) -> Scene:
    """What a request looks at. Raises GPError, and ValueError for points that are not finite."""
    points = Points.of(request.x, request.y, request.own or None)
    return Scene(
        points, parse(request.kernel), request.noise, request.model.mean, request.source, request.axes
    )
