"""The Agents panel by mouse and keyboard: what it shows are the runs' own numbers, and nothing that is done changes them."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox
from pytestqt.qtbot import QtBot

from studio_plugins.rl.request import RlRequest, RunFields
from tests.plugins.rl.rl_room import RlRoom, alone, draw, heard, press, returns

POLE = '{"id":"CartPole-v1"}'


def test_train_shows_the_runs_own_numbers(rl_room: RlRoom) -> None:
    panel = rl_room.open()
    assert panel.zones.primary.text() == "Train" and len(panel.stage.tiles.tiles) == 2
    panel.zones.primary.click()
    assert panel.zones.primary.text() == "Pause"
    rl_room.trained(panel)
    assert panel.zones.primary.text() == "Train"
    for index, (seat, kind) in enumerate(zip(panel.desk.seats, ("sarsa", "q_learning"), strict=True)):
        own = alone(seat.plan)
        assert seat.plan.kind == kind and returns(seat.session) == returns(own)
        facts = panel.stage.tiles.tiles[index].header.facts
        look = own.view().look
        assert (facts.steps, facts.episode) == (look.steps, look.episode) == (2000, look.episode)
        (drawn,) = [one for one in panel.stage.curves.upper.drawn() if one.key == seat.letter]
        assert len(drawn.x) > 1 and drawn.x[-1] <= 2000
    assert {record.title for record in rl_room.store.records()} == {
        "Sarsa in Cliff walking, 2 seeds", "Q-learning in Cliff walking, 2 seeds",
    }  # fmt: skip
    assert not list((rl_room.panel_dir / "runs").iterdir()), "what has ended and is kept is not offered again"


def paused_at(room: RlRoom, steps: int, **shared: int) -> Any:
    """A panel whose runs were slowed down and paused after about so many steps."""
    panel = room.open(**{"steps": 3000, **shared})
    panel.stage.play.set_rate(500)
    panel.zones.primary.click()
    room.reached(panel, steps)
    panel.zones.primary.click()
    room.still(panel)
    return panel


def test_whatever_is_done_meanwhile_changes_no_result(rl_room: RlRoom, qtbot: QtBot) -> None:
    """Paused, stepped, watched, played in, hidden, edited and undone before a step was made in between."""
    panel = paused_at(rl_room, 40)
    assert panel.zones.primary.text() == "Go on" and panel.stage.play.is_paused
    before = [(seat.session.total, returns(seat.session)) for seat in panel.desk.seats]
    panel.stage.play.step.click()
    rl_room.still(panel)
    assert [seat.session.total - total for seat, (total, _) in zip(panel.desk.seats, before, strict=True)] == [1, 1]
    view = panel.stage.tiles.tiles[0].grid_view
    panel.stage.tools.set_tool("wall")
    draw(qtbot, view, (0, 3), (0, 5))
    rl_room.still(panel)
    assert {(0, 3), (0, 4), (0, 5)} <= panel.desk.seats[1].session.plan.world.grid.walls
    panel.editing.states.undo()
    rl_room.still(panel)
    assert all(seat.session.plan.world == seat.plan.world for seat in panel.desk.seats)
    panel.stage.play.watch.setCurrentIndex(1)
    panel.stage.play.watch.activated.emit(1)  # the current policy plays meanwhile
    rl_room.until(lambda: panel.stage.tiles.tiles[0].header.mode == "current policy")
    panel.hide()
    panel.theatre.watch_training()
    panel.stage.play.set_rate(math.inf)
    panel.press()
    rl_room.reached(panel, 1500)
    panel.show()
    rl_room.trained(panel)
    for seat in panel.desk.seats:
        assert returns(seat.session) == returns(alone(seat.plan))
        assert [note.text for note in seat.session.notes] == ["Draw wall", "Edit taken back"]


def test_the_speed_paces_every_run(rl_room: RlRoom) -> None:
    panel = rl_room.open()
    panel.stage.play.set_rate(10)
    panel.zones.primary.click()
    rl_room.reached(panel, 1)
    began, first = time.monotonic(), [seat.steps for seat in panel.desk.seats]
    rl_room.until(lambda: time.monotonic() - began >= 1.0)
    made = [seat.steps - before for seat, before in zip(panel.desk.seats, first, strict=True)]
    wanted = panel.stage.play.rate * (time.monotonic() - began)
    for steps in made:
        assert wanted / 2 - 3 <= steps <= wanted + 3, "what a busy machine owes is not made up for"
    panel.zones.primary.click()


def test_a_wall_drawn_in_the_live_world(rl_room: RlRoom, qtbot: QtBot) -> None:
    panel = rl_room.open(steps=100_000)
    panel.stage.play.set_rate(500)
    panel.zones.primary.click()
    rl_room.until(lambda: len(panel.desk.views) == 2 and all(len(c.values) for v in panel.desk.views.values() for c in v.curves["return"]))
    panel.stage.tools.set_tool("wall")
    view = panel.stage.tiles.tiles[0].grid_view
    draw(qtbot, view, (0, 3))
    rl_room.until(lambda: all((0, 3) in seat.session.plan.world.grid.walls for seat in panel.desk.seats))
    rl_room.until(lambda: panel.desk.views[1].notes and (0, 3) in panel.stage.tiles.tiles[1].grid_view.grid.walls)
    assert (0, 3) in panel.controls.described.spec.grid.walls
    panel.zones.primary.click()
    rl_room.still(panel)
    told = {place.moment.text for one in panel.stage.curves.upper.drawn() for place in one.notes}
    assert told == {"Draw wall"}
    qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=view.board().rect((0, 3)).center())
    rl_room.until(lambda: not any((0, 3) in seat.session.plan.world.grid.walls for seat in panel.desk.seats))
    for _ in range(2):
        panel.context.commands.run("rl.undo")
    rl_room.still(panel)
    assert all(seat.session.plan.world == seat.plan.world for seat in panel.desk.seats)
    panel.context.commands.run("rl.redo")
    rl_room.still(panel)
    assert all((0, 3) in seat.session.plan.world.grid.walls for seat in panel.desk.seats)


def test_a_knob_turned_while_it_runs(rl_room: RlRoom) -> None:
    panel = rl_room.open(steps=100_000)
    panel.stage.play.set_rate(500)
    panel.zones.primary.click()
    rl_room.reached(panel, 20)
    panel.stage.tiles.select(1)
    assert panel.controls.chosen == 1
    panel.controls._form(type(panel.controls.runs[1].settings)).set_fields({"alpha": 0.25})
    rl_room.until(lambda: panel.desk.seats[1].session.plan.settings.alpha == 0.25)
    rl_room.until(lambda: 1 in panel.desk.views and bool(panel.desk.views[1].notes))
    assert "α 0.5 → 0.25" in panel.desk.views[1].notes[0].text and not panel.desk.views[0].notes
    panel.controls.set_shared(steps=200_000)
    panel.controls.budget.emit(200_000)
    rl_room.until(lambda: all(seat.session.plan.steps == 200_000 for seat in panel.desk.seats))
    panel.zones.primary.click()


def test_rewind_change_and_branch(rl_room: RlRoom) -> None:
    panel = paused_at(rl_room, 150)
    seat = panel.desk.seats[0]
    marks = panel.desk.views[0].marks
    assert len(marks) >= 2
    panel.lines._page.rewound.emit("A", marks[1].number)
    rl_room.still(panel)
    assert seat.steps == marks[1].steps and panel.stage.tiles.tiles[0].header.mode == "paused"
    press(panel, "Branch off here")
    rl_room.until(lambda: len(panel.desk.seats) == 3)
    rl_room.still(panel)
    branch = panel.desk.seats[2]
    assert (branch.letter, branch.steps) == ("C", seat.steps) and len(panel.stage.tiles.tiles) == 3
    assert panel.stage.tiles.tiles[2].header.letter == "C"
    panel.controls.choose(0)
    panel.controls._form(type(seat.session.plan.settings)).set_fields({"epsilon": 0.0})
    rl_room.still(panel)
    panel.stage.play.set_rate(math.inf)
    panel.press()
    rl_room.trained(panel)
    assert returns(branch.session) == returns(alone(branch.plan))
    assert seat.session.notes and returns(seat.session) != returns(branch.session)
    assert {one.key for one in panel.stage.curves.upper.drawn()} == {"A", "B", "C"}


def test_going_back_takes_the_controls_back(rl_room: RlRoom) -> None:
    """What can change in a run is shown as it was at the mark; what waits for the next training stays as it was turned."""
    panel = paused_at(rl_room, 150)
    seat = panel.desk.seats[0]
    begun = seat.plan.settings
    panel.controls.choose(0)
    form = panel.controls._form(type(begun))
    form.set_fields({"epsilon": 0.45, "initial": 2.0})
    rl_room.still(panel)
    assert seat.now.settings == replace(begun, epsilon=0.45)
    panel.lines._page.rewound.emit("A", panel.desk.views[0].marks[1].number)
    rl_room.still(panel)
    assert seat.now.settings == begun
    assert panel.controls.runs[0].settings == replace(begun, initial=2.0)
    assert (form.valid_value().epsilon, form.valid_value().initial) == (begun.epsilon, 2.0)


def test_a_look_that_comes_late_is_not_shown(rl_room: RlRoom) -> None:
    """A training's last look may be heard after that of a job which came in between."""
    panel = rl_room.open()
    panel.zones.primary.click()
    rl_room.reached(panel, 50)
    panel.zones.primary.click()
    rl_room.still(panel)
    seat, view = panel.desk.seats[0], panel.desk.views[0]
    panel.desk._view(seat, replace(view, steps=1, number=view.number - 1))
    assert panel.desk.views[0] is view and view.steps == seat.steps
    panel.desk._view(seat, replace(view, steps=1, number=view.number + 1))
    assert panel.desk.views[0].steps == 1
    del panel.desk.views[0]
    panel.desk._view(seat, replace(view, curves={}))
    assert 0 not in panel.desk.views, "a look without curves may be heard before the first that has some"


