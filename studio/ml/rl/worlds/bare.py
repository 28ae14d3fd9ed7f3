"""One copy of a Gymnasium environment: its observations encoded, and everything it gives checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from studio.ml.rl.errors import BadCheckpoint
from studio.ml.rl.worlds.errors import WorldFailed
from studio.ml.rl.worlds.making import failure
from studio.ml.rl.worlds.single import Frame, Moved
from studio.ml.rl.worlds.spaces import Acting, Encoder
from studio.ml.rl.worlds.spec import WorldSpec


class Bare:
    """A `Single` around one environment. Checks cost a few tenths of a microsecond a step."""

    def __init__(self, spec: WorldSpec, env: Any, encoder: Encoder, acting: Acting) -> None:
        self._spec, self._env = spec, env
        self._encode, self._step = encoder.encode, _stepping(env, acting)
        self._time = 0

    def reset(self, seed: int) -> Any:
        self._time = 0
        try:
            told = self._env.reset(seed=seed)
        except (Exception, SystemExit) as error:
            raise failure(self._spec, "raised an error in reset", error) from error
        if not isinstance(told, tuple) or len(told) != 2:
            raise self._wrong("reset gave something else than an observation and its info")
        return self._encoded(told[0])

    def step(self, action: Any) -> Moved:
        try:
            told = self._step(action)
        except (Exception, SystemExit) as error:
            raise failure(self._spec, f"raised an error in step {self._time + 1}", error) from error
        self._time += 1
        try:
            observation, reward, terminated, truncated, _ = told
        except (TypeError, ValueError):
            raise self._wrong("step gave something else than observation, reward, two ends and its info") from None
        if terminated.__class__ is not bool or truncated.__class__ is not bool:
            terminated, truncated = self._end(terminated, "terminated"), self._end(truncated, "truncated")
        if reward.__class__ is not float:
            reward = self._reward(reward)
        if reward - reward != 0.0:
            raise self._wrong(f"the reward was {reward}")
        return self._encoded(observation), reward, terminated, truncated

    def _encoded(self, observation: Any) -> Any:
        try:
            return self._encode(observation)
        except Exception as error:
            raise self._wrong(f"the observation was {error}") from error

    def _end(self, value: Any, name: str) -> bool:
        if not isinstance(value, (bool, np.bool_)):
            raise self._wrong(f"{name} was {value!r}, which is neither True nor False")
        return bool(value)

    def _reward(self, value: Any) -> float:
        number = np.asarray(value)
        if number.size != 1 or number.dtype.kind not in "fiub":
            raise self._wrong(f"the reward was {value!r}, which is no number")
        return float(number.reshape(()))

    def _wrong(self, what: str) -> WorldFailed:
        when = f"after step {self._time}" if self._time else "at the start of an episode"
        return WorldFailed(f"{self._spec.title} went wrong {when}: {what}.")

    def frame(self) -> Frame | None:
        if self._env.render_mode != "rgb_array":
            return None
        frame = np.asarray(self._render())
        if frame.ndim != 3 or frame.shape[2] != 3:
            raise self._wrong(f"its frame has the shape {frame.shape} instead of height, width and 3")
        return np.array(frame, dtype=np.uint8)

    def text(self) -> str:
        return str(self._render()) if self._env.render_mode == "ansi" else ""

    def _render(self) -> Any:
        try:
            return self._env.render()
        except (Exception, SystemExit) as error:
            raise failure(self._spec, "raised an error while drawing", error) from error

    def keep(self) -> None:
        return None

    def put_back(self, kept: dict[str, Any]) -> None:
        raise BadCheckpoint(f"{self._spec.title} has no state that could be put back; open the run it belongs to.")

    def close(self) -> None:
        try:
            self._env.close()
        except (Exception, SystemExit) as error:
            raise failure(self._spec, "raised an error while closing", error) from error


def _stepping(env: Any, acting: Acting) -> Callable[[Any], Any]:
    """What takes a step with an action as `Single` knows it."""
    step, start, shape = env.step, acting.start, acting.shape
    if acting.kind == "continuous":
        return step if len(shape) == 1 else lambda action: step(action.reshape(shape))
    return (lambda action: step(action + start)) if start else step
