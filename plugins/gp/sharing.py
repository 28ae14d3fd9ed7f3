"""What can leave the panel: the plot, tables, the script, the model."""

from __future__ import annotations

import numpy as np

from studio.host.export import Exportable, Table
from studio.ml.gp.exact import Prediction
from studio.ml.gp.jet import Array
from studio_plugins.gp.answers import Answer
from studio_plugins.gp.document import Scene
from studio_plugins.gp.stage import Stage


def exportables(scene: Scene, answer: Answer | None, grid: Array, stage: Stage) -> list[Exportable]:
    """Everything there is to export now; grid [m, 1] is where the answer was worked out."""
    if answer is None:
        return []
    found = [
        Exportable("plot", "plot", stage.plot.plot_item),
        Exportable("predictions", "table", lambda: prediction_table(scene, answer.prediction, grid)),
    ]
    if len(scene.points):
        found.append(Exportable("points", "table", lambda: point_table(scene, answer)))
    return found


def prediction_table(scene: Scene, found: Prediction, grid: Array) -> Table:
    """A row for each place of the grid: mean of f, standard deviation of f, and of a new observation there."""
    sd, noisy = np.sqrt(found.variance), np.sqrt(found.variance + scene.noise**2)
    columns = (grid[:, 0], found.mean, sd, noisy)
    names = (scene.axes[0], f"mean of {scene.axes[1]}", "sd of f", "sd of an observation")
    return Table({name: column.tolist() for name, column in zip(names, columns, strict=True)})


def point_table(scene: Scene, answer: Answer) -> Table:
    """A row for each point: where it is, the standard deviation of its noise, what all others predict of it."""
    points = scene.points
    columns = {
        scene.axes[0]: points.x[:, 0].tolist(), scene.axes[1]: points.y.tolist(),
        "sd of the noise": points.noise(scene.noise).tolist(),
    }  # fmt: skip
    if answer.loo is not None and len(answer.loo.mean) == len(points):
        columns |= {"leave-one-out mean": answer.loo.mean.tolist(), "its sd": np.sqrt(answer.loo.variance).tolist()}
    return Table(columns)
