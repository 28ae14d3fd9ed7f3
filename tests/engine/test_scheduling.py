"""Who is served next, driven by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from studio.engine import Cancelled, Done, Engine, EngineClosed, Event, Metric, Priority, Progress, Started, TaskState
from studio.engine.engine import ENDED_KEPT

Drive = Callable[..., int]


def job(trace: list[str], name: str, steps: int = 3) -> Callable[[Any, Any], Iterator[Event]]:
    """A job that notes its name in `trace` once a step."""

    def run(request: Any, ctx: Any) -> Iterator[Event]:
        for index in range(steps):
            trace.append(name)
            yield Progress(index + 1, steps)

    return run


def test_equal_tasks_take_turns(engine: Engine, drive: Drive) -> None:
    trace: list[str] = []
    for name in "abc":
        engine.submit(job(trace, name), owner="one panel")
    drive(engine)
    assert "".join(trace) == "abcabcabc"


def test_higher_priority_goes_first_and_the_rest_waits(engine: Engine, drive: Drive) -> None:
    trace: list[str] = []
    engine.submit(job(trace, "b"), priority=Priority.BACKGROUND)
    engine.submit(job(trace, "f"), priority=Priority.FOREGROUND)
    engine.step()
    engine.submit(job(trace, "i"), priority=Priority.INTERACTIVE)
    drive(engine)
    assert "".join(trace) == "fiiiffbbb"


def test_a_new_task_waits_for_those_that_came_before_but_not_longer_than_a_round(engine: Engine, drive: Drive) -> None:
    trace: list[str] = []
    engine.submit(job(trace, "a", 9))
    engine.submit(job(trace, "b", 9))
    for _ in range(4):
        engine.step()
    engine.submit(job(trace, "n", 1))
    drive(engine)
    assert "".join(trace)[4:7] == "abn"


def test_front_is_next_among_equals_only(engine: Engine, drive: Drive) -> None:
    trace: list[str] = []
    engine.submit(job(trace, "i", 1), priority=Priority.INTERACTIVE)
    for name in "ab":
        engine.submit(job(trace, name, 1))
    engine.submit(job(trace, "x", 1), front=True)
    engine.submit(job(trace, "y", 1), front=True)
    drive(engine)
    assert "".join(trace) == "iyxab"


def test_a_queue_runs_one_after_another_beside_others(engine: Engine, drive: Drive) -> None:
    trace: list[str] = []
    for name in "abc":
        engine.submit(job(trace, name), queue="generate")
    engine.submit(job(trace, "t", 9))
    engine.step()
    engine.submit(job(trace, "x", 3), queue="generate", front=True)
    drive(engine)
    assert [name for name in trace if name != "t"] == list("aaaxxxbbbccc")
    assert "".join(trace[:18]).count("t") == 9


def test_a_paused_head_lets_the_queue_go_on(engine: Engine, drive: Drive) -> None:
    trace: list[str] = []
    first = engine.submit(job(trace, "a"), queue="q")
    engine.submit(job(trace, "b"), queue="q")
    engine.step()
    assert first.pause() and not first.pause()
    drive(engine)
    assert "".join(trace) == "abbb" and first.state is TaskState.PAUSED
    assert first.resume() and not first.resume()
    drive(engine)
    assert "".join(trace) == "abbbaa" and first.state is TaskState.DONE


def test_replace_cancels_only_the_same_key_of_the_same_owner(engine: Engine, drive: Drive) -> None:
    trace: list[str] = []
    old = engine.submit(job(trace, "o"), owner="p", replace="live")
    other_key = engine.submit(job(trace, "k"), owner="p", replace="else")
    other_owner = engine.submit(job(trace, "p"), owner="q", replace="live")
    keyless = engine.submit(job(trace, "n"), owner="p")
    engine.step()
    new = engine.submit(job(trace, "x"), owner="p", replace="live")
    assert old.state is TaskState.CANCELLED
    assert old.mailbox.drain() == [Cancelled("replaced by newer settings")], "what it had said must not land late"
    drive(engine)
    assert [t.state for t in (other_key, other_owner, keyless, new)] == [TaskState.DONE] * 4
    assert trace.count("o") == 1


def test_replace_reaches_across_lanes(engine: Engine, drive: Drive) -> None:
    trace: list[str] = []
    old = engine.submit(job(trace, "o"), lane="quick", replace="k")
    engine.submit(job(trace, "n"), replace="k")
    drive(engine)
    drive(engine, "quick")
    assert old.state is TaskState.CANCELLED and trace == ["n"] * 3


def test_a_stream_of_replacements_does_not_starve(engine: Engine) -> None:
    """A drag replaces its task before the lane gets to it; the newest one must inherit the place in line."""
    trace: list[str] = []
    for name in "abcd":
        engine.submit(job(trace, name, 100))
    for _ in range(40):
        engine.submit(job(trace, "d!", 1), replace="drag")
        engine.step()  # releases the one that was replaced, if any
        engine.step()
    assert trace.count("d!") == 8


def test_cancelled_task_keeps_what_it_said_and_ends_once(engine: Engine, drive: Drive) -> None:
    trace: list[str] = []
    task = engine.submit(job(trace, "a"))
    engine.step()
    assert task.cancel() and not task.cancel() and not task.pause() and not task.resume()
    assert task.stopping
    drive(engine)
    assert not task.stopping and task.wait(0)
    assert task.mailbox.drain() == [Started(), Progress(1, 3), Cancelled("cancelled")]
    assert trace == ["a"]


def test_results_and_times(engine: Engine, drive: Drive) -> None:
    def answer(request: int, ctx: Any) -> Iterator[Event]:
        yield Metric("m", 0, 0)
        return request * 2

    task = engine.submit(answer, 21)
    assert (task.title, task.state, task.started, task.ended) == ("answer", TaskState.QUEUED, None, None)
    drive(engine)
    assert task.result == 42 and task.state is TaskState.DONE and task.error is None
    assert task.started is not None and task.ended is not None and task.created < task.started < task.ended
    done = task.mailbox.drain()[-1]
    assert isinstance(done, Done) and done.result == 42


def test_ids_lookup_and_unknown_ids(engine: Engine) -> None:
    task = engine.submit(job([], "a"))
    assert engine.task(task.id) is task and engine.tasks() == [task]
    assert engine.task("nobody") is None
    assert not engine.cancel("nobody") and not engine.pause("nobody") and not engine.resume("nobody")
    assert engine.cancel_owner("nobody") == 0


def test_bad_submissions_are_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="lane"):
        engine.submit(job([], "a"), lane="fast")
    with pytest.raises(TypeError, match="generator function"):
        engine.submit("job")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="7"):
        engine.submit(job([], "a"), priority=7)  # type: ignore[arg-type]
    assert engine.tasks() == []
    engine.close()
    with pytest.raises(EngineClosed, match="closing"):
        engine.submit(job([], "a"))
    with pytest.raises(EngineClosed):
        engine.start()


def test_ended_tasks_are_forgotten_but_unread_ones_much_later(engine: Engine, drive: Drive) -> None:
    unread = engine.submit(job([], "first", 1))
    live = engine.submit(job([], "paused", 1))
    live.pause()
    drive(engine)
    for _ in range(100):
        task = engine.submit(job([], "a", 0))
        drive(engine)
        task.mailbox.drain()
    assert ENDED_KEPT <= len(engine.tasks()) <= ENDED_KEPT + 4
    assert engine.task(unread.id) is unread and engine.task(live.id) is live
    unread.mailbox.drain()
    engine.submit(job([], "b", 0))
    assert engine.task(unread.id) is None


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_to_go_follows_the_pace_without_pauses() -> None:
    clock = Clock()
    engine = Engine(device="cpu", clock=clock)
    steps = [(1.0, Progress(0, 10)), (2.0, Progress(1, 10)), (2.0, Progress(2, 10)), (2.0, Progress(10, 10))]

    def run(request: Any, ctx: Any) -> Iterator[Event]:
        for seconds, progress in steps:
            clock.now += seconds
            yield progress

    task = engine.submit(run)
    assert task.eta() is None
    engine.step()
    assert task.eta() is None, "no pace is known before anything was done"
    engine.step()
    assert task.eta() == pytest.approx(18.0)
    clock.now += 3.0
    assert task.eta() == pytest.approx(15.0)
    task.pause()
    clock.now += 1000.0
    assert task.eta() is None
    task.resume()
    assert task.eta() == pytest.approx(15.0)
    engine.step()
    assert task.eta() == pytest.approx(8 * 7.0 / 2)
    engine.step()
    assert task.eta() == 0.0
    engine.step()
    assert task.eta() is None
    assert engine.close()


def test_heartbeat_tells_how_long_the_present_step_runs() -> None:
    clock = Clock()
    engine = Engine(device="cpu", clock=clock)
    beats = []

    def run(request: Any, ctx: Any) -> Iterator[Event]:
        clock.now += 7.0
        beats.append(engine.heartbeat())
        yield Progress(1, 1)

    task = engine.submit(run, title="slow")
    engine.step()
    beat = beats[0]["compute"]
    assert (beat.task_id, beat.title, beat.step_seconds, beat.alive) == (task.id, "slow", 7.0, False)
    assert beats[0]["quick"].task_id is None
    assert engine.heartbeat()["compute"].task_id is None
    assert engine.stats().lanes["compute"].step.max == 7.0
    engine.close()
