"""Looking at a run by mouse and keyboard, and what leaves the panel."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QFileDialog

from studio.ml.diffusion.attention_maps import View
from studio_plugins.tokens.looking import Look
from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.run import TokenRun

LONG = 60_000


def click_cell(qtbot, panel, column, row):
    place = panel.stage.view.cell_rect((column, row)).center().toPoint()
    qtbot.mouseClick(panel.stage.view, Qt.MouseButton.LeftButton, pos=place)


def place_bars(panel):
    return {bar.name: bar.text for bar in panel.insight.place.bars()}


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
    room.draw(panel)
    assert panel.stage.row == 3, "the same words"
    panel.controls.form.set_fields({"prompt": ""})
    room.draw(panel)
    assert panel.stage.run.plan.names == ("padding", "picture") and panel.stage.row == 0
    assert "only padding" in panel.last_message.text and panel.insight.tokens.isHidden()
    assert panel.controls.form.field("guidance_scale").focus_widget().isEnabled() is False


def test_everything_offered_for_export_can_be_written(qtbot, room, panel, tmp_path):
    service, offered = panel.context.export, panel.exportables()
    assert {item.kind for item in offered} == {"image", "animation", "table", "plot", "script"}
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
    [
        ("a cat and a dragon", "“and”, “dragon”"),
        (" ", "only that can be looked at"),
        ("a cat " * 5, "last 2"),
        ("a cat", ""),
    ],
)
def test_the_prompt_box_says_what_is_left_out(qtbot, room, prompt, note):
    said = room.open(prompt=prompt).controls.form.prompt_field().note()
    assert note in said and bool(note) == bool(said)


def test_the_example_of_the_manual_is_a_real_run_and_needs_no_engine(qtbot, room):
    from studio_plugins.tokens import demo

    panel = room.open()
    panel.demo()
    assert panel.stage.run.plan.pieces == tuple(demo.REQUEST.prompt.split()) and len(panel.stage.run.steps) == 10
    assert panel.stage.run.plan.names[panel.stage.row] == "cat" and room.engine.tasks() == []
    assert isinstance(panel.controls.form.value(), TokensRequest)
