"""What can leave the panel: the whole table, single pictures, an animation, curves, a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from studio.host.export import Animation, Exportable, Picture, Table
from studio.host.imagemeta import envelope
from studio.host.pictures import GridLabels, Pixels, labelled_grid
from studio_plugins.guidance import heat
from studio_plugins.guidance.headings import cost_line
from studio_plugins.guidance.keeping import parameters_text
from studio_plugins.guidance.on_stage import Found, Shown
from studio_plugins.guidance.script import script
from studio_plugins.guidance.titles import SHORT
from studio_plugins.guidance.trajectory import SCORES, TERMS, Step

CELL = 128
"""Least side of a picture in the exported table, in pixels."""


@dataclass(frozen=True, eq=False)
class OnTable:
    """The columns as they stand on the stage: what they are called, what there is of them, which rows have terms."""

    titles: tuple[str, ...]
    found: tuple[Found, ...]
    terms: tuple[str, ...]
    picture: int = 0


def exportables(shown: Shown, table: OnTable, step: int, plots: Sequence[tuple[str, Any]]) -> list[Exportable]:
    """Everything there is to export now. Values are taken now, so that writing needs no widget (plots excepted)."""
    request = shown.request
    if request is None or not any(there.steps for there in table.found):
        return []
    glassbox = envelope(request.kind, request.to_dict(), shown.provenance)
    found = [
        Exportable("table", "image", lambda: Picture(table_picture(table, step), glassbox)),
        Exportable("animation of all columns", "animation", lambda: animation(table)),
        Exportable("curves", "table", lambda: curves(table)),
        *(Exportable(name, "plot", plot) for name, plot in plots),
        Exportable("script", "script", lambda: script(request, shown.provenance)),
    ]
    if shown.finished is not None:
        for c, run in enumerate(shown.finished.columns):
            made = {**shown.provenance, "column": c, "picture": table.picture}
            pixels = run.pictures[table.picture]
            text = parameters_text(request, c, pixels.shape[0], table.picture)
            data = Picture(pixels, envelope(request.kind, request.to_dict(), made), text)
            found.append(Exportable(f"picture of column {c + 1}", "image", partial(_same, data)))
    return found


def table_picture(table: OnTable, step: int, tops: dict[str, float] | None = None) -> Pixels:
    """All rows of all columns at a step as one picture with headings; tops of the terms' scales, None: the step's."""
    steps = [there.steps[step] if step < len(there.steps) else None for there in table.found]
    if tops is None:
        tops = {term: heat.reach(term, steps) for term in table.terms}
    cells = _cells(steps, table.picture, tops)
    some = next(cell for cell in cells if cell is not None)
    at = next(there.steps[min(step, len(there.steps) - 1)] for there in table.found if there.steps)
    labels = GridLabels(
        f"step {at.index + 1} of {at.total}, t = {at.t}; every column began with the same noise",
        tuple(_heading(title, there) for title, there in zip(table.titles, table.found, strict=True)),
        "",
        ("x_t", "x_0", *(f"|{SHORT[term]}| 0 to {tops[term]:.2g}".replace("₀", "0") for term in table.terms)),
    )
    return labelled_grid(cells, labels, max(1, CELL // some.shape[0]))


def animation(table: OnTable) -> Animation:
    """The table at every step, each term's scale the same throughout."""
    longest = max(len(there.steps) for there in table.found)
    steps = [step for there in table.found for step in there.steps]
    tops = {term: heat.reach(term, steps) for term in table.terms}
    frames = np.stack([table_picture(table, i, tops) for i in range(longest)])
    return Animation(frames, fps=max(3.0, min(12.0, longest / 3)), hold=2.0)


def curves(table: OnTable) -> Table:
    """One row per column, step and picture: lengths of base and terms, cosines between terms, scores."""
    pairs = list(combinations(TERMS, 2))
    columns: dict[str, list[Any]] = {"column": [], "step": [], "t": [], "alpha_bar": [], "picture": [], "norm base": []}
    columns |= {f"norm {name}": [] for name in TERMS}
    columns |= {f"cosine {a}, {b}": [] for a, b in pairs}
    columns |= {f"score {name}": [] for name in SCORES}
    for title, there in zip(table.titles, table.found, strict=True):
        for step in there.steps:
            norms, cosines = step.norms(), [step.cosine(a, b) for a, b in pairs]
            for n in range(norms.shape[1]):
                row = [title, step.index + 1, step.t, step.alpha_bar, n + 1, *norms[:, n]]
                row += [cosine[n] for cosine in cosines] + list(step.scores[:, n])
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(float(value) if isinstance(value, np.floating) else value)
    return Table(columns)


def _same(picture: Picture) -> Picture:
    return picture


def _heading(title: str, there: Found) -> str:
    if there.run is None or not there.whole:
        return title
    verdict = there.run.verdicts[0].shown if there.run.verdicts else None
    shows = "" if verdict is None else ", as asked" if verdict else ", not as asked"
    return f"{title}: {cost_line(there.run.cost).replace('×', 'x')}{shows}"


def _cells(steps: Sequence[Step | None], n: int, tops: dict[str, float]) -> list[Pixels | None]:
    """All rows of picture n, row by row."""
    cells: list[Pixels | None] = [None if s is None else s.noisy[n] for s in steps]
    cells += [None if s is None else s.picture[n] for s in steps]
    for term, top in tops.items():
        row = TERMS.index(term)
        cells += [None if s is None or term not in s.acting else heat.paint(s.heat[row, n], top) for s in steps]
    return cells