def test_you_play_in_the_grid(rl_room: RlRoom, qtbot: QtBot) -> None:
    panel = paused_at(rl_room, 50)
    before = [returns(seat.session) for seat in panel.desk.seats]
    watch(panel, "human")
    assert panel.stage.play.wait.isChecked() and not panel.stage.play.is_paused
    tile = panel.stage.tiles.tiles[0]
    rl_room.until(lambda: tile.header.mode == "you play")
    for key, time_ in ((Qt.Key.Key_Up, 1), (Qt.Key.Key_Right, 2)):
        qtbot.keyClick(tile.view, key)
        rl_room.until(lambda time_=time_: tile.grid_view._look.time == time_)
    assert tile.grid_view._look.table.state == tile.grid_view.grid.state((2, 1))
    assert before == [returns(seat.session) for seat in panel.desk.seats]
    watch(panel, "training")
    rl_room.still(panel)
    assert tile.header.mode == "paused" and panel.stage.play.is_paused


def test_policies_play_and_an_episode_is_seen_again(rl_room: RlRoom) -> None:
    panel = rl_room.open(steps=4000)
    panel.zones.primary.click()
    rl_room.trained(panel)
    tile, look = panel.stage.tiles.tiles[0], lambda: panel.stage.tiles.tiles[0].grid_view._look
    for who, mode in (("current", "current policy"), ("best", "best policy")):
        watch(panel, who)
        rl_room.until(lambda mode=mode: tile.header.mode == mode and look().time >= 1)
    watch(panel, "replay")
    episode = panel.stage.replay.episode
    assert episode.total == max(e.total for e in (*panel.desk.views[0].episodes, panel.desk.views[0].best))
    rl_room.until(lambda: tile.header.mode == "replay")
    panel.stage.play.set_paused(True)
    panel.stage.replay.timeline.moved.emit(episode.length)
    rl_room.until(lambda: look().time == episode.length and look().total == episode.total)
    panel.stage.replay.timeline.moved.emit(1)
    rl_room.until(lambda: look().time == 1)
    grid = tile.grid_view.grid
    moved = {"U": (2, 0), "R": (3, 0), "D": (3, 0), "L": (3, 0)}[grid.moves[int(episode.actions[0])]]
    assert grid.cell(look().table.state) == moved
    panel.stage.replay.close_button.click()
    rl_room.quiet()
    assert tile.header.mode == "finished" and look().steps == 4000


