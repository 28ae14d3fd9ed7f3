"""The jobs of a sweep: workers that let processes train one cell after another, and what keeps it in the History."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress, Snapshot
from studio.host.export.tables import csv_text
from studio.host.results import ResultsStore
from studio_plugins.rl import keeping
from studio_plugins.rl.catalogue import title_of
from studio_plugins.rl.plans import agent_title
from studio_plugins.rl.request import RlRequest
from studio_plugins.rl.sweep_cell import Outcome, train_unit
from studio_plugins.rl.sweep_plan import Sweep, Unit
from studio_plugins.rl.sweep_score import CellScore, best, scored, table

Running = Generator[Event | Offload, Any, Any]


def workers() -> int:
    """Processes at a time: one core stays for the window and what trains in it."""
    return max(1, (os.cpu_count() or 2) - 1)


@dataclass(eq=False)
class SweepOrder:
    """One sweep, shared by its workers: they take turns on one lane, so none is in the middle of anything here."""

    sweep: Sweep
    left: deque[Unit]
    total: int
    done: int = 0
    outcomes: dict[int, list[Outcome]] = field(default_factory=dict)
    failures: dict[int, list[str]] = field(default_factory=dict)
    expected: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, sweep: Sweep, units: tuple[Unit, ...]) -> SweepOrder:
        """With everything still to be done."""
        order = cls(sweep, deque(units), len(units))
        for unit in units:
            order.expected[unit.cell] = order.expected.get(unit.cell, 0) + len(unit.seeds)
        return order

    def hear(self, unit: Unit, outcomes: tuple[Outcome, ...], why: str = "") -> bool:
        """What a process came to; whether its cell is complete."""
        self.done += 1
        self.expected[unit.cell] -= len(unit.seeds)
        self.outcomes.setdefault(unit.cell, []).extend(outcomes)
        if why:
            self.failures.setdefault(unit.cell, []).append(why)
        return self.expected[unit.cell] == 0


@dataclass(frozen=True)
class Trained:
    """A process has ended. seconds: with its start; steps: that it trained."""

    done: int
    total: int
    steps: int
    seconds: float


@dataclass(frozen=True)
class Worked:
    """A worker has nothing left to do."""


def work(order: SweepOrder, ctx: JobContext) -> Running:
    """One worker: a process for each unit that is left. A process that fails says why, and the others go on."""
    cells = order.sweep.cells()
    while order.left:
        unit = order.left.popleft()
        yield Progress(order.done, order.total, f"sweep: {order.sweep.words(cells[unit.cell])}")
        began, outcomes, why = time.monotonic(), (), ""
        try:
            outcomes = yield Offload(train_unit, unit, process=True)
        except Exception as error:  # of any kind: it is that cell's own, and told there
            why = str(error) or type(error).__name__
        complete = order.hear(unit, outcomes, why)
        steps = sum(outcome.steps for outcome in outcomes)
        yield Snapshot(f"unit {unit.number}", Trained(order.done, order.total, steps, time.monotonic() - began))
        if complete:
            found = order.outcomes.get(unit.cell, []), order.failures.get(unit.cell, [])
            yield Snapshot(f"cell {unit.cell}", (yield Offload(scored, cells[unit.cell], *found)))
    return Worked()


@dataclass(frozen=True, eq=False)
class KeepSweep:
    """A sweep that has ended, with its cells by number."""

    sweep: Sweep
    scores: Mapping[int, CellScore]


@dataclass(frozen=True)
class KeptSweep:
    """Its id in the store; empty where no cell has a score."""

    id: str


def keep(order: KeepSweep, ctx: JobContext) -> Running:
    """Keep it as one record: the request of its best cell, and all numbers. Raises StoreUnwritable."""
    yield Progress(0, 1, "keeping the sweep")
    return KeptSweep((yield Offload(stored, order, ctx.services["results"])))


def stored(order: KeepSweep, store: ResultsStore) -> str:
    """The id of the record. Raises StoreUnwritable."""
    sweep, top = order.sweep, best(order.scores.values())
    if top is None or top.final is None:
        return ""
    plan = sweep.plan(top.cell)
    curves = {"return": tuple(outcome.curve for outcome in top.outcomes)}
    names = " and ".join(axis.label for axis in sweep.axes)
    record = store.add(
        RlRequest.kind, keeping.request_of(plan),
        {
            "sweep.json": json.dumps(told(order), indent=1, ensure_ascii=False).encode(),
            "sweep.csv": csv_text(table(sweep, order.scores)).encode(),
            keeping.CURVES_FILE: json.dumps(keeping.curves_told(curves)).encode(),
        },
        title=f"Sweep of {names}: {agent_title(plan)} in {title_of(plan.world)}, best {sweep.words(top.cell)}",
        thumbnail=keeping.picture(curves["return"]),
        metrics={"final_return": round(top.final.value, 3), "cells": len(order.scores), "steps": sweep.steps},
    )  # fmt: skip
    return record.id


def told(order: KeepSweep) -> dict[str, Any]:
    """The sweep as JSON data."""
    sweep = order.sweep
    return {
        "world": sweep.world.to_json(), "kind": sweep.kind, "settings": asdict(sweep.settings),
        "axes": [asdict(axis) for axis in sweep.axes], "seed": sweep.seed, "seeds": sweep.seeds, "steps": sweep.steps,
        "cells": [
            {
                "values": list(score.cell.values), "final": None if score.final is None else score.final._asdict(),
                "seeds": [
                    {
                        "seed": o.seed, "score": o.score if isfinite(o.score) else None, "episodes": o.episodes,
                        "steps": o.steps, "trouble": o.trouble,
                    }
                    for o in score.outcomes
                ],
                "troubles": list(score.troubles),
            }
            for _, score in sorted(order.scores.items())
        ],
    }  # fmt: skip
