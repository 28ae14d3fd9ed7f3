"""Actions checked before a world sees them: worlds may then trust them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.errors import BadAction, BadSetting
from studio.ml.rl.worlds.description import Description


class Actions:
    """The actions of a world. What it gives has been copied or cut to the bounds."""

    def __init__(self, description: Description) -> None:
        self._n = description.n
        self._low, self._high = (np.asarray(side, dtype=np.float32) for side in (description.low, description.high))

    def none(self) -> NDArray[Any]:
        """An empty row of them."""
        return np.zeros(0, np.int64) if self._n is not None else np.zeros((0, len(self._low)), np.float32)

    def checked(self, actions: Any, count: int) -> tuple[NDArray[Any], list[Any]]:
        """`count` actions as an array ([count], or [count, k] cut to the bounds) and one by one.

        Raises BadAction for numbers that the world does not have, BadSetting for what is no row of actions.
        """
        taken: NDArray[Any] = np.asarray(actions)
        if self._n is None:
            taken = taken.astype(np.float32) if taken.dtype.kind in "fiu" else taken
            if taken.shape != (count, len(self._low)) or taken.dtype.kind != "f" or not np.isfinite(taken).all():
                raise BadSetting(f"Actions here are {count} times {len(self._low)} finite numbers, not {actions!r}.")
            taken = np.minimum(np.maximum(taken, self._low), self._high)
            return taken, list(taken)
        if taken.shape != (count,) or taken.dtype.kind not in "iu":
            raise BadSetting(f"Actions here are {count} whole numbers, not {actions!r}.")
        each = taken.tolist()
        if each and (min(each) < 0 or max(each) >= self._n):
            raise BadAction(min(each) if min(each) < 0 else max(each), self._n)
        return taken, each
