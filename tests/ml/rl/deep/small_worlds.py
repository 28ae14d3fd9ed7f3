"""Worlds of a single step whose best action can be seen: one shows pixels, one takes continuous actions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np

from studio.ml.rl.worlds import WorldSpec

LIGHT, AIM = WorldSpec("OnPolicyLight-v0"), WorldSpec("OnPolicyAim-v0")


class Light(gym.Env[Any, Any]):
    """A picture whose left or right half is lit; saying which is worth 1. Episodes have one step."""

    observation_space = gym.spaces.Box(0, 255, (3, 8, 8), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.right = int(self.np_random.integers(2))
        picture = np.zeros((3, 8, 8), np.uint8)
        picture[:, :, 4 * self.right : 4 * self.right + 4] = 255
        return picture, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.zeros((3, 8, 8), np.uint8), float(action == self.right), True, False, {}


class Aim(gym.Env[Any, Any]):
    """The nearer an action is to the number shown, the better. Episodes have one step."""

    observation_space = gym.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = self.np_random.uniform(-0.8, 0.8, 1).astype(np.float32)
        return self.at, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.at, -float(abs(action - self.at)[0]), True, False, {}


@contextmanager
def registered() -> Iterator[None]:
    """Gymnasium knows them meanwhile."""
    for spec, world in ((LIGHT, Light), (AIM, Aim)):
        gym.register(spec.id, world)
    yield
    for spec in (LIGHT, AIM):
        del gym.registry[spec.id]
