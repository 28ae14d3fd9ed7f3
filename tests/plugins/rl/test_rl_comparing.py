"""Runs of the History: drawn beside those of now, put back into the controls, and run again to the same returns."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from studio.engine import JobContext, run_inline
from studio.host.results import ResultsStore
from studio.ml.rl.errors import BadCheckpoint
from studio.ml.rl.grid import windy
from studio.ml.rl.session import Session
from studio.ml.rl.worlds import WorldSpec
from studio.ui.replay import compare
from studio_plugins.rl.jobs import rl
from studio_plugins.rl.keeping import CURVES_FILE, keep
from studio_plugins.rl.kept_runs import MOST, list_runs, read_run
from studio_plugins.rl.plans import plans
from studio_plugins.rl.request import RlRequest, RunFields
from tests.plugins.panel_room import END

REQUEST = RlRequest(runs=(RunFields(agent="expected_sarsa", settings=(("alpha", 0.25),)),), seed=3, seeds=2, steps=1500)


def trained(request: RlRequest = REQUEST) -> Session:
    session = Session(plans(request)[0])
    while not session.done:
        session.advance()
    return session


@pytest.fixture
def store(tmp_path):
    made = ResultsStore(tmp_path / "store")
    yield made
    made.close()


def test_kept_curves_come_back_as_they_were(store) -> None:
    session = trained()
    keep(session, store)
    (listed,) = run_inline(list_runs, None, context=JobContext(services={"results": store})).runs
    assert listed.title == "Expected Sarsa in Cliff walking, 2 seeds" and ":" in listed.when
    assert listed.about == "alpha 0.25"
    found = run_inline(read_run, listed, context=JobContext(services={"results": store})).curves
    for name, seeds in session.view().curves.items():
        for one, other in zip(seeds, found[name], strict=True):
            for column in ("steps", "episodes", "seconds", "values"):
                np.testing.assert_array_equal(getattr(one, column), getattr(other, column))


def test_the_newest_runs_come_first_and_not_too_many(store) -> None:
    session = trained(REQUEST.model_copy(update={"steps": 50, "seeds": 1}))
    ids = [keep(session, store) for _ in range(MOST + 2)]
    listed = run_inline(list_runs, None, context=JobContext(services={"results": store})).runs
    assert [run.id for run in listed] == sorted(ids, reverse=True)[:MOST]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b'{"return": [{"steps": [1], "episodes": [1], "seconds": [1], "values": []}]}',
        b'{"length": []}', None,
    ],
)  # fmt: skip
def test_damaged_curves_are_told_in_words(store, content: bytes | None) -> None:
    record = store.get(keep(trained(), store))
    if content is None:
        record.files[CURVES_FILE].unlink()
    else:
        record.files[CURVES_FILE].write_bytes(content)
    (listed,) = run_inline(list_runs, None, context=JobContext(services={"results": store})).runs
    with pytest.raises(BadCheckpoint, match="Expected Sarsa.*History"):
        run_inline(read_run, listed, context=JobContext(services={"results": store}))


def test_a_run_of_the_history_is_run_again_bit_for_bit(store) -> None:
    before = store.get(keep(trained(), store))
    told = run_inline(rl, RlRequest.from_json(before.request), context=JobContext(services={"results": store}))
    (name,) = told.ids
    compared = compare(before, store.get(name))
    assert compared.verdict == "The replay is equal, bit for bit."
    assert set(compared.differences) == {"returns.npz", "returns.png"} and None not in compared.pictures


def test_what_was_changed_by_hand_is_named_when_it_is_run_again(store) -> None:
    session = Session(plans(REQUEST)[0])
    while session.total < 600:
        session.advance(100)
    session.change(replace(session.plan.settings, alpha=0.5))
    while not session.done:
        session.advance()
    before = store.get(keep(session, store))
    told = run_inline(rl, RlRequest.from_json(before.request), context=JobContext(services={"results": store}))
    assert compare(before, store.get(told.ids[0])).changed == ["edits"]


# --- in the panel ---


def test_a_record_puts_world_agent_and_settings_back(room) -> None:
    record = room.store.get(keep(trained(), room.store))
    made = room.show(room.build())
    room.quiet()
    assert made.restore_request(record.kind, record.request) == []
    room.quiet()
    assert plans(made.controls.request()) == plans(REQUEST)


def request_for(world: dict, agent: str, **settings) -> RlRequest:
    fields = RunFields(agent=agent, settings=tuple(settings.items()))
    return RlRequest(world=json.dumps(world), runs=(fields, RunFields(agent=agent)), seed=9, seeds=1)


@pytest.mark.parametrize(
    "request_of_then",
    [
        request_for({"id": "CartPole-v1"}, "ppo", learning_rate=0.001, gamma=0.9),
        request_for({"id": "Pendulum-v1"}, "sb3", algorithm="SAC"),
        request_for(WorldSpec("grid", grid=windy()).to_json(), "dyna_q", planning=7),
        request_for({"id": "CartPole-v1", "limit": 77, "options": {"sutton_barto_reward": True}}, "dqn"),
    ],
)
def test_any_request_comes_back_into_the_controls(room, request_of_then: RlRequest) -> None:
    made = room.show(room.build())
    room.quiet()
    assert made.restore_request("rl", request_of_then.to_dict()) == []
    room.quiet()
    assert plans(made.controls.request()) == plans(request_of_then)


def test_a_request_of_a_world_that_is_not_here_says_so(room) -> None:
    made = room.show(room.build())
    room.quiet()
    said = []
    made.posted.connect(lambda message: said.append(message.text if message else ""))
    made.restore_request("rl", RlRequest(world='{"id":"Nowhere-v9"}').to_dict())
    room.quiet()
    assert "Nowhere-v9" in said[-1]
    assert plans(made.controls.request())[0].world.grid is not None


def test_ticked_runs_are_drawn_dashed_until_they_are_taken_away(room) -> None:
    kept = keep(trained(), room.store)
    made = room.show(room.build())
    made.demo()
    room.quiet()
    comparing, bar = made.outlet.comparing, made.stage.curves.bar
    comparing.button.click()
    room.qtbot.waitUntil(lambda: comparing.menu.isVisible(), timeout=END)
    (action,) = [one for one in comparing.menu.actions() if one.isCheckable()]
    assert "Expected Sarsa" in action.text() and not action.isChecked()
    comparing.menu.close()
    action.setChecked(True)
    room.qtbot.waitUntil(lambda: made.lines.compared == (kept,), timeout=END)
    room.qtbot.waitUntil(lambda: any(one.key == kept for one in made.stage.curves.drawn()), timeout=END)
    (line,) = [run for run in bar._runs if run.kept]
    assert "Expected Sarsa" in line.title
    comparing.ask()
    room.qtbot.waitUntil(lambda: comparing.menu.isVisible(), timeout=END)
    comparing.menu.close()
    ticked = [one for one in comparing.menu.actions() if one.isCheckable()]
    assert [one.isChecked() for one in ticked] == [True]
    ticked[0].setChecked(False)
    assert made.lines.compared == () and not [run for run in bar._runs if run.kept]
    room.quiet()


def test_a_damaged_run_is_told_and_nothing_is_drawn(room) -> None:
    record = room.store.get(keep(trained(), room.store))
    record.files[CURVES_FILE].write_bytes(b"{")
    made = room.show(room.build())
    made.demo()
    room.quiet()
    said = []
    made.posted.connect(lambda message: said.append(message.text if message else ""))
    made.outlet.comparing.ask()
    room.qtbot.waitUntil(lambda: made.outlet.comparing.menu.isVisible(), timeout=END)
    made.outlet.comparing.menu.close()
    made.outlet.comparing.menu.actions()[0].setChecked(True)
    room.qtbot.waitUntil(lambda: any("damaged" in text for text in said), timeout=END)
    assert made.lines.compared == ()
    room.quiet()
