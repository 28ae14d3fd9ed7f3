from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QFileDialog

from studio.engine import TaskState
from studio.host.results import ResultsStore, StoreUnwritable
from studio.ml.diffusion.attention_maps import View
from studio_plugins.tokens import tracing
from studio_plugins.tokens.looking import ALL, Look
from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.run import TokenRun

LONG = 60_000


def drawn(qtbot, room, panel):
    """Press the button and wait for the end."""
    qtbot.mouseClick(panel.zones.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.desk.result is not None, timeout=LONG)
    room.quiet()


def click_cell(qtbot, panel, column, row):
    place = panel.stage.view.cell_rect((column, row)).center().toPoint()
    qtbot.mouseClick(panel.stage.view, Qt.MouseButton.LeftButton, pos=place)


def place_bars(panel):
    return {bar.name: bar.text for bar in panel.insight.place.bars()}


@pytest.fixture
def panel(qtbot, room):
    panel = room.open()
    drawn(qtbot, room, panel)
    return panel


def test_one_click_draws_follows_and_keeps(qtbot, room, panel):
    stage = panel.stage
    assert len(room.store.records()) == 1 and stage.timeline.count() == 3 and len(stage.run.steps) == 3
    assert "3 steps" in panel.status.text() and "kept" in panel.status.text()
    assert [stage.chips.text(i).split()[0] for i in range(5)] == ["a", "red", "cat", "padding", "picture"]
    shares = stage.run.attention.masses(View(step=2))
    assert shares.sum() == pytest.approx(1, abs=1e-3)
    assert stage.row == int(stage.run.attention.masses(View(step=0))[:3].argmax()), "the word that gets most, at first"
    assert stage.strip.count() == 5 and stage.strip.current == stage.row
    assert f"{shares[:3].sum():.3f}" in panel.insight._formula.text()
    assert len(panel.insight.totals.data()["words"][0]) == 3
    assert set(panel.insight.tokens.data()) == {"a", "red", "cat"}


def test_a_chip_and_a_small_map_choose_the_word_whose_map_is_shown(qtbot, panel):
    stage = panel.stage
    for row in (0, 3, 4, 1):
        qtbot.mouseClick(stage.chips, Qt.MouseButton.LeftButton, pos=stage.chips.place(row).center())
        assert stage.row == row == stage.strip.current
        share = stage.shares()[row]
        assert f"“{stage.run.plan.names[row]}”" in stage.view.accessibleDescription()
        painted, plain = stage.painted().astype(int), stage.clean()
        assert painted.shape == (256, 256, 3) and plain.shape == (16, 16, 3)
        brightest = np.unravel_index(share.argmax(), share.shape)
        darkest = np.unravel_index(share.argmin(), share.shape)
        cell = 256 // len(share)
        blocks = painted.reshape(len(share), cell, len(share), cell, 3).mean(axis=(1, 3, 4))
        assert panel.stage.look_bar.look.opacity < 1 or blocks[brightest] > blocks[darkest]
    qtbot.mouseClick(stage.strip.viewport(), Qt.MouseButton.LeftButton, pos=stage.strip.cell_rect(2).center())
    assert stage.row == 2 and stage.chips.current == 2
    qtbot.keyClick(stage.chips, Qt.Key.Key_Right)
    assert stage.row == 3


def test_the_slider_fades_between_picture_and_map(qtbot, panel):
    stage = panel.stage
    stage.look_bar.opacity.setValue(0)
    assert (stage.painted()[::16, ::16] == stage.clean()).all(), "nothing over the picture"
    stage.look_bar.opacity.setValue(100)
    share = stage.shares()[stage.row]
    grey = stage.painted().astype(int).sum(axis=2)
    cell = 256 // len(share)
    order = np.argsort(share.ravel())
    assert (np.diff(grey[::cell, ::cell].ravel()[order]) >= 0).all(), "the map alone, lighter where more attention goes"


