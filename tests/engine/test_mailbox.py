"""The mailbox coalesces, keeps order, stays bounded and never loses how a task ended."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from studio.engine import Cancelled, Done, ErrorInfo, Event, Failed, Log, Mailbox, Metric, Preview, Progress, Snapshot
from studio.engine import mailbox as mailbox_module

PICTURE = np.zeros((1, 1, 3), np.uint8)

events = st.one_of(
    st.builds(Progress, st.integers(0, 9), st.just(9)),
    st.builds(lambda label: Preview(PICTURE, label), st.sampled_from("ab")),
    st.builds(lambda name, data: Snapshot(name, data), st.sampled_from("ab"), st.integers()),
    st.builds(Metric, st.sampled_from("ab"), st.integers(0, 9), st.integers(0, 9)),
    st.builds(Log, st.text(max_size=3)),
    st.builds(Done, st.integers()),
    st.just(Cancelled("")),
)


def expected_drain(sent: list[Event]) -> list[Event]:
    """Walk backwards: the first Progress, Preview of a label, Snapshot of a name met is the one that counts."""
    ends = [i for i, event in enumerate(sent) if isinstance(event, (Done, Cancelled))]
    sent = sent[: ends[0] + 1] if ends else sent
    kept: list[Event] = []
    seen: set[tuple[type, str]] = set()
    for event in reversed(sent):
        if isinstance(event, (Progress, Preview, Snapshot)):
            slot = (type(event), getattr(event, "label", getattr(event, "name", "")))
            if slot in seen:
                continue
            seen.add(slot)
        kept.append(event)
    return kept[::-1]


@settings(deadline=None)
@given(st.lists(st.lists(events, max_size=12), max_size=4))
def test_drain_gives_what_matters_in_order(batches: list[list[Event]]) -> None:
    mailbox = Mailbox()
    over = False
    for batch in batches:
        for event in batch:
            assert mailbox.put(event) is not over
            over = over or isinstance(event, (Done, Cancelled))
    flat = [event for batch in batches for event in batch]
    drained = mailbox.drain()
    assert [id(event) for event in drained] == [id(event) for event in expected_drain(flat)]
    assert mailbox.empty
    assert mailbox.drain() == []


def test_drains_between_puts_lose_nothing() -> None:
    mailbox = Mailbox()
    got: list[Event] = []
    for i in range(10):
        mailbox.put(Metric("loss", i, i))
        if i % 3 == 0:
            got += mailbox.drain()
    mailbox.put(Failed(ErrorInfo("error", "no")))
    got += mailbox.drain()
    assert [event.x for event in got if isinstance(event, Metric)] == list(range(10))
    assert isinstance(got[-1], Failed)


def test_clear_keeps_the_end() -> None:
    mailbox = Mailbox()
    mailbox.put(Log("old"))
    mailbox.put(Cancelled("x"))
    mailbox.clear()
    assert mailbox.drain() == [Cancelled("x")]


def test_a_box_nobody_reads_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox_module, "METRIC_LIMIT", 100)
    monkeypatch.setattr(mailbox_module, "LOG_LIMIT", 10)
    mailbox = Mailbox()
    for i in range(1001):
        mailbox.put(Metric("loss", i, i))
        mailbox.put(Log(str(i)))
    drained = mailbox.drain()
    points = [event.x for event in drained if isinstance(event, Metric)]
    lines = [event for event in drained if isinstance(event, Log)]
    assert 50 <= len(points) <= 100
    assert points[-1] == 1000
    assert points == sorted(points)
    assert lines[0] == Log("991 older lines were dropped", "warning")
    assert [line.text for line in lines[1:]] == [str(i) for i in range(991, 1001)]


def test_one_writer_and_one_reader_on_two_threads() -> None:
    mailbox = Mailbox()
    count = 5000

    def write() -> None:
        for i in range(count):
            mailbox.put(Metric("loss", i, i))
            mailbox.put(Progress(i, count))
        mailbox.put(Done(None))

    writer = threading.Thread(target=write)
    writer.start()
    got: list[Event] = []
    while not (got and isinstance(got[-1], Done)):
        got += mailbox.drain()
    writer.join()
    assert [event.x for event in got if isinstance(event, Metric)] == list(range(count))
    done = [event.done for event in got if isinstance(event, Progress)]
    assert done == sorted(set(done)) and done[-1] == count - 1
