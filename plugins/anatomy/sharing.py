"""What can leave the panel: the diagram, plots, tables, the script."""

from __future__ import annotations

from studio.host.export import Exportable
from studio_plugins.anatomy.results import Look
from studio_plugins.anatomy.script import script
from studio_plugins.anatomy.sheets import cost_table, count_table, part_table, run_table, tree_table
from studio_plugins.anatomy.stage import Stage


def exportables(look: Look | None, stage: Stage) -> list[Exportable]:
    """Everything there is to export now."""
    if look is None:
        return []
    found = [Exportable("tree of modules", "table", lambda: tree_table(look))]
    if look.stack is not None:
        found += [
            Exportable("counts", "table", lambda: count_table(look)),
            Exportable("operations over T", "table", lambda: cost_table(look)),
        ]
    if look.measured is not None and look.measured.diagram is not None:
        found.append(Exportable("parts of a layer", "table", lambda: part_table(look)))
    if look.timed is not None:
        found.append(Exportable("timed runs", "table", lambda: run_table(look)))
    drawn = {
        "layer": ("diagram of a layer", stage.layer.diagram.plot_item),
        "flops": ("operations over T plot", stage.flops.cost.plot_item),
        "memory": ("memory bars", stage.memory.plot_item),
        "time": ("time bars", stage.time.bars.plot_item),
    }.get(stage.page)
    if drawn is not None and look.stack is not None and (stage.page != "time" or look.timed is not None):
        found.append(Exportable(drawn[0], "plot", drawn[1]))
    if stage.page == "flops" and look.stack is not None:
        found.append(Exportable("shares of operations plot", "plot", stage.flops.share.plot_item))
    if not look.anatomy.blueprint.own:
        found.append(Exportable("script", "script", lambda: script(look)))
    return found
