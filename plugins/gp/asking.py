"""Between the document and a request: what is on the stage as pure data, and back."""

from __future__ import annotations

from studio.ml.gp.grammar import parse
from studio_plugins.gp.document import Scene
from studio_plugins.gp.packing import MANY
from studio_plugins.gp.prior_editor import kind_of
from studio_plugins.gp.request import GpRequest


def request_of(scene: Scene, form: GpRequest) -> GpRequest:
    """The scene, with what the form says of the fit. Raises RequestError."""
    points = scene.points
    many = len(points) > MANY
    return form.replace(
        x=() if many else tuple(points.x.ravel().tolist()),
        y=() if many else tuple(points.y.tolist()),
        own=tuple(points.own.tolist()) if points.own.any() and not many else (),
        packed=points.packed if many else "",
        inputs=points.inputs,
        kernel=str(scene.kernel),
        noise=scene.noise,
        mean=kind_of(scene.mean),
        mean_values=tuple(scene.mean.theta.tolist()),
        likelihood=scene.likelihood,
        degrees=scene.degrees,
        method=scene.method,
        inducing=scene.inducing,
        places=scene.places,
        rules=scene.rules,
        source=scene.source,
        axes=scene.axes,
    )


def scene_of(request: GpRequest) -> Scene:
    """What a request looks at. Raises GPError, and ValueError for points that are not finite."""
    return Scene(
        request.points, parse(request.kernel), request.noise, request.model.mean, request.source, request.axes,
        request.likelihood, request.degrees, request.method, request.inducing, request.places, request.rules,
    )  # fmt: skip
