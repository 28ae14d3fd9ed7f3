"""Pictures: shrunk by area, stacked, and Atari as its agents are used to it."""

from __future__ import annotations

from random import Random

import ale_py
import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from studio.ml.rl.learner import episode_seed
from studio.ml.rl.worlds import Worlds, WorldSpec, describe
from studio.ml.rl.worlds.pixels import picture, shrunk


@pytest.mark.parametrize("shape", [(210, 160), (84, 84), (100, 248), (300, 400)])
def test_shrinking_is_the_mean_of_the_pixels_in_each_area(shape: tuple[int, int]) -> None:
    """Against plain means over the pixels whose middles lie inside; 1 is the rounding to bytes along both sides."""
    grey = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    def inside(n: int) -> list[list[int]]:
        return [[p for p in range(n) if k * n < (p + 0.5) * 84 <= (k + 1) * n] for k in range(84)]

    rows, columns = inside(shape[0]), inside(shape[1])
    expected = np.array([[grey[np.ix_(r, c)].mean() for c in columns] for r in rows])
    assert np.abs(shrunk(grey) - expected).max() <= 1.01


def test_colours_become_grey_by_their_brightness() -> None:
    colour = np.broadcast_to(np.array([200, 100, 50], np.uint8), (90, 90, 3))
    assert np.unique(shrunk(np.ascontiguousarray(colour))).tolist() == [round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)]


def test_pictures_of_any_layout_are_read() -> None:
    grey = np.random.default_rng(1).integers(0, 256, (96, 90), dtype=np.uint8)
    expected = shrunk(grey)
    for layout in (grey, grey[:, :, None], grey[None]):
        encode = picture(spaces.Box(0, 255, layout.shape, np.uint8)).encode
        np.testing.assert_array_equal(encode(layout), expected)


def test_atari_is_skipped_stacked_and_begun_idle() -> None:
    """Against the emulator itself, frame by frame."""
    gym.register_envs(ale_py)
    worlds = Worlds(WorldSpec("ALE/Breakout-v5"), 1, 2)
    observations = [worlds.reset()[0]]
    seed, actions, rewards = episode_seed(2, 0, 0), [1, 2, 3, 0, 2], []
    for action in actions:
        told = worlds.step([action])
        observations.append(told.final[0])
        rewards.append(float(told.rewards[0]))
    env = gym.make("ALE/Breakout-v5", frameskip=1, obs_type="grayscale")
    env.reset(seed=seed)
    for _ in range(Random(f"idle {seed}").randint(1, 30)):
        screen = env.step(0)[0]
    seen = [shrunk(screen)] * 4
    np.testing.assert_array_equal(observations[0], np.stack(seen))
    for action, observation, reward in zip(actions, observations[1:], rewards, strict=True):
        frames = [env.step(action) for _ in range(4)]
        seen = [*seen[1:], shrunk(np.maximum(frames[2][0], frames[3][0]))]
        np.testing.assert_array_equal(observation, np.stack(seen))
        assert reward == sum(float(frame[1]) for frame in frames)
    frame = worlds.frame()
    assert frame is not None and frame.shape == (210, 160, 3)
    kept, onward = worlds.keep(), worlds.step([2]).final
    worlds.put_back(kept)
    np.testing.assert_array_equal(worlds.step([2]).final, onward)
    worlds.close()
    env.close()


def test_atari_memory_is_a_vector_for_who_asks_for_it() -> None:
    told = describe(WorldSpec("ALE/Pong-v5", (("obs_type", "ram"),)))
    assert (told.observation, told.shape, told.names[0]) == ("vector", (128,), "noop")
    assert describe(WorldSpec("ALE/Pong-v5")).observation == "pixels"
