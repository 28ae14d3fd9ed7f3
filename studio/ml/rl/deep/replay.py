"""What an off-policy agent remembers: a ring of transitions out of several parallel worlds, sampled for n-step targets.

Slots are numbered flat, row · count + place: one row per vector step, one column per parallel world, so the transition
that followed slot i in the same world is slot i + count, round the ring. A target over n steps is summed when a
transition is sampled, so n and γ may change in a run.

    target = Σ_{k<m} γᵏ r_{t+k} + γᵐ (1 − terminated) Q(s_{t+m}, ·),      m ≤ n

The sum stops at the end of the episode and at the newest transition. An episode that its world ended has no further
value; one that was cut by a time limit goes on in the target, from the observation that it was cut at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import psutil
from numpy.typing import DTypeLike, NDArray

from studio.ml.rl.errors import BadCheckpoint, BadSetting

Ints = NDArray[np.int64]
SHARE = 0.8
"""Of the memory that is free, so much may be asked for by one buffer."""


class Batch(NamedTuple):
    """Transitions to learn from. slots, ages: int64 [b]; the age is counted in vector steps, 0 the newest.

    returns: float32 [b], Σ γᵏ r. discounts: float32 [b], γᵐ or 0 where the world ended. following: the observations
    after m steps. weights: float32 [b] that make up for unequal chances, or None where all had the same.
    """

    slots: Ints
    ages: Ints
    observations: NDArray[Any]
    actions: NDArray[Any]
    returns: NDArray[np.float32]
    discounts: NDArray[np.float32]
    following: NDArray[Any]
    weights: NDArray[np.float32] | None = None


class Replay:
    """A ring of at least `count` and at most `capacity` transitions, all of the same shapes.

    `shape`, `dtype`: of one observation. Observations of one byte a number (pixels) are kept once, the following one
    being that of the next row, with those at the end of episodes apart; others are kept with their following ones,
    which is faster. Raises BadSetting where it would not fit into memory.
    """

    def __init__(
        self, capacity: int, count: int, shape: tuple[int, ...], dtype: DTypeLike,
        action_shape: tuple[int, ...] = (), action_dtype: DTypeLike = np.int64,
    ) -> None:
        self.count, self.rows = count, max(capacity // count, 1)
        self.slots = self.rows * count
        self.once = np.dtype(dtype).itemsize == 1
        _fits(capacity, self.slots, bytes_of(shape, dtype, action_shape, action_dtype))
        self._observations = np.zeros((self.slots, *shape), dtype)
        self._following = np.zeros((0 if self.once else self.slots, *shape), dtype)
        self._actions = np.zeros((self.slots, *action_shape), action_dtype)
        self._rewards = np.zeros(self.slots)
        self._terminated = np.zeros(self.slots, np.bool_)
        self._ended = np.zeros(self.slots, np.bool_)
        self._row, self._full = 0, False
        # Only where observations are kept once: those that episodes ended at, by slot, and what follows the newest row.
        self._finals: dict[int, NDArray[Any]] = {}
        self._next = np.zeros((count, *shape), dtype)

    def __len__(self) -> int:
        return self.slots if self._full else self._row * self.count

    def add(
        self, observations: NDArray[Any], actions: NDArray[Any], rewards: NDArray[Any], terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_], final: NDArray[Any],
    ) -> Ints:
        """One step of every world, [count, ...] each; `final` is what truly followed. Gives the slots it went to."""
        low = self._row * self.count
        here = slice(low, low + self.count)
        ended = terminated | truncated
        self._observations[here] = observations
        self._actions[here] = actions
        self._rewards[here] = rewards
        self._terminated[here] = terminated
        self._ended[here] = ended
        if self.once:
            self._next[:] = final
            for place in range(self.count):
                self._finals.pop(low + place, None)
                if ended[place]:
                    self._finals[low + place] = np.array(final[place])
        else:
            self._following[here] = final
        self._row += 1
        if self._row == self.rows:
            self._row, self._full = 0, True
        return np.arange(low, low + self.count)

    def ages(self, slots: Ints) -> Ints:
        """How many vector steps ago each was made; 0 is the newest."""
        return (self._row - 1 - slots // self.count) % self.rows

    def draw(self, size: int, stream: np.random.Generator) -> Ints:
        """`size` slots, each with the same chance, with replacement."""
        return stream.integers(len(self), size=size)

    def batch(self, slots: Ints, n: int, gamma: float, weights: NDArray[np.float32] | None = None) -> Batch:
        """The transitions in these slots, with their returns over up to n steps."""
        ages, end = self.ages(slots), slots
        if n > 1:
            end, returns, taken = self._summed(slots, ages, n, gamma)
            discounts = ~self._terminated[end] * gamma**taken
        else:
            returns, discounts = self._rewards[slots], ~self._terminated[slots] * gamma
        return Batch(
            slots, ages, self._observations[slots], self._actions[slots], returns.astype(np.float32),
            discounts.astype(np.float32), self._after(end), weights,
        )

    def _summed(self, slots: Ints, ages: Ints, n: int, gamma: float) -> tuple[Ints, NDArray[np.float64], Ints]:
        """The last slot of each sum, the sums, and how many steps are in them."""
        end, returns, taken = slots.copy(), self._rewards[slots], np.ones(len(slots), np.int64)
        for k in range(1, n):
            going = (taken == k) & ~self._ended[end] & (ages >= k)
            if not going.any():
                break
            end = np.where(going, (end + self.count) % self.slots, end)
            returns = returns + np.where(going, gamma**k * self._rewards[end], 0.0)
            taken = taken + going
        return end, returns, taken

    def _after(self, end: Ints) -> NDArray[Any]:
        """The observations that followed the transitions in these slots."""
        if not self.once:
            return self._following[end]
        after = self._observations[(end + self.count) % self.slots]
        newest = self.ages(end) == 0
        after[newest] = self._next[end[newest] % self.count]
        for i in np.flatnonzero(self._ended[end]):
            after[i] = self._finals[int(end[i])]
        return after

    def keep(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """JSON data and copies of the filled part of the arrays."""
        filled = len(self)
        arrays = {name: getattr(self, f"_{name}")[:filled].copy() for name in _ARRAYS}
        if self.once:
            ends = sorted(self._finals)
            arrays["ends"] = np.array(ends, np.int64)
            arrays["finals"] = np.array([self._finals[end] for end in ends], self._next.dtype).reshape(
                len(ends), *self._next.shape[1:]
            )
            arrays["next"] = self._next.copy()
        return {"row": self._row, "full": self._full, "rows": self.rows, "count": self.count}, arrays

    def check(self, data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Raises BadCheckpoint where `keep` was of a buffer of another size or shape, or is not whole."""
        if (data.get("rows"), data.get("count")) != (self.rows, self.count):
            raise BadCheckpoint(
                f"The checkpoint's replay buffer has {data.get('rows')} rows of {data.get('count')} worlds, this one "
                f"{self.rows} rows of {self.count}. Open it with the buffer size and worlds it was made with."
            )
        row, full = data.get("row"), data.get("full")
        whole = isinstance(row, int) and 0 <= row < self.rows and isinstance(full, bool)
        filled = self.slots if full else int(row or 0) * self.count
        shapes = {name: (filled, *getattr(self, f"_{name}").shape[1:]) for name in _ARRAYS}
        if self.once:
            ends = len(arrays.get("ends", ()))
            shapes |= {"following": (0, *self._next.shape[1:]), "ends": (ends,), "next": self._next.shape}
            shapes["finals"] = (ends, *self._next.shape[1:])
        if not whole or any(name not in arrays or arrays[name].shape != shape for name, shape in shapes.items()):
            raise BadCheckpoint(
                "The replay buffer in the checkpoint is of another world, or cut short. Take an earlier checkpoint."
            )

    def put_back(self, data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Goes on as it was when `keep` was called. Raises BadCheckpoint and then changes nothing."""
        self.check(data, arrays)
        for name in _ARRAYS:
            getattr(self, f"_{name}")[: len(arrays[name])] = arrays[name]
        self._row, self._full = data["row"], data["full"]
        if self.once:
            self._next[:] = arrays["next"]
            self._finals = {int(end): final.copy() for end, final in zip(arrays["ends"], arrays["finals"], strict=True)}


_ARRAYS = ("observations", "following", "actions", "rewards", "terminated", "ended")


def bytes_of(
    shape: tuple[int, ...], dtype: DTypeLike, action_shape: tuple[int, ...] = (), action_dtype: DTypeLike = np.int64
) -> int:
    """Bytes that one transition takes in a `Replay`."""
    kind = np.dtype(dtype)
    observation = int(np.prod(shape, dtype=np.int64)) * kind.itemsize * (1 if kind.itemsize == 1 else 2)
    return observation + int(np.prod(action_shape, dtype=np.int64)) * np.dtype(action_dtype).itemsize + 10


def _fits(capacity: int, slots: int, each: int) -> None:
    if capacity < 1:
        raise BadSetting(f"A replay buffer holds at least one transition, not {capacity}.")
    allowed = int(SHARE * psutil.virtual_memory().available)
    if slots * each > allowed:
        raise BadSetting(
            f"A replay buffer of {slots:,} transitions needs {slots * each / 2**30:.1f} GB, and {allowed / 2**30:.1f} "
            f"GB can be had. Lower the buffer size to {max(allowed // each, 1):,} or less."
        )
