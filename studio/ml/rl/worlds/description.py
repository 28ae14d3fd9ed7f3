"""What an agent and a window must know of a world before they begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ObservationKind = Literal["discrete", "vector", "pixels"]
ActionKind = Literal["discrete", "continuous"]
Seen = Literal["grid", "rgb", "ansi", "none"]


@dataclass(frozen=True)
class Description:
    """observation: what `Worlds` gives: int64 states "discrete", float32 "vector"s, or uint8 "pixels".

    shape: of one observation: () for a state, (n,) for a vector, (channels, height, width) for pixels. states: how
    many there are, for discrete observations. actions: "discrete" with their number `n` and `names` (as many), or
    "continuous" vectors between `low` and `high` (as long as an action). model: whether the exact transition table
    is known (`model_of`). seen: how it can be watched: as a "grid" drawn by the studio, as "rgb" frames, as "ansi"
    text, or not at all. limit: steps after which an episode is cut. threshold: the mean return at which Gymnasium
    calls it solved. note: what the studio made of its observations and actions, in a sentence or none.
    """

    observation: ObservationKind
    shape: tuple[int, ...]
    states: int | None
    actions: ActionKind
    n: int | None
    names: tuple[str, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    model: bool = False
    seen: Seen = "none"
    limit: int | None = None
    threshold: float | None = None
    note: str = ""

    @property
    def size(self) -> int:
        """Numbers that an action is made of: 1, or the length of a continuous one."""
        return len(self.low) or 1
