"""Observations and rewards brought to a usual size by their running mean and deviation.

As in Stable-Baselines3's VecNormalize, so that its published settings mean the same here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_EPS = 1e-8
_BOUND = 10.0


class Moments:
    """Running mean and variance of rows [*shape] (Chan, Golub and LeVeque 1979), beginning as 0 and 1."""

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.mean: Floats = np.zeros(shape)
        self.var: Floats = np.ones(shape)
        self.count = 1e-4

    def add(self, rows: NDArray[Any]) -> None:
        """rows: [B, *shape]."""
        n, mean, var = len(rows), rows.mean(0, dtype=np.float64), rows.var(0, dtype=np.float64)
        total, gap = self.count + n, mean - self.mean
        self.var = (self.var * self.count + var * n + gap**2 * self.count * n / total) / total
        self.mean = self.mean + gap * n / total
        self.count = total

    def normal(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """(rows − mean) / deviation, within ±10."""
        return np.clip((rows - self.mean) / np.sqrt(self.var + _EPS), -_BOUND, _BOUND).astype(np.float32)

    def arrays(self) -> dict[str, Floats]:
        return {"mean": self.mean.copy(), "var": self.var.copy(), "count": np.array(self.count)}

    def put_back(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Takes what `arrays` gave. Raises ValueError where the shape is another one."""
        if arrays["mean"].shape != self.mean.shape or arrays["var"].shape != self.var.shape:
            raise ValueError(f"running means of shape {arrays['mean'].shape} instead of {self.mean.shape}")
        self.mean, self.var, self.count = arrays["mean"].copy(), arrays["var"].copy(), float(arrays["count"])


class RewardScale:
    """Rewards divided by the running deviation of the discounted return of each world, within ±10."""

    def __init__(self, worlds: int) -> None:
        self.moments = Moments()
        self.returns: Floats = np.zeros(worlds)

    def scale(self, rewards: Floats, ended: NDArray[np.bool_], gamma: float) -> Floats:
        """rewards, ended: [N] of one step."""
        self.returns = self.returns * gamma + rewards
        self.moments.add(self.returns)
        self.returns[ended] = 0
        scaled: Floats = np.clip(rewards / np.sqrt(self.moments.var + _EPS), -_BOUND, _BOUND)
        return scaled

    def arrays(self) -> dict[str, Floats]:
        return {**self.moments.arrays(), "returns": self.returns.copy()}

    def put_back(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Takes what `arrays` gave. Raises ValueError where there were other worlds."""
        if arrays["returns"].shape != self.returns.shape:
            raise ValueError(f"{len(arrays['returns'])} parallel worlds instead of {len(self.returns)}")
        self.moments.put_back(arrays)
        self.returns = arrays["returns"].copy()
