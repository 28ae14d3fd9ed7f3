"""The observations: where they lie, what was seen, and how much each is trusted. A value; edits give a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from studio_plugins.gp.packing import pack

Array = npt.NDArray[np.float64]


def _empty() -> Array:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Points:
    """x [n, D] and y [n], float64 and finite; `own` [n] is the noise that a point has beyond the common one, a standard
    deviation in units of y, mostly 0.

    Raises ValueError when the shapes do not fit or a number is not finite.
    """

    x: Array = field(default_factory=lambda: np.empty((0, 1)))
    y: Array = field(default_factory=_empty)
    own: Array = field(default_factory=_empty)

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or self.y.shape != (len(self.x),) or self.own.shape != self.y.shape:
            raise ValueError(f"x {self.x.shape}, y {self.y.shape} and noise {self.own.shape} do not belong together")
        if not all(np.isfinite(array).all() for array in (self.x, self.y, self.own)):
            raise ValueError("a point has a coordinate that is not a finite number")
        for array in (self.x, self.y, self.own):
            array.flags.writeable = False

    @classmethod
    def of(cls, x: Any, y: Any, own: Any = None) -> Points:
        """Points from sequences; x may be [n] or [n, D]; without `own` no point has noise of its own."""
        places = np.array(x, dtype=np.float64)
        places = places.reshape(-1, 1) if places.ndim == 1 else places
        values = np.array(y, dtype=np.float64)
        noise = np.zeros(len(values)) if own is None else np.array(own, dtype=np.float64)
        return cls(places, values, noise)

    def __len__(self) -> int:
        return len(self.y)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Points)
            and np.array_equal(self.x, other.x)
            and np.array_equal(self.y, other.y)
            and np.array_equal(self.own, other.own)
        )

    @cached_property
    def packed(self) -> str:
        """The points as text, for very many; made once."""
        return pack(self.x, self.y, self.own)

    @property
    def inputs(self) -> int:
        """D, the number of inputs."""
        return int(self.x.shape[1])

    def noise(self, common: float) -> Array:
        """Standard deviation of the noise of each point [n]: the common one and its own."""
        return np.hypot(common, self.own)

    def added(self, x: Sequence[float], y: float) -> Points:
        """One more point, at the end."""
        place = np.asarray(x, dtype=np.float64).reshape(1, -1)
        return Points(np.concatenate([self.x, place]), np.append(self.y, y), np.append(self.own, 0.0))

    def without(self, chosen: Sequence[int]) -> Points:
        """Without the chosen ones."""
        keep = np.ones(len(self), dtype=bool)
        keep[list(chosen)] = False
        return Points(self.x[keep], self.y[keep], self.own[keep])

    def shifted(self, chosen: Sequence[int], dx: float, dy: float) -> Points:
        """The chosen ones moved, along the first input."""
        x, y, at = self.x.copy(), self.y.copy(), list(chosen)
        x[at, 0] += dx
        y[at] += dy
        return Points(x, y, self.own)

    def at(self, index: int, place: Sequence[float], y: float) -> Points:
        """One point elsewhere: its inputs and its value."""
        x, values = self.x.copy(), self.y.copy()
        x[index], values[index] = place, y
        return Points(x, values, self.own)

    def with_noise(self, chosen: Sequence[int], noise: float, common: float) -> Points:
        """The chosen ones with this noise in all (a standard deviation), of which at least the common part stays."""
        own = self.own.copy()
        own[list(chosen)] = np.sqrt(max(0.0, noise**2 - common**2))
        return Points(self.x, self.y, own)
