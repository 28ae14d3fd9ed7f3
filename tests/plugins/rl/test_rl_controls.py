"""The left column: whose settings a run has, settings from files, what waits for a new training, the list of worlds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QComboBox
from pytestqt.qtbot import QtBot

from studio.ml.rl.learners import make
from studio.ml.rl.presets import presets_for, sb3_presets
from studio.ml.rl.sb3.settings import refuses
from studio.ml.rl.worlds import WorldSpec
from studio_plugins.rl import offers
from studio_plugins.rl.catalogue import Entry
from studio_plugins.rl.controls import LATER
from studio_plugins.rl.keeping import request_of
from studio_plugins.rl.plans import plans
from tests.plugins.panel_room import END, PanelRoom
from tests.plugins.rl.rl_room import RlRoom

POLE = WorldSpec("CartPole-v1")
ZOO = """
CartPole-v1:
  n_timesteps: !!float 2e5
  learning_rate: lin_0.002
  use_sde: true
Acrobot-v1:
  gamma: 0.9
"""
WORLD = """
import gymnasium
import numpy as np


def helper():
    return None


class Corridor(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.array([self.steps / 20, action], np.float32), float(action), self.steps >= 20, False, {}
"""


def opened(room: PanelRoom, spec: WorldSpec) -> Any:
    panel = room.show(room.build())
    room.quiet()
    panel.desk.describe(spec)
    room.quiet()
    assert panel.controls.described.spec == spec
    return panel


def turn(panel: Any, **values: Any) -> None:
    """As a hand would turn knobs of the chosen run."""
    controls = panel.controls
    controls._form(type(controls.runs[controls.chosen].settings)).set_fields(values)


def test_settings_tell_whose_they_are(room: PanelRoom) -> None:
    panel = opened(room, POLE)
    source, controls = panel.controls.source, panel.controls
    preset = presets_for(POLE)["ppo"]
    assert controls.runs[0].settings == preset.settings
    assert source.button.text() == "Settings: tuned for CartPole-v1" and source.note() == preset.note
    turn(panel, learning_rate=0.005)
    assert source.button.text() == "Settings: tuned for CartPole-v1, changed"
    actions = {action.text(): action for action in source.menu().actions()}
    actions["The agent's own"].trigger()
    assert controls.runs[0].settings == type(preset.settings)()
    assert source.button.text() == "Settings: the agent's own"
    actions["Tuned for this world"].trigger()
    assert controls.runs[0].settings == preset.settings


def test_untouched_settings_are_chosen_anew_in_another_world(room: PanelRoom) -> None:
    panel = opened(room, POLE)
    controls = panel.controls
    controls.choose(1)
    turn(panel, gamma=0.9)
    mine = controls.runs[1].settings
    panel.desk.describe(WorldSpec("Acrobot-v1"))
    room.quiet()
    assert controls.runs[0].settings == presets_for(WorldSpec("Acrobot-v1"))["ppo"].settings
    assert controls.runs[1].settings == mine
    assert controls.source.button.text() == "Settings: tuned for CartPole-v1, changed"


def test_a_tabular_agent_has_no_tuned_settings(room: PanelRoom) -> None:
    panel = room.show(room.build())
    room.quiet()
    tuned = panel.controls.source.menu().actions()[0]
    assert not tuned.isEnabled() and "Cliff walking" in tuned.toolTip()


def test_settings_from_a_file_tell_what_is_left_out(room: PanelRoom, tmp_path: Path) -> None:
    panel = opened(room, POLE)
    (tmp_path / "ppo.yml").write_text(ZOO)
    panel.tuner.read(tmp_path / "ppo.yml")
    room.quiet()
    settings = panel.controls.runs[0].settings
    assert (settings.learning_rate, settings.decay, settings.worlds) == (0.002, True, 1)
    assert "use_sde" in panel.last_message.text and panel.last_message.level == "warning"
    assert panel.controls.form.value().steps == 200_000
    assert panel.controls.source.button.text() == "Settings: CartPole-v1 of ppo.yml"


def test_a_file_for_other_worlds_asks_which_to_take(room: PanelRoom, tmp_path: Path) -> None:
    from PySide6.QtWidgets import QInputDialog

    panel = opened(room, POLE)
    (tmp_path / "ppo.yml").write_text("Acrobot-v1:\n  gamma: 0.9\n")
    panel.tuner.read(tmp_path / "ppo.yml")
    room.quiet()
    dialog = panel.findChild(QInputDialog)
    assert dialog.comboBoxItems() == ["Acrobot-v1"] and "no settings for CartPole-v1" in dialog.labelText()
    dialog.accept()
    assert panel.controls.runs[0].settings.gamma == 0.9


def test_a_bad_file_is_told_and_changes_nothing(room: PanelRoom, tmp_path: Path) -> None:
    panel = opened(room, POLE)
    before = panel.controls.runs
    (tmp_path / "ppo.yml").write_text("[1, 2]")
    panel.tuner.read(tmp_path / "ppo.yml")
    room.quiet()
    assert panel.last_message.level == "error" and panel.controls.runs == before


def test_what_cannot_change_in_a_run_waits_for_the_next_training(room: PanelRoom, qtbot: QtBot) -> None:
    panel = room.show(room.build())
    room.quiet()
    panel.controls.set_shared(seeds=1, steps=100_000_000)
    panel.begin()
    qtbot.waitUntil(lambda: len(panel.desk.views) == 2, timeout=END)
    panel.press()
    form = panel.controls._form(type(panel.controls.runs[0].settings))
    assert form.field("initial").note() == LATER and not form.field("alpha").note()
    seat = panel.desk.seats[0]
    turn(panel, initial=5.0, alpha=0.25)
    qtbot.waitUntil(lambda: seat.session.plan.settings.alpha == 0.25, timeout=END)
    assert seat.session.plan.settings.initial == 0.0
    assert panel.controls.runs[0].settings.initial == 5.0
    assert panel.last_message is None
    panel.desk.clear()
    room.quiet()


def test_tuned_runs_have_the_budget_that_they_were_tuned_for(room: PanelRoom) -> None:
    """DQN's ε and learning rate fall over its budget: over twice as many steps it does not learn this world."""
    panel = room.show(room.build())
    room.quiet()
    panel.desk.describe(POLE)
    room.quiet()
    controls, tuned = panel.controls, presets_for(POLE)
    assert [run.agent for run in controls.runs] == ["ppo", "dqn"]
    made = plans(controls.request())
    assert [plan.steps for plan in made] == [tuned["ppo"].steps, tuned["dqn"].steps] == [100_000, 50_000]
    assert controls._shared.heading() == "50,000 to 100,000 steps, seed 0"
    assert plans(request_of(*made)) == made
    controls.form.field("steps").set_value(20_000)
    assert [plan.steps for plan in plans(controls.request())] == [20_000, 20_000]


def test_a_row_taken_away_turns_no_knob_of_another_run(room: PanelRoom, qtbot: QtBot) -> None:
    panel = room.show(room.build())
    room.quiet()
    panel.controls.set_shared(seeds=1, steps=100_000_000)
    panel.begin()
    qtbot.waitUntil(lambda: len(panel.desk.views) == 2, timeout=END)
    panel.press()
    panel.controls.list.removed.emit(0)
    turn(panel, alpha=0.125)
    panel.desk.step()
    qtbot.waitUntil(lambda: not panel.desk.trains() and all(seat.session.plan.settings.alpha == 0.5 for seat in panel.desk.seats), timeout=END)
    assert panel.controls.runs[0].settings.alpha == 0.125
    panel.desk.clear()
    room.quiet()


def test_the_budget_can_be_raised_while_runs_train(room: PanelRoom, qtbot: QtBot) -> None:
    panel = room.show(room.build())
    room.quiet()
    panel.controls.set_shared(seeds=1, steps=500)
    panel.begin()
    qtbot.waitUntil(lambda: len(panel.desk.views) == 2 and not panel.desk.goes_on(), timeout=END)
    panel.controls.form.set_fields({"steps": 900})
    qtbot.waitUntil(lambda: not any(map(panel.desk.finished, panel.desk.seats)), timeout=END)
    panel.press()
    qtbot.waitUntil(lambda: all(seat.steps == 900 for seat in panel.desk.seats), timeout=END)
    room.quiet()


def test_algorithms_that_are_not_for_the_actions_are_refused_in_words(room: PanelRoom) -> None:
    pytest.importorskip("stable_baselines3")
    panel = opened(room, POLE)
    panel.controls.list.picked.emit(0, "sb3")
    turn(panel, algorithm="SAC")
    assert panel.controls.runs[0].settings.algorithm == "PPO"
    assert "continuous" in panel.last_message.text
    turn(panel, algorithm="DQN")
    assert panel.controls.runs[0].settings.algorithm == "DQN"
    assert "numbered" in refuses("DQN", "continuous") and not refuses("PPO", "continuous")


def test_stable_baselines_is_greyed_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "find_spec", lambda name: None)
    assert "pip install glassbox-studio[sb3]" in offers.described(POLE).offer("sb3").refused


