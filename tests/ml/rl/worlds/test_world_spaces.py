"""What becomes of observation and action spaces."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from studio.ml.rl.worlds import BadSpace, WorldSpec, describe
from studio.ml.rl.worlds.opening import opened
from studio.ml.rl.worlds.spaces import acting, encoder


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(-3, 3)), min_size=1, max_size=4))
def test_tuples_of_numbers_are_counted_without_gaps_or_doubles(sizes: list[tuple[int, int]]) -> None:
    space = spaces.Tuple([spaces.Discrete(n, start=start) for n, start in sizes])
    coded = encoder("W", space)
    every = np.stack(np.meshgrid(*[np.arange(n) + start for n, start in sizes], indexing="ij"), -1).reshape(-1, len(sizes))
    assert coded.kind == "discrete" and coded.states == len(every)
    assert sorted(coded.encode(tuple(o)) for o in every) == list(range(len(every)))
    with pytest.raises(ValueError, match="outside"):
        coded.encode(tuple(n + start for n, start in sizes))


def test_mixed_observations_are_laid_out_as_gymnasium_flattens_them() -> None:
    space = spaces.Dict({
        "far": spaces.Box(-1, 1, (2, 3)), "gear": spaces.Discrete(4, start=1), "on": spaces.MultiBinary(3),
        "inner": spaces.Tuple((spaces.Box(0, 1, ()), spaces.Discrete(2))),
    })  # fmt: skip
    space.seed(0)
    coded = encoder("W", space)
    assert coded.kind == "vector" and coded.shape == spaces.flatten_space(space).shape
    for _ in range(20):
        sample = space.sample()
        np.testing.assert_allclose(coded.encode(sample), spaces.flatten(space, sample), rtol=1e-6)


def test_bytes_are_scaled_and_words_left_out() -> None:
    coded = encoder("W", spaces.Dict({"ram": spaces.Box(0, 255, (4,), np.uint8), "say": spaces.Text(5)}))
    assert coded.encode({"ram": np.array([0, 51, 102, 255], np.uint8), "say": "x"}).tolist() == pytest.approx([0, 0.2, 0.4, 1])
    assert "say" in coded.note


def test_minigrid_is_read_as_codes_and_direction() -> None:
    world = opened(WorldSpec("MiniGrid-DoorKey-5x5-v0"))
    env = gym.make("MiniGrid-DoorKey-5x5-v0")
    told, _ = env.reset(seed=3)
    read = world.single.reset(3)
    assert world.description.shape == (4 + 7 * 7 * 3,) and "mission" in world.description.note
    assert read[:4].tolist() == [float(k == told["direction"]) for k in range(4)]
    np.testing.assert_allclose(read[4:].reshape(7, 7, 3) * [10, 5, 2], told["image"], atol=1e-5)
    assert world.description.limit == env.unwrapped.max_steps  # type: ignore[attr-defined]
    assert world.description.names[:3] == ("left", "right", "forward")


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (spaces.MultiDiscrete([2, 3]), "one number of several"),
        (spaces.MultiBinary(3), "one number of several"),
        (spaces.Dict(a=spaces.Discrete(2)), "one number of several"),
        (spaces.Box(-np.inf, 1, (2,)), "without bounds"),
        (spaces.Box(0, 5, (2,), np.int32), "whole numbers"),
    ],
)
def test_actions_that_nobody_gives_are_refused(space: spaces.Space[Any], says: str) -> None:
    with pytest.raises(BadSpace, match=f"W takes .*{says}"):
        acting("W", space)


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (spaces.Text(4), "no fixed list of numbers"),
        (spaces.Sequence(spaces.Discrete(2)), "no fixed list of numbers"),
        (spaces.Graph(spaces.Discrete(2), None), "no fixed list of numbers"),
        (spaces.Dict(say=spaces.Text(4)), "no number"),
        (spaces.Box(0, 1, (400, 400)), "at most 100000"),
    ],
)
def test_observations_that_nobody_reads_are_refused(space: spaces.Space[Any], says: str) -> None:
    with pytest.raises(BadSpace, match=f"W observes .*{says}"):
        encoder("W", space)


def test_descriptions_of_well_known_worlds() -> None:
    cart, pendulum, blackjack = (describe(WorldSpec(id)) for id in ("CartPole-v1", "Pendulum-v1", "Blackjack-v1"))
    assert (cart.observation, cart.shape, cart.n, cart.names, cart.limit, cart.threshold) == ("vector", (4,), 2, ("left", "right"), 500, 475.0)
    assert (pendulum.actions, pendulum.low, pendulum.high, pendulum.n, pendulum.size) == ("continuous", (-2.0,), (2.0,), None, 1)
    assert (blackjack.observation, blackjack.states, blackjack.shape, blackjack.model) == ("discrete", 704, (), False)
    assert describe(WorldSpec("CartPole-v1", limit=9)).limit == 9
