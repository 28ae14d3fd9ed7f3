"""What has been drawn: one comparison, finished or on its way, and which of its steps belong to a column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio_plugins.guidance.request import Column, GuidanceRequest, shared_steps
from studio_plugins.guidance.results import ColumnRun, Comparison
from studio_plugins.guidance.trajectory import Step, Steps


@dataclass(frozen=True, eq=False)
class Found:
    """What there is of a column: its steps so far, `run` when it is finished, `whole` unless they are those of another.

    shared: (place of another column, how many steps are the same), for the steps that were not drawn twice.
    """

    steps: Steps = ()
    run: ColumnRun | None = None
    whole: bool = False
    shared: tuple[int, int] | None = None
    problem: str = ""


class Shown(QObject):
    """The comparison on the stage. `record_id` is None while it is not in the results store. Signal: `changed`."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.request: GuidanceRequest | None = None
        self.finished: Comparison | None = None
        self.record_id: str | None = None
        self._steps: list[list[Step]] = []
        self._problems: dict[int, str] = {}

    @property
    def provenance(self) -> dict[str, Any]:
        """Where it came from; empty before it is finished."""
        return dict(self.finished.provenance) if self.finished is not None else {}

    def begin(self, request: GuidanceRequest) -> None:
        """A comparison starts."""
        self.request, self.finished, self.record_id = request, None, None
        self._steps = [[] for _ in request.columns]
        self._problems = {}
        self.changed.emit()

    def add(self, column: int, step: Step) -> None:
        """One more step of a column."""
        if column < len(self._steps) and step.index == len(self._steps[column]):
            self._steps[column].append(step)

    def stop(self, column: int, problem: str) -> None:
        """A column cannot go on."""
        self._problems[column] = problem

    def finish(self, result: Comparison) -> None:
        """It is drawn, or was read from disk."""
        self.request, self.record_id = result.request, result.record_id
        kept = [list(run.steps) for run in result.columns]
        if len(self._steps) != len(kept):
            self._steps = [[] for _ in kept]
        self._steps = [new or old for new, old in zip(kept, self._steps, strict=True)]
        self._problems = {c: run.problem for c, run in enumerate(result.columns) if run.problem}
        columns = tuple(
            replace(run, steps=tuple(steps)) for run, steps in zip(result.columns, self._steps, strict=True)
        )
        self.finished = replace(result, columns=columns)
        self.changed.emit()

    def show(self, result: Comparison) -> None:
        """A whole comparison at once."""
        self._steps = [[] for _ in result.columns]
        self.finish(result)

    @property
    def rounds(self) -> int:
        """How many steps all columns have that can go on."""
        return min((len(steps) for c, steps in enumerate(self._steps) if c not in self._problems), default=0)

    @property
    def complete(self) -> bool:
        """Whether every step of every column that could go on is here."""
        if self.request is None:
            return False
        return all(len(s) == self.request.steps or c in self._problems for c, s in enumerate(self._steps))

    def find(self, column: Column) -> Found:
        """What there is of a column: its own steps, or those it has in common with one that was drawn."""
        if self.request is None:
            return Found()
        total = self.request.steps
        same = [column.same_steps(other, total) for other in self.request.columns]
        best = max(range(len(same)), key=lambda c: (same[c], -c))
        if same[best] == total:
            exact = next((c for c, other in enumerate(self.request.columns) if other.alike(column)), None)
            shared = (best, total) if exact is None else shared_steps(self.request.columns, exact, total)
            exact = best if exact is None else exact
            run = self.finished.columns[exact] if self.finished is not None else None
            return Found(tuple(self._steps[exact]), run, True, shared, self._problems.get(exact, ""))
        steps = tuple(self._steps[best][: same[best]])
        return Found(steps, shared=(best, len(steps)) if steps else None)

    def all_steps(self) -> list[Steps]:
        """Every column's steps so far."""
        return [tuple(steps) for steps in self._steps]
