"""LunarLander drawn without slowing it down.

Where it may be drawn, it adds sparks of its engines to the physics and takes them out only while it draws. An agent
that is seldom watched gathers hundreds of them and steps at a seventh of the speed. They never touch the lander.
"""

from __future__ import annotations

from typing import Any

_AGE = 0.15
"""What a drawn frame takes from the life of a spark; here each step takes it."""


def is_lander(env: Any) -> bool:
    """Whether an environment is Gymnasium's LunarLander and may be drawn."""
    kind = type(env.unwrapped)
    return kind.__name__ == "LunarLander" and kind.__module__.startswith("gymnasium.") and env.render_mode == "rgb_array"


class Lander:
    """The environment with sparks that die of age, or with none while it is not drawn."""

    def __init__(self, env: Any, *, sparks: bool) -> None:
        self._env, self._inner, self._sparks = env, env.unwrapped, sparks
        self.render_mode, self.unwrapped = env.render_mode, env.unwrapped
        self.reset, self.close = env.reset, env.close
        if not sparks:
            self._inner.render_mode = None

    def step(self, action: Any) -> Any:
        if self._sparks:
            for spark in self._inner.particles:
                spark.ttl -= _AGE
        return self._env.step(action)

    def render(self) -> Any:
        resting = self._inner.render_mode
        self._inner.render_mode = self.render_mode
        try:
            return self._env.render()
        finally:
            self._inner.render_mode = resting
