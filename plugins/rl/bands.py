"""Curves of runs over seeds, worked out until only drawing is left. Qt-free: the engine calls it.

Raw data are kept visible: `Drawn.raw` are the values themselves, thinned by their extremes, so that no outlier is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.record import Curve
from studio.ml.rl.statistics import Axis, band

if TYPE_CHECKING:
    from studio.ml.rl.session import RunView

Floats = NDArray[np.float64]
Over = Literal["iqm", "mean", "seeds"]

GRID = 160
"""Places at which a line over seeds is worked out."""
LEVEL = 0.15
"""Share of the whole length by which seeds may differ and still count as level."""
RAW = 2000
"""Points of raw data drawn of one run, all its seeds together."""


@dataclass(frozen=True)
class Choice:
    """What a plot shows. window: episodes that a smoothed value is the mean of; 1 leaves the data as they are."""

    measure: str = "return"
    axis: Axis = "steps"
    over: Over = "iqm"
    window: int = 10


class Moment(NamedTuple):
    """Something that happened to a run after so many steps: a live edit, or a mark to go back to (by its `mark`)."""

    steps: int
    text: str
    mark: object = None


@dataclass(frozen=True, eq=False)
class Measured:
    """A run's curves by measure, one for each seed, and the moments to show on them."""

    key: str
    curves: Mapping[str, Sequence[Curve]]
    notes: tuple[Moment, ...] = ()
    marks: tuple[Moment, ...] = ()


def measured(key: str, view: RunView) -> Measured:
    """What a window is told of a run, as curves to draw; a mark is known by its number."""
    notes = tuple(Moment(note.steps, note.text) for note in view.notes)
    marks = tuple(Moment(mark.steps, f"step {mark.steps:,}".replace(",", "\u202f"), mark.number) for mark in view.marks)
    return Measured(key, view.curves, notes, marks)


class Place(NamedTuple):
    """A moment, and where it stands on the x axis."""

    x: float
    moment: Moment


@dataclass(frozen=True, eq=False)
class Drawn:
    """One measure of one run, ready to draw.

    x, centre: [m] of the line over seeds (of the seed, where there is one), counts: how many seeds it is of, [m]. low,
    high: [m] of its 95 % interval; None for one seed, and where none was asked for. lines: every seed smoothed, (x, y).
    raw: all seeds unsmoothed, (x, y).
    """

    key: str
    choice: Choice
    x: Floats
    centre: Floats
    counts: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    low: Floats | None = None
    high: Floats | None = None
    lines: tuple[tuple[Floats, Floats], ...] = ()
    raw: tuple[Floats, Floats] = field(default_factory=lambda: (np.empty(0), np.empty(0)))
    notes: tuple[Place, ...] = ()
    marks: tuple[Place, ...] = ()

    @property
    def seeds(self) -> int:
        return len(self.lines)


def measures(runs: Sequence[Measured]) -> tuple[str, ...]:
    """Every measure that some run has, return and length first."""
    found = dict.fromkeys(("return", "length"))
    for run in runs:
        found |= dict.fromkeys(name for name, curves in run.curves.items() if any(len(c.values) for c in curves))
    return tuple(found)


def figure(runs: Sequence[Measured], choice: Choice, *, resamples: int | None = None) -> tuple[Drawn, ...]:
    """All runs that have the measure. resamples: of the bootstrap, as many as are quick where not given; 0 leaves the
    intervals out, which take by far the longest."""
    some = (run for run in runs if any(map(_long, run.curves.get(choice.measure, ()))))
    return tuple(drawn(run, choice, resamples=resamples) for run in some)


def drawn(run: Measured, choice: Choice, *, resamples: int | None = None) -> Drawn:
    """One run: each seed smoothed, then all of them taken together where all have data."""
    curves = [curve for curve in run.curves.get(choice.measure, ()) if _long(curve)]
    lines = tuple(smoothed(curve, choice.axis, choice.window) for curve in curves)
    raw = _raw(curves, choice.axis) if choice.window > 1 else (np.empty(0), np.empty(0))
    notes, marks = (
        tuple(Place(place(curves[0], moment.steps, choice.axis), moment) for moment in moments) if curves else ()
        for moments in (run.notes, run.marks)
    )
    x = reach(tuple(line[0] for line in lines))
    if not len(x) or choice.over == "seeds" and len(lines) > 1:
        empty = np.empty(0)
        return Drawn(run.key, choice, empty, empty, lines=lines, raw=raw, notes=notes, marks=marks)
    values = np.array([np.interp(x, *line, left=np.nan, right=np.nan) for line in lines])
    counts = (~np.isnan(values)).sum(axis=0)
    how: Literal["iqm", "mean"] = "iqm" if choice.over == "iqm" else "mean"
    if len(lines) < 2:
        return Drawn(run.key, choice, x, values[0], counts, None, None, lines, raw, notes, marks)
    told = band(x, values, how, "bootstrap" if resamples != 0 else "range", resamples=resamples or None)
    low, high = (told.low, told.high) if resamples != 0 else (None, None)
    return Drawn(run.key, choice, x, told.centre, counts, low, high, lines, raw, notes, marks)


