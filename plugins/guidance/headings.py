"""What stands above a column: its guidance, its cost, and what its picture shows."""

from __future__ import annotations

from collections.abc import Sequence

from studio.ui.table_cells import ColumnHeading
from studio_plugins.guidance.on_stage import Found
from studio_plugins.guidance.request import Column
from studio_plugins.guidance.results import ColumnRun, Cost, Verdict
from studio_plugins.guidance.titles import SHORT, when, when_short


def column_heading(
    index: int, title: str, column: Column, found: Found, drawn: Sequence[str], missing: str, picture: int
) -> ColumnHeading:
    """Title, cost and verdict. `drawn`: titles of the columns drawn; `missing`: why it cannot be drawn, or ""."""
    target = found.run.target if found.run is not None else ""
    note = _lineage(column) or when_short(column.guidance) or (f"y = {target}" if target else "")
    third, tone = ("", "muted")
    if missing:
        second, third, tone = "cannot be drawn", missing, "error"
    elif found.problem:
        second, third, tone = "stopped", "numbers out of bounds", "error"
    elif found.run is None or not found.whole:
        second = "" if found.whole else "not drawn" if drawn else ""
    else:
        second = cost_line(found.run.cost)
        third, tone = verdict_line(found.run, picture)
    return ColumnHeading(title, (note, second, third), f"series.{index}", tone, _tip(title, column, found, missing))


def cost_line(cost: Cost) -> str:
    """The cost against an unguided run, and the time it took."""
    times = f"{cost.times:.2f}×" if cost.times else f"{cost.evaluations} ev."
    return f"{times}  {cost.seconds:.1f} s" if cost.seconds else times


def verdict_line(run: ColumnRun, picture: int) -> tuple[str, str]:
    """(what the final picture shows, tone)."""
    if picture >= len(run.verdicts):
        return "", "muted"
    verdict = run.verdicts[picture]
    cosine = f"CLIP {verdict.cosine:.2f}" if verdict.cosine is not None else ""
    if verdict.shown is None:
        return cosine, "muted"
    return f"{'✓' if verdict.shown else '✗'} {cosine}".strip(), "success" if verdict.shown else "warning"


def verdict_words(verdict: Verdict) -> str:
    """The verdict as a sentence."""
    if verdict.shown is None:
        return "Nobody here can say whether the picture shows what was asked."
    if verdict.shown:
        return "The oracle sees everything that was asked for, and nothing else."
    return f"The oracle misses: {', '.join(verdict.missing)}."


def _lineage(column: Column) -> str:
    if column.forked_at is None:
        return ""
    return f"fork @ {column.forked_at + 1}"


def _tip(title: str, column: Column, found: Found, missing: str) -> str:
    lines = [f"<b>{title}</b>"]
    lines += [f"{SHORT[term]}: s = {column.guidance.scale_of(term):g}" for term in column.guidance.terms]
    if column.forked_at is not None:
        lines.append(f"forked off after step {column.forked_at + 1}; the steps before are shared")
    if when(column.guidance):
        lines.append(f"acts {when(column.guidance)} of the way from noise to picture")
    if found.run is not None and found.run.target:
        lines.append(f"the classifier leads to the class “{found.run.target}”")
    if missing:
        lines.append(f"Cannot be drawn: {missing}.")
    if found.problem:
        lines.append(found.problem)
    if found.run is not None and found.whole:
        cost = found.run.cost
        lines.append(f"{cost.times:.2f} times the cost of an unguided run:")
        lines.append(f"{cost.evaluations} evaluations{_gradients(cost)}")
        lines += [verdict_words(verdict) for verdict in found.run.verdicts[:1]]
    return "<br>".join(lines)


def _gradients(cost: Cost) -> str:
    return "".join(f", {number} gradients of {SHORT[name]}" for name, number in cost.gradients.items())
