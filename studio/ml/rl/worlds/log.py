"""The actions of all episodes under way, written one row a step and cut out when an episode ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 1024


class ActionLog:
    """Rows of actions, one for each place. Rows that no running episode needs are given up; what is needed grows.

    taken: for each place, the actions [length, ...] of its episode so far.
    """

    def __init__(self, taken: Sequence[NDArray[Any]]) -> None:
        self._now = max(len(actions) for actions in taken)
        rows = max(_ROWS, 2 * self._now)
        self._rows = np.zeros((rows, len(taken), *taken[0].shape[1:]), dtype=taken[0].dtype)
        self._begun = [self._now - len(actions) for actions in taken]
        self._oldest = min(self._begun)
        for place, actions in enumerate(taken):
            self._rows[self._begun[place] : self._now, place] = actions

    def add(self, actions: NDArray[Any]) -> None:
        """[count, ...]: what each place did."""
        if self._now == len(self._rows):
            self._make_room()
        self._rows[self._now] = actions
        self._now += 1

    def _make_room(self) -> None:
        oldest = self._oldest
        kept = self._rows[oldest : self._now]
        rows = np.zeros_like(self._rows, shape=(max(_ROWS, 2 * len(kept)), *self._rows.shape[1:]))
        rows[: len(kept)] = kept
        self._rows, self._now, self._begun = rows, len(kept), [b - oldest for b in self._begun]
        self._oldest = 0

    def begin(self, place: int) -> None:
        """A new episode at a place, whose first action comes next."""
        self._begun[place] = self._now
        self._oldest = min(self._begun)

    @property
    def longest(self) -> int:
        """Steps of the longest episode under way."""
        return self._now - self._oldest

    def lengths(self) -> NDArray[np.int64]:
        """[count]: steps of each episode under way."""
        return self._now - np.array(self._begun, dtype=np.int64)

    def taken(self, place: int) -> NDArray[Any]:
        """[length, ...]: a copy of the actions of the episode under way at a place."""
        return self._rows[self._begun[place] : self._now, place].copy()
