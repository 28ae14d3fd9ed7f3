"""The measuring pages: asks the engine for what they want to know, and tells them what comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject

from studio.engine import Cancelled, Done, Event, Failed, Snapshot, Task
from studio_plugins.rl import jobs
from studio_plugins.rl.desk import Desk
from studio_plugins.rl.jobs import JudgeOrder, MeasureOrder
from studio_plugins.rl.judging import Judgement, Truth
from studio_plugins.rl.measurement import Experiment, Point, Stage as Stretch
from studio_plugins.rl.offers import Described
from studio_plugins.rl.offpolicy_page import BEST
from studio_plugins.rl.seat import Seat
from studio_plugins.rl.stage import Stage

NO_TABLE = "This needs a world whose transition table is known: a grid, or one of toy text such as FrozenLake-v1."


class Laboratory(QObject):
    """Between the two measuring pages and the desk."""

    def __init__(self, stage: Stage, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._experiment, self._judge, self._desk = stage.experiment, stage.judge, desk
        self._described: Described | None = None
        self._seats: tuple[Seat, ...] = ()
        self._measuring: Task | None = None
        self._judging: Task | None = None
        self._experiment.wanted.connect(self._measure)
        self._experiment.cancelled.connect(lambda: self._stop(self._measuring))
        self._judge.wanted.connect(self._ask_judge)
        self._judge.cancelled.connect(lambda: self._stop(self._judging))

    def set_world(self, described: Described) -> None:
        """Measure in this world."""
        before, self._described = self._described, described
        if before is not None and before.spec == described.spec:
            return
        for task in (self._measuring, self._judging):
            self._stop(task)
        why = "" if described.description.model else NO_TABLE
        from studio_plugins.rl.catalogue import title_of

        self._experiment.set_world(title_of(described.spec), described.spec.grid, why)
        self.set_seats(self._seats)

    def set_seats(self, seats: Sequence[Seat]) -> None:
        """The values of these runs can be judged by."""
        self._seats = tuple(seats)
        tables = [f"Run {seat.letter}" for seat in self._seats if self._is_table(seat)]
        known = self._described is not None and self._described.description.model
        self._judge.set_sources((BEST, *tables), "" if known else NO_TABLE)

    def _is_table(self, seat: Seat) -> bool:
        from studio.ml.rl.learners import kind_of

        same = self._described is not None and seat.plan.world == self._described.spec
        return kind_of(seat.plan.kind).family == "tabular" and same

    def _measure(self, wanted: Experiment) -> None:
        if self._described is not None:
            self._experiment.begin(wanted)
            order = MeasureOrder(self._described.spec, wanted)
            self._measuring = self._desk.submit(jobs.measure_gap, order, "measuring the gap", replace="gap")

    def _ask_judge(self, wanted: Judgement, source: str) -> None:
        if self._described is None:
            return
        self._judge.begin(wanted)
        seat = next((seat for seat in self._seats if f"Run {seat.letter}" == source), None)
        order = JudgeOrder(self._described.spec, wanted, seat)
        self._judging = self._desk.submit(jobs.judge_policy, order, "judging a policy", replace="judge")

    @staticmethod
    def _stop(task: Task | None) -> None:
        if task is not None:
            task.cancel()

    def on_event(self, task: Task, event: Event) -> None:
        """Hear what belongs to a measurement."""
        if task is self._measuring:
            self._hear_gap(event)
        elif task is self._judging:
            self._hear_judge(event)

    def _hear_gap(self, event: Event) -> None:
        if isinstance(event, Snapshot) and isinstance(event.data, Stretch):
            self._experiment.show_stage(event.data)
        elif isinstance(event, Snapshot) and isinstance(event.data, Point):
            self._experiment.add_point(event.data)
        elif isinstance(event, (Done, Failed, Cancelled)):
            self._experiment.end()

    def _hear_judge(self, event: Event) -> None:
        if isinstance(event, Snapshot):
            told: Any = event.data
            self._judge.set_truth(told) if isinstance(told, Truth) else self._judge.add(told)
        elif isinstance(event, Failed):
            self._judge.say(event.error.message)
        elif isinstance(event, (Done, Cancelled)):
            self._judge.end()
