"""Rollouts and advantages against explicit sums and Stable-Baselines3; running moments against its VecNormalize."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from studio.ml.rl.deep.normalise import Moments, RewardScale
from studio.ml.rl.deep.rollout import Rollout
from studio.ml.rl.errors import BadCheckpoint

T, N, GAMMA, LAM = 40, 3, 0.97, 0.9


class Story:
    """T steps of N worlds with made-up values, of which some end and some are cut."""

    def __init__(self, seed: int) -> None:
        draws = np.random.Generator(np.random.PCG64(seed))
        self.rewards, self.values, self.finals = draws.normal(size=(3, T, N))
        self.terminated, self.truncated = draws.random((T, N)) < 0.1, draws.random((T, N)) < 0.1
        self.truncated[-1, 0], self.terminated[-1] = True, [False, True, False]
        self.last = draws.normal(size=N)

    def rollout(self) -> Rollout:
        rollout = Rollout(T, N, np.zeros((N, 1), np.float32), np.zeros(N, np.int64))
        for t in range(T):
            ended = self.terminated[t] | self.truncated[t]
            rollout.add(np.full((N, 1), t), np.full(N, t), self.values[t], self.values[t], self.rewards[t], ended)
            cut = self.truncated[t] & ~self.terminated[t]
            rollout.cut(cut, self.finals[t][cut])
        rollout.follow(self.last)
        return rollout

    def advantage(self, t: int, n: int) -> float:
        """Σ (γλ)ᵏ δ_{t+k} up to the end of the episode or rollout."""
        total, weight = 0.0, 1.0
        for k in range(t, T):
            ended = self.terminated[k, n] or self.truncated[k, n]
            following = self.values[k + 1, n] if k + 1 < T else self.last[n]
            after = 0.0 if self.terminated[k, n] else self.finals[k, n] if ended else following
            total += weight * (self.rewards[k, n] + GAMMA * after - self.values[k, n])
            if ended:
                break
            weight *= GAMMA * LAM
        return total


@pytest.mark.parametrize("seed", range(5))
def test_advantages_are_the_explicit_sums(seed: int) -> None:
    story = Story(seed)
    expected = [[story.advantage(t, n) for n in range(N)] for t in range(T)]
    np.testing.assert_allclose(story.rollout().advantages(GAMMA, LAM), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_advantages_and_returns_are_those_of_stable_baselines(seed: int) -> None:
    gym = pytest.importorskip("gymnasium")
    buffers = pytest.importorskip("stable_baselines3.common.buffers")
    story = Story(seed)
    space = gym.spaces.Box(-1, 1, (1,))
    theirs = buffers.RolloutBuffer(T, space, gym.spaces.Discrete(2), "cpu", LAM, GAMMA, N)
    starts = np.ones(N)
    for t in range(T):
        cut = story.truncated[t] & ~story.terminated[t]
        rewards = story.rewards[t] + GAMMA * np.where(cut, story.finals[t], 0)  # as its algorithms do
        values = torch.from_numpy(story.values[t])
        theirs.add(np.zeros((N, 1)), np.zeros((N, 1)), rewards, starts, values, values)
        starts = (story.terminated[t] | story.truncated[t]).astype(float)
    theirs.compute_returns_and_advantage(torch.from_numpy(story.last), starts)
    ours = story.rollout()
    advantages = ours.advantages(GAMMA, LAM)
    np.testing.assert_allclose(advantages, theirs.advantages, atol=1e-5)
    np.testing.assert_allclose(advantages + ours.values, theirs.returns, atol=1e-5)


def test_with_lambda_one_the_returns_are_discounted_sums() -> None:
    rollout = Rollout(3, 1, np.zeros((1, 1), np.float32), np.zeros(1, np.int64))
    for t in range(3):
        rollout.add(np.zeros((1, 1)), np.zeros(1), np.zeros(1), np.array([5.0]), np.ones(1), np.array([t == 2]))
    returns = rollout.advantages(0.5, 1.0) + rollout.values
    np.testing.assert_allclose(returns[:, 0], [1.75, 1.5, 1.0])


def test_half_a_rollout_is_kept_and_goes_on() -> None:
    story, whole = Story(0), Story(0).rollout()
    half = Rollout(T, N, np.zeros((N, 1), np.float32), np.zeros(N, np.int64))
    for t in range(T // 2):
        ended = whole.going[t] == 0
        half.add(np.full((N, 1), t), np.full(N, t), story.values[t], story.values[t], story.rewards[t], ended)
    again = Rollout(T, N, np.zeros((N, 1), np.float32), np.zeros(N, np.int64))
    again.put_back(half.arrays())
    assert again.filled == T // 2 and not again.full
    for name, array in half.arrays().items():
        assert np.array_equal(again.arrays()[name], array)
    narrow = Rollout(T, N - 1, np.zeros((N - 1, 1), np.float32), np.zeros(N - 1, np.int64))
    with pytest.raises(BadCheckpoint, match="rollout of this checkpoint"):
        narrow.put_back(half.arrays())


def rows(seed: int, *shape: int) -> NDArray[Any]:
    return 3 + 2 * np.random.Generator(np.random.PCG64(seed)).normal(size=shape)


def test_moments_are_those_of_all_rows_together() -> None:
    moments, batches = Moments((2,)), [rows(i, 7, 2) for i in range(30)]
    for batch in batches:
        moments.add(batch)
    every = np.concatenate(batches)
    np.testing.assert_allclose(moments.mean, every.mean(0), atol=1e-4)
    np.testing.assert_allclose(moments.var, every.var(0), rtol=1e-4)
    normal = moments.normal(every)
    assert np.abs(normal.mean(0)).max() < 1e-3 and np.abs(normal.std(0) - 1).max() < 1e-3
    assert moments.normal(np.array([1e6, -1e6])).tolist() == [10.0, -10.0]


def test_observations_and_rewards_are_normalised_as_by_stable_baselines() -> None:
    gym = pytest.importorskip("gymnasium")
    normalize = pytest.importorskip("stable_baselines3.common.vec_env.vec_normalize")
    dummy = pytest.importorskip("stable_baselines3.common.vec_env").DummyVecEnv([lambda: gym.make("Pendulum-v1")] * 2)
    theirs = normalize.VecNormalize(dummy, gamma=GAMMA)
    ours, scale = Moments((3,)), RewardScale(2)
    try:
        for t in range(50):
            observations, rewards, ended = rows(t, 2, 3), rows(100 + t, 2), rows(200 + t, 2) > 6
            theirs.obs_rms.update(observations)
            ours.add(observations)
            np.testing.assert_allclose(ours.normal(observations), theirs.normalize_obs(observations), atol=1e-6)
            theirs._update_reward(rewards)
            expected = theirs.normalize_reward(rewards)
            theirs.returns[ended] = 0
            np.testing.assert_allclose(scale.scale(rewards, ended, GAMMA), expected, atol=1e-6)
    finally:
        theirs.close()
