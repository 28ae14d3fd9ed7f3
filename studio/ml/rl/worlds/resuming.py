"""Copies of a world brought back to the middle of their episodes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.errors import BadCheckpoint, RLError
from studio.ml.rl.learner import Floats, Kept, episode_seed
from studio.ml.rl.worlds.actions import Actions
from studio.ml.rl.worlds.bank import Bank
from studio.ml.rl.worlds.banks import bank_of
from studio.ml.rl.worlds.log import ActionLog
from studio.ml.rl.worlds.spec import WorldSpec


class Resumed(NamedTuple):
    """What `keep` gave, checked, and a bank whose episodes are where they were. Its grid may be an edited one."""

    bank: Bank
    spec: WorldSpec
    seed: int
    steps: int
    numbers: list[int]
    log: ActionLog
    totals: Floats
    observations: NDArray[Any]


def resumed(kept: Kept, spec: WorldSpec, like: NDArray[Any], *, isolated: bool) -> Resumed:
    """Acts the kept episodes again in fresh copies. like: the observations of the worlds. Raises BadCheckpoint."""
    count = len(like)
    try:
        world = WorldSpec.from_json(kept.data["world"])
        seed, steps = int(kept.data["seed"]), int(kept.data["steps"])
        numbers, states = [int(n) for n in kept.data["numbers"]], list(kept.data["states"])
        totals = np.array(kept.arrays["totals"], dtype=np.float64)
        observations = np.array(kept.arrays["observations"])
        actions = [np.array(kept.arrays[f"actions {place}"]) for place in range(len(numbers))]
    except (KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(f"This checkpoint of a world cannot be read ({error}); start a new run.") from error
    if world != spec and not _edited(world, spec) or len(numbers) != count:
        raise BadCheckpoint(
            f"The checkpoint is of {len(numbers)} times {world.title}, not of {count} times {spec.title} with the same "
            "options; open the run it belongs to."
        )
    if observations.shape != like.shape or observations.dtype != like.dtype or totals.shape != (count,):
        raise BadCheckpoint("The observations in this checkpoint have another shape than those of its world.")
    bank = bank_of(world, count, isolated=isolated)
    try:
        for place, number in enumerate(numbers):
            if number >= 0:
                reached = _again(bank, place, states[place], episode_seed(seed, place, number), actions[place])
                if not np.array_equal(reached, observations[place]):
                    raise BadCheckpoint(
                        f"{spec.title} is not reproducible: the same seed and actions led elsewhere, so its episodes "
                        "cannot be resumed; start a new run."
                    )
    except BadCheckpoint:
        bank.close()
        raise
    except (RLError, KeyError, TypeError) as error:
        bank.close()
        raise BadCheckpoint(f"The episodes of this checkpoint cannot be acted again: {error}") from error
    return Resumed(bank, world, seed, steps, numbers, ActionLog(actions), totals, observations)


def _edited(one: WorldSpec, other: WorldSpec) -> bool:
    """Whether both are grids of one size: an edit made the one into the other."""
    sizes = [None if spec.grid is None else (spec.grid.rows, spec.grid.columns) for spec in (one, other)]
    return sizes[0] is not None and sizes[0] == sizes[1] and one.limit == other.limit


def _again(bank: Bank, place: int, state: Any, seed: int, actions: NDArray[Any]) -> Any:
    """Goes to the end of an episode so far; the observation there."""
    if state is not None:
        bank.put_back(place, state)
        return state["walk"]["state"]
    reached = bank.reset(place, seed)
    for action in Actions(bank.description).checked(actions, len(actions))[1]:
        reached = bank.act(place, action)[0]
    return reached