def test_the_bar_offers_only_what_there_is_to_do(rl_room: RlRoom) -> None:
    """Before a training and after its end there is nothing to pause, but who plays then can be."""
    panel = rl_room.open(steps=300)
    bar, step = panel.stage.play, panel.context.commands.get("rl.step")
    for begin in (panel.zones.primary.click, lambda: panel.controls.form.set_fields({"steps": 600})):
        assert not bar.pause.isEnabled() and not bar.step.isEnabled() and not step.is_enabled()
        begin()
        rl_room.until(lambda: bar.pause.isEnabled() and not any(map(panel.desk.finished, panel.desk.seats)))
        assert step.is_enabled()
        if not panel.desk.trains():
            assert bar.is_paused
            panel.press()
        rl_room.trained(panel)
        assert not bar.is_paused
    watch(panel, "current")
    assert bar.pause.isEnabled() and bar.step.isEnabled() and not bar.is_paused
    watch(panel, "training")
    assert not bar.pause.isEnabled()


def watch(panel: Any, what: str) -> None:
    """Choose what is watched, as a hand would."""
    box = panel.stage.play.watch
    box.setCurrentIndex(box.findData(what))
    box.activated.emit(box.currentIndex())


def test_a_held_key_acts_all_the_time(rl_room: RlRoom, qtbot: QtBot) -> None:
    """In CartPole time goes on: without a key the first action is done, with one held down its own, at every frame."""
    panel = rl_room.world(rl_room.open(), POLE)
    rows = (RunFields(agent="ppo"), RunFields(agent="dqn", settings=(("learning_starts", 10),)))
    panel.restore_request("rl", RlRequest(world=POLE, runs=rows, seeds=1, steps=40).to_dict())
    rl_room.quiet()
    panel.zones.primary.click()
    rl_room.trained(panel)
    assert [seat.plan.kind for seat in panel.desk.seats] == ["ppo", "dqn"]
    for seat in panel.desk.seats:
        assert seat.steps >= 40 and returns(seat.session) == returns(alone(seat.plan))
    assert not panel.stage.play.wait.isChecked()
    watch(panel, "human")
    panel.stage.play.set_rate(60)
    tile = panel.stage.tiles.tiles[0]
    acts: list[Any] = []
    panel.desk.played.connect(lambda played: acts.append(played.look.action))
    qtbot.keyPress(tile.view, Qt.Key.Key_Right)
    rl_room.until(lambda: acts[-8:] == [1] * 8)
    qtbot.keyRelease(tile.view, Qt.Key.Key_Right)
    rl_room.until(lambda: 0 in acts[-3:])
    panel.stage.play.wait.click()
    acts.clear()
    qtbot.keyPress(tile.view, Qt.Key.Key_Right)
    rl_room.until(lambda: 1 in acts)
    qtbot.wait(100)
    assert acts.count(1) == 1, "it waits for the next press"
    qtbot.keyRelease(tile.view, Qt.Key.Key_Right)
    watch(panel, "training")


