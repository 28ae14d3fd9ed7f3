"""What the person was told, kept until dismissed: short-lived toasts alone are missed. Without Qt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

Level = Literal["info", "success", "warning", "error"]
_KEPT = 500


@dataclass(frozen=True)
class Notification:
    """One message. `count` says how often the same was said; `when` is seconds since the epoch of the last time."""

    id: int
    text: str
    level: Level = "info"
    details: str = ""
    source: str = ""
    when: float = 0.0
    count: int = 1
    read: bool = False


class NotificationCenter:
    """The list of notifications, newest last. Thread-safe; listeners run on the thread that called `add`."""

    def __init__(self, *, clock: Callable[[], float] = time.time, limit: int = _KEPT) -> None:
        self._items: dict[int, Notification] = {}
        self._clock, self._limit = clock, limit
        self._next = 1
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Notification], None]] = []

    def add(self, text: str, level: str = "info", details: str = "", source: str = "") -> Notification:
        """Tell something. A message equal to an earlier one moves to the end and counts up instead of piling up."""
        known = cast(Level, level) if level in get_args(Level) else "info"
        with self._lock:
            same = next(
                (n for n in self._items.values() if (n.text, n.level, n.source) == (text, known, source)), None
            )
            if same:
                del self._items[same.id]
                item = replace(same, details=details, when=self._clock(), count=same.count + 1, read=False)
            else:
                item = Notification(self._next, text, known, details, source, self._clock())
                self._next += 1
            self._items[item.id] = item
            while len(self._items) > self._limit:
                del self._items[next(iter(self._items))]
            listeners = list(self._listeners)
        for listener in listeners:
            listener(item)
        return item

    def items(self) -> list[Notification]:
        """All notifications, the one told last at the end."""
        with self._lock:
            return list(self._items.values())

    def unread(self) -> int:
        """How many were not marked as read."""
        return sum(not item.read for item in self.items())

    def mark_read(self) -> None:
        """Mark all as read (the list was opened)."""
        with self._lock:
            self._items = {key: replace(item, read=True) for key, item in self._items.items()}

    def dismiss(self, notification_id: int) -> None:
        """Remove one; an id that is gone is ignored."""
        with self._lock:
            self._items.pop(notification_id, None)

    def clear(self) -> None:
        """Remove all."""
        with self._lock:
            self._items.clear()

    def on_add(self, listener: Callable[[Notification], None]) -> Callable[[], None]:
        """Call `listener(notification)` after each `add`; returns the function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None
