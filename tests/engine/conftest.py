"""Engines for tests: one driven by hand, one with its real threads; both must leave nothing behind."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator

import pytest
from studio.engine import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine without threads: the test calls `engine.step()`; its clock advances by 1 s a look."""
    clock = itertools.count(1.0)
    engine = Engine(device="cpu", clock=lambda: next(clock))
    yield engine
    assert engine.close()


@pytest.fixture
def running() -> Iterator[Engine]:
    """An engine with its threads; afterwards no thread of it may be alive."""
    before = set(threading.enumerate())
    engine = Engine(device="cpu")
    engine.start()
    yield engine
    assert engine.close()
    assert set(threading.enumerate()) <= before


@pytest.fixture
def drive() -> Callable[..., int]:
    """Step a hand-driven engine until it has nothing to do; returns the number of steps."""

    def drive(engine: Engine, lane: str = "compute", limit: int = 10_000) -> int:
        for count in range(limit):
            if not engine.step(lane):
                return count
        raise AssertionError(f"still busy after {limit} steps")

    return drive