def test_stable_baselines_has_the_same_tuned_settings(room: PanelRoom) -> None:
    pytest.importorskip("stable_baselines3")
    panel = opened(room, POLE)
    panel.controls.list.picked.emit(0, "sb3")
    source, controls = panel.controls.source, panel.controls
    mine, theirs = presets_for(POLE)["ppo"].settings, controls.runs[0].settings
    assert source.button.text() == "Settings: tuned for CartPole-v1"
    assert (theirs.learning_rate, theirs.decay, theirs.worlds) == (mine.learning_rate, mine.decay, mine.worlds)
    learner = make("sb3", POLE, theirs, 0, 1000)
    assert (learner.model.n_steps, learner.model.n_epochs, learner.model.batch_size) == (32, 20, 256)
    learner.close()
    turn(panel, algorithm="A2C")
    source.menu().actions()[0].trigger()
    assert controls.runs[0].settings.algorithm == "A2C"
    assert source.button.text() == "Settings: tuned for CartPole-v1"


@pytest.mark.parametrize("world", ["CartPole-v1", "Pendulum-v1", "MountainCarContinuous-v0"])
def test_tuned_settings_of_stable_baselines_can_be_made(world: str) -> None:
    pytest.importorskip("stable_baselines3")
    found = sb3_presets(WorldSpec(world))
    assert found
    for preset in found.values():
        make("sb3", WorldSpec(world), preset.settings, 0, preset.steps).close()


