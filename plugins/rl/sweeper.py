"""Between the sweep page and the engine: starts workers, hears what they train, keeps what came of it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import Cancelled, Done, Event, Failed, Priority, Snapshot, Task
from studio.ml.rl.learners import kind_of
from studio.ml.rl.worlds import WorldSpec
from studio_plugins.rl import sweep_jobs
from studio_plugins.rl.chosen import Base, Chosen
from studio_plugins.rl.controls import Controls
from studio_plugins.rl.desk import Desk
from studio_plugins.rl.seat import LETTERS
from studio_plugins.rl.sweep_jobs import KeepSweep, KeptSweep, SweepOrder, Trained
from studio_plugins.rl.sweep_page import SweepPage
from studio_plugins.rl.sweep_plan import Sweep, units
from studio_plugins.rl.sweep_score import CellScore


class Sweeper(QObject):
    """Signal: `said` (text, level, details, actions)."""

    said = Signal(str, str, str, object)

    def __init__(self, page: SweepPage, controls: Controls, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._page, self._controls, self._desk = page, controls, desk
        self._tasks: dict[str, Task] = {}
        self._rates: dict[tuple[WorldSpec, str], float] = {}
        """Steps a second of one process, its start included, as measured by former sweeps."""
        self._spent, self._cancelled = (0, 0.0), False
        controls.changed.connect(self._follow)
        controls.turned.connect(lambda _index: self._follow())
        desk.moved.connect(self._follow)
        page.asked.connect(self._estimate)
        page.wanted.connect(self._begin)
        page.cancelled.connect(self._cancel)
        page.used.connect(self._use)

    # --- before ---

    def _follow(self) -> None:
        """The page sweeps over the settings of the chosen run."""
        controls = self._controls
        shared = controls.form.valid_value()
        if controls.described is None or not controls.runs or shared is None or controls.chosen >= len(controls.runs):
            return
        run = controls.runs[controls.chosen]
        title = kind_of(run.agent).title
        whose = f"Settings of {LETTERS[controls.chosen]}, {title} in {controls.title}: which values learn best?"
        world = controls.described.spec
        self._page.set_run(whose, world, run.agent, run.settings, seed=shared.seed, steps=shared.steps)

    def _estimate(self, sweep: Sweep) -> None:
        cells, many = len(sweep.cells()), sweep_jobs.workers()
        text = f"{cells} cells × {sweep.seeds} seeds = {sweep.trainings} trainings, {_at_once(many)}. "
        rate = self._rate(sweep)
        if rate:
            seconds = sweep.trainings * sweep.steps / rate / min(many, sweep.trainings)
            text += f"About {duration(seconds)}, by the {rate:,.0f} steps a second measured here."
        else:
            text += "How long they take shows once the first one has ended; this agent has not been measured here yet."
        self._page.show_estimate(text)

    def _rate(self, sweep: Sweep) -> float:
        """Steps a second: of a former sweep, else of a run in the panel; 0 where none was measured."""
        if found := self._rates.get((sweep.world, sweep.kind)):
            return found
        views = (view for view in self._desk.views.values() if view.rate)
        same = (view.rate for view in views if (view.plan.world, view.plan.kind) == (sweep.world, sweep.kind))
        return float(next(same, 0.0))

    # --- while it goes on ---

    def _begin(self, sweep: Sweep) -> None:
        self._cancel()
        parts = units(sweep, kind_of(sweep.kind).family)
        order = SweepOrder.of(sweep, parts)
        self._page.begin(sweep)
        self._tasks, self._spent, self._cancelled = {}, (0, 0.0), False
        for k in range(min(sweep_jobs.workers(), len(parts))):
            task = self._desk.submit(sweep_jobs.work, order, f"sweep, worker {k + 1}", priority=Priority.BACKGROUND)
            if task is not None:
                self._tasks[task.id] = task
        if not self._tasks:
            self._page.end()

    def _cancel(self) -> None:
        self._cancelled = True
        for task in self._tasks.values():
            task.cancel()

    def on_event(self, task: Task, event: Event) -> None:
        """Hear what belongs to a sweep."""
        if isinstance(event, Done) and isinstance(event.result, KeptSweep):
            self._desk.status.emit("", None)
            if event.result.id:
                self.said.emit("The sweep is kept in the History.", "success", "", ())
        elif task.id in self._tasks:
            if isinstance(event, Snapshot):
                self._hear(event.data)
            elif isinstance(event, (Done, Failed, Cancelled)):
                del self._tasks[task.id]
                if not self._tasks:
                    self._end()

    def _hear(self, told: Any) -> None:
        sweep = self._page.sweep
        if isinstance(told, CellScore):
            self._page.add_cell(told)
        elif isinstance(told, Trained) and sweep is not None:
            steps, seconds = self._spent = (self._spent[0] + told.steps, self._spent[1] + told.seconds)
            if steps:
                self._rates[sweep.world, sweep.kind] = steps / seconds
            left = seconds / told.done * (told.total - told.done) / max(1, len(self._tasks))
            trained = told.done * sweep.trainings // told.total
            rest = f", about {duration(left)} left" if left else ""
            text = f"{trained} of {sweep.trainings} trainings have ended{rest}."
            self._page.show_progress(told.done, told.total, text)

    def _end(self) -> None:
        self._page.end()
        sweep, scores = self._page.sweep, dict(self._page.scores)
        if sweep is not None and scores and not self._cancelled:
            self._desk.submit(sweep_jobs.keep, KeepSweep(sweep, scores), "keeping the sweep")

    # --- after ---

    def _use(self, score: CellScore) -> None:
        """Put a cell's settings into the chosen run."""
        sweep, controls = self._page.sweep, self._controls
        if sweep is None or controls.described is None:
            return
        if why := controls.described.offer(sweep.kind).refused:
            self.said.emit(f"These settings cannot be used in {controls.title}. {why}", "warning", "", ())
            return
        base = Base("a cell of the sweep", score.cell.settings, score.words(sweep))
        controls.put(controls.chosen, Chosen(sweep.kind, score.cell.settings, base))
        letter = LETTERS[controls.chosen]
        self.said.emit(f"{letter} has the settings with {sweep.words(score.cell)}.", "success", "", ())


def _at_once(many: int) -> str:
    return "one at a time" if many == 1 else f"{many} at a time"


def duration(seconds: float) -> str:
    """Rounded as one would say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
