"""Worlds that go wrong, as a person might write them; run in a process of their own by the tests."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Odd(gym.Env[Any, Any]):
    """Goes wrong in the way `how` in its third step."""

    metadata = {"render_modes": ["human", "rgb_array"]}

    def __init__(self, how: str = "", render_mode: str | None = None) -> None:
        self.observation_space, self.action_space = spaces.Box(-1, 1, (3,)), spaces.Discrete(2, start=1)
        self.how, self.render_mode, self.time = how, render_mode, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        return self.observation(), {}

    def observation(self) -> Any:
        return self.np_random.uniform(-1, 1, 3).astype(np.float32)

    def step(self, action: Any) -> Any:
        assert action in (1, 2)
        self.time += 1
        how = self.how if self.time == 3 else ""
        if how == "hang":
            time.sleep(1000)
        elif how == "exit":
            sys.exit(3)
        elif how == "die":
            os._exit(7)
        elif how == "raise":
            raise KeyError("lost")
        elif how == "print":
            print("\0garbage" * 100)
        elif how == "short":
            return self.observation(), 1.0
        given: list[Any] = [self.observation(), float(action), self.time >= 20, False, {}]
        wrong = {
            "nan": (0, np.array([0, np.nan, 0], np.float32)), "inf": (0, [np.inf, 0.0, 0.0]), "shape": (0, np.zeros(2, np.float32)),
            "words": (0, ["a", "b", "c"]), "none": (0, None), "reward": (1, "much"), "rewards": (1, [1.0, 2.0]),
            "nan reward": (1, np.nan), "end": (2, 1), "cut": (3, None),
        }  # fmt: skip
        if how in wrong:
            place, value = wrong[how]
            given[place] = value
        return tuple(given)

    def render(self) -> Any:
        return np.full((4, 5, 3), self.time, np.uint8)


class Windowed(Odd):
    """Draws only into a window."""

    metadata = {"render_modes": ["human"]}


def factory(limit: int) -> gym.Env[Any, Any]:
    """A world that cuts its own episodes."""
    return gym.wrappers.TimeLimit(Odd(), limit)


def lacking() -> Any:
    """Needs what nobody has."""
    import a_package_that_nobody_has  # type: ignore[import-not-found]

    return a_package_that_nobody_has


def nothing() -> int:
    """No world at all."""
    return 3


def _private() -> None:
    """Not offered."""