def test_stable_baselines_trains_beside_our_own(rl_room: RlRoom) -> None:
    pytest.importorskip("stable_baselines3")
    panel = opened(rl_room, POLE)
    panel.controls.list.picked.emit(1, "sb3")
    panel.controls.set_shared(steps=100_000)
    panel.begin()
    rl_room.reached(panel, 257)
    panel.press()
    rl_room.still(panel)
    seat = panel.desk.seats[1]

    def now() -> tuple[int, int]:
        return seat.session.steps, seat.session.members[0].updates

    before = now()
    panel._step()
    rl_room.still(panel)
    assert now() in ((before[0] + seat.plan.settings.worlds, before[1]), (before[0], before[1] + 1))
    assert panel.desk.views[1].look.net is not None
    panel.desk.clear()
    rl_room.quiet()


def test_a_world_from_a_trusted_file(room: PanelRoom, tmp_path: Path) -> None:
    panel = room.show(room.build())
    room.quiet()
    (tmp_path / "mine.py").write_text(WORLD)
    panel.desk.open_file(tmp_path / "mine.py")
    room.quiet()
    assert panel.controls.described.spec.name == "Corridor"
    assert panel.controls.runs[0].agent == "ppo"


def test_a_file_without_a_world_is_told(room: PanelRoom, tmp_path: Path) -> None:
    panel = room.show(room.build())
    room.quiet()
    before = panel.controls.described
    (tmp_path / "mine.py").write_text("x = 1\n")
    panel.desk.open_file(tmp_path / "mine.py")
    room.quiet()
    assert "no class or function" in panel.last_message.text
    assert panel.controls.described is before


