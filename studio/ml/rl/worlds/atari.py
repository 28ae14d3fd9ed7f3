"""Atari as its agents are used to it: some idle frames first, an action held for four frames, flicker taken out.

As in Mnih et al. (Nature 2015), by way of Machado et al., Revisiting the Arcade Learning Environment (2018): an episode
is a whole game, lost lives do not end it.
"""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.worlds.pixels import FRAMES, SIZE, shrunk
from studio.ml.rl.worlds.single import Frame, Moved, Single
from studio.ml.rl.worlds.spaces import Encoder

SKIP, IDLE = 4, 30
NOTE = (
    f"An action is held for {SKIP} frames; of the last two the brighter of each pixel is seen, grey, {SIZE} by {SIZE}, "
    f"the last {FRAMES} together. A game begins with 1 to {IDLE} idle frames, and lost lives do not end it."
)


def is_atari(env: Any) -> bool:
    """Whether an environment is a game of the Arcade Learning Environment."""
    return type(env.unwrapped).__module__.partition(".")[0] == "ale_py"


def screen(space: Any) -> Encoder:
    """Grey screens as they are, uint8 [H, W]."""
    shape = tuple(space.shape)

    def encode(observation: Any) -> NDArray[np.uint8]:
        if not isinstance(observation, np.ndarray) or observation.shape != shape or observation.dtype != np.uint8:
            raise ValueError(f"not a grey screen of {shape[0]} by {shape[1]}")
        return observation

    return Encoder("pixels", (FRAMES, SIZE, SIZE), None, encode, NOTE)


class Held:
    """A `Single` over frames of a game, made into one of decisions. The number of idle frames comes from the seed."""

    def __init__(self, single: Single) -> None:
        self._single = single

    def reset(self, seed: int) -> NDArray[np.uint8]:
        observation = self._single.reset(seed)
        for _ in range(Random(f"idle {seed}").randint(1, IDLE)):
            observation, _, terminated, truncated = self._single.step(0)
            if terminated or truncated:
                observation = self._single.reset(seed)
        return shrunk(observation)

    def step(self, action: int) -> Moved:
        seen, total, terminated, truncated = self._single.step(action)
        before = seen
        for _ in range(SKIP - 1):
            if terminated or truncated:
                break
            before, (seen, reward, terminated, truncated) = seen, self._single.step(action)
            total += reward
        return shrunk(np.maximum(before, seen)), total, terminated, truncated

    def frame(self) -> Frame | None:
        return self._single.frame()

    def text(self) -> str:
        return self._single.text()

    def keep(self) -> None:
        return None

    def put_back(self, kept: dict[str, Any]) -> None:
        self._single.put_back(kept)

    def close(self) -> None:
        self._single.close()
