"""Short real runs of tabular agents on the cliff, and their curves, for the tests of what shows them."""

from __future__ import annotations

from studio.ml.rl.grid import cliff
from studio.ml.rl.record import Curve, Record
from studio.ml.rl.tabular import TabularLearner
from studio.ml.rl.tabular_settings import settings_class
from studio.ml.rl.walk import Walk
from studio.ml.rl.worlds import WorldSpec

STEPS = 2000


def learner(kind: str, seed: int = 0) -> TabularLearner:
    grid = cliff()
    spec, settings = WorldSpec("grid", grid=grid), settings_class(kind)()
    return TabularLearner(spec, kind, settings, seed, world=Walk(grid.model, seed))


def trained(kind: str, seed: int = 0, steps: int = STEPS) -> tuple[TabularLearner, Record]:
    """A learner after so many steps, and its record, whose clock goes by steps so that it is the same each time."""
    made, record = learner(kind, seed), Record()
    while made.steps < steps:
        before = made.steps
        turn = made.advance(min(1000, steps - made.steps))
        record.hear(turn, made.steps, (made.steps - before) / 1000)
    return made, record


def curves(kind: str, seeds: int = 3, steps: int = STEPS) -> dict[str, tuple[Curve, ...]]:
    """By measure, one for each seed."""
    records = [trained(kind, seed, steps)[1] for seed in range(seeds)]
    names = ("return", "length", "td_error", "value_error", "epsilon")
    return {name: tuple(record.curve(name) for record in records) for name in names}
