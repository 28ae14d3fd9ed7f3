"""What can leave the panel: plots, tables, the script, the model."""

from __future__ import annotations

import json

import numpy as np

from studio.host.export import Exportable, Table
from studio.ml.gp.classification import Classifier
from studio.ml.gp.jet import Array
from studio.ml.gp.stochastic import StochasticPosterior
from studio_plugins.gp.answers import Answer
from studio_plugins.gp.document import Scene
from studio_plugins.gp.results import model_description
from studio_plugins.gp.script import script
from studio_plugins.gp.stage import Stage


def exportables(scene: Scene, answer: Answer, grid: Array, stage: Stage) -> list[Exportable]:
    """Everything there is to export now; grid [m, D] is where the answer was worked out."""
    found = [Exportable("predictions", "table", lambda: prediction_table(scene, answer, grid))]
    if grid.shape[1] == 1:
        found.append(Exportable("plot", "plot", stage.plot.plot_item))
    else:
        found.append(Exportable("mean", "plot", stage.surface.plot_item))
        found.append(Exportable("standard deviation", "plot", stage.surface.sd_item))
    if stage.page == "components":
        shown = [plot for plot in stage.components.plots if plot.isVisible()]
        found += [Exportable(f"term {k}", "plot", plot.plot_item) for k, plot in enumerate(shown, start=1)]
    if stage.page == "slope":
        slope, area = stage.slope.plot_items()
        found += [Exportable("slope", "plot", lambda: slope), Exportable("area", "plot", lambda: area)]
    if len(scene.points):
        found.append(Exportable("points", "table", lambda: point_table(scene, answer)))
        found.append(Exportable("model", "json", lambda: model_json(scene, answer)))
        if not isinstance(answer.found, Classifier | StochasticPosterior):
            found.append(Exportable("script", "script", lambda: script(scene, answer, grid)))
    return found


def prediction_table(scene: Scene, answer: Answer, grid: Array) -> Table:
    """A row for each place of the grid: mean of f, standard deviation of f, and of a new observation there; for two
    classes the probability of class 1."""
    prediction, y = answer.prediction, scene.axes[-1]
    columns = {name: grid[:, axis].tolist() for axis, name in enumerate(scene.axes[:-1])}
    if isinstance(answer.found, Classifier):
        columns[f"p({y} = 1)"] = answer.found.probability(grid).tolist()
        columns["mean of f"] = prediction.mean.tolist()
    else:
        columns[f"mean of {y}"] = prediction.mean.tolist()
    columns["sd of f"] = np.sqrt(prediction.variance).tolist()
    if scene.likelihood == "gaussian":
        columns["sd of an observation"] = np.sqrt(prediction.variance + scene.noise**2).tolist()
    return Table(columns)


def point_table(scene: Scene, answer: Answer) -> Table:
    """A row for each point: where it is, the standard deviation of its noise, what all others predict of it."""
    points = scene.points
    columns = {name: points.x[:, axis].tolist() for axis, name in enumerate(scene.axes[:-1])}
    columns[scene.axes[-1]] = points.y.tolist()
    columns["sd of the noise"] = points.noise(scene.noise).tolist()
    if answer.loo is not None and len(answer.loo.mean) == len(points):
        columns |= {"leave-one-out mean": answer.loo.mean.tolist(), "its sd": np.sqrt(answer.loo.variance).tolist()}
    return Table(columns)


def model_json(scene: Scene, answer: Answer) -> str:
    """Kernel, noise, mean function and every hyper-parameter, the method, and the likelihood in its terms, as JSON."""
    description = {
        **model_description(scene.model), "observations": scene.likelihood, "method": answer.way.name, "points": len(scene.points),
        "log_marginal_likelihood" if answer.way.name == "exact" else "bound": sum(answer.terms.values()), "terms": dict(answer.terms),
    }  # fmt: skip
    if answer.way.inducing is not None:
        description["inducing_points"] = answer.way.inducing.tolist()
    return json.dumps(description, indent=1)
