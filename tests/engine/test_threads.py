"""The real threads: random use from several sides, latency of the quick lane, and a clean end."""

from __future__ import annotations

import gc
import random
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from studio.engine import Cancelled, Done, Engine, EngineClosed, Failed, Metric, Offload, Priority, Progress, Task

WAIT = 60.0


def test_random_use_from_many_threads_ends_every_task_exactly_once(running: Engine) -> None:
    generators: list[weakref.ref[Any]] = []
    closed: list[int] = []
    tasks: list[Task] = []

    def body(seed: int) -> Iterator[Any]:
        dice = random.Random(seed)
        try:
            for index in range(dice.randrange(8)):
                match dice.randrange(6):
                    case 0:
                        assert (yield Offload(int, "7")) == 7
                    case 1 if dice.random() < 0.3:
                        raise ValueError
                    case _:
                        yield Metric("step", index, seed)
            return seed
        finally:
            closed.append(seed)

    def job(seed: int, ctx: Any) -> Iterator[Any]:
        generator = body(seed)
        generators.append(weakref.ref(generator))
        return generator

    def user(number: int) -> None:
        dice = random.Random(number)
        mine: list[Task] = []
        for turn in range(60):
            mine.append(
                running.submit(
                    job, number * 1000 + turn, owner=f"user {number}", lane=dice.choice(["compute", "quick"]),
                    priority=dice.choice(list(Priority)), replace=dice.choice([None, "key"]),
                    queue=dice.choice([None, "queue"]), front=dice.random() < 0.2,
                )
            )
            task = dice.choice(mine)
            dice.choice([task.cancel, task.pause, task.resume, task.mailbox.empty.__bool__])()
        for task in mine:
            task.resume()
        tasks.extend(mine)

    users = [threading.Thread(target=user, args=(number,)) for number in range(4)]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join()
    assert running.wait_idle(WAIT)
    assert len(tasks) == 240
    for task in tasks:
        events = task.mailbox.drain()
        ends = [event for event in events if isinstance(event, (Done, Failed, Cancelled))]
        assert len(ends) == 1 and events[-1] is ends[0], task
        assert all(event.y == task.request for event in events if isinstance(event, Metric))
    assert len(closed) <= len(generators)
    gc.collect()
    assert [ref for ref in generators if ref() is not None] == []


def test_cancel_of_a_running_task_takes_one_step(running: Engine) -> None:
    steps: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def run(request: Any, ctx: Any) -> Iterator[Any]:
        for index in range(100):
            steps.append(index)
            begun.set()
            go.wait(WAIT)
            yield Progress(index, 100)

    task = running.submit(run)
    assert begun.wait(WAIT)
    assert task.cancel() and task.stopping
    assert running.heartbeat()["compute"].task_id == task.id
    assert "go.wait" in running.stack("compute")
    go.set()
    assert task.wait(WAIT) and steps == [0]
    assert running.stats().lanes["compute"].cancel.count == 1


def test_a_drag_on_the_quick_lane_does_not_wait_for_the_compute_lane(running: Engine) -> None:
    """Deterministic in order, not in milliseconds: every quick task is done while one compute step is still running."""
    begun, go = threading.Event(), threading.Event()

    def long_step(request: Any, ctx: Any) -> Iterator[Any]:
        begun.set()
        go.wait(WAIT)
        yield Progress(1, 1)

    def posterior(request: int, ctx: Any) -> Iterator[Any]:
        yield Progress(1, 1)
        return request

    slow = running.submit(long_step)
    assert begun.wait(WAIT)
    last = None
    for index in range(60):
        last = running.submit(posterior, index, lane="quick", priority=Priority.INTERACTIVE, replace="drag")
        time.sleep(0.001)
    assert last is not None and last.wait(WAIT) and last.result == 59
    assert not slow.state.ended
    go.set()
    assert slow.wait(WAIT)
    assert running.stats().lanes["quick"].queue.count >= 1


def test_close_ends_running_paused_waiting_and_queued_tasks() -> None:
    engine = Engine(device="cpu")
    engine.start()
    engine.start()
    closed: list[str] = []

    def endless(name: str, ctx: Any) -> Iterator[Any]:
        try:
            while True:
                yield Progress(0, 1)
                if name == "waiting":
                    yield Offload(time.sleep, 600, process=True)
                time.sleep(0.001)
        finally:
            closed.append(name)

    tasks = [engine.submit(endless, name) for name in ("running", "paused", "waiting")]
    tasks.append(engine.submit(endless, "queued", priority=Priority.BACKGROUND))
    deadline = time.monotonic() + WAIT
    while not (engine.stats().offloads and all(task.started for task in tasks[:3])) and time.monotonic() < deadline:
        time.sleep(0.01)
    tasks[1].pause()
    assert engine.close(WAIT)
    assert engine.close(WAIT), "closing twice is harmless"
    assert sorted(closed) == ["paused", "running", "waiting"]
    assert all(task.wait(0) for task in tasks)
    assert [type(task.mailbox.drain()[-1]) for task in tasks] == [Cancelled] * 4
    assert not any(beat.alive for beat in engine.heartbeat().values()) and engine.stats().offloads == 0
    with pytest.raises(EngineClosed):
        engine.submit(endless, "late")


def test_close_says_when_a_step_does_not_end() -> None:
    engine = Engine(device="cpu")
    engine.start()
    begun, go = threading.Event(), threading.Event()

    def stuck(request: Any, ctx: Any) -> Iterator[Any]:
        begun.set()
        go.wait(WAIT)
        yield Progress(0, 1)

    task = engine.submit(stuck)
    assert begun.wait(WAIT)
    assert not engine.close(timeout=0.05)
    assert task.state.ended and task.stopping
    go.set()
    assert engine.close(WAIT) and not task.stopping


def test_an_engine_nobody_holds_is_not_kept_by_its_tasks(running: Engine) -> None:
    task = running.submit(lambda request, ctx: iter(()))
    assert task.wait(WAIT)
    assert task.error is not None and "generator" in task.error.message