def test_scrubbing_shows_each_step_and_all_steps_their_mean(qtbot, panel):
    stage, attention = panel.stage, panel.stage.run.attention
    for at in (0, 1, 2):
        stage.timeline.set_value(at)
        assert np.allclose(stage.shares(), attention.shares(View(step=at)))
        assert panel.insight._step.fact("t") == str(stage.run.steps[at].maps.t)
        assert (stage.clean() == (stage.run.steps[at].x0 if at < 2 else panel.desk.result.picture)).all()
    qtbot.mouseClick(stage.look_bar.every_step, Qt.MouseButton.LeftButton)
    assert np.allclose(stage.shares(), attention.shares(View()))
    assert panel.insight._step.fact("steps") == "mean of 3"


def test_layers_and_heads_are_chosen_and_the_place_picked_stays(qtbot, panel):
    stage, look = panel.stage, panel.stage.look_bar
    assert not look.heads.isEnabled() and stage.shares().shape[1:] == (8, 8)
    click_cell(qtbot, panel, 5, 6)
    assert stage.cell == (5, 6) and "Column 6, row 7 of 8×8" in panel.insight._where.heading()
    layers = stage.run.plan.layers
    coarse = next(i for i, layer in enumerate(layers) if layer.height == 4)
    qtbot.mouseClick(panel.insight.layers, Qt.MouseButton.LeftButton, pos=QPoint(20, 22 * coarse + 11))
    assert look.look.layer == coarse and look.heads.isEnabled() and look.heads.count() == layers[coarse].heads + 1
    assert stage.shares().shape[1:] == (4, 4) and stage.cell == (2, 3)
    look.heads.setFocus()
    qtbot.keyClick(look.heads, Qt.Key.Key_Down)
    qtbot.keyClick(look.heads, Qt.Key.Key_Down)
    assert look.look.head == 1
    wanted = stage.run.attention.shares(View(2, coarse, 1))
    assert np.allclose(stage.shares(), wanted)
    assert np.allclose(panel.insight.totals.data()["words"][1][2], wanted[:3].sum(axis=0).mean(), atol=1e-5)
    qtbot.mouseClick(panel.insight.layers, Qt.MouseButton.LeftButton, pos=QPoint(20, 22 * coarse + 11))
    assert look.look == Look(), "a second click shows all layers again"


def test_a_place_says_how_its_attention_divides(qtbot, panel):
    stage = panel.stage
    assert "Click a place" in panel.insight._place_note.text()
    click_cell(qtbot, panel, 2, 1)
    there = stage.shares()[:, 1, 2]
    texts = place_bars(panel)
    assert texts["red"] == f"{100 * there[1]:.{2 if there[1] < 0.01 else 1}f} %"
    assert texts["padding"] == f"{100 * there[3]:.1f} %" and texts["picture"] == f"{100 * there[4]:.1f} %"
    assert sum(part for part, _ in panel.insight.place.bars()[0].parts) == pytest.approx(1, abs=1e-3)
    qtbot.keyClick(stage.view, Qt.Key.Key_Right)
    qtbot.keyClick(stage.view, Qt.Key.Key_Down)
    assert stage.cell == (3, 2)
    qtbot.mouseMove(stage.view, stage.view.cell_rect((0, 0)).center().toPoint())
    assert "column 1, row 1" in stage.view.describe((0, 0)) and " %" in stage.view.describe((0, 0))
    click_cell(qtbot, panel, 3, 2)
    assert stage.cell is None and panel.insight._where.heading() == "The whole picture"
    click_cell(qtbot, panel, 0, 0)
    qtbot.keyClick(panel, Qt.Key.Key_Escape)
    assert stage.cell is None


def test_a_new_prompt_chooses_its_own_word_and_the_same_one_keeps_it(qtbot, room, panel):
    qtbot.mouseClick(panel.stage.chips, Qt.MouseButton.LeftButton, pos=panel.stage.chips.place(3).center())
    panel.desk.result = None
    drawn(qtbot, room, panel)
    assert panel.stage.row == 3, "the same words"
    panel.controls.form.set_fields({"prompt": ""})
    panel.desk.result = None
    drawn(qtbot, room, panel)
    assert panel.stage.run.plan.names == ("padding", "picture") and panel.stage.row == 0
    assert "only padding" in panel.last_message.text and panel.insight.tokens.isHidden()
    assert panel.controls.form.field("guidance_scale").focus_widget().isEnabled() is False


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


