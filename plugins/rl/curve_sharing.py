"""What can leave the panel of its curves, tables and experiments, as the export service takes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from studio.host.export import Exportable, Table
from studio_plugins.rl.bands import Drawn, Measured
from studio_plugins.rl.curve_bar import measure_title
from studio_plugins.rl.curve_page import CurvePage
from studio_plugins.rl.experiment_page import ExperimentPage
from studio_plugins.rl.experiment_table import experiment_table
from studio_plugins.rl.offpolicy_page import OffPolicyPage
from studio_plugins.rl.table_card import TableCard


def curve_exportables(page: CurvePage, runs: Iterable[Measured]) -> list[Exportable]:
    """Both plots as they stand, the numbers drawn in them, and every point that was measured."""
    shown, measured = page.drawn(), tuple(runs)
    plots = page.plot_items().items()
    found = [Exportable(f"{measure_title(name).lower()} plot", "plot", _giving(item)) for name, item in plots]
    if shown:
        found.append(Exportable("curves drawn", "table", lambda: drawn_table(shown)))
    if measured:
        found.append(Exportable("curves measured", "table", lambda: measured_table(measured)))
    return found


def insight_exportables(card: TableCard) -> list[Exportable]:
    """The table of action values."""
    return [Exportable("action values", "table", card.table)] if card.model.look is not None else []


def experiment_exportables(page: ExperimentPage) -> list[Exportable]:
    """The measured gap: its two plots and its numbers."""
    if not page.points:
        return []
    return [
        Exportable("online returns over epsilon", "plot", page.plots.returns.plot_item),
        Exportable("gap over epsilon", "plot", page.plots.gap.plot_item),
        Exportable("on-policy against off-policy", "table", lambda: experiment_table(page.points)),
    ]


def offpolicy_exportables(page: OffPolicyPage) -> list[Exportable]:
    """The estimates: their plot and a row for each episode."""
    table = page.table()
    if not table.rows:
        return []
    plot = Exportable("importance sampling", "plot", page.plot.plot_item)
    return [plot, Exportable("estimates", "table", lambda: table)]


def drawn_table(drawn: Iterable[Drawn]) -> Table:
    """A row for each point drawn, of lines over seeds with their interval, or of each seed."""
    names = ("run", "measure", "over", "seed", "x", "value", "low", "high", "seeds")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for one in drawn:
        told = one.choice
        if len(one.x):
            n = len(one.x)
            low, high = ([None] * n if edge is None else edge.tolist() for edge in (one.low, one.high))
            line = (one.x.tolist(), one.centre.tolist(), low, high, one.counts.tolist())
            _extend(columns, n, one.key, told.measure, told.axis, None, *line)
            continue
        for seed, (x, y) in enumerate(one.lines):
            _extend(columns, len(x), one.key, told.measure, told.axis, seed, x.tolist(), y.tolist(), None, None, 1)
    return Table(columns)


def measured_table(runs: Iterable[Measured]) -> Table:
    """A row for each point of each measure of each seed, unsmoothed."""
    names = ("run", "measure", "seed", "steps", "episodes", "seconds", "value")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for run in runs:
        for measure, curves in run.curves.items():
            for seed, curve in enumerate(curves):
                axes = (getattr(curve, name).tolist() for name in ("steps", "episodes", "seconds", "values"))
                _extend(columns, len(curve.values), run.key, measure, seed, *axes)
    return Table(columns)


def _extend(columns: dict[str, list[Any]], rows: int, *values: Any) -> None:
    """Adds rows; a value that is no list stands in all of them."""
    for column, value in zip(columns.values(), values, strict=True):
        column.extend(value if isinstance(value, list) else [value] * rows)


def _giving(item: Any) -> Any:
    return lambda: item
