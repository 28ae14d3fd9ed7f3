"""What a cell of a sweep came to over its seeds: the interquartile mean, its interval, and the band of its curve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from studio.host.export import Table
from studio.ml.rl.statistics import Band, Interval, align, band, interval
from studio_plugins.rl.score_words import number
from studio_plugins.rl.sweep_cell import LAST, Outcome
from studio_plugins.rl.sweep_plan import Cell, Sweep, shown

BINS, RESAMPLES = 100, 300


@dataclass(frozen=True, eq=False)
class CellScore:
    """final: over the seeds that came to their end, None where none did. band: of their return over steps.

    troubles: why the others stopped, in words.
    """

    cell: Cell
    outcomes: tuple[Outcome, ...]
    final: Interval | None
    band: Band | None
    troubles: tuple[str, ...]

    @property
    def value(self) -> float | None:
        """The interquartile mean of the final scores."""
        return self.final.value if self.final is not None else None

    def words(self, sweep: Sweep) -> str:
        """What a line about this cell says."""
        told = f"{sweep.words(self.cell)}: "
        if self.final is None:
            why = self.troubles[0] if self.troubles else "No episode ended; give it more steps."
            return f"{told}no score. {why}"
        ended = [outcome for outcome in self.outcomes if _counts(outcome)]
        few = min(outcome.episodes for outcome in ended)
        over = f"{LAST} episodes" if few >= LAST else f"{few} episodes, fewer than {LAST}"
        told += f"return {number(self.final.value)}"
        if len(ended) > 1:
            told += f" [{number(self.final.low)}, {number(self.final.high)}], IQM of {len(ended)} seeds"
        told += f", mean of the last {over}."
        if self.troubles:
            told += f" Left out: {' '.join(self.troubles)}"
        return told


def scored(cell: Cell, outcomes: Sequence[Outcome], failures: Sequence[str] = ()) -> CellScore:
    """Put the seeds of a cell together. failures: of processes that gave no outcome."""
    ordered = tuple(sorted(outcomes, key=lambda outcome: outcome.seed))
    ended = [outcome for outcome in ordered if _counts(outcome)]
    troubles = (*failures, *(f"Seed {o.seed}: {o.trouble}" for o in ordered if o.trouble))
    if not ended:
        return CellScore(cell, ordered, None, None, troubles)
    x, values = align([outcome.curve for outcome in ended], "steps", BINS)
    final = interval([outcome.score for outcome in ended])
    return CellScore(cell, ordered, final, band(x, values, resamples=RESAMPLES), troubles)


def _counts(outcome: Outcome) -> bool:
    return not outcome.trouble and isfinite(outcome.score)


def best(scores: Iterable[CellScore]) -> CellScore | None:
    """The cell with the highest score; None where none has one."""
    found = [score for score in scores if score.value is not None]
    return max(found, key=lambda score: score.value or 0.0) if found else None


def verdict(sweep: Sweep, scores: Mapping[int, CellScore]) -> str:
    """What the sweep says so far, and how sure that is."""
    top = best(scores.values())
    if top is None or top.final is None:
        return "No training came to a score." if scores else "Nothing has been trained yet."
    text = f"Best so far: {sweep.words(top.cell)}, return {number(top.final.value)}"
    if len(scores) == len(sweep.cells()):
        text = text.replace("Best so far", "Best")
    level = [s for s in scores.values() if s is not top and s.final is not None and s.final.high >= top.final.low]
    if sweep.seeds < 2:
        return f"{text}. One seed says little: more seeds show whether that is chance."
    if level:
        many = "cell is" if len(level) == 1 else "cells are"
        return f"{text}. {len(level)} other {many} level with it: their intervals overlap."
    return f"{text}, apart from all others." if len(scores) > 1 else f"{text}."


def table(sweep: Sweep, scores: Mapping[int, CellScore]) -> Table:
    """A row for each training: the swept values, seed, score, episodes, steps, seconds, trouble, and the cell's IQM."""
    rows = [(score, outcome) for _, score in sorted(scores.items()) for outcome in score.outcomes]
    columns: dict[str, list[object]] = {
        axis.name: [_plain(score.cell.values[k]) for score, _ in rows] for k, axis in enumerate(sweep.axes)
    }
    finals = [score.final for score, _ in rows]
    return Table({
        **columns,
        "seed": [o.seed for _, o in rows],
        "final_return": [o.score if isfinite(o.score) else None for _, o in rows],
        "episodes": [o.episodes for _, o in rows],
        "steps": [o.steps for _, o in rows],
        "seconds": [round(o.seconds, 3) for _, o in rows],
        "trouble": [o.trouble for _, o in rows],
        "cell_iqm": [None if f is None else f.value for f in finals],
        "cell_low": [None if f is None else f.low for f in finals],
        "cell_high": [None if f is None else f.high for f in finals],
    })  # fmt: skip


def _plain(value: object) -> object:
    return shown(value) if isinstance(value, bool) else value


def spread(scores: Iterable[CellScore]) -> tuple[float, float]:
    """Lowest and highest score, for colours."""
    values = np.array([score.value for score in scores if score.value is not None])
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
