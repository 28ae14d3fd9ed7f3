"""What networks go by, against small differences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from studio.ml.rl.deep.a2c import A2C
from studio.ml.rl.deep.base import DeepLearner, Of
from studio.ml.rl.deep.dqn import DQN
from studio.ml.rl.deep.ppo import PPO
from studio.ml.rl.deep.sac import SAC
from studio.ml.rl.deep.saliency import saliency
from studio.ml.rl.deep.settings import A2CSettings, DQNSettings, PPOSettings, SACSettings
from studio.ml.rl.grid import cliff
from studio.ml.rl.worlds import WorldSpec
from tests.ml.rl.deep.small_worlds import AIM, LIGHT, registered

CARTPOLE, PENDULUM = WorldSpec("CartPole-v1"), WorldSpec("Pendulum-v1")
SMALL: dict[str, Any] = {"hidden": "16", "worlds": 2, "batch_size": 8, "learning_rate": 1e-3}
ON = PPOSettings(n_steps=8, epochs=2, normalize_observations=True, **SMALL)
AGENTS = {
    "ppo": lambda: PPO(CARTPOLE, ON, 0), "continuous": lambda: PPO(PENDULUM, ON, 0), "pixels": lambda: PPO(LIGHT, ON, 0),
    "dqn": lambda: DQN(CARTPOLE, DQNSettings(learning_starts=20, **SMALL), 0, 1000),
    "sac": lambda: SAC(AIM, SACSettings(learning_starts=20, **SMALL), 0, 1000),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def small_worlds() -> Iterator[None]:
    with registered():
        yield


@pytest.mark.parametrize("of", ["action", "value"])
@pytest.mark.parametrize("name", AGENTS)
def test_slopes_are_small_differences(name: str, of: Of) -> None:
    agent: DeepLearner = AGENTS[name]()
    while agent.updates < 10:
        agent.advance()
    kept = agent.keep()
    found = saliency(agent, of)
    pixels = agent.description.observation == "pixels"
    assert found is not None and found.shape == (agent.description.shape[1:] if pixels else agent.description.shape)
    assert all(np.array_equal(array, agent.keep().arrays[key]) for key, array in kept.arrays.items())
    agent.network.double()
    at, width = torch.from_numpy(agent.seen()).double(), 0.1 if pixels else 1e-4
    slopes = np.zeros(at[0].shape)
    with torch.no_grad():
        for place in np.ndindex(slopes.shape):
            step = torch.zeros_like(at)
            step[(0, *place)] = width
            before, after = (agent.score(at + sign * step, of) for sign in (-1, 1))
            slopes[place] = float((after - before).norm() / (2 * width))
    expected = slopes.max(0) if pixels else slopes
    assert expected.max() > 1e-5
    np.testing.assert_allclose(found, expected, rtol=2e-2 if pixels else 1e-3, atol=1e-3 * expected.max())


def test_states_that_are_numbers_have_no_parts() -> None:
    assert saliency(A2C(WorldSpec("grid", grid=cliff()), A2CSettings(worlds=1), 0)) is None