def test_four_runs_on_one_clock_and_one_taken_away(rl_room: RlRoom) -> None:
    panel = rl_room.open(steps=3000)
    for _ in range(2):
        press(panel, "Add an agent beside")
    assert len(panel.controls.runs) == 4 and len(panel.stage.tiles.tiles) == 4
    panel.stage.play.set_rate(500)
    panel.zones.primary.click()
    rl_room.reached(panel, 300)
    steps = [seat.steps for seat in panel.desk.seats]
    assert max(steps) - min(steps) <= 256
    panel.controls.list.removed.emit(3)
    assert len(panel.controls.runs) == 3 and len(panel.desk.seats) == 4, "what trains goes on"
    press(panel, "New training")
    panel.stage.play.set_rate(math.inf)
    rl_room.trained(panel)
    assert len(panel.desk.seats) == 3
    records = rl_room.store.records()
    assert len(records) == 7, "four that were broken off, three that ended"
    assert sorted(record.metrics["steps"] for record in records)[-3:] == [3000] * 3


def test_before_training_nobody_plays(rl_room: RlRoom) -> None:
    panel = rl_room.open()
    watch(panel, "human")
    assert panel.last_message.text.startswith("Press Train first") and panel.stage.play.watching == "training"


def test_hidden_it_draws_nothing_and_trains_on(rl_room: RlRoom) -> None:
    panel = rl_room.open(steps=20_000)
    panel.stage.play.set_rate(2000)
    panel.zones.primary.click()
    rl_room.reached(panel, 20)
    panel.hide()
    looks: list[int] = []
    rl_room.qtbot.wait(100)  # looks on their way have arrived
    panel.desk.viewed.connect(lambda index, _view: looks.append(index))
    before = panel.desk.seats[0].steps
    rl_room.reached(panel, before + 1000)  # half a second: watched, each would be seen fifteen times
    assert max(looks.count(index) for index in (0, 1)) <= 1, "but one that was being had"
    panel.begin()  # also runs that begin now are not watched
    rl_room.reached(panel, 100)
    assert not any(seat.watched for seat in panel.desk.seats)
    panel.show()
    rl_room.until(lambda: len(looks) > 2)


