"""What can leave the panel: plots, tables, the script."""

from __future__ import annotations

from studio.host.export import Exportable
from studio_plugins.kernel_trick.results import Look
from studio_plugins.kernel_trick.script import script
from studio_plugins.kernel_trick.sheets import error_table, gram_table, point_table
from studio_plugins.kernel_trick.stage import Stage


def exportables(look: Look | None, stage: Stage) -> list[Exportable]:
    """Everything there is to export now. Values are taken now, so that writing needs no widget (plots excepted)."""
    if look is None or not len(look.points):
        return []
    found = [
        Exportable("points and boundary plot", "plot", stage.points.plot_item),
        Exportable("points", "table", lambda: point_table(look)),
        Exportable("Gram matrix two ways", "table", lambda: gram_table(look)),
    ]
    if look.boundary is not None:
        found.append(Exportable("script", "script", lambda: script(look)))
    if stage.page == "lift" and look.lifted is not None:
        found.append(Exportable("points in space plot", "plot", stage.lift.space.plot_item))
    if stage.page == "gram":
        names = ("Gram matrix by the kernel plot", "Gram matrix by features plot", "Gram difference plot")
        found += [
            Exportable(name, "plot", plot.plot_item) for name, plot in zip(names, stage.gram.matrices(), strict=True)
        ]
    if look.errors is not None:
        errors = look.errors
        found.append(Exportable("Fourier feature errors", "table", lambda: error_table(errors)))
        found.append(Exportable("Fourier feature errors plot", "plot", stage.fourier.plot.plot_item))
    return found
