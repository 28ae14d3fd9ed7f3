"""What can leave the panel: plots, tables, the script."""

from __future__ import annotations

from studio.host.export import Exportable
from studio_plugins.elastic_net.results import Answer, Validated
from studio_plugins.elastic_net.script import script
from studio_plugins.elastic_net.sheets import coefficient_table, path_table, validation_table
from studio_plugins.elastic_net.stage import Stage


def exportables(answer: Answer | None, validated: Validated | None, stage: Stage) -> list[Exportable]:
    """Everything there is to export now. Values are taken now, so that writing needs no widget (plots excepted)."""
    if answer is None:
        return []
    found = [
        Exportable("coefficient paths plot", "plot", stage.path.plot_item),
        Exportable("coefficients", "table", lambda: coefficient_table(answer)),
        Exportable("coefficient paths", "table", lambda: path_table(answer.known)),
        Exportable("script", "script", lambda: script(answer)),
    ]
    if validated is not None:
        found.insert(1, Exportable("cross-validation plot", "plot", stage.validation.plot.plot_item))
        found.append(Exportable("cross-validation", "table", lambda: validation_table(validated)))
    if answer.plane is not None:
        found.append(Exportable("ball and loss plot", "plot", stage.ball.plot.plot_item))
    if answer.updates:
        found.append(Exportable("soft threshold plot", "plot", stage.steps.threshold.plot_item))
    return found