@pytest.mark.parametrize("stored", [None, 7, {"layer": "x", "opacity": 9.0, "head": True}, {"layer": -5, "other": 1}])
def test_a_damaged_look_becomes_a_whole_one(stored):
    look = Look.of(stored)
    assert look.layer == look.head == ALL and 0 <= look.opacity <= 1


def test_a_result_of_the_history_is_shown_again_and_bad_settings_are_named(qtbot, room, panel):
    kept = room.store.records()[0]
    first = panel.stage.shares()
    panel.controls.form.set_fields({"seed": 40})
    panel.desk.result = None
    drawn(qtbot, room, panel)
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

    monkeypatch.setattr("studio_plugins.tokens.jobs.trace", hungry)
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
    drawn(qtbot, room, panel)
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


def test_everything_offered_for_export_can_be_written(qtbot, room, panel, tmp_path):
    service, offered = panel.context.export, panel.exportables()
    assert {item.kind for item in offered} == {"image", "animation", "table", "plot"}
    for place, item in enumerate(offered):
        for form in service.formats(item.kind):
            if form.available:
                assert service.save(item, tmp_path / f"{place}{form.suffixes[0]}").stat().st_size > 0
    by_name = {item.name: item.produce() for item in offered}
    table = by_name["shares step by step"].columns
    assert list(table) == ["step", "t", "a", "red", "cat", "padding", "picture"] and len(table["t"]) == 3
    assert sum(table[name][0] for name in list(table)[2:]) == pytest.approx(1, abs=1e-3)
    assert len(by_name["shares layer by layer"].columns["layer"]) == len(panel.stage.run.plan.layers)
    assert len(by_name[f"animation of {panel.stage.run.plan.names[panel.stage.row]}"].frames) == 3
    strip = np.asarray(by_name["maps of all words"].pixels)
    assert strip.shape[1] > 6 * 16 * 4, "the picture and five maps, enlarged"
    assert len(room.open().exportables()) == 0


def test_maps_are_saved_where_the_person_says(qtbot, room, panel, tmp_path, monkeypatch):
    chosen = []
    monkeypatch.setattr(QFileDialog, "open", lambda dialog: chosen.append(dialog))
    qtbot.mouseClick(panel.save_button, Qt.MouseButton.LeftButton)
    chosen[0].fileSelected.emit(str(tmp_path / "mine"))
    room.quiet()
    chosen[0].deleteLater()
    assert "Saved as" in panel.last_message.text
    assert TokenRun.read(tmp_path / "mine.npz").plan == panel.stage.run.plan
    panel.desk.save_maps(tmp_path / "mine.npz" / "x.npz")
    qtbot.waitUntil(lambda: panel.last_message.level == "error", timeout=LONG)


@pytest.mark.parametrize(
    ("prompt", "note"),
    [("a cat and a dragon", "“and”, “dragon”"), (" ", "only that can be looked at"), ("a cat " * 5, "last 2"), ("a cat", "")],
)
def test_the_prompt_box_says_what_is_left_out(qtbot, room, prompt, note):
    said = room.open(prompt=prompt).controls.form.prompt_field().note()
    assert note in said and bool(note) == bool(said)


def test_settings_that_cannot_be_drawn_are_named(qtbot, room):
    panel = room.open(seed="many")
    panel.draw()
    assert panel.last_message.level == "error" and "not a whole number" in panel.last_message.text
    assert room.engine.tasks() == []


def test_the_example_of_the_manual_is_a_real_run_and_needs_no_engine(qtbot, room):
    from studio_plugins.tokens import demo

    panel = room.open()
    panel.demo()
    assert panel.stage.run.plan.pieces == tuple(demo.REQUEST.prompt.split()) and len(panel.stage.run.steps) == 10
    assert panel.stage.run.plan.names[panel.stage.row] == "cat" and room.engine.tasks() == []
    assert isinstance(panel.controls.form.value(), TokensRequest)


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
