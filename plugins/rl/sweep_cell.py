"""One training of a sweep, in a process of its own: no window, no engine, nothing shared with runs that are watched."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from time import perf_counter

import numpy as np

from studio.ml.rl import learners
from studio.ml.rl.errors import RLError
from studio.ml.rl.plan import Plan
from studio.ml.rl.record import Curve, Record
from studio_plugins.rl.sweep_plan import Unit

LAST = 100
"""Episodes whose mean return is the score."""
POINTS = 256
_BOUND = 1000
_GENTLY = 10
"""How much the system prefers the window and what trains in it."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Of one seed. score: mean return of the last 100 episodes, of all where there are fewer, nan where there are none.

    curve: its return, thinned. trouble: why it stopped early, in words.
    """

    seed: int
    score: float
    episodes: int
    steps: int
    seconds: float
    curve: Curve
    trouble: str = ""


def train_unit(unit: Unit) -> tuple[Outcome, ...]:
    """Train a cell on its seeds, one after another. Belongs into a process of its own."""
    _let_others_go_first()
    # Worlds from a person's file have a process of their own, which a daemon could not start; it ends with this one.
    multiprocessing.current_process().daemon = False
    return tuple(train(unit.plan, seed) for seed in unit.seeds)


def train(plan: Plan, seed: int) -> Outcome:
    """One training to its end; the same steps as a watched run makes, so the same result to the last bit."""
    record, steps, trouble = Record(POINTS), 0, ""
    quick = learners.kind_of(plan.kind).family == "tabular"
    learner = None
    try:
        learner = learners.make(plan.kind, plan.world, plan.settings, seed, plan.steps)
        while steps < plan.steps:
            began = perf_counter()
            limit = (min(_BOUND, plan.steps - steps),) if quick else ()
            turn = learner.advance(*limit)
            steps = learner.steps
            record.hear(turn, steps, perf_counter() - began)
    except RLError as error:
        trouble = str(error)
    finally:
        if learner is not None:
            learner.close()
    last = record.totals[-LAST:]
    score = float(np.mean(last)) if last else nan
    return Outcome(seed, score, record.episodes, steps, record.seconds, record.curve("return"), trouble)


def _let_others_go_first() -> None:
    nice: Callable[[int], int] | None = getattr(os, "nice", None)
    if nice is not None:
        nice(_GENTLY)
