"""Jobs in a second process: the same events, the same errors, the same buttons."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studio.engine import Annex, Elsewhere, Engine, Event, Log, Metric, Snapshot, Task, TaskState, run_inline

from tests.engine import annex_jobs as jobs

END = 60.0


@pytest.fixture
def annex(running: Engine) -> Iterator[Annex]:
    """An annex for the engine `running`; afterwards neither its process nor a thread of it is left."""
    annex = Annex(jobs.services)
    yield annex
    close(annex)


def close(annex: Annex) -> None:
    annex.close()
    wait(lambda: not any(thread.name.startswith("glassbox annex") for thread in threading.enumerate()))
    assert not annex.alive


def wait(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + END
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def elsewhere(order: tuple[Annex, Any, Any], _ctx: Any) -> Iterator[Any]:
    annex, job, request = order
    result = yield Elsewhere(annex, job, request)
    return result


def run(engine: Engine, annex: Annex, job: Any, request: Any = None) -> Task:
    return engine.submit(elsewhere, (annex, job, request), title=job.__name__)


def test_events_and_the_result_come_back(running: Engine, annex: Annex) -> None:
    task = run(running, annex, jobs.counting, 5)
    assert task.wait(END) and task.state is TaskState.DONE, task.error
    events = task.mailbox.drain()
    assert [event.y for event in events if isinstance(event, Metric)] == [0, 1, 4, 9, 16]
    (array,) = (event.data for event in events if isinstance(event, Snapshot))
    assert np.array_equal(array, np.arange(5))
    assert task.progress is not None and task.progress.text == "from over there"
    assert task.result != os.getpid()


def test_the_process_stays_for_the_next_job(running: Engine, annex: Annex) -> None:
    pids = []
    for _ in range(2):
        task = run(running, annex, jobs.counting, 1)
        assert task.wait(END)
        pids.append(task.result)
    assert pids[0] == pids[1]


def test_a_failure_is_told_in_its_own_words(running: Engine, annex: Annex) -> None:
    task = run(running, annex, jobs.failing, "lower the step size")
    assert task.wait(END) and task.error is not None
    assert task.error.message == "ValueError: lower the step size"
    assert "annex_jobs.py" in task.error.details
    assert [event.text for event in task.mailbox.drain() if isinstance(event, Log)] == ["about to fail"]


def test_pause_holds_it_over_there_and_resume_lets_it_go_on(running: Engine, annex: Annex, tmp_path: Path) -> None:
    task = run(running, annex, jobs.endless, tmp_path)
    wait(lambda: task.progress is not None and task.progress.done > 3)
    assert task.pause()
    held = []
    for _ in range(2):
        other = run(running, annex, jobs.counting, 1)  # goes the same way after it
        assert other.wait(END)
        held.append(task.progress.done if task.progress is not None else 0)
    assert held[0] == held[1]
    assert task.resume()
    wait(lambda: task.progress is not None and task.progress.done > held[1])
    assert task.cancel()


def test_cancel_closes_the_generator_over_there(running: Engine, annex: Annex, tmp_path: Path) -> None:
    task = run(running, annex, jobs.endless, tmp_path)
    wait(lambda: task.progress is not None)
    assert task.cancel()
    wait((tmp_path / "closed").exists)
    assert annex.alive


def test_closing_the_annex_closes_its_jobs(running: Engine, tmp_path: Path) -> None:
    annex = Annex()
    task = run(running, annex, jobs.endless, tmp_path)
    wait(lambda: task.progress is not None)
    annex.close()
    wait((tmp_path / "closed").exists)
    close(annex)
    task.cancel()


def test_a_killed_process_is_told_and_the_next_job_has_a_new_one(running: Engine, annex: Annex) -> None:
    task = run(running, annex, jobs.dying)
    assert task.wait(END) and task.error is not None and task.error.kind == "annex_ended"
    again = run(running, annex, jobs.counting, 1)
    assert again.wait(END) and again.state is TaskState.DONE


def test_a_job_begun_before_the_death_is_noticed_hides_it_from_none(
    running: Engine, annex: Annex, monkeypatch: pytest.MonkeyPatch
) -> None:
    noticed, bury = threading.Event(), annex._bury

    def later(process: object) -> None:
        noticed.wait(END)
        bury(process)  # type: ignore[arg-type]

    monkeypatch.setattr(annex, "_bury", later)
    dying = run(running, annex, jobs.dying)
    wait(lambda: annex._process is not None and annex._process.exitcode is not None)
    again = run(running, annex, jobs.counting, 1)
    wait(lambda: annex.alive)
    noticed.set()
    assert dying.wait(END) and dying.error is not None and dying.error.kind == "annex_ended"
    assert again.wait(END) and again.state is TaskState.DONE


def test_single_values_are_set_while_a_job_runs(running: Engine, annex: Annex) -> None:
    task = run(running, annex, jobs.reading, "speed")
    wait(lambda: annex.alive)
    annex.call(jobs.turn, "speed", 2.5)
    assert task.wait(END) and task.result == 2.5


def test_what_cannot_be_sent_is_refused_in_words(running: Engine, annex: Annex) -> None:
    there = run(running, annex, jobs.counting, lambda: None)
    assert there.wait(END) and there.error is not None and "cannot be sent" in there.error.message
    back = run(running, annex, jobs.unsendable)
    assert back.wait(END) and back.state is TaskState.FAILED


def test_inline_it_runs_here() -> None:
    heard: list[Event] = []
    from studio.engine import JobContext

    context = JobContext(services=jobs.services())
    assert run_inline(elsewhere, (Annex(), jobs.counting, 2), context=context, on_event=heard.append) == os.getpid()
    assert len(heard) == 6
