"""What is known of a world without acting in it: found out once and remembered."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from studio.ml.rl.grid import GridWorld
from studio.ml.rl.model import Model
from studio.ml.rl.worlds.description import Description
from studio.ml.rl.worlds.opening import opened
from studio.ml.rl.worlds.remote import RemoteBank
from studio.ml.rl.worlds.spec import FILE, WorldSpec


class _Known(NamedTuple):
    description: Description
    model: Model | None
    grid: GridWorld | None


@lru_cache(maxsize=256)
def _known(spec: WorldSpec) -> _Known:
    if spec.id == FILE:
        bank = RemoteBank(spec, 1)
        try:
            bank.reset(0, 0)
        finally:
            bank.close()
        return _Known(bank.description, None, None)
    world = opened(spec)
    try:
        world.single.reset(0)
    finally:
        world.single.close()
    return _Known(world.description, world.model, world.grid)


def describe(spec: WorldSpec) -> Description:
    """What an agent must know of a world, which is opened and reset once for it; then cached. Raises UnknownWorld, MissingPackage, BadSpace, WorldFailed."""
    return _known(spec).description


def model_of(spec: WorldSpec) -> Model | None:
    """The exact transition table, where it is known. Raises as `describe` does."""
    return _known(spec).model


def grid_of(spec: WorldSpec) -> GridWorld | None:
    """The grid that a world is, wherever its description says that it is seen as a grid. Raises as `describe` does."""
    return _known(spec).grid
