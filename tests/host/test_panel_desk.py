"""The desk every panel can stand on: what it says of the tasks it submitted."""

from __future__ import annotations

import threading

import pytest
from studio.engine import Engine, Progress, Snapshot
from studio.host.commands import CommandRegistry
from studio.host.context import PanelContext
from studio.host.desk import TaskDesk
from studio.host.export import ExportService
from studio.host.panel import Panel
from studio.host.results import ResultsStore
from studio.host.settings import SettingsStore
from studio.ui.pump import Pump


class Told(TaskDesk):
    def __init__(self, context):
        super().__init__(context)
        self.snapshots, self.results, self.words, self.shares, self.counts = [], [], [], [], []
        self.said.connect(lambda *what: self.words.append(what))
        self.status.connect(lambda text, share: self.shares.append((text, share)))
        self.busy.connect(lambda running, waiting: self.counts.append((running, waiting)))

    def _follow(self, task, event):
        self.snapshots.append(event.data)

    def _done(self, task, result):
        self.results.append(result)
        super()._done(task, result)

    def _so_far(self, task):
        return f" after {len(self.snapshots)} steps"

    def _remedies(self, task, error):
        return [("Try again", lambda: None)]


class Watching:
    def __init__(self):
        self.pump = Pump()

    def watch(self, task, receiver):
        self.pump.watch(task, receiver)


@pytest.fixture
def desk(qtbot, tmp_path):
    window, store = Watching(), ResultsStore(tmp_path / "results")
    engine = Engine(device="cpu", services={"results": store})
    context = PanelContext(
        "told", engine, store, SettingsStore(tmp_path / "s.toml"), CommandRegistry(), ExportService(), tmp_path, window
    )
    panel = Panel(context)
    qtbot.addWidget(panel)
    made = Told(context)
    panel.on_event = made.on_event
    engine.start()
    panel.show()
    made.engine = engine
    yield made
    window.pump.forget(panel)
    window.pump.stop()
    assert engine.close(10)
    store.close()


def counting(request, ctx):
    for i in range(request):
        yield Progress(i, request, "counting")
        yield Snapshot(f"step {i}", i)
    return request


def endless(request, ctx):
    while True:
        yield Progress(0, 1, "waiting")


def broken(request, ctx):
    yield Progress(0, 1, "breaking")
    raise ValueError("the file is not there; choose another")


def writing(path, ctx):
    yield Progress(0, 1, "writing")
    return path


def once_let(gate, ctx):
    """Counts to three, but not before it is let: a job this short may end before `submit` returns."""
    while not gate.is_set():
        yield Progress(0, 3, "held")
    return (yield from counting(3, ctx))


def test_a_task_is_followed_to_its_end(desk, qtbot):
    gate = threading.Event()
    desk.submit(once_let, gate, "count")
    gate.set()
    qtbot.waitUntil(lambda: desk.results == [3])
    assert desk.snapshots == [0, 1, 2] and desk.shares[0] == ("waiting for the engine", 0.0)
    assert desk.counts[-1] == (0, 0) and sum(desk.counts[0]) == 1


def test_what_waits_stays_when_what_runs_is_cancelled(desk, qtbot):
    first = desk.submit(endless, None, "endless", queue="one")
    second = desk.submit(counting, 2, "count", queue="one")
    qtbot.waitUntil(lambda: (1, 1) in desk.counts)
    desk.cancel()
    qtbot.waitUntil(lambda: desk.results == [2])
    assert first.state.name == "CANCELLED" and second.state.name == "DONE"


def test_a_cancelled_task_says_how_far_it_came(desk, qtbot):
    task = desk.submit(endless, None, "endless")
    qtbot.waitUntil(lambda: ("waiting", 0.0) in desk.shares)  # it is heard of
    desk.cancel()
    qtbot.waitUntil(lambda: ("cancelled after 0 steps", None) in desk.shares)
    assert task.state.name == "CANCELLED"


def test_a_task_cancelled_before_it_was_heard_of_does_not_wait_for_ever(desk, qtbot):
    desk.submit(endless, None, "endless")
    desk.cancel()
    qtbot.waitUntil(lambda: desk.shares[-1] == ("cancelled", None))


def test_cancelling_everything_empties_the_desk(desk, qtbot):
    for _ in range(3):
        desk.submit(endless, None, "endless", queue="one")
    desk.cancel_all()
    qtbot.waitUntil(lambda: desk.counts[-1] == (0, 0))
    assert desk.pending() == []


def test_an_error_is_told_with_what_can_be_done(desk, qtbot):
    desk.submit(broken, None, "break")
    qtbot.waitUntil(lambda: bool(desk.words))
    text, level, _details, actions = desk.words[0]
    assert "choose another" in text and level == "error" and actions[0][0] == "Try again"
    assert desk.shares[-1] == ("failed after 0 steps", None)


def test_a_path_is_a_file_that_was_written(desk, qtbot, tmp_path):
    desk.submit(writing, tmp_path / "a.csv", "write", lane="quick")
    qtbot.waitUntil(lambda: bool(desk.words))
    assert desk.words == [(f"Saved as {tmp_path / 'a.csv'}", "success", "", ())] and desk.shares == []


def test_a_closing_engine_is_said_in_words(desk):
    desk.engine.close(10)
    assert desk.submit(counting, 1, "count") is None
    assert desk.words[0][1] == "warning"