def test_kept_settings_come_back_with_whose_they_are(room: PanelRoom) -> None:
    panel = opened(room, POLE)
    stored = panel.controls.request().to_dict()
    panel.controls.set_runs([replace(run, settings=type(run.settings)(), base=None) for run in panel.controls.runs])
    panel.restore_request("rl", stored)
    room.quiet()
    assert panel.controls.source.button.text() == "Settings: tuned for CartPole-v1"


def test_worlds_are_found_by_typing(room: PanelRoom, qtbot: QtBot) -> None:
    panel = room.show(room.build())
    room.quiet()
    picker, picked = panel.controls.world, []
    picker.picked.disconnect()
    picker.picked.connect(picked.append)
    picker.set_entries((
        Entry("Grids", "Cliff walking", WorldSpec("one")), Entry("Grids", "Windy cliff", WorldSpec("two")),
        Entry("Cars", "CarRacing-v3", WorldSpec("three"), missing="Needs the package box2d: pip install box2d"),
    ))  # fmt: skip
    line = picker._box.lineEdit()

    def enter(text: str) -> None:
        line.setFocus()
        line.selectAll()
        qtbot.keyClicks(line, text)
        picker._box.completer().popup().hide()
        qtbot.keyClick(line, Qt.Key.Key_Return)

    enter("windy")
    assert picked == [WorldSpec("two")]
    enter("cliff")
    assert "2 worlds" in panel.last_message.text and len(picked) == 1
    enter("CarRacing")
    assert "pip install box2d" in panel.last_message.text and len(picked) == 1
    enter("Unlisted-v7")
    assert picked[-1] == WorldSpec("Unlisted-v7")


def test_what_was_typed_and_not_chosen_goes(room: PanelRoom) -> None:
    panel = room.show(room.build())
    room.quiet()
    box = panel.controls.world._box
    box.setEditText("some")
    QApplication.sendEvent(box.lineEdit(), QFocusEvent(QEvent.Type.FocusOut))
    assert box.currentText() == "Cliff walking"


def test_the_keyboard_goes_down_the_column_and_everything_has_a_name(room: PanelRoom, qtbot: QtBot) -> None:
    panel = room.show(room.build())
    room.quiet()
    panel.controls._shared.set_expanded(True)
    qtbot.waitUntil(panel.controls.list._rows[1].remove.isVisible)
    column = panel.zones._controls.widget()
    widget, heights, nameless = column, [], []
    while (widget := widget.nextInFocusChain()) is not column:
        wanted = widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and column.isAncestorOf(widget)
        if wanted and not isinstance(widget.parentWidget(), (QComboBox, QAbstractSpinBox)):
            heights.append(widget.mapTo(column, QPoint(0, widget.height() // 2)).y() // 24)
            if not (widget.accessibleName() or getattr(widget, "text", str)()):
                nameless.append(widget)
    start = heights.index(min(heights))
    in_order = heights[start:] + heights[:start]
    assert nameless == [] and in_order == sorted(in_order)


def test_a_letter_can_be_chosen_with_the_keyboard(room: PanelRoom, qtbot: QtBot) -> None:
    panel = room.show(room.build())
    room.quiet()
    qtbot.keyClick(panel.controls.list._rows[1].letter, Qt.Key.Key_Space)
    assert panel.controls.chosen == 1
