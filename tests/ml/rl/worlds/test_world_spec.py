"""Descriptions of worlds go to JSON and back, and say what is wrong with them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.ml.rl.grid import GridWorld, cliff, frozen_lake, windy
from studio.ml.rl.worlds import UnknownWorld, WorldSpec, grids

NAMES = st.text("abcdefgh_", min_size=1, max_size=6)
LEAVES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES, v, max_size=3), max_leaves=8)


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.none() | st.integers(1, 10**6))
def test_any_spec_comes_back_from_json_and_hashes_alike(options: dict[str, object], limit: int | None) -> None:
    spec = WorldSpec("Some-v0", tuple(options.items()), limit=limit)
    again = WorldSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec and hash(again) == hash(spec) and again.arguments() == options
    assert spec == WorldSpec("Some-v0", tuple(reversed(options.items())), limit=limit), "the order means nothing"


@pytest.mark.parametrize("grid", [*grids().values(), windy().blow(2, -3).put((0, 0), "#").reward((1, 1), 0.25), frozen_lake(8, success=0.8)])
def test_grids_come_back_whole(grid: GridWorld) -> None:
    spec = WorldSpec("grid", grid=grid, limit=99)
    again = WorldSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again.grid == grid and again == spec and hash(again) == hash(spec)


def test_options_cannot_be_changed_from_outside() -> None:
    desc = ["SF", "FG"]
    spec = WorldSpec("FrozenLake-v1", (("desc", desc),))
    desc[0] = "SH"
    spec.arguments()["desc"].append("x")
    assert spec.arguments() == {"desc": ["SF", "FG"]}


@pytest.mark.parametrize(
    "told",
    [
        {}, {"id": ""}, {"id": "grid"}, {"id": "CartPole-v1", "limit": 0}, {"id": "CartPole-v1", "options": 3},
        {"id": "CartPole-v1", "grid": WorldSpec("grid", grid=cliff()).to_json()["grid"]}, {"id": "file", "path": "a.py"},
        {"id": "CartPole-v1", "options": {"x": float("nan")}}, {"id": "grid", "grid": {"drawn": ["SG"]}},
        {"id": "CartPole-v1", "options": {"render_mode": "human"}},
    ],
)  # fmt: skip
def test_what_is_no_world_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(UnknownWorld):
        WorldSpec.from_json(told)
