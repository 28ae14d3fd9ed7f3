"""The lab by mouse: columns, scrubbing, forking, restoring."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication

from studio_plugins.guidance.request import EXAMPLE_PROMPT, Column, Guidance
from tests.plugins.guidance.conftest import tiny_request

LONG = 60_000


def drawn(qtbot, panel):
    """Wait until the comparison is finished and every event has arrived."""
    engine, pump = panel.context.engine, panel.context.window.pump
    qtbot.waitUntil(lambda: engine.wait_idle(0) and pump.watching() == 0, timeout=LONG)


def click(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_one_click_draws_every_column_from_the_same_noise(qtbot, guidance_room):
    panel = guidance_room()
    table = panel.stage.table
    assert [h.title for h in table.headings()] == ["No guidance", "Classifier 4", "CLIP 5", "CFG 3", "CFG 3 + CLIP 5"]
    click(qtbot, panel.zones.primary)
    drawn(qtbot, panel)
    assert panel.last_message is None and len(guidance_room.store.records()) == 1
    rows = [row.title.split("\n")[0] for row in table.row_headings()]
    assert rows == ["xₜ", "x₀", "CFG", "Classifier", "CLIP"]
    panel.stage.timeline.set_value(0)
    noise = [panel.stage.step_of(c).x_t for c in range(5)]
    assert all((other == noise[0]).all() for other in noise)
    assert table.image(2, 0) is None and table.image(2, 3) is not None and table.image(4, 4) is not None
    assert table.headings()[3].lines[1].startswith("2.00×")
    costs = [panel.insight.costs.row(c) for c in range(5)]
    assert costs[0][1] == "4" and costs[0][3] == "1.00" and costs[0][5] == "1.00"
    assert costs[3][1] == "8" and costs[3][3] == "2.00" and costs[2][1] == "4+4"


def test_the_mouse_adds_moves_copies_and_removes_columns(qtbot, guidance_room):
    panel = guidance_room()
    bar, columns = panel.controls.bar, panel.columns
    click(qtbot, bar.add_button)
    assert len(columns.all) == 6 and columns.current == 5 and not bar.add_button.isEnabled()
    click(qtbot, bar.remove)
    click(qtbot, bar._chips[1])
    assert columns.current == 1 and panel.stage.table.current == 1
    click(qtbot, bar.right)
    assert columns.current == 2 and columns.column.guidance.classifier
    click(qtbot, bar.duplicate)
    assert len(columns.all) == 6 and columns.all[2] == columns.all[3]
    table = panel.stage.table
    start, end = table.heading_rect(0).center(), table.heading_rect(2).center() + QPoint(30, 0)
    qtbot.mousePress(table.viewport(), Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(table.viewport(), end)
    qtbot.mouseRelease(table.viewport(), Qt.MouseButton.LeftButton, pos=end)
    assert columns.all[2] == Column()


def test_ticking_a_guidance_shows_its_settings_and_names_the_column(qtbot, guidance_room):
    panel = guidance_room()
    click(qtbot, panel.controls.bar._chips[0])
    form = panel.controls.guidance
    assert form.field("clip_scale").isHidden() and form.field("course").isHidden()
    form.field("clip").focus_widget().click()
    assert not form.field("clip_scale").isHidden() and panel.columns.column.guidance.clip
    assert panel.stage.table.headings()[0].title == "CLIP 5 (1)"
    form.set_fields({"course": "interval", "stop": 0.5})
    assert panel.stage.table.headings()[0].lines[0] == "0–50 %"


def test_a_fork_shares_steps_and_draws_only_the_rest(qtbot, guidance_room):
    panel = guidance_room(steps=6, columns=(Column(), Column(guidance=Guidance(free=True))))
    click(qtbot, panel.zones.primary)
    drawn(qtbot, panel)
    click(qtbot, panel.controls.bar._chips[1])
    panel.stage.timeline.set_value(2)
    click(qtbot, panel.controls.bar.fork)
    assert panel.columns.current == 2 and panel.columns.column.forked_at == 2
    panel.controls.guidance.set_fields({"free": False})
    assert panel.stage.table.note(0, 2).startswith("= CFG 3"), "what it shares is shown before it is drawn"
    click(qtbot, panel.zones.primary)
    drawn(qtbot, panel)
    run = panel.stage.found(2).run
    assert run.cost.computed == 3 and run.cost.evaluations == 9 and run.shared == (1, 3)
    steps = [panel.stage.found(c).steps for c in range(3)]
    assert all((steps[2][i].x == steps[1][i].x).all() for i in range(3))
    assert not (steps[2][5].x == steps[1][5].x).all()
    assert panel.stage.found(0).run.cost.computed == 0, "columns drawn before are not drawn again"
    panel.stage.timeline.set_value(1)
    assert "CFG 3" in panel.stage.table.note(0, 2) and panel.stage.table.headings()[2].lines[0] == "fork @ 3"
    panel.stage.timeline.set_value(4)
    assert panel.stage.table.note(0, 2) == ""


def test_scrubbing_shows_the_numbers_of_the_step(qtbot, guidance_room):
    panel = guidance_room()
    click(qtbot, panel.zones.primary)
    drawn(qtbot, panel)
    click(qtbot, panel.controls.bar._chips[4])
    panel.stage.timeline.set_value(1)
    step = panel.stage.step_of(4)
    assert panel.insight.facts.fact("t") == str(step.t)
    assert panel.insight.facts.fact("‖base + terms‖₂") == f"{step.guided_norm()[0]:.2f}"
    cards = panel.insight.formulas.cards
    assert not cards["classifier-free"].isHidden() and not cards["clip"].isHidden() and cards["classifier"].isHidden()
    assert f"{step.norms()[1, 0]:.4g}" in cards["classifier-free"].text()
    assert set(panel.insight.norms.data()) == {"CFG", "CLIP"} and set(panel.insight.cosines.data()) == {"CFG, CLIP"}
    assert len(panel.insight.scores.data()) == 5


def test_pointing_at_a_pixel_says_its_value(qtbot, guidance_room):
    panel = guidance_room()
    click(qtbot, panel.zones.primary)
    drawn(qtbot, panel)
    table, step = panel.stage.table, panel.stage.step_of(3)
    rect = table.cell_rect(2, 3)
    qtbot.mouseMove(table.viewport(), rect.center())
    said = panel.bar._status.text()
    place = rect.center() - rect.topLeft()
    at = int(16 * place.x() / rect.width()), int(16 * place.y() / rect.height())
    assert f"x {at[0]}  y {at[1]}" in said and f"{step.heat[0, 0, at[1], at[0]]:.4g}" in said


def test_the_menu_of_a_column_forks_it(qtbot, guidance_room):
    panel = guidance_room()
    click(qtbot, panel.zones.primary)
    drawn(qtbot, panel)
    panel.stage.timeline.set_value(1)
    panel.columns.remove()
    panel.columns.choose(2)
    entries = {action.text(): action for action in panel.column_menu(2).actions()}
    assert entries["Fork from step 2"].isEnabled()
    entries["Fork from step 2"].trigger()
    assert panel.columns.current == 3 and panel.columns.column.forked_at == 1


def test_everything_comes_back_at_the_next_start(qtbot, guidance_room):
    panel = guidance_room(columns=(Column(name="plain"), Column(guidance=Guidance(clip=True, clip_scale=2.0))))
    click(qtbot, panel.zones.primary)
    drawn(qtbot, panel)
    panel.columns.choose(1)
    click(qtbot, panel.bar.rows["xₜ"])
    state = panel.state()
    again = guidance_room(state)
    drawn(qtbot, again)
    assert again.columns.all == panel.columns.all and again.columns.current == 1
    assert [row.title for row in again.stage.table.row_headings()] == ["x₀", "CLIP\n‖term‖"]
    mine, theirs = (p.stage.step_of(1) for p in (again, panel))
    assert (mine.x == theirs.x).all() and (mine.gram == theirs.gram).all() and (mine.heat == theirs.heat).all()
    assert again.stage.table.headings()[1].lines == panel.stage.table.headings()[1].lines


def test_history_and_a_dropped_picture_bring_a_comparison_back(qtbot, guidance_room):
    from studio.host.imagemeta import read_metadata

    panel = guidance_room(seed=9)
    click(qtbot, panel.zones.primary)
    drawn(qtbot, panel)
    record = guidance_room.store.records()[0]
    other = guidance_room(seed=1)
    assert other.restore_request("guidance", record.request) == []
    drawn(qtbot, other)
    assert other.shown.record_id == record.id and other.controls.request().seed == 9
    third = guidance_room(seed=1)
    third._picture_read(read_metadata(record.files["picture-02.png"]))
    drawn(qtbot, third)
    assert third.shown.record_id == record.id and third.last_message.level == "success"


def test_columns_without_their_network_say_so_and_the_others_are_drawn(qtbot, guidance_room):
    panel = guidance_room(clip_model="emoji-gone")
    headings = panel.stage.table.headings()
    assert headings[2].lines[1] == "cannot be drawn" and "emoji-gone" in headings[2].lines[2]
    click(qtbot, panel.zones.primary)
    drawn(qtbot, panel)
    assert len(panel.shown.request.columns) == 3 and panel.stage.found(2).steps == ()
    assert panel.stage.found(3).run is not None
    panel.columns.choose(2)
    assert "emoji-gone" in panel.controls._reason.text()


def test_cancel_stops_within_a_step(qtbot, guidance_room):
    panel = guidance_room(steps=250)
    click(qtbot, panel.zones.primary)
    qtbot.waitUntil(lambda: len(panel.stage.found(4).steps) > 2, timeout=LONG)
    click(qtbot, panel.run_bar.cancel)
    drawn(qtbot, panel)
    assert panel.bar.status() == "cancelled" and guidance_room.store.records() == []
    assert 2 < len(panel.stage.found(0).steps) < 250 and not panel.run_bar.cancel.isEnabled()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"classifier_class": "unicorn", "classifier": True}, "unicorn"),
        ({"free": True, "prompted": False}, "needs the prompt"),
        ({"course": "interval", "clip": True, "start": 0.9, "stop": 0.1}, "start before it stops"),
    ],
)
def test_guidance_that_cannot_be_is_named(qtbot, guidance_room, fields, says):
    panel = guidance_room(columns=(Column(),))
    panel.controls.guidance.set_fields(fields)
    assert says in panel.controls._reason.text()
    panel.compare()
    assert panel.last_message.level == "error" and guidance_room.engine.tasks() == []
    panel.controls.guidance.set_value(Guidance())
    assert panel.controls._reason.text() == "" and panel.columns.column == Column()


def test_prompts_can_be_chosen_without_typing(qtbot, guidance_room):
    panel = guidance_room(prompt="a dragon")
    field = panel.controls._prompt.prompt_field()
    assert "“dragon”" in field.note()
    field.set_value("a cat on a blue background")
    assert field.note() == "" and field._history == [EXAMPLE_PROMPT] and field._recent.isEnabled()


def test_everything_can_be_exported(qtbot, guidance_room, tmp_path):
    panel = guidance_room(batch=2)
    assert panel.exportables() == []
    click(qtbot, panel.zones.primary)
    drawn(qtbot, panel)
    items = list(panel.exportables())
    assert [item.name for item in items[:3]] == ["table", "animation of all columns", "curves"] and len(items) == 12
    for place, item in enumerate(items):
        assert panel.context.export.save(item, tmp_path / f"file{place}").stat().st_size > 0
    panel.copy_script()
    compile(QGuiApplication.clipboard().text(), "script", "exec")
    panel.bar._pictures.activated.emit(1)
    assert (np.asarray(panel.stage.step_of(0).picture[1]) != panel.stage.step_of(0).picture[0]).any()


def test_the_demo_shows_without_the_engine(qtbot, guidance_room):
    panel = guidance_room()
    panel.demo()
    assert guidance_room.engine.tasks() == [] and panel.shown.request.steps == 12
    assert all(len(panel.stage.found(c).steps) == 12 and panel.stage.table.image(1, c) is not None for c in range(5))


def test_an_edit_leaves_what_was_drawn_in_sight(qtbot, guidance_room):
    panel = guidance_room(columns=(Column(), Column(guidance=Guidance(free=True))))
    click(qtbot, panel.zones.primary)
    drawn(qtbot, panel)
    panel.columns.choose(1)
    panel.controls.guidance.set_fields({"free_scale": 5.0})
    assert panel.stage.found(1).steps == () and panel.stage.table.headings()[1].lines[1] == "not drawn"
    panel.controls.guidance.set_fields({"free_scale": 3.0})
    assert len(panel.stage.found(1).steps) == 4
    assert panel.controls.request() == tiny_request(columns=panel.columns.all)
