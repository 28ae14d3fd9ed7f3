"""Between the window and the engine: seats runs, trains, pauses and steps them, and does to them what the hand asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from PySide6.QtCore import QObject, Signal

from studio.engine import ErrorInfo, Event, Priority, Snapshot, Task, TaskState
from studio.host.context import PanelContext
from studio.host.desk import Actions
from studio.host.processes import process_mark
from studio_plugins.rl import jobs, leftovers, training
from studio_plugins.rl.jobs import CurveOrder, Curves, KeepOrder, KeptRuns
from studio_plugins.rl.leftovers import Damaged, LeftOver, LeftOvers, Reopened, ReopenOrder
from studio_plugins.rl.plans import agent_title
from studio_plugins.rl.player_desk import PlayerDesk
from studio_plugins.rl.seat import LETTERS, Clock, Seat, hold, let_go
from studio_plugins.rl.shared import forget
from studio_plugins.rl.training import Branched, BranchOrder, Deed, Looked, Retired, Trained, TrainOrder
from studio_plugins.rl.yard import There, order_of


class Desk(PlayerDesk):
    """Signals, beside those of worlds and players: `viewed` (index of the run, RunView), `seated` when runs come or go, `moved` when a run
    starts, pauses, ends; `left_over` (LeftOvers); `drawn` (Task, Curves or None)."""

    viewed = Signal(int, object)
    seated = Signal()
    moved = Signal()
    left_over = Signal(object)
    drawn = Signal(object, object)

    def __init__(self, context: PanelContext, parent: QObject) -> None:
        super().__init__(context, parent)
        self.seats: list[Seat] = []
        self.views: dict[int, Any] = {}
        """The last look at each run, by its index."""
        self.together = True
        self._clock = Clock()
        self._clock.annex = self._annex
        self._watched = True
        self._speed: float | None = None
        self._trainings: dict[str, Seat] = {}
        self._lost = ""
        """Why the process that trained has ended, until it is told with what is left of its runs."""
        self._finding: Task | None = None

    # --- runs ---

    def begin(self, plans: Sequence[Any]) -> None:
        """Train these from their beginning; what trained before is let go of."""
        self.clear()
        self.seats = [self._seat(letter, plan) for letter, plan in zip(LETTERS, plans, strict=False)]
        self.seated.emit()
        for seat in self.seats:
            self._train(seat)

    def _seat(self, letter: str, plan: Any) -> Seat:
        folder = self._runs / f"{letter}-{process_mark()}-{uuid4().hex[:8]}"
        hold(folder)
        seat = Seat(letter, plan, folder)
        seat.watched, seat.pace.speed = self._watched, self._speed
        seat.annex = seat.pace.annex = self._annex
        return seat

    def _train(self, seat: Seat) -> None:
        self._clock.seats = tuple(self.seats)
        order = TrainOrder(seat, self._clock)
        task = self.submit(
            training.train, order, f"training {seat.letter}: {agent_title(seat.plan)}", priority=Priority.BACKGROUND
        )
        if task is not None:
            self._trainings[task.id] = seat
            self.moved.emit()

    @property
    def _runs(self) -> Path:
        return self._context.panel_dir / "runs"

    def task_of(self, seat: Seat) -> Task | None:
        """The training of a run, if it goes on or is paused."""
        for task in self._tasks:
            if self._trainings.get(task.id) is seat and not task.state.ended:
                return task
        return None

    def trains(self) -> bool:
        """Whether any run moves."""
        return any(task is not None and task.state is not TaskState.PAUSED for task in map(self.task_of, self.seats))

    def goes_on(self) -> bool:
        """Whether any run has steps left to make."""
        return any(
            self.task_of(seat) is not None or k in self.views and not self.finished(seat) for k, seat in enumerate(self.seats)
        )

    def finished(self, seat: Seat) -> bool:
        """Whether the last look at a run said that it is over."""
        view = self.views.get(self.seats.index(seat))
        return view is not None and view.finished

    def opens(self) -> bool:
        """Whether a training that was broken off is being opened."""
        return any(isinstance(order_of(task), ReopenOrder) and not task.state.ended for task in self._tasks)

    @property
    def shown(self) -> tuple[Seat, ...]:
        """Runs that were looked at already."""
        return tuple(seat for k, seat in enumerate(self.seats) if k in self.views)

    def pause(self) -> None:
        """All runs stand still, and are seen where they do."""
        for seat in self.seats:
            task = self.task_of(seat)
            seat.held = True
            if task is not None and task.pause() and seat in self.shown:
                self.do(seat, training.look)
        self.moved.emit()

    def resume(self) -> None:
        """All runs go on; those that had ended, too, where they have steps left."""
        for k, seat in enumerate(self.seats):
            task = self.task_of(seat)
            seat.held = False
            if task is not None:
                task.resume()
            elif k in self.views and not self.finished(seat):
                self._train(seat)
        self.moved.emit()

    def begin_again(self, index: int, plan: Any) -> None:
        """One run from its beginning, by a plan that may be another; the others go on."""
        seat = self.seats[index]
        self._retire(seat)
        self.views.pop(index, None)
        self.seats[index] = fresh = self._seat(seat.letter, plan)
        self.seated.emit()
        self._train(fresh)

    def set_together(self, together: bool) -> None:
        """Whether all runs keep one clock."""
        self.together = self._clock.together = together

    def step(self) -> None:
        """The smallest step of every run."""
        self.pause()
        for seat in self.seats:
            self.do(seat, training.step)

    def do(self, seat: Seat, deed: Callable[[Any], object], text: str = "", *, key: str | None = None) -> None:
        """Do something to a run between two steps of its training."""
        replace = None if key is None else f"{key} {seat.letter}"
        self.submit(
            training.act, Deed(seat, deed, text), text or "a step", priority=Priority.INTERACTIVE, replace=replace
        )

    def branch(self, seat: Seat, number: int, settings: Any = None) -> None:
        """Let a new run begin at a mark of a run, beside it."""
        if len(self.seats) >= len(LETTERS):
            self.said.emit("There are four runs already; take one away first, then branch.", "warning", "", ())
            return
        self.submit(training.branch, BranchOrder(seat, self._seat(LETTERS[len(self.seats)], seat.now), number, settings), "branching off", priority=Priority.INTERACTIVE)

    def rewind(self, seat: Seat, number: int) -> None:
        """Go back to a mark of a run, which then stands still with all others."""
        self.pause()
        deed = Deed(seat, partial(training.go_back, number=number), back=True)
        self.submit(training.act, deed, "going back", priority=Priority.INTERACTIVE)

    def keep(self) -> None:
        """Keep all runs in the History as they stand."""
        self._keep(KeepOrder(tuple(self.seats), asked=True))

    def keep_one(self, seat: Seat) -> None:
        """Keep a run that has ended in the History."""
        self._keep(KeepOrder((seat,)), Priority.BACKGROUND)

    def _keep(self, order: KeepOrder, priority: Priority = Priority.FOREGROUND) -> None:
        title = f"keeping run {order.seats[0].letter}" if len(order.seats) == 1 else "keeping runs"
        self.submit(jobs.keep, order, title, priority=priority)

    def set_speed(self, speed: float | None) -> None:
        """Steps a second of one seed, also of runs to come; None is as fast as they can."""
        self._speed = speed
        for seat in self.seats:
            seat.pace.speed = speed

    def watch(self, watched: bool) -> None:
        """Whether pictures are wanted at all."""
        self._watched = self.dial.shown = watched
        for seat in self.seats:
            seat.watched = watched

    def clear(self) -> None:
        """Let go of all runs."""
        self.stop_playing()
        for seat in self.seats:
            self._retire(seat)
        self._trainings.clear()
        self.views.clear()
        self.seats = []

    def _retire(self, seat: Seat) -> None:
        """Nobody trains this run any more: it is kept in the History, and its worlds are closed."""
        seat.dropped = True
        task = self.task_of(seat)
        if task is not None:
            task.cancel()
        self.submit(training.retire, seat, f"keeping run {seat.letter}", priority=Priority.INTERACTIVE)

    def checkpoint(self) -> None:
        """Write a checkpoint of every run now."""
        for seat in self.seats:
            self.submit(training.write_checkpoint, seat, f"writing a checkpoint of {seat.letter}", priority=Priority.INTERACTIVE)

    def _lose_runs(self, why: str) -> None:
        """The process that trained has ended, and its runs with it: what they wrote is offered."""
        self.stop_playing()
        for task in self.pending():
            if isinstance(task.request, There):
                task.cancel()
        for seat in self.seats:
            let_go(seat.folder)
        if any(view.finished for view in self.views.values()):
            why += " Look in the History for runs that had ended."
        self._lost = self._lost or why
        self._trainings.clear()
        self.views.clear()
        self.seats = []
        self.seated.emit()
        self.moved.emit()
        self.find_left_over()

    def find_left_over(self) -> None:
        """Look for trainings that were broken off."""
        self._finding = self.submit(
            leftovers.find_left_over, self._runs, "looking for broken-off trainings", replace="left over", lane="quick"
        )

    def reopen(self, runs: Sequence[LeftOver]) -> None:
        """Take up trainings that were broken off, paused."""
        self.clear()
        self.seats = [self._seat(letter, run.plan) for letter, run in zip(LETTERS, runs, strict=False)]
        self.seated.emit()
        for seat, run in zip(self.seats, runs, strict=False):
            order = ReopenOrder(seat, run.folder)
            self.submit(leftovers.reopen, order, f"opening run {seat.letter}", priority=Priority.INTERACTIVE)

    def discard(self, runs: Sequence[LeftOver | Damaged]) -> None:
        """Trainings that were broken off are not wanted."""
        for run in runs:
            self.submit(leftovers.discard, run.folder, "removing a checkpoint", lane="quick")

    # --- hearing ---

    def on_event(self, task: Task, event: Event) -> None:
        if isinstance(event, Snapshot) and event.name in ("run", "run with curves"):
            self._view(self._trainings.get(task.id), event.data)
        else:
            super().on_event(task, event)
            if task.state.ended and task.id in self._trainings:
                self.moved.emit()

    def _begin(self, task: Task) -> None:
        """A task begins: what is only drawn is not worth a word."""
        if not isinstance(order_of(task), CurveOrder):
            super()._begin(task)

    def _view(self, seat: Seat | None, view: Any) -> None:
        """A run was looked at. Looks of two jobs may be heard in another order than they were had in, and one without curves
        before the first that has some: those are let pass."""
        if seat is None or seat not in self.seats:
            return
        index = self.seats.index(seat)
        before = self.views.get(index)
        if before is None and not view.curves or before is not None and before.number >= view.number:
            return
        if before is not None and not view.curves:
            view = replace(view, curves=before.curves)
        seat.seen = view.plan
        if not seat.begun:
            seat.begun = True
        self.views[index] = view
        self.viewed.emit(index, view)

    def _done(self, task: Task, result: Any) -> None:
        if isinstance(result, (Trained, Looked)):
            went_on = self.goes_on()
            self._view(result.seat, result.view)
            if self.goes_on() != went_on:
                self.moved.emit()  # it went back from its end, or has more steps to make
            if isinstance(result, Looked) and result.text:
                self.said.emit(result.text, "info", "", ())
            if isinstance(result, Trained):
                self.keep_one(result.seat)
        elif isinstance(result, Reopened):
            self._view(result.seat, result.view)
            self.moved.emit()
        elif isinstance(result, LeftOvers):
            if task is not self._finding:
                return  # more has been lost since
            lost, self._lost = self._lost, ""
            self.left_over.emit(replace(result, lost=lost))
        elif isinstance(result, Retired):
            let_go(result.seat.folder)
            forget(result.seat)
        elif isinstance(result, Branched):
            self._seat_branch(result)
        elif isinstance(result, Curves):
            self.drawn.emit(task, result)
            if not self.trains():
                self.status.emit("", None)
        elif isinstance(result, KeptRuns):
            self._say_kept(order_of(task), result)
        else:
            super()._done(task, result)

    def _say_kept(self, order: object, result: KeptRuns) -> None:
        """Runs kept because they have ended are told in passing; those that the person asked for, in words that stay."""
        if isinstance(order, KeepOrder) and order.asked and result.ids:
            self.said.emit(f"{len(result.ids)} kept in the History.", "success", "", ())
        elif result.ids and not self.trains():
            self.status.emit("kept in the History", None)

    def _seat_branch(self, result: Branched) -> None:
        seat = result.seat
        self.seats.append(seat)
        self.seated.emit()
        self._view(seat, result.view)
        self.said.emit(f"{seat.letter} branched off {result.source.letter} at step {result.view.steps:,}.", "success", "", ())
        if self.trains():
            self._train(seat)
        else:
            self.moved.emit()  # it goes on with the others

    def _cancelled(self, task: Task) -> None:
        if isinstance(order_of(task), CurveOrder):
            self.drawn.emit(task, None)
        elif task is self._player or task.id in self._trainings:
            super()._cancelled(task)

    def _failed(self, task: Task, error: ErrorInfo) -> None:
        super()._failed(task, error)
        order = order_of(task)
        if isinstance(order, ReopenOrder) and order.seat in self.seats:
            self._unseat(order.seat)
        if isinstance(order, CurveOrder):
            self.drawn.emit(task, None)
        if error.kind == "annex_ended":
            self.status.emit("", None)

    def _say_failed(self, task: Task, error: ErrorInfo) -> None:
        """All jobs over there fail at once when their process ends: that is one thing to tell, and not of each."""
        if error.kind == "annex_ended":
            self._lose_runs(error.message)
        else:
            super()._say_failed(task, error)

    def _unseat(self, gone: Seat) -> None:
        """There is no such run: the others close up."""
        views = {seat: self.views[k] for k, seat in enumerate(self.seats) if k in self.views}
        self.seats = [seat for seat in self.seats if seat is not gone]
        self.views.clear()
        for letter, seat in zip(LETTERS, self.seats, strict=False):
            seat.letter = letter
        self.seated.emit()
        for seat in self.seats:
            if seat in views:
                self._view(seat, views[seat])
        self.moved.emit()

    def _remedies(self, task: Task, error: ErrorInfo) -> Actions:
        order = order_of(task)
        if isinstance(order, KeepOrder):
            return (("Try again", lambda: self._keep(order)),)
        if isinstance(order, Seat) and order.dropped:
            return (("Try again", lambda: self._retire(order)),)
        return super()._remedies(task, error)

    def close(self) -> None:
        """The panel closes; the window cancels its tasks, which write their last checkpoints then."""
        self._player = None
        for seat in self.seats:
            seat.left, task = True, self.task_of(seat)
            if self._annex is not None:
                self._leave(seat)
            elif task is None or task.started is None:
                training.leave(seat)

    def _leave(self, seat: Seat) -> None:
        """Its training, if there is one, writes a last checkpoint over there, and closes its worlds."""
        let_go(seat.folder)
        if self._annex is not None and self.task_of(seat) is None:
            self._annex.call(training.leave, seat)
