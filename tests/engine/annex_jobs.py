"""Jobs at the top of a module, so that they can be sent to an annex; and what tests call there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from studio.engine import Event, Log, Metric, Progress, Snapshot, Wait

DIALS: dict[str, float] = {}


def services() -> Mapping[str, Any]:
    return {"greeting": "from over there"}


def counting(steps: int, ctx: Any) -> Iterator[Event]:
    for index in range(steps):
        yield Metric("count", index, index * index)
        yield Snapshot("array", np.arange(index + 1))
        yield Progress(index + 1, steps, ctx.services["greeting"])
    return os.getpid()


def endless(folder: Path, ctx: Any) -> Iterator[Event | Wait]:
    """Counts until it is cancelled, and leaves a file when it is closed."""
    count = 0
    try:
        while True:
            count += 1
            yield Progress(count, 0)
            yield Wait(0.002)
    finally:
        (folder / "closed").write_text(str(count))


def failing(text: str, ctx: Any) -> Iterator[Event]:
    yield Log("about to fail")
    raise ValueError(text)


def dying(_request: None, ctx: Any) -> Iterator[Event]:
    yield Progress(0, 1)
    os.kill(os.getpid(), signal.SIGKILL)


def turn(name: str, value: float) -> None:
    DIALS[name] = value


def reading(name: str, ctx: Any) -> Iterator[Event | Wait]:
    while name not in DIALS:
        yield Wait(0.002)
    return DIALS[name]


def unsendable(_request: None, ctx: Any) -> Iterator[Event]:
    yield Progress(0, 1)
    return lambda: None
