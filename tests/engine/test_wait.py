"""Jobs that let time pass: nobody else is held up, and they stop at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from studio.engine import Engine, Event, Progress, TaskState, Wait, run_inline


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(clock: Clock) -> Iterator[Engine]:
    engine = Engine(device="cpu", clock=clock)
    yield engine
    assert engine.close()


def pausing(trace: list[str], seconds: float, times: int = 2) -> Callable[[Any, Any], Iterator[Event | Wait]]:
    def run(request: Any, ctx: Any) -> Iterator[Event | Wait]:
        for _ in range(times):
            trace.append("w")
            yield Wait(seconds)

    return run


def busy(trace: list[str], steps: int) -> Callable[[Any, Any], Iterator[Event]]:
    def run(request: Any, ctx: Any) -> Iterator[Event]:
        for index in range(steps):
            trace.append("b")
            yield Progress(index, steps)

    return run


def test_others_are_served_while_one_waits(timed: Engine, clock: Clock) -> None:
    trace: list[str] = []
    task = timed.submit(pausing(trace, 5.0))
    timed.submit(busy(trace, 4))
    while timed.step():
        pass
    assert "".join(trace) == "wbbbb"
    clock.now = 4.9
    assert not timed.step()
    clock.now = 5.0
    assert timed.step() and trace[-1] == "w"
    clock.now = 10.0
    assert timed.step() and task.state is TaskState.DONE


def test_the_head_of_a_queue_keeps_its_place_while_it_waits(timed: Engine, clock: Clock) -> None:
    trace: list[str] = []
    timed.submit(pausing(trace, 1.0, times=1), queue="q")
    timed.submit(busy(trace, 1), queue="q")
    while timed.step():
        pass
    assert trace == ["w"]
    clock.now = 1.0
    while timed.step():
        pass
    assert trace == ["w", "b"]


def test_a_waiting_job_is_cancelled_and_paused_at_once(running: Engine) -> None:
    trace: list[str] = []
    task = running.submit(pausing(trace, 3600.0))
    deadline = time.monotonic() + 5
    while not trace and time.monotonic() < deadline:
        time.sleep(0.001)
    assert task.pause() and task.resume() and task.cancel()
    assert task.wait(5.0)
    assert trace == ["w"]


def test_the_lane_wakes_when_the_time_is_over(running: Engine) -> None:
    trace: list[str] = []
    began = time.monotonic()
    task = running.submit(pausing(trace, 0.03, times=3))
    assert task.wait(5.0)
    assert trace == ["w", "w", "w"]
    assert time.monotonic() - began >= 0.09


def test_a_lane_sleeps_while_its_jobs_wait(running: Engine) -> None:
    running.submit(pausing([], 1.0, times=1))
    before = time.process_time()
    assert running.wait_idle(5.0)
    assert time.process_time() - before < 0.5


def test_waits_pass_inline() -> None:
    trace: list[str] = []
    began = time.monotonic()
    run_inline(pausing(trace, 0.01))
    assert time.monotonic() - began >= 0.02


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_a_wait_is_a_time(seconds: float) -> None:
    with pytest.raises(ValueError, match="from 0 up"):
        Wait(seconds)
