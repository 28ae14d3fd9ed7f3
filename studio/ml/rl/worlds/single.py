"""One copy of a world behind one narrow door, whoever wrote it."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Moved: TypeAlias = tuple[Any, float, bool, bool]
"""(observation as the description says, reward, terminated, truncated by the world itself)."""


class Single(Protocol):
    """A world that is decided by the seed of its last reset and the actions since."""

    def reset(self, seed: int) -> Any:
        """The first observation of an episode. Raises WorldFailed."""
        ...

    def step(self, action: Any) -> Moved:
        """`action`: an int from 0, or float32 [k] within the bounds. Raises WorldFailed."""
        ...

    def frame(self) -> Frame | None:
        """What is to be seen, uint8 [H, W, 3]; changes nothing."""
        ...

    def text(self) -> str: ...
    def keep(self) -> dict[str, Any] | None:
        """All that the rest of the episode depends on as JSON, or None where only its seed and actions tell that."""
        ...

    def put_back(self, kept: dict[str, Any]) -> None: ...
    def close(self) -> None: ...
