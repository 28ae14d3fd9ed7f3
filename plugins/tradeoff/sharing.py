"""What can leave the panel: the plots, the points as a table, the pictures of the point chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from studio.host.export import Exportable, Picture, Table
from studio.host.imagemeta import envelope
from studio.host.pictures import enlarge, tile
from studio.ml.evaluation.points import Point
from studio_plugins.tradeoff.results import TradeoffResult
from studio_plugins.tradeoff.stage import Stage
from studio_plugins.tradeoff.words import words

FACTOR = 4


def exportables(result: TradeoffResult | None, stage: Stage) -> list[Exportable]:
    """Everything there is to export now. Values are taken now, so that writing needs no widget (plots excepted)."""
    if result is None or not stage.points:
        return []
    points = stage.points
    found = [
        Exportable("points", "table", lambda: point_table(points)),
        Exportable("quality and diversity plot", "plot", stage.diversity.plot_item),
        Exportable("CLIP score plot", "plot", stage.agreement.plot_item),
    ]
    if stage.current >= 0:
        chosen = stage.measured[stage.current]
        setting = {"setting": chosen.point.model_dump()}
        glassbox = envelope(result.request.kind, result.request.to_dict(), {**result.provenance, **setting})
        sheet = enlarge(tile(np.array(chosen.pictures), columns=result.request.per_prompt), FACTOR)
        found.append(Exportable(f"pictures, {words(chosen.point)}", "image", lambda: Picture(sheet, glassbox)))
    return found


def point_table(points: Sequence[Point]) -> Table:
    """One row per point."""
    rows: list[dict[str, Any]] = []
    for point in points:
        low, high = point.interval
        row = point.model_dump()
        rows.append({**row, "accuracy": point.accuracy, "accuracy_low": low, "accuracy_high": high})
    return Table({name: ["" if row[name] is None else row[name] for row in rows] for name in rows[0]} if rows else {})
