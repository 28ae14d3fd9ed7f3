"""Pictures as networks read them: grey, 84 by 84, and the last four together, so that motion is seen.

The sizes are those of Mnih et al., Human-level control through deep reinforcement learning (Nature 2015).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.worlds.single import Frame, Moved, Single
from studio.ml.rl.worlds.spaces import Encoder

SIZE, FRAMES = 84, 4


def shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [H, W] or [H, W, 3] to grey [84, 84]: luma of ITU-R 601, then the mean of the pixels in each area.

    A pixel belongs to the area that its middle lies in.
    """
    from PIL import Image

    image = Image.fromarray(picture)
    if picture.ndim == 3:
        image = image.convert("L")
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX))


def picture(space: Any) -> Encoder:
    """For a space of pictures [H, W], [H, W, C] or [C, H, W] with 1 or 3 channels."""
    shape = tuple(space.shape)
    first = len(shape) == 3 and shape[2] not in (1, 3) and shape[0] in (1, 3)

    def encode(observation: Any) -> NDArray[np.uint8]:
        pixels = np.asarray(observation)
        if pixels.shape != shape or pixels.dtype != np.uint8:
            raise ValueError(f"a picture of shape {pixels.shape} and {pixels.dtype} where {shape} of bytes belongs")
        pixels = pixels.transpose(1, 2, 0) if first else pixels
        return shrunk(np.ascontiguousarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels))

    note = f"Pictures are made grey, {SIZE} by {SIZE}, and the last {FRAMES} are given together."
    return Encoder("pixels", (FRAMES, SIZE, SIZE), None, encode, note)


class Stacked:
    """A `Single` whose observation is the last four pictures, uint8 [4, 84, 84], the newest last; the first repeated."""

    def __init__(self, single: Single) -> None:
        self._single = single
        self._stack = np.zeros((FRAMES, SIZE, SIZE), dtype=np.uint8)

    def reset(self, seed: int) -> NDArray[np.uint8]:
        self._stack = np.repeat(self._single.reset(seed)[None], FRAMES, axis=0)
        return self._stack

    def step(self, action: Any) -> Moved:
        observation, reward, terminated, truncated = self._single.step(action)
        self._stack = np.concatenate((self._stack[1:], observation[None]))
        return self._stack, reward, terminated, truncated

    def frame(self) -> Frame | None:
        return self._single.frame()

    def text(self) -> str:
        return self._single.text()

    def keep(self) -> dict[str, Any] | None:
        return None

    def put_back(self, kept: dict[str, Any]) -> None:
        self._single.put_back(kept)

    def close(self) -> None:
        self._single.close()