def smoothed(curve: Curve, axis: Axis, window: int) -> tuple[Floats, Floats]:
    """x and, at each point, the mean of the values of the last `window` episodes; of fewer at the beginning.

    A plain mean: a constant stays constant, and the first points are not pulled to anything.
    """
    x, y = _points(curve, axis)
    if window <= 1 or not len(y):
        return x, y
    known = np.isfinite(np.asarray(curve.values, dtype=np.float64))
    episodes = np.asarray(curve.episodes, dtype=np.float64)[known]
    first = np.searchsorted(episodes, episodes - window, side="right")
    first = np.minimum(first, np.arange(len(y)))
    # From the first value on, so that a constant sums to exact zeros.
    sums = np.concatenate([[0.0], np.cumsum(y - y[0])])
    here = np.arange(1, len(y) + 1)
    return x, y[0] + (sums[here] - sums[first]) / (here - first)


def reach(xs: Sequence[Floats]) -> Floats:
    """Where the seeds are taken together, [m] ascending: their own places where those are few, else an even grid.

    As far as the shortest seed where all have come about as far: a mean over fewer would jump at its end. Where some
    stopped long before, as far as half of the seeds.
    """
    if not xs:
        return np.empty(0)
    half = (len(xs) + 1) // 2 - 1
    firsts, lasts = sorted(x[0] for x in xs), sorted((x[-1] for x in xs), reverse=True)
    low = firsts[-1] if firsts[-1] - firsts[0] <= LEVEL * (lasts[0] - firsts[0]) else firsts[half]
    high = lasts[-1] if lasts[0] - lasts[-1] <= LEVEL * (lasts[0] - firsts[0]) else lasts[half]
    if high < low:
        return np.empty(0)
    own = np.unique(np.concatenate(xs))
    own = own[(own >= low) & (own <= high)]
    return own if len(own) <= GRID else np.linspace(low, high, GRID)


def place(curve: Curve, steps: float, axis: Axis) -> float:
    """Where a number of steps lies on an axis, between the points of a curve."""
    if axis == "steps" or not len(curve.steps):
        return float(steps)
    known, along = (np.asarray(getattr(curve, name), dtype=np.float64) for name in ("steps", axis))
    return float(np.interp(steps, known, along))


def thinned(x: Floats, y: Floats, most: int) -> tuple[Floats, Floats]:
    """At most so many points: of each stretch its smallest and largest value."""
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), max(1, most // 2) + 1).astype(np.int64)[:-1]
    ends = np.append(edges[1:], len(x)) - 1
    both = np.empty(2 * len(edges))
    both[0::2], both[1::2] = np.minimum.reduceat(y, edges), np.maximum.reduceat(y, edges)
    places = np.empty(2 * len(edges))
    places[0::2], places[1::2] = x[edges], x[ends]
    return places, both


def _raw(curves: Sequence[Curve], axis: Axis) -> tuple[Floats, Floats]:
    parts = [thinned(*_points(curve, axis), RAW // len(curves)) for curve in curves]
    none = np.empty(0)
    return np.concatenate([none, *(x for x, _ in parts)]), np.concatenate([none, *(y for _, y in parts)])


def _points(curve: Curve, axis: Axis) -> tuple[Floats, Floats]:
    """x and y of the values that are numbers, x never going back."""
    y = np.asarray(curve.values, dtype=np.float64)
    x = np.asarray(getattr(curve, axis), dtype=np.float64)
    known = np.isfinite(y)
    return np.maximum.accumulate(x[known]) if known.any() else x[known], y[known]


def _long(curve: Curve) -> bool:
    return len(curve.values) > 0 and bool(np.isfinite(np.asarray(curve.values, dtype=np.float64)).any())
