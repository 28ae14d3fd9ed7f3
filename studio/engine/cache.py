"""Loaded models, kept while they fit: least recently used goes first, per device, counted in bytes."""

from __future__ import annotations

import contextlib
import gc
import itertools
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.engine import devices

CPU = "cpu"


@dataclass
class _Entry:
    value: object
    sizes: dict[str, int]
    used: int
    users: set[str] = field(default_factory=set)


class ModelCache:
    """LRU cache of models by bytes per device; thread-safe.

    `budget` is the number of bytes per device: one number for all, or a mapping such as {"cpu": ..., "cuda:0": ...}.
    None means half of the memory of each device. A model that a live task uses is never evicted: dropping it here
    would free nothing, because the task still holds it. The newest model stays even if it alone exceeds the budget.
    `collect` frees what sits in reference cycles, as models often do.
    """

    def __init__(
        self, budget: int | Mapping[str, int] | None = None, collect: Callable[[], object] = gc.collect
    ) -> None:
        self._budget, self._collect = budget, collect
        self._entries: dict[Hashable, _Entry] = {}
        self._loading: dict[Hashable, threading.Lock] = {}
        self._lock = threading.RLock()
        self._ticks = itertools.count()
        self._current = threading.local()

    def get(
        self, key: Hashable, loader: Callable[[], Any], *, nbytes: int | None = None, device: str | None = None
    ) -> Any:
        """Return the model kept under `key`; if absent, run `loader()` (once, even if several threads ask).

        Its size is measured from its parameters and buffers; give `nbytes` (and `device`) for other objects, and room
        is made before loading. Whatever `loader` raises comes out, and nothing is kept.
        """
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                return self._touch(found)
            gate = self._loading.setdefault(key, threading.Lock())
        with gate:
            with self._lock:
                found = self._entries.get(key)
                if found is not None:
                    return self._touch(found)
            try:
                if nbytes is not None:
                    self._make_room({device or CPU: nbytes})
                value = loader()
                sizes = {device or CPU: nbytes} if nbytes is not None else measure(value)
                self._make_room(sizes)
                with self._lock:
                    entry = self._entries[key] = _Entry(value, sizes, next(self._ticks))
                    return self._touch(entry)
            finally:
                with self._lock:
                    self._loading.pop(key, None)

    def _touch(self, entry: _Entry) -> object:
        entry.used = next(self._ticks)
        user = getattr(self._current, "user", None)
        if user is not None:
            entry.users.add(user)
        return entry.value

    @contextlib.contextmanager
    def using(self, user: str) -> Iterator[None]:
        """Within this block, models got on this thread are pinned for `user` until `release(user)`."""
        before = getattr(self._current, "user", None)
        self._current.user = user
        try:
            yield
        finally:
            self._current.user = before

    def release(self, user: str) -> None:
        """Unpin everything `user` had got."""
        with self._lock:
            for entry in self._entries.values():
                entry.users.discard(user)

    def evict(self, key: Hashable) -> bool:
        """Forget one model, pinned or not; False if it was not here."""
        with self._lock:
            return self._entries.pop(key, None) is not None

    def evict_idle(self) -> int:
        """Forget every model no live task uses, give the memory back to the device; returns the bytes released."""
        with self._lock:
            idle = [key for key, entry in self._entries.items() if not entry.users]
            freed = sum(sum(self._entries.pop(key).sizes.values()) for key in idle)
        self._collect()
        devices.free_cached_memory()
        return freed

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def keys(self) -> list[Hashable]:
        """Keys from least to most recently used."""
        with self._lock:
            return sorted(self._entries, key=lambda key: self._entries[key].used)

    def bytes_by_device(self) -> dict[str, int]:
        """Bytes held per device."""
        with self._lock:
            return self._held()

    def _held(self) -> dict[str, int]:
        held: dict[str, int] = {}
        for entry in self._entries.values():
            for device, size in entry.sizes.items():
                held[device] = held.get(device, 0) + size
        return held

    def _limit(self, device: str) -> int:
        if isinstance(self._budget, int):
            return self._budget
        if self._budget is not None and device in self._budget:
            return self._budget[device]
        return devices.describe(device).total_bytes // 2

    def _make_room(self, needed: dict[str, int]) -> None:
        """Evict idle models, oldest first, until `needed` fits on each device or nothing idle is left there."""
        evicted = False
        for device, size in needed.items():
            limit = self._limit(device)
            with self._lock:
                for key in self.keys():
                    if self._held().get(device, 0) + size <= limit:
                        break
                    entry = self._entries[key]
                    if not entry.users and device in entry.sizes:
                        del self._entries[key]
                        evicted = True
        if evicted:
            self._collect()
            devices.free_cached_memory()


def measure(value: object) -> dict[str, int]:
    """Bytes per device of a torch module's parameters and buffers (shared ones once), of a tensor, or of an array.

    Objects that hold several modules (a bundle, a pipeline) are measured through their attributes. 0 on the CPU if
    nothing is found.
    """
    sizes: dict[str, int] = {}
    seen: set[int] = set()
    for part in (value, *getattr(value, "__dict__", {}).values()):
        for tensor in _tensors(part):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                device = str(getattr(tensor, "device", CPU))
                sizes[device] = sizes.get(device, 0) + int(tensor.nbytes)
    return sizes or {CPU: 0}


def _tensors(value: object) -> Iterator[Any]:
    if callable(getattr(value, "parameters", None)) and callable(getattr(value, "buffers", None)):
        module: Any = value
        yield from module.parameters()
        yield from module.buffers()
    elif isinstance(getattr(value, "nbytes", None), int):
        yield value

