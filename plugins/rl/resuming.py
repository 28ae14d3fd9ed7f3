"""Trainings that were broken off are offered to be gone on with, exactly where they were."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from studio_plugins.rl.desk import Desk
from studio_plugins.rl.keeping import title
from studio_plugins.rl.leftovers import LeftOver, LeftOvers, together


class Resuming(QObject):
    """Between the desk and the message bar. Signals: `said` (text, level, details, actions), `taken` (the runs to go on
    with, of one training)."""

    said = Signal(str, str, str, object)
    taken = Signal(object)

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        desk.left_over.connect(self.offer)

    def offer(self, found: LeftOvers) -> None:
        """Say what there is, unless something trains already; what is damaged is named, and only taken away when told so."""
        told, actions = [found.lost] if found.lost else [], []
        if self._desk.seats:
            found = LeftOvers(lost=found.lost)
        elif found.lost and not found.runs:
            told.append("There is no checkpoint to go on from.")
        if found.runs:
            runs = "; ".join(f"{title(run.plan)}, step {run.steps:,} of {run.plan.steps:,}" for run in found.runs)
            told.append(f"A training was broken off: {runs}.")
            actions = [("Take it up", lambda: self._take_up(found.runs)), ("Discard it", lambda: self._discard(found))]
        if found.damaged:
            many = len(found.damaged)
            told.append("A checkpoint cannot be used; see why." if many == 1 else f"{many} checkpoints cannot be used; see why.")
            if not all(damaged.newer for damaged in found.damaged):
                actions.append(("Remove what is damaged", lambda: self._remove_damaged(found)))
        if told:
            why = "\n".join(damaged.why for damaged in found.damaged)
            level = "error" if found.lost else "warning" if found.damaged else "info"
            self.said.emit(" ".join(told), level, why, actions)

    def _take_up(self, runs: Sequence[LeftOver]) -> None:
        self.said.emit("", "info", "", ())
        self.taken.emit(runs)

    def _discard(self, found: LeftOvers) -> None:
        self.said.emit("", "info", "", ())
        self._desk.discard(found.runs)
        runs = together(found.later)
        self.offer(LeftOvers(runs, found.damaged, tuple(run for run in found.later if run not in runs)))

    def _remove_damaged(self, found: LeftOvers) -> None:
        self.said.emit("", "info", "", ())
        self._desk.discard([damaged for damaged in found.damaged if not damaged.newer])
        self.offer(LeftOvers(found.runs, (), found.later))
