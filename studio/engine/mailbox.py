"""The mailbox between one task and the GUI: coalesces while full, never loses how the task ended."""

from __future__ import annotations

import itertools
import threading
from collections import deque

from studio.engine.events import TERMINAL, Event, Log, Metric, Preview, Progress, Snapshot

METRIC_LIMIT = 20_000
LOG_LIMIT = 5_000


class Mailbox:
    """Thread-safe box of events, emptied by `drain()`.

    Progress, Preview (per label) and Snapshot (per name) keep the latest only; Metric and Log accumulate. A box nobody
    drains stays bounded: beyond `METRIC_LIMIT` points a series is thinned to every second point (its newest point
    always stays), beyond `LOG_LIMIT` lines the oldest are replaced by one line that says how many.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._latest: dict[tuple[object, ...], tuple[int, Event]] = {}
        self._metrics: dict[str, list[tuple[int, Event]]] = {}
        self._logs: deque[tuple[int, Event]] = deque()
        self._logs_lost = 0
        self._terminal: Event | None = None
        self._closed = False

    def put(self, event: Event) -> bool:
        """Add `event`; False (and dropped) if the task has ended. A terminal event closes the box."""
        with self._lock:
            if self._closed:
                return False
            entry = (next(self._order), event)
            if isinstance(event, TERMINAL):
                self._terminal = event
                self._closed = True
            elif isinstance(event, Metric):
                self._put_metric(event.series, entry)
            elif isinstance(event, Log):
                self._logs.append(entry)
                if len(self._logs) > LOG_LIMIT:
                    self._logs.popleft()
                    self._logs_lost += 1
            else:
                self._latest[_slot(event)] = entry
            return True

    def _put_metric(self, series: str, entry: tuple[int, Event]) -> None:
        points = self._metrics.setdefault(series, [])
        if len(points) >= METRIC_LIMIT:
            del points[-2::-2]
        points.append(entry)

    def clear(self) -> None:
        """Forget everything not yet drained, except how the task ended."""
        with self._lock:
            self._forget()

    def drain(self) -> list[Event]:
        """Take everything out, in the order it was put; a terminal event comes last and exactly once."""
        with self._lock:
            entries = list(self._latest.values())
            for points in self._metrics.values():
                entries += points
            entries += self._logs
            lost, terminal = self._logs_lost, self._terminal
            self._forget()
            self._terminal = None
        entries.sort(key=lambda entry: entry[0])
        events = [event for _, event in entries]
        if lost:
            events.insert(0, Log(f"{lost} older lines were dropped", "warning"))
        if terminal is not None:
            events.append(terminal)
        return events

    def _forget(self) -> None:
        self._latest = {}
        self._metrics = {}
        self._logs = deque()
        self._logs_lost = 0

    @property
    def empty(self) -> bool:
        """True when `drain()` would return nothing."""
        with self._lock:
            return not (self._latest or self._metrics or self._logs) and self._terminal is None


def _slot(event: Event) -> tuple[object, ...]:
    """Events with equal slots replace each other."""
    if isinstance(event, Progress):
        return (Progress,)
    if isinstance(event, Preview):
        return (Preview, event.label)
    if isinstance(event, Snapshot):
        return (Snapshot, event.name)
    return (type(event),)
