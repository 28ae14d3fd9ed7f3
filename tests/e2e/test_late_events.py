"""Nothing arrives after the end: of a panel that was closed, of a run that was cancelled while it was saved."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from studio.engine import Cancelled, Done, Failed, TaskState
from studio.host.results import ResultsStore
from tests.e2e.helpers import LONG, draw, endless, generate_panel, quiet


def recorded(panel: Any) -> list[Any]:
    """Every event that reaches a panel from now on."""
    events: list[Any] = []
    deliver = panel.on_event

    def on_event(task: Any, event: Any) -> None:
        events.append(event)
        deliver(task, event)

    panel.on_event = on_event
    return events


def begin(qtbot: QtBot, studio: Any, **fields: object) -> Any:
    panel = generate_panel(studio)
    panel.controls.form.set_fields({"steps": 1000, **fields})
    panel.generate()
    qtbot.waitUntil(lambda: len(panel.stage.steps) >= 2, timeout=LONG)
    return panel


def test_a_panel_closed_while_it_draws_hears_nothing_more(open_studio: Any, qtbot: QtBot) -> None:
    studio = open_studio()
    faults: list[object] = []
    studio.window.pump.slot_failed.connect(lambda _receiver, error: faults.append(error))
    panel = begin(qtbot, studio)
    other = studio.services.engine.submit(endless, owner="somebody else")
    events = recorded(panel)
    studio.window.close_tab()
    heard = len(events)
    (task,) = [task for task in studio.services.engine.tasks() if task.owner == "generate" and task.lane == "compute"]
    qtbot.waitUntil(lambda: task.state.ended, timeout=LONG)
    for _ in range(3):
        studio.window.pump.tick()
    assert len(events) == heard and faults == [] and task.state is TaskState.CANCELLED
    assert not other.state.ended
    studio.services.engine.cancel(other.id)
    studio.window.panels.open("generate")
    qtbot.waitUntil(lambda: studio.window.panels.panel("generate") is not None, timeout=LONG)
    assert generate_panel(studio) is not panel
    draw(qtbot, studio, steps=2)
    assert studio.services.results.count() == 1


def test_a_run_cancelled_while_it_is_saved_ends_once_and_leaves_no_half(
    open_studio: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = open_studio()
    saving, go_on = threading.Event(), threading.Event()
    add = ResultsStore.add

    def slow(self: ResultsStore, *arguments: Any, **options: Any) -> Any:
        saving.set()
        assert go_on.wait(300)
        return add(self, *arguments, **options)

    monkeypatch.setattr(ResultsStore, "add", slow)
    panel = generate_panel(studio)
    events = recorded(panel)
    panel.controls.form.set_fields({"steps": 2})
    panel.generate()
    qtbot.waitUntil(saving.is_set, timeout=LONG)
    panel.desk.cancel()
    qtbot.waitUntil(lambda: any(isinstance(event, Cancelled) for event in events), timeout=LONG)
    monkeypatch.setattr(ResultsStore, "add", add)
    go_on.set()
    quiet(qtbot, studio)
    assert [type(event) for event in events if isinstance(event, (Done, Failed, Cancelled))] == [Cancelled]
    assert isinstance(events[-1], Cancelled) and "cancelled" in panel.bar.status()
    draw(qtbot, studio, seed=8)
    # What was being written is there whole, or not at all; here the writer was let finish.
    qtbot.waitUntil(lambda: studio.services.results.count() == 2, timeout=LONG)
    for record in studio.services.results.records():
        studio.services.results.verify(record.id)


def test_a_run_replaced_by_another_never_shows_on_it(open_studio: Any, qtbot: QtBot) -> None:
    studio = open_studio()
    panel = begin(qtbot, studio, seed=1)
    panel.controls.form.set_fields({"steps": 3, "seed": 2})
    panel.generate(instead=True)
    qtbot.waitUntil(lambda: panel.shown.result is not None, timeout=LONG)
    quiet(qtbot, studio)
    assert [step.total for step in panel.stage.steps] == [3, 3, 3]
    assert [record.request["seed"] for record in studio.services.results.records()] == [2]
