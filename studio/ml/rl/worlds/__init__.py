"""Worlds for agents: which one (`WorldSpec`), what it is (`describe`), and copies of it to act in (`Worlds`)."""

from studio.ml.rl.worlds.catalogue import Family, catalogue
from studio.ml.rl.worlds.description import Description
from studio.ml.rl.worlds.errors import BadSpace, FileChanged, MissingPackage, UnknownWorld, WorldFailed, WorldHung
from studio.ml.rl.worlds.grids import grids
from studio.ml.rl.worlds.known import describe, grid_of, model_of
from studio.ml.rl.worlds.parallel import Stepped, Worlds
from studio.ml.rl.worlds.replay import Replay, Shown
from studio.ml.rl.worlds.spec import WorldSpec
from studio.ml.rl.worlds.tabular import tabular_world
from studio.ml.rl.worlds.trusted import offered, trust

__all__ = [
    "BadSpace", "Description", "Family", "FileChanged", "MissingPackage", "Replay", "Shown", "Stepped", "UnknownWorld",
    "WorldFailed", "WorldHung", "WorldSpec", "Worlds", "catalogue", "describe", "grid_of", "grids", "model_of",
    "offered", "tabular_world", "trust",
]  # fmt: skip
