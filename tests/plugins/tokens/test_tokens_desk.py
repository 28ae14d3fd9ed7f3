"""The life of a run in the panel: followed, cancelled, refused, kept, lost and found again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from studio.engine import TaskState
from studio.host.results import ResultsStore, StoreUnwritable
from studio.ml.diffusion.attention_maps import View
from studio_plugins.tokens import tracing
from studio_plugins.tokens.looking import ALL, Look
from studio_plugins.tokens.run import TokenRun

LONG = 60_000


def test_cancel_stops_within_a_step_and_keeps_what_there_is_to_see(qtbot, room):
    panel = room.open(steps=400)
    qtbot.mouseClick(panel.zones.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.stage.run is not None and len(panel.stage.run.steps) >= 3, timeout=LONG)
    qtbot.mouseClick(panel.run_bar.cancel, Qt.MouseButton.LeftButton)
    room.quiet()
    assert "cancelled after" in panel.status.text() and not panel.run_bar.cancel.isEnabled()
    assert room.store.records() == [] and panel.stage.step is not None


def test_going_back_while_it_draws_stays_there(qtbot, room):
    panel = room.open(steps=16)
    qtbot.mouseClick(panel.zones.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.stage.run is not None and len(panel.stage.run.steps) >= 3, timeout=LONG)
    panel.stage.timeline.set_value(1)
    qtbot.waitUntil(lambda: panel.desk.result is not None, timeout=LONG)
    assert panel.stage.timeline.value == 1
    assert np.allclose(panel.stage.shares(), panel.stage.run.attention.shares(View(step=1)))


def test_a_session_comes_back_with_its_run_its_word_and_its_look(qtbot, room, panel):
    panel.stage.look_bar.show_look(Look(layer=1, head=0, opacity=0.25, smooth=True))
    qtbot.mouseClick(panel.stage.chips, Qt.MouseButton.LeftButton, pos=panel.stage.chips.place(0).center())
    state = json.loads(json.dumps(panel.state()))
    again = room.open(state)
    qtbot.waitUntil(lambda: again.desk.result is not None, timeout=LONG)
    assert again.controls.form.value() == panel.controls.form.value()
    assert again.stage.look_bar.look == panel.stage.look_bar.look and again.stage.row == 0
    assert np.allclose(again.stage.shares(), panel.stage.shares())
    assert again.insight._cost.fact("evaluations") == "6"


def test_a_session_without_a_run_comes_back_with_its_look(room):
    panel = room.open()
    panel.stage.look_bar.show_look(Look(every_step=True, opacity=0.25, common=True))
    again = room.open(json.loads(json.dumps(panel.state())))
    assert again.stage.look_bar.look == Look(every_step=True, opacity=0.25, common=True)
    room.draw(again)
    assert again.stage.look_bar.look.opacity == 0.25 and again.stage.looked.step is None


@pytest.mark.parametrize("stored", [None, 7, {"layer": "x", "opacity": 9.0, "head": True}, {"layer": -5, "other": 1}])
def test_a_damaged_look_becomes_a_whole_one(stored):
    look = Look.of(stored)
    assert look.layer == look.head == ALL and 0 <= look.opacity <= 1


def test_a_result_of_the_history_is_shown_again_and_bad_settings_are_named(qtbot, room, panel):
    kept = room.store.records()[0]
    first = panel.stage.shares()
    panel.controls.form.set_fields({"seed": 40})
    room.draw(panel)
    assert not np.allclose(panel.stage.shares(), first)
    assert panel.restore_request("tokens", kept.request) == []
    room.quiet()
    assert panel.desk.record_id == kept.id and np.allclose(panel.stage.shares(), first)
    assert panel.controls.form.value().seed == 5
    notes = panel.restore_request("tokens", {**kept.request, "steps": 0, "mystery": 1, "model": "gone"})
    assert len(notes) == 3 and "Steps" in notes[0] + notes[1] + notes[2] and "gone" in notes[-1]
    assert panel.controls.form.value().model == "tiny"
    assert "generate" in panel.restore_request("generate", {})[0]


def test_a_result_whose_maps_are_gone_can_be_drawn_again(qtbot, room, panel):
    record = room.store.records()[0]
    record.files["attention.npz"].write_bytes(b"no archive")
    panel.desk.load(record.id)
    room.quiet()
    assert "picture is whole" in panel.last_message.text
    panel.desk.result = None
    dict(panel.last_message.actions)["Draw it again"]()
    qtbot.waitUntil(lambda: panel.desk.result is not None, timeout=LONG)
    assert len(panel.stage.run.steps) == 3


def test_what_does_not_fit_offers_runs_that_do(qtbot, room, monkeypatch):
    monkeypatch.setattr(tracing, "MAX_BYTES", 12_000)
    panel = room.open()
    panel.draw()
    qtbot.waitUntil(lambda: panel.last_message is not None and panel.last_message.level == "error", timeout=LONG)
    room.quiet()
    assert "is the most" in panel.last_message.text and len(panel.last_message.actions) >= 2
    panel.last_message.actions[0][1]()
    qtbot.waitUntil(lambda: panel.desk.result is not None, timeout=LONG)
    assert panel.stage.run.attention.nbytes <= 12_000 and panel.desk.request.heads == "mean"


def test_out_of_memory_offers_fewer_maps(qtbot, room, monkeypatch):
    real = tracing.trace

    def hungry(model, request, plan):
        if request.layers != "coarse":
            raise MemoryError
        return real(model, request, plan)

    monkeypatch.setattr("studio_plugins.tokens.tracing.trace", hungry)
    panel = room.open()
    panel.draw()
    qtbot.waitUntil(lambda: panel.last_message is not None and panel.last_message.level == "error", timeout=LONG)
    dict(panel.last_message.actions)["Keep only the coarsest layers"]()
    qtbot.waitUntil(lambda: panel.desk.result is not None, timeout=LONG)
    assert panel.desk.request.layers == "coarse"


def test_a_store_that_cannot_be_written_still_shows_the_run_and_can_try_again(qtbot, room, monkeypatch):
    add = ResultsStore.add

    def refuse(self, *args, **kwargs):
        raise StoreUnwritable(self.root, OSError(28, "No space left on device"))

    monkeypatch.setattr(ResultsStore, "add", refuse)
    panel = room.open()
    room.draw(panel)
    assert "still here" in panel.last_message.text and len(panel.stage.run.steps) == 3
    monkeypatch.setattr(ResultsStore, "add", add)
    dict(panel.last_message.actions)["Try again"]()
    room.quiet()
    (record,) = room.store.records()
    assert panel.desk.record_id == record.id and len(TokenRun.read(record.files["attention.npz"]).steps) == 3


def test_a_run_that_ended_out_of_sight_is_whole_when_the_panel_shows_again(qtbot, room):
    panel = room.open()
    panel.hide()
    panel.draw()
    qtbot.waitUntil(lambda: panel.desk.result is not None, timeout=LONG)
    room.quiet()
    panel.show()
    assert len(panel.stage.run.steps) == 3 and panel.stage.picture is not None
    first = panel.stage.shares()
    panel.hide()
    panel.controls.form.set_fields({"seed": 6})
    panel.draw()
    qtbot.waitUntil(lambda: len(room.store.records()) == 2, timeout=LONG)
    room.quiet()
    panel.show()
    kept = TokenRun.read(room.store.records()[0].files["attention.npz"])
    assert np.allclose(panel.stage.shares(), kept.attention.shares(View(step=2))), "not the maps of the run before"
    assert not np.allclose(panel.stage.shares(), first)


def test_settings_that_cannot_be_drawn_are_named(qtbot, room):
    panel = room.open(seed="many")
    panel.draw()
    assert panel.last_message.level == "error" and "not a whole number" in panel.last_message.text
    assert room.engine.tasks() == []


def test_a_model_added_later_is_found_when_asked_for(room, panel):
    from tests.plugins.tokens.conftest import write_model

    write_model(room.folder / "panel" / "models" / "mine")
    panel.context.commands.run("tokens.models")
    offered = panel.controls.form.field("model")
    mine = str(room.folder / "panel" / "models" / "mine")
    panel.controls.form.set_fields({"model": mine})
    assert offered.value() == mine and panel.controls.model.title == "mine"
    room.draw(panel)
    assert panel.desk.request.model == mine
    shutil.rmtree(room.folder / "panel" / "models")
    panel.context.commands.run("tokens.models")
    assert panel.controls.model.id == "tiny", "what is gone is not offered"


def test_the_script_is_on_the_clipboard(room, panel):
    panel.context.commands.run("tokens.script")
    assert "traced" in QGuiApplication.clipboard().text() and panel.last_message.level == "success"


def test_commands_come_and_go_with_the_panel(qtbot, room, panel):
    commands = panel.context.commands
    commands.run("tokens.every_step")
    assert panel.stage.look_bar.look.every_step
    panel.closing()
    assert len(commands) == 0


def test_closing_while_it_draws_ends_cleanly(qtbot, room):
    panel = room.open(steps=500)
    panel.draw()
    qtbot.waitUntil(lambda: panel.stage.step is not None, timeout=LONG)
    panel.closing()
    room.engine.cancel_owner("tokens")
    room.quiet()
    assert all(task.state is TaskState.CANCELLED for task in room.engine.tasks())


def test_the_panel_imports_no_torch():
    code = "import sys, studio_plugins.tokens.panel; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
