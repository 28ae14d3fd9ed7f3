"""Toy-text worlds are walked by their tables, which are Gymnasium's own."""

from __future__ import annotations

from collections import Counter

import gymnasium as gym
import numpy as np
import pytest

from studio.ml.rl.errors import BadAction, BadCheckpoint
from studio.ml.rl.grid import cliff, frozen_lake
from studio.ml.rl.model import Model
from studio.ml.rl.walk import Walk
from studio.ml.rl.worlds import BadSpace, Worlds, WorldSpec, describe, grid_of, grids, model_of, tabular_world
from studio.ml.rl.worlds.toytext import alike

LAKE = "FrozenLake-v1"
SPECS = [
    WorldSpec(LAKE), WorldSpec("FrozenLake8x8-v1"), WorldSpec("CliffWalking-v1"), WorldSpec("CliffWalkingSlippery-v1"),
    WorldSpec(LAKE, (("is_slippery", False),)), WorldSpec(LAKE, (("success_rate", 0.8),)),
    WorldSpec(LAKE, (("desc", ["SFFH", "FHFG"]),)), WorldSpec(LAKE, (("reward_schedule", [2, -1, -0.1]),)),
]  # fmt: skip


def gymnasiums(spec: WorldSpec) -> Model:
    inner = gym.make(spec.id, **spec.arguments()).unwrapped
    return Model.of(inner.P, inner.initial_state_distrib)  # type: ignore[attr-defined]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.id} {s.arguments()}")
def test_lakes_and_cliffs_are_grids_with_the_same_table(spec: WorldSpec) -> None:
    told, grid, model = describe(spec), grid_of(spec), model_of(spec)
    assert told.seen == "grid" and told.model and grid is not None and model == grid.model
    assert alike(model, gymnasiums(spec))
    assert told.limit == gym.spec(spec.id).max_episode_steps and told.threshold == gym.spec(spec.id).reward_threshold
    if not spec.options:
        known = {LAKE: frozen_lake(4), "FrozenLake8x8-v1": frozen_lake(8), "CliffWalking-v1": cliff()}
        assert alike(model, known.get(spec.id, cliff(slip=2 / 3)).model)


def test_tables_that_differ_are_told_apart() -> None:
    lake = frozen_lake().model
    for other in (frozen_lake(success=0.34), frozen_lake(8), cliff(), frozen_lake().reward((3, 3), 2.0), frozen_lake().put((0, 1), "H")):
        assert not alike(lake, other.model)


def test_a_lake_with_two_starts_keeps_its_table_and_is_drawn_by_gymnasium() -> None:
    spec = WorldSpec(LAKE, (("desc", ["SFS", "FHG"]),))
    told, model = describe(spec), model_of(spec)
    assert (told.seen, told.model, grid_of(spec)) == ("rgb", True, None) and model is not None and len(model.starts) == 2
    worlds = Worlds(spec, 1, 0)
    worlds.reset()
    assert worlds.frame() is not None
    worlds.close()


def test_taxi_is_walked_by_its_table_and_drawn_where_it_stands() -> None:
    spec = WorldSpec("Taxi-v4")
    assert model_of(spec) == gymnasiums(spec) and isinstance(tabular_world(spec), Walk)
    worlds, env = Worlds(spec, 1, 3), gym.make("Taxi-v4", render_mode="rgb_array")
    state = int(worlds.reset()[0])
    env.reset(seed=0)
    for action in (0, 3, 1, 1, 2):
        frame = worlds.frame()
        env.unwrapped.s = state  # type: ignore[attr-defined]
        np.testing.assert_array_equal(frame, env.render())
        state = int(worlds.step([action]).final[0])
        env.unwrapped.lastaction = action  # type: ignore[attr-defined]
    words = Worlds(WorldSpec("Taxi-v4", (("render_mode", "ansi"),)), 1, 3)
    words.reset()
    assert "|R:" in words.text() and words.frame() is None and words.description.seen == "ansi"
    for world in (worlds, words):
        world.close()
    env.close()
    assert not describe(WorldSpec("Taxi-v4", (("fickle_passenger", True),))).model, "no table tells of that"


def test_a_walk_in_worlds_is_as_likely_as_the_table() -> None:
    worlds, seen = Worlds(WorldSpec(LAKE), 50, 1), Counter[int]()
    worlds.reset()
    for _ in range(120):
        told = worlds.step(np.full(50, 2))
        seen.update(int(end) for end, over in zip(told.final, told.terminated, strict=True) if over)
    assert set(seen) <= {5, 7, 11, 12, 15} and len(seen) >= 4


def test_blackjack_is_numbered_and_resumed_by_seed_and_actions() -> None:
    world = tabular_world(WorldSpec("Blackjack-v1"))
    env, played = gym.make("Blackjack-v1"), 0
    assert (world.states, world.actions) == (32 * 11 * 2, 2)
    for seed in range(40):
        (mine, dealer, ace), _ = env.reset(seed=seed)
        assert world.reset(seed) == (mine * 11 + dealer) * 2 + ace
        over = False
        while not over:
            (mine, dealer, ace), reward, over, _, _ = env.step(int(mine < 17))
            kept = world.keep()
            told = world.step(int(kept["state"] // 22 < 17))
            assert told == ((mine * 11 + dealer) * 2 + ace, reward, over)
            world.put_back(kept)
            assert world.step(int(kept["state"] // 22 < 17)) == told
            played += 1
    assert played > 50
    stands = world.keep()
    with pytest.raises(BadCheckpoint, match="not reproducible"):
        world.put_back(kept | {"state": kept["state"] + 1})
    with pytest.raises(BadCheckpoint, match="no episode"):
        world.put_back({})
    assert world.keep() == stands
    with pytest.raises(BadAction):
        world.step(2)


def test_tables_refuse_what_has_no_states() -> None:
    for id, what in (("CartPole-v1", "states"), ("Pendulum-v1", "states")):
        with pytest.raises(BadSpace, match=f"no numbered {what}"):
            tabular_world(WorldSpec(id))


@pytest.mark.parametrize("name", grids())
def test_every_named_grid_has_a_way_to_its_goal(name: str) -> None:
    grid = grids()[name]
    reached, open_ = {grid.start}, [grid.state(grid.start)]
    while open_:
        for outcomes in grid.model.table[open_.pop()]:
            for o in outcomes:
                if grid.cell(o.state) not in reached:
                    reached.add(grid.cell(o.state))
                    open_.append(o.state)
    assert grid.goals and grid.goals <= reached
