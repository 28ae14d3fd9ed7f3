"""The pump carries every event to the right place, whatever is visible and whatever a panel raises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QWidget
from shiboken6 import delete

from studio.engine import Cancelled, Done, Engine, Event, Log, Metric, Preview, Progress, Task
from studio.ui.pump import Pump


class Sink(QWidget):
    """Notes what it is given; raises when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.fails_at: type | None = None

    def on_event(self, task: Task, event: Event) -> None:
        self.events.append(event)
        if self.fails_at and isinstance(event, self.fails_at):
            raise ValueError("a fault in the plugin")


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine()  # never started: the test closes it, nothing runs by itself
    yield made
    made.close()


@pytest.fixture
def pump(qapp) -> Iterator[Pump]:
    made = Pump()
    yield made
    made.stop()


@pytest.fixture
def sink(qtbot) -> Sink:
    made = Sink()
    qtbot.addWidget(made)
    made.show()
    return made


def job(_request: Any, _ctx: Any) -> Iterator[Event]:
    yield Progress(1, 1)


def submitted(engine: Engine, pump: Pump, sink: Sink) -> Task:
    task = engine.submit(job)
    pump.watch(task, sink)
    return task


def test_a_visible_receiver_gets_everything_in_order(engine, pump, sink) -> None:
    task = submitted(engine, pump, sink)
    sent = [Progress(1, 3), Metric("loss", 0, 1.0), Log("line")]
    for event in sent:
        task.mailbox.put(event)
    pump.tick()
    assert sink.events == sent and pump.watching() == 1


def test_a_hidden_receiver_gets_the_latest_once_it_shows(engine, pump, sink) -> None:
    task = submitted(engine, pump, sink)
    sink.hide()
    for step in range(50):
        task.mailbox.put(Progress(step, 50))
        task.mailbox.put(Metric("loss", step, 0.0))
    pump.tick()
    assert sink.events == []
    sink.show()
    pump.tick()
    assert [e.done for e in sink.events if isinstance(e, Progress)] == [49]
    assert len([e for e in sink.events if isinstance(e, Metric)]) == 50


def test_the_end_of_a_hidden_task_arrives_with_its_metrics_but_no_pictures(engine, pump, sink) -> None:
    task = submitted(engine, pump, sink)
    sink.hide()
    task.mailbox.put(Preview(np.zeros((2, 2, 3), np.uint8)))
    task.mailbox.put(Metric("loss", 0, 1.0))
    task.cancel()
    pump.tick()
    assert [type(e) for e in sink.events] == [Metric, Cancelled]
    assert pump.watching() == 0 and not pump._timer.isActive()


def test_an_exception_in_a_slot_is_reported_and_the_rest_still_comes(engine, pump, sink, qtbot) -> None:
    sink.fails_at = Progress
    task = submitted(engine, pump, sink)
    task.mailbox.put(Progress(1, 2))
    task.mailbox.put(Log("after"))
    with qtbot.waitSignal(pump.slot_failed) as caught:
        pump.tick()
    assert caught.args[0] is sink and "fault in the plugin" in str(caught.args[1])
    assert isinstance(sink.events[-1], Log)


def test_a_flood_is_spread_over_ticks_and_loses_nothing(engine, sink, qapp) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 0.001  # every look at the clock costs a millisecond
        return now[0]

    pump = Pump(clock=clock)
    task, other = submitted(engine, pump, sink), submitted(engine, pump, sink)
    for step in range(100):
        task.mailbox.put(Metric("loss", step, 0.0))
    other.mailbox.put(Log("not starved"))
    pump.tick()
    first = len(sink.events)
    assert 0 < first < 50
    ticks = 1
    while len(sink.events) < 101:
        pump.tick()
        ticks += 1
        assert ticks < 100
        if ticks == 3:
            assert any(isinstance(e, Log) for e in sink.events)
    assert [e.x for e in sink.events if isinstance(e, Metric)] == list(range(100))
    pump.stop()


def test_nothing_arrives_at_a_receiver_that_was_closed(engine, pump, sink) -> None:
    task = submitted(engine, pump, sink)
    task.mailbox.put(Log("late"))
    pump.forget(sink)
    pump.tick()
    assert sink.events == []


def test_a_running_engine_reaches_the_receiver_through_the_timer(pump, sink, qtbot) -> None:
    engine = Engine()
    engine.start()
    ended: list[Event] = []
    pump.task_ended.connect(lambda _task, event: ended.append(event))
    try:
        submitted(engine, pump, sink)
        qtbot.waitUntil(lambda: bool(ended))
        assert isinstance(ended[0], Done) and isinstance(sink.events[-1], Done)
    finally:
        engine.close()


def test_of_a_receiver_that_is_gone_nothing_is_left_and_the_others_are_served(engine, pump, sink, qtbot) -> None:
    gone = Sink()
    submitted(engine, pump, gone)
    task = submitted(engine, pump, sink)
    delete(gone)
    task.mailbox.put(Log("line"))
    pump.tick()
    assert sink.events == [Log("line")] and pump.watching() == 1