def test_the_session_comes_back(rl_room: RlRoom) -> None:
    panel = rl_room.open(seeds=3, steps=1234)
    panel.controls._form(type(panel.controls.runs[0].settings)).set_fields({"alpha": 0.3})
    panel.stage.show_page("experiment")
    panel.controls.set_together(False)
    state = panel.state()
    again = rl_room.build()
    again.restore(state)
    assert again.state()["request"] == state["request"], "while its world is being opened, too"
    rl_room.show(again)
    rl_room.quiet()
    assert again.state() | {"layout": 0, "stage": 0} == state | {"layout": 0, "stage": 0}
    assert again.controls.runs[0].settings.alpha == 0.3 and not again.desk.together
    assert panel.restore_request("generate", {}) == ["settings of kind “generate”"]


def test_commands_come_and_go(rl_room: RlRoom) -> None:
    panel = rl_room.open()
    commands = panel.context.commands
    assert {f"rl.{n}" for n in ("train", "new", "step", "keep", "script", "undo", "redo")} <= {c.id for c in commands.search("")}
    commands.run("rl.train")
    rl_room.trained(panel)
    commands.run("rl.keep")
    rl_room.quiet()
    assert len(rl_room.store.records()) == 4


def test_the_demo_is_really_trained(rl_room: RlRoom) -> None:
    panel = rl_room.open()
    panel.demo()
    assert [seat.session.steps for seat in panel.desk.seats] == [6000, 6000]
    assert {one.key for one in panel.stage.curves.upper.drawn()} == {"A", "B"}


def test_everything_that_can_be_pressed_has_a_name(rl_room: RlRoom) -> None:
    panel = rl_room.open(steps=500)
    panel.zones.primary.click()
    rl_room.trained(panel)
    watch(panel, "replay")
    for page in ("watch", "experiment", "judge"):
        panel.stage.show_page(page)
        for kind in (QAbstractButton, QComboBox, QAbstractSlider, QAbstractSpinBox):
            for control in panel.findChildren(kind):
                if control.isVisible() and control.objectName() not in ("qt_toolbar_ext_button",):
                    named = control.accessibleName() or (control.text() if isinstance(control, QAbstractButton) else "")
                    assert named or type(control).__name__ in ("QScrollBar", "CloseButton"), (page, control, control.parent())
