"""Runs that train in a process of their own: the same panel, the same numbers, the same hands."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.engine import Annex
from studio.host.annex import annex_services
from studio_plugins.rl.panel import RlPanel
from tests.plugins.rl.rl_room import RlRoom, alone, draw, heard, press, returns


@pytest.fixture
def yard(qtbot: QtBot, tmp_path: Path) -> Iterator[RlRoom]:
    """A room whose engine has an annex; afterwards neither its process nor a thread of it is left."""
    with RlRoom("rl", RlPanel, tmp_path, qtbot, size=(1500, 900)) as room:
        annex = Annex(partial(annex_services, room.store.root))
        room.engine.services = {**room.engine.services, "annex": annex}
        yield room
    annex.close()
    qtbot.waitUntil(lambda: not any(t.name.startswith("glassbox annex") for t in threading.enumerate()), timeout=20_000)


def seen(panel: Any, index: int) -> list[list[float]]:
    """The return of every episode of a run, for each seed, as it was last looked at."""
    return [np.asarray(curve.values).tolist() for curve in panel.desk.views[index].curves["return"]]


def far(room: RlRoom, panel: Any, steps: int) -> None:
    room.until(lambda: len(panel.desk.views) == 2 and all(view.steps >= steps for view in panel.desk.views.values()))


def die(room: RlRoom) -> None:
    """The process that trains is killed by the system."""
    os.kill(room.engine.services["annex"]._process.pid, signal.SIGKILL)


def watch(room: RlRoom, panel: Any, who: str, word: str) -> None:
    """Watch a player until it is seen, then the training again."""
    panel.stage.play.set_watching(who)
    panel.stage.play._chosen()
    room.until(lambda: panel.stage.tiles.tiles[0].header.mode == word)
    panel.theatre.watch_training()


def test_a_run_over_there_is_the_same_to_the_last_bit(yard: RlRoom) -> None:
    panel = yard.open()
    panel.zones.primary.click()
    yard.trained(panel)
    for index, seat in enumerate(panel.desk.seats):
        assert seat.session is None and seen(panel, index) == returns(alone(seat.plan))
    assert {one.key for one in panel.stage.curves.upper.drawn()} == {"A", "B"}
    yard.until(lambda: len(list(yard.store.records())) == 2)
    assert not list((yard.panel_dir / "runs").iterdir())


def test_the_hand_reaches_over_there(yard: RlRoom, qtbot: QtBot) -> None:
    """Speed, pause, step, an edit, a knob, a rewind, a branch, a player, a replay, on to the end."""
    panel = yard.open(steps=1500)
    panel.stage.play.set_rate(400)
    panel.zones.primary.click()
    far(yard, panel, 120)
    panel.zones.primary.click()
    yard.still(panel)
    before = [view.total for view in panel.desk.views.values()]
    panel.stage.play.step.click()
    yard.still(panel)
    assert [view.total for view in panel.desk.views.values()] == [total + 1 for total in before]

    panel.stage.tools.set_tool("wall")
    draw(qtbot, panel.stage.tiles.tiles[0].grid_view, (1, 3), (1, 4))
    yard.still(panel)
    assert all({(1, 3), (1, 4)} <= view.plan.world.grid.walls for view in panel.desk.views.values())
    panel.editing.states.undo()
    yard.still(panel)

    marks = panel.desk.views[0].marks
    panel.lines._page.rewound.emit("A", marks[1].number)
    yard.still(panel)
    assert panel.desk.views[0].steps == marks[1].steps
    press(panel, "Branch off here")
    yard.until(lambda: len(panel.desk.seats) == 3 and 2 in panel.desk.views)
    yard.still(panel)
    panel.controls.choose(0)
    panel.controls._form(type(panel.desk.seats[0].plan.settings)).set_fields({"epsilon": 0.0})
    yard.still(panel)
    assert panel.desk.views[0].plan.settings.epsilon == 0.0

    watch(yard, panel, "current", "current policy")
    panel.stage.play.set_rate(float("inf"))
    panel.press()
    yard.trained(panel)
    watch(yard, panel, "replay", "replay")
    branch = panel.desk.seats[2]
    assert seen(panel, 2) == returns(alone(branch.plan)) and seen(panel, 0) != seen(panel, 2)


def test_a_process_that_dies_is_gone_on_with_from_its_checkpoints(yard: RlRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = yard.open(steps=100_000_000)
    told = heard(panel)
    panel.stage.play.set_rate(2000)
    panel.zones.primary.click()
    far(yard, panel, 200)
    panel.desk.checkpoint()
    yard.until(lambda: len(list((yard.panel_dir / "runs").glob("*/current.json"))) == 2)
    panel.lines.draw_whole()
    panel.desk.checkpoint()  # jobs of all kinds fail at once: it is one thing to tell
    die(yard)
    yard.until(lambda: any("was ended by the system" in text and "broken off" in text for text in told))
    assert not panel.desk.seats and panel.stage.tiles.tiles and panel.zones.primary.text() == "Train"
    yard.qtbot.wait(200)
    press(panel, "Take it up")
    yard.until(lambda: len(panel.desk.views) == 2)
    assert all(view.steps >= 1 for view in panel.desk.views.values())
    there = {index: view.steps for index, view in panel.desk.views.items()}
    panel.press()
    yard.until(lambda: all(panel.desk.views[index].steps > steps for index, steps in there.items()))
    panel.desk.pause()
    yard.still(panel)


def test_a_process_that_dies_before_its_first_checkpoint_says_so(yard: RlRoom) -> None:
    panel = yard.open(steps=100_000_000)
    told = heard(panel)
    panel.zones.primary.click()
    far(yard, panel, 1)
    die(yard)
    yard.until(lambda: any("There is no checkpoint to go on from" in text for text in told))
    panel.zones.primary.click()
    far(yard, panel, 1)
    panel.desk.clear()


def test_a_process_that_dies_after_the_end_is_noticed_once_its_runs_are_wanted(yard: RlRoom) -> None:
    panel = yard.open(steps=300)
    panel.zones.primary.click()
    yard.trained(panel)
    yard.until(lambda: len(list(yard.store.records())) == 2 and yard.engine.wait_idle(0))
    told = heard(panel)
    die(yard)
    yard.until(lambda: not yard.engine.services["annex"].alive)
    panel.stage.play.set_watching("current")
    panel.stage.play._chosen()
    yard.until(lambda: any("no longer in memory" in text and "Look in the History" in text for text in told))
    assert not panel.desk.seats and not panel.theatre.plays()


def test_closing_the_panel_leaves_its_runs_to_the_next(yard: RlRoom) -> None:
    panel = yard.open(steps=100_000_000)
    panel.stage.play.set_rate(2000)
    panel.zones.primary.click()
    far(yard, panel, 100)
    yard.window.pump.forget(panel)
    panel.closing()
    yard.engine.cancel_owner("rl")
    yard.panels.remove(panel)
    yard.until(lambda: len(list((yard.panel_dir / "runs").glob("*/current.json"))) == 2)
    again = yard.open(quiet=False)
    yard.until(lambda: again.last_message is not None and "broken off" in again.last_message.text)
    press(again, "Take it up")
    yard.until(lambda: len(again.desk.views) == 2)
    assert all(view.steps >= 100 for view in again.desk.views.values())
