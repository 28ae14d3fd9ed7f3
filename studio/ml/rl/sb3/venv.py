"""Our worlds as the vectorised environment of Stable-Baselines3: its agents have our seeds, replays and ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from studio.ml.rl.errors import BadSetting
from studio.ml.rl.learner import Episode
from studio.ml.rl.worlds import Description, Worlds


def observation_space(description: Description) -> spaces.Space[Any]:
    """The space of what `Worlds` gives."""
    if description.observation == "discrete":
        assert description.states is not None
        return spaces.Discrete(description.states)
    if description.observation == "pixels":
        return spaces.Box(0, 255, description.shape, np.uint8)
    return spaces.Box(-np.inf, np.inf, description.shape, np.float32)


def action_space(description: Description) -> spaces.Space[Any]:
    """The space of what `Worlds` takes. Raises BadSetting for continuous actions without bounds."""
    if description.actions == "discrete":
        assert description.n is not None
        return spaces.Discrete(description.n)
    low, high = np.array(description.low, np.float32), np.array(description.high, np.float32)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise BadSetting("Agents of Stable-Baselines3 need actions with finite bounds; this world's have none.")
    return spaces.Box(low, high)


class OurWorlds(VecEnv):
    """`worlds` behind SB3's door. observations: those to act on next. episodes: that ended in the last step.

    episode, time, total, reward, action: of world 0, to be shown.
    """

    def __init__(self, worlds: Worlds) -> None:
        self.worlds = worlds
        super().__init__(worlds.count, observation_space(worlds.description), action_space(worlds.description))
        self.observations: NDArray[Any] = np.empty(0)
        self.episodes: tuple[Episode, ...] = ()
        self.episode, self.time, self.total, self.reward = 0, 0, 0.0, 0.0
        self.action: NDArray[Any] | None = None
        self._actions: NDArray[Any] = np.empty(0)

    def reset(self) -> NDArray[Any]:
        if not self.observations.size:
            self.observations = self.worlds.reset().copy()
        return self.observations.copy()

    def step_async(self, actions: NDArray[Any]) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        stepped = self.worlds.step(self._actions)
        ended = stepped.terminated | stepped.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for place in np.flatnonzero(ended):
            cut = bool(stepped.truncated[place] and not stepped.terminated[place])
            infos[place] = {"terminal_observation": stepped.final[place].copy(), "TimeLimit.truncated": cut}
        self.observations, self.episodes = stepped.observations.copy(), stepped.episodes
        self.reward, self.action = float(stepped.rewards[0]), np.array(self._actions[0])
        self.time, self.total = self.time + 1, self.total + self.reward
        if ended[0]:
            self.episode, self.time, self.total = self.episode + 1, 0, 0.0
        return self.observations.copy(), stepped.rewards.astype(np.float32), ended.copy(), infos

    def close(self) -> None:
        self.worlds.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        if attr_name != "render_mode":
            raise AttributeError(attr_name)
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise AttributeError(attr_name)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs
