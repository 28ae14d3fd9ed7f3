"""Latency figures of the lanes, over a sliding window."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

WINDOW = 2048


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of the newest `count` durations, in seconds."""

    count: int = 0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0

    @classmethod
    def of(cls, durations: Iterable[float]) -> Latency:
        """Nearest-rank percentiles of `durations`."""
        values = sorted(durations)
        if not values:
            return cls()
        p50, p95, p99 = (values[round(q * (len(values) - 1))] for q in (0.5, 0.95, 0.99))
        return cls(len(values), p50, p95, p99, values[-1])


@dataclass(frozen=True, slots=True)
class LaneStats:
    """`queue`: submit to first step. `step`: one step. `turnaround`: submit to done. `cancel`: cancel to closed."""

    steps: int
    live: int
    queue: Latency
    step: Latency
    turnaround: Latency
    cancel: Latency


@dataclass(frozen=True, slots=True)
class Stats:
    """A picture of the engine for bench and engine bar; bytes are of cached models per device."""

    lanes: dict[str, LaneStats]
    cache_bytes: dict[str, int]
    offloads: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a lane is doing now: the task being stepped, if any, and for how many seconds its present step runs."""

    lane: str
    alive: bool
    task_id: str | None
    title: str
    step_seconds: float
    steps: int


class Recorder:
    """Collects durations of one lane; the lane calls it under the engine's lock."""

    def __init__(self) -> None:
        self.steps = 0
        self.queue: deque[float] = deque(maxlen=WINDOW)
        self.step: deque[float] = deque(maxlen=WINDOW)
        self.turnaround: deque[float] = deque(maxlen=WINDOW)
        self.cancel: deque[float] = deque(maxlen=WINDOW)

    def copy(self) -> Recorder:
        """A snapshot that can be evaluated without the lock."""
        other = Recorder()
        other.steps = self.steps
        other.queue, other.step = self.queue.copy(), self.step.copy()
        other.turnaround, other.cancel = self.turnaround.copy(), self.cancel.copy()
        return other

    def stats(self, live: int) -> LaneStats:
        """Figures of the window."""
        return LaneStats(
            self.steps, live, Latency.of(self.queue), Latency.of(self.step), Latency.of(self.turnaround),
            Latency.of(self.cancel),
        )
