"""Calls beside the lanes: worker threads and worker processes that can be killed.

Only functions of the standard library are sent to worker processes, so nothing depends on how tests are imported.
"""

from __future__ import annotations

import gc
import math
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from studio.engine import Engine, JobContext, Offload, OffloadFailed, Priority, Progress, TaskState

WAIT = 60.0


def offload_job(*calls: Offload) -> Callable[[Any, Any], Iterator[Any]]:
    """A job that returns what its calls returned, errors included."""

    def run(request: Any, ctx: Any) -> Iterator[Any]:
        answers = []
        for call in calls:
            try:
                answers.append((yield call))
            except Exception as error:
                answers.append(error)
        return answers

    return run


def workers() -> list[psutil.Process]:
    """Worker processes of this test process."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_thread_answers_and_its_errors_are_raised_at_the_yield(running: Engine) -> None:
    task = running.submit(offload_job(Offload(math.sqrt, 9.0), Offload(int, "x"), Offload(int, "ff", base=16)))
    assert task.wait(WAIT)
    root, error, number = task.result
    assert (root, number) == (3.0, 255) and isinstance(error, ValueError)


def test_a_process_answers_and_its_errors_carry_its_traceback(running: Engine) -> None:
    task = running.submit(
        offload_job(
            Offload(os.getpid, process=True),
            Offload(int, "x", process=True),
            Offload(os._exit, 3, process=True),
            Offload(threading.Lock, process=True),
            Offload(lambda: 1, process=True),
        )
    )
    assert task.wait(WAIT), running.stack()
    pid, error, died, no_answer, not_sent = task.result
    assert pid != os.getpid()
    assert isinstance(error, ValueError) and "worker process" in "".join(error.__notes__)
    assert isinstance(died, OffloadFailed) and "exit code 3" in str(died)
    assert isinstance(no_answer, TypeError) and "pickle" in str(no_answer)
    assert isinstance(not_sent, OffloadFailed) and "top of a module" in str(not_sent)
    wait_until(lambda: not workers())


def test_a_killed_worker_is_reported_as_such(running: Engine) -> None:
    def suicide(request: Any, ctx: Any) -> Iterator[Any]:
        yield Offload(signal.raise_signal, signal.SIGKILL, process=True)

    task = running.submit(suicide)
    assert task.wait(WAIT)
    assert task.error is not None and task.error.kind == "worker_died"
    assert "SIGKILL" in task.error.message and "memory" in task.error.message


def test_cancel_kills_the_worker_process_and_touches_nothing_else(running: Engine) -> None:
    doomed = running.submit(offload_job(Offload(time.sleep, 600, process=True)))
    wait_until(lambda: len(workers()) == 1)
    other = running.submit(offload_job(Offload(math.sqrt, 4.0)))
    assert doomed.cancel()
    assert doomed.wait(WAIT) and doomed.state is TaskState.CANCELLED
    assert other.wait(WAIT) and other.result == [2.0]
    wait_until(lambda: not workers())
    wait_until(lambda: running.stats().offloads == 0)


def test_cancel_while_the_process_is_being_started(running: Engine) -> None:
    for _ in range(3):
        task = running.submit(offload_job(Offload(time.sleep, 600, process=True)))
        wait_until(lambda: running.stats().offloads > 0)
        task.cancel()
        assert task.wait(WAIT)
    wait_until(lambda: not workers() and running.stats().offloads == 0)


def test_other_tasks_are_stepped_and_other_calls_run_meanwhile(running: Engine) -> None:
    gate, both = threading.Event(), threading.Barrier(2)

    def blocked() -> str:
        both.wait(WAIT)
        gate.wait(WAIT)
        return "late"

    waiting = [running.submit(offload_job(Offload(blocked)), priority=Priority.INTERACTIVE) for _ in range(2)]

    def steps(request: Any, ctx: Any) -> Iterator[Any]:
        for index in range(50):
            yield Progress(index, 50)

    stepped = running.submit(steps, priority=Priority.BACKGROUND)
    assert stepped.wait(WAIT)
    assert all(not task.state.ended for task in waiting)
    gate.set()
    assert all(task.wait(WAIT) and task.result == ["late"] for task in waiting)


def test_the_answer_of_a_cancelled_thread_is_dropped(running: Engine) -> None:
    gate = threading.Event()
    task = running.submit(offload_job(Offload(gate.wait, WAIT)))
    wait_until(lambda: running.stats().offloads == 1)
    task.cancel()
    assert task.wait(WAIT), "the task does not wait for a call that cannot be killed"
    events = task.mailbox.drain()
    gate.set()
    wait_until(lambda: running.stats().offloads == 0)
    assert task.mailbox.drain() == [] and task.state is TaskState.CANCELLED and len(events) == 2


def test_a_paused_task_gets_its_answer_when_it_goes_on(running: Engine) -> None:
    gate = threading.Event()
    task = running.submit(offload_job(Offload(gate.wait, WAIT)))
    wait_until(lambda: running.stats().offloads == 1)
    task.pause()
    gate.set()
    wait_until(lambda: running.stats().offloads == 0)
    assert task.state is TaskState.PAUSED
    task.resume()
    assert task.wait(WAIT) and task.result == [True]


def test_system_exit_in_a_call_is_the_jobs_failure_only(running: Engine) -> None:
    def leave() -> None:
        raise SystemExit(5)

    def run(request: Any, ctx: Any) -> Iterator[Any]:
        yield Offload(leave)

    task = running.submit(run)
    assert task.wait(WAIT) and task.state is TaskState.FAILED
    assert task.error is not None and task.error.kind == "stopped"
    assert all(beat.alive for beat in running.heartbeat().values())


class Big:
    """Stands for a tensor."""


def test_locals_of_a_failed_job_die_without_the_collector(running: Engine) -> None:
    """A thrown error holds the frames it passed through; if the engine's own frame held it too, memory would stay."""
    alive: list[weakref.ref[Big]] = []

    def run(request: Any, ctx: JobContext) -> Iterator[Any]:
        big = Big()
        alive.append(weakref.ref(big))
        yield Offload(int, "x")

    gc.collect()
    gc.disable()
    try:
        task = running.submit(run)
        assert task.wait(WAIT) and task.state is TaskState.FAILED
        wait_until(lambda: running.stats().offloads == 0)
        assert alive[0]() is None
    finally:
        gc.enable()


def test_offload_needs_a_function() -> None:
    with pytest.raises(TypeError, match="function"):
        Offload(3)  # type: ignore[arg-type]
