"""Which transitions are worth learning from again: chances in proportion to how wrong the values were there.

    P(i) = p_i / Σ p,   p_i = (|δ_i| + ε)^α,   w_i = (N P(i))^−β / max_j w_j

Proportional prioritised replay (Schaul et al. 2016, Prioritized Experience Replay, section 3.3), the largest weight
taken over the batch. Sums are kept in two levels, one for each block of slots, so that drawing and setting a batch
each take a few short arrays; every sum is made anew from its numbers and none drifts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.errors import BadCheckpoint

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
BLOCK = 64
FLOOR = 1e-6
"""ε: added to every error, so that no transition is lost for good."""


class Priorities:
    """One priority for each slot of a ring, 0 where nothing lies yet. `top`: the highest so far, for new ones."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._priorities = np.zeros((-(-slots // BLOCK), BLOCK))
        self._sums = np.zeros(len(self._priorities))
        self.top = 1.0

    @property
    def priorities(self) -> Floats:
        """[slots], a view."""
        return self._priorities.reshape(-1)[: self.slots]

    def enter(self, slots: Ints) -> None:
        """New transitions have the highest priority so far, so that each is learnt from soon."""
        self._set(slots, np.full(len(slots), self.top))

    def learnt(self, slots: Ints, errors: Floats, alpha: float) -> None:
        """After an update with these TD errors, [b]."""
        priorities = (np.abs(errors) + FLOOR) ** alpha
        self.top = max(self.top, float(priorities.max()))
        self._set(slots, priorities)

    def _set(self, slots: Ints, priorities: Floats) -> None:
        self._priorities.reshape(-1)[slots] = priorities
        blocks = slots // BLOCK
        self._sums[blocks] = self._priorities[blocks].sum(axis=1)

    def draw(self, size: int, stream: np.random.Generator) -> Ints:
        """Slots with chances P(i): one from each of `size` equal parts of the sum, as in the paper's appendix B.2.1."""
        return self.find((np.arange(size) + stream.random(size)) / size)

    def find(self, shares: Floats) -> Ints:
        """The slots where the running sum of the priorities passes these shares in [0, 1) of the whole."""
        upto = self._sums.cumsum()
        # Rounding must carry no share past the last slot that has a priority.
        goals = np.minimum(shares * upto[-1], np.nextafter(upto[-1], 0.0))
        blocks = upto.searchsorted(goals, side="right")
        within = self._priorities[blocks].cumsum(axis=1)
        left = np.maximum(goals - (upto[blocks] - self._sums[blocks]), 0.0)
        left = np.minimum(left, np.nextafter(within[:, -1], 0.0))
        places = (within <= left[:, None]).sum(axis=1)
        return np.asarray(blocks * BLOCK + places)

    def weights(self, slots: Ints, filled: int, beta: float) -> NDArray[np.float32]:
        """w_i of these slots, [b]; `filled` is N."""
        chances = self.priorities[slots] / self._sums.sum()
        weights = (filled * chances) ** -beta
        return np.asarray(weights / weights.max(), np.float32)

    def keep(self) -> NDArray[np.float64]:
        return np.append(self.priorities, self.top)

    def put_back(self, kept: NDArray[np.float64]) -> None:
        """Goes on with what `keep` gave. Raises BadCheckpoint and then changes nothing."""
        if kept.shape != (self.slots + 1,) or not (np.isfinite(kept).all() and (kept >= 0).all()):
            raise BadCheckpoint("The priorities in the checkpoint are not of this buffer. Take an earlier checkpoint.")
        self._priorities.reshape(-1)[: self.slots] = kept[:-1]
        self._sums[:] = self._priorities.sum(axis=1)
        self.top = float(kept[-1])
