"""Grid worlds to begin with, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from studio.ml.rl.grid import GridWorld, cliff, frozen_lake, windy

_ROOMS = """
......#......
......#......
.............
......#......
S.....#......
##.####......
......###.###
......#......
......#......
.............
......#......
......#.....G
"""
_MAZE = """
S.#.........
..#.#######.
..#.#.......
.##.#.######
....#......#
.####.####.#
.#....#....#
.#.####.##.#
.#.#....#..#
...#.####.##
.###....#...
.......##..G
"""
_SHORTCUT = """
........G
.........
.........
.########
.........
S........
"""
_BRIDGE = """
.CCCCCCC.
S.......G
.CCCCCCC.
"""


@cache
def grids() -> Mapping[str, GridWorld]:
    """What there is to choose from; every goal can be reached from the start."""
    return MappingProxyType({
        "Cliff walking": cliff(),
        "Cliff walking, slippery": cliff(slip=2 / 3),
        "Frozen lake, 4 by 4": frozen_lake(4),
        "Frozen lake, 8 by 8": frozen_lake(8),
        "Windy grid": windy(),
        "Empty room": GridWorld(8, 8, start=(0, 0), goals=frozenset({(7, 7)})),
        "Narrow bridge": GridWorld.drawn(_BRIDGE, slip=0.1),
        "Way around": GridWorld.drawn(_SHORTCUT),
        "Maze": GridWorld.drawn(_MAZE),
        "Four rooms": GridWorld.drawn(_ROOMS),
    })  # fmt: skip
