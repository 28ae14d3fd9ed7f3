"""Keeps the curves up to date: looks of the runs go to the engine, drawings come back, as often as costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from time import monotonic
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from studio.engine import Task
from studio_plugins.rl import jobs
from studio_plugins.rl.bands import Drawn, Measured, measured
from studio_plugins.rl.curve_page import CurvePage
from studio_plugins.rl.curve_plot import RunLine
from studio_plugins.rl.desk import Desk
from studio_plugins.rl.jobs import CurveOrder, Curves
from studio_plugins.rl.keeping import title
from studio_plugins.rl.offers import Described
from studio_plugins.rl.seat import LETTERS, Seat
from studio_plugins.rl.tile import COLOURS

EVERY = 250
"""Milliseconds between two drawings, at least."""
SHARE = 40
"""A drawing is made no sooner than this many times what the last one cost."""
APART = 60
"""Milliseconds between the upper and the lower plot, while they move."""
QUICK, WHOLE = 100, 1000
"""Resamples of the intervals: while training, and once it stands still."""
BANDS_EVERY = 3.0
"""Seconds between two intervals while training; the lines between them leave the last ones as they are."""
_KEPT_COLOURS = ("series.4", "series.5", "series.6", "series.7")


class Lines(QObject):
    """Between the curve page and the desk. Signal: `rewound` (index of the run, number of the mark)."""

    rewound = Signal(int, int)

    def __init__(self, page: CurvePage, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._page, self._desk = page, desk
        self._seats: tuple[Seat, ...] = ()
        self._runs: dict[str, Measured] = {}
        self._kept: dict[str, tuple[RunLine, Measured]] = {}
        self._task: Task | None = None
        self._again = self._whole = False
        self._solved: float | None = None
        self._best: float | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._draw)
        self._second = QTimer(self)
        self._second.setSingleShot(True)
        self._second.timeout.connect(self._show_lower)
        self._lower: tuple[Drawn, ...] = ()
        self._bands_due = 0.0
        page.wanted.connect(self._ask)
        page.rewound.connect(self._rewind)
        desk.drawn.connect(self._show)

    def set_world(self, described: Described) -> None:
        """The level at which the present world counts as solved."""
        self._solved = described.description.threshold
        self._best = None
        self._set_references()

    def _set_references(self) -> None:
        levels = ((self._solved, "counts as solved"), (self._best, "best possible"))
        self._page.set_references([(level, words) for level, words in levels if level is not None])

    def set_seats(self, seats: Sequence[Seat]) -> None:
        """These runs have curves."""
        self._seats = tuple(seats)
        self._runs = {letter: run for letter, run in self._runs.items() if letter in {seat.letter for seat in seats}}
        self._set_lines()

    def _set_lines(self) -> None:
        own = [
            RunLine(seat.letter, f"{seat.letter}  {title(seat.plan)}", COLOURS[LETTERS.index(seat.letter)])
            for seat in self._seats
        ]
        self._page.set_runs([*own, *(line for line, _ in self._kept.values())])

    def forget(self) -> None:
        """A training begins anew."""
        self._runs.clear()

    def compare(self, key: str, name: str, curves: Any) -> None:
        """Draw a kept run beside those of now, dashed; four at most, the oldest goes."""
        while len(self._kept) >= len(_KEPT_COLOURS):
            del self._kept[next(iter(self._kept))]
        free = next(c for c in _KEPT_COLOURS if c not in {line.colour for line, _ in self._kept.values()})
        self._kept[key] = (RunLine(key, name, free, kept=True), Measured(key, curves))
        self._set_lines()
        self._ask()

    @property
    def compared(self) -> tuple[str, ...]:
        """Keys of the kept runs that are drawn."""
        return tuple(self._kept)

    @property
    def measured(self) -> tuple[Measured, ...]:
        """The curves of all runs, kept ones included."""
        return (*self._runs.values(), *(run for _, run in self._kept.values()))

    def drop(self, key: str) -> None:
        """A kept run goes from the plot."""
        self._kept.pop(key, None)
        self._set_lines()
        self._ask()

    def no_comparison(self) -> None:
        """Kept runs go from the plot."""
        self._kept.clear()
        self._set_lines()
        self._ask()

    def show_view(self, index: int, view: Any) -> None:
        """A run was looked at."""
        if index < len(self._seats):
            letter = self._seats[index].letter
            self._runs[letter] = measured(letter, view)
            best = best_return(view)
            if best is not None and best != self._best:
                self._best = best
                self._set_references()
            self._ask()

    def draw_whole(self) -> None:
        """Nothing moves: there is time for intervals of many resamples."""
        self._whole = True
        self._ask()

    def _ask(self) -> None:
        self._again = True
        if not self._timer.isActive() and self._task is None:
            self._timer.start(0 if self._whole else EVERY // 2)

    def _draw(self) -> None:
        seats = tuple(seat for seat in self._seats if seat.letter in self._runs)
        runs = (*seats, *(run for _, run in self._kept.values()))
        if not self._page.isVisible() or not runs:
            return
        whole = self._whole and not self._desk.trains()
        self._again = self._whole = False
        order = CurveOrder(runs, self._page.choices(), WHOLE if whole else self._resamples())
        self._task = self._desk.submit(jobs.draw, order, "drawing curves")

    def _resamples(self) -> int:
        """While training: now and then some, else none."""
        now = monotonic()
        if now < self._bands_due:
            return 0
        self._bands_due = now + BANDS_EVERY
        return QUICK

    def _show(self, task: Task, curves: Curves | None) -> None:
        if task is not self._task:
            return
        self._task = None
        cost = 0.0
        if curves is not None:
            cost = curves.seconds
            self._page.offer(curves.measures)
            self._show_curves(curves)
        if self._again:
            self._timer.start(max(EVERY, min(4000, int(1000 * SHARE * cost))))

    def _show_curves(self, curves: Curves) -> None:
        """Both at once while nothing moves; else one after the other, so that neither is late for the next frame."""
        moves = self._desk.trains()
        self._page.show_drawn(curves.upper, None if moves else curves.lower, fine=not moves)
        self._lower = curves.lower
        if moves:
            self._second.start(APART)

    def _show_lower(self) -> None:
        self._page.show_drawn(None, self._lower, fine=not self._desk.trains())

    def _rewind(self, letter: str, mark: object) -> None:
        index = next((k for k, seat in enumerate(self._seats) if seat.letter == letter), None)
        if index is not None and isinstance(mark, int):
            self.rewound.emit(index, mark)

    def close(self) -> None:
        """The panel closes."""
        self._timer.stop()
        self._second.stop()


def best_return(view: Any) -> float | None:
    """What the best policy gets from the start of a grid on average; None where it is not known or is discounted."""
    table, grid = view.look.table, view.look.grid
    if table is None or table.optimal is None or grid is None or view.plan.settings.gamma != 1:
        return None
    value = float(table.optimal[grid.state(grid.start)].max())
    return value if isfinite(value) else None
