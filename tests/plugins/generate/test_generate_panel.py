from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from studio.engine import TaskState
from studio.host.imagemeta import encode_png
from studio.host.results import ResultsStore, StoreUnwritable
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.sweep_request import SweepRequest

LONG = 60_000


def drawn(qtbot, panel):
    """Wait until the run shown is finished."""
    qtbot.waitUntil(lambda: panel.shown.result is not None, timeout=LONG)


def quiet(qtbot, panel):
    """Wait until nothing runs or waits and every event has arrived."""
    engine, pump = panel.context.engine, panel.context.window.pump
    qtbot.waitUntil(lambda: engine.wait_idle(0) and pump.watching() == 0, timeout=LONG)


def test_one_key_press_makes_a_picture_that_is_kept(qtbot, desk_room):
    panel = desk_room()
    assert panel.stage.count == 0 and panel.controls.prompt()
    edit = panel.controls.form.prompt_field().focus_widget()
    edit.setFocus()
    qtbot.keyClick(edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    drawn(qtbot, panel)
    quiet(qtbot, panel)
    assert len(desk_room.store.records()) == 1, "one key press is one run"
    assert panel.stage.count == 1 and panel.stage.timeline.count() == 4
    assert "4 steps" in panel.bar.status()
    file = panel.shown.file_of(0)
    assert (np.asarray(Image.open(file)) == panel.stage.pictures()[0]).all()
    assert panel.prompts.prompts == ("a cat left of a dog",)


def test_scrubbing_shows_every_step_with_its_numbers(qtbot, desk_room):
    panel = desk_room()
    panel.generate()
    drawn(qtbot, panel)
    final = panel.stage.pictures()
    panel.stage.timeline.set_value(0)
    first = panel.stage.steps[0]
    assert (panel.stage.pictures() == first.x0).all() and not panel.stage.at_end
    assert panel.insight._step.fact("t") == str(first.t)
    assert panel.insight._step.fact("‖ε(x|y)‖₂") == f"{first.norms[0, 0]:.2f}"
    panel.bar._noisy.click()
    assert (panel.stage.pictures() == first.noisy).all()
    panel.bar._clean.click()
    panel.stage.timeline.set_value(3)
    assert panel.stage.at_end and (panel.stage.pictures() == final).all()
    assert len(panel.insight.norms.data()["‖ε(x|y)‖"][0]) == 4


def test_the_guided_length_is_that_of_the_guided_noise(qtbot, desk_room):
    """The number in the formula against ‖ε_u + s(ε_c − ε_u)‖ computed by the sampler itself."""
    from studio.models.catalog import locate
    from studio_plugins.generate.formula import guided_norms
    from studio.ml.diffusion.glide import load_text2im
    from studio.ml.diffusion.sampling import Sampling

    panel = desk_room()
    panel.generate()
    drawn(qtbot, panel)
    request = panel.shown.request
    model = load_text2im(locate("tiny"))
    records = model.sample([request.prompt], [request.seed], scale=request.guidance_scale, sampling=Sampling(steps=request.steps))
    for step, record in zip(panel.stage.steps, records, strict=True):
        assert guided_norms(step.norms, request.guidance_scale)[0] == pytest.approx(float(record.eps.norm()), rel=1e-3)


def test_cancel_stops_within_a_step_and_keeps_what_there_is_to_see(qtbot, desk_room):
    panel = desk_room(steps=400)
    panel.generate()
    qtbot.waitUntil(lambda: len(panel.stage.steps) >= 3, timeout=LONG)
    assert panel.run_bar.cancel.isEnabled()
    qtbot.mouseClick(panel.run_bar.cancel, Qt.MouseButton.LeftButton)
    quiet(qtbot, panel)
    assert "cancelled after" in panel.bar.status() and not panel.run_bar.cancel.isEnabled()
    assert desk_room.store.records() == [] and panel.stage.count == 1


def test_the_queue_runs_one_after_another_and_next_goes_first(qtbot, desk_room):
    panel = desk_room(steps=40)
    for seed, front in ((1, False), (2, False), (3, True)):
        panel.controls.form.set_fields({"seed": seed})
        panel.generate(front=front)
        qtbot.waitUntil(lambda: bool(panel.stage.steps), timeout=LONG)
    qtbot.waitUntil(lambda: panel.run_bar._more.text() == "Queue (2)", timeout=LONG)
    quiet(qtbot, panel)
    records = desk_room.store.records()
    assert [record.request["seed"] for record in reversed(records)] == [1, 3, 2]


def test_draw_instead_cancels_what_runs_and_waits(qtbot, desk_room):
    panel = desk_room(steps=300)
    panel.generate()
    panel.generate()
    qtbot.waitUntil(lambda: len(panel.stage.steps) >= 1, timeout=LONG)
    panel.controls.form.set_fields({"steps": 3, "seed": 9})
    panel.generate(instead=True)
    quiet(qtbot, panel)
    assert [record.request["seed"] for record in desk_room.store.records()] == [9]
    assert panel.shown.request.seed == 9 and len(panel.stage.steps) == 3


def test_live_redraws_with_every_change_and_keeps_nothing_until_asked(qtbot, desk_room):
    panel = desk_room(steps=6)
    panel.run_bar.live.click()
    for scale in (1.0, 2.0, 3.0, 4.5):
        panel.controls.form.set_fields({"guidance_scale": scale})
    drawn(qtbot, panel)
    qtbot.waitUntil(lambda: panel.shown.request.guidance_scale == 4.5 and panel.shown.result is not None, timeout=LONG)
    quiet(qtbot, panel)
    assert desk_room.store.records() == []
    assert panel.bar._keep.isVisible()
    panel.run_bar.live.click()
    panel.bar._keep.click()
    quiet(qtbot, panel)
    records = desk_room.store.records()
    assert [record.request["guidance_scale"] for record in records] == [4.5]
    assert not panel.bar._keep.isVisible() and panel.shown.file_of(0) is not None


def test_a_batch_can_be_looked_at_one_by_one_and_varied(qtbot, desk_room):
    panel = desk_room()
    panel.controls.form.set_fields({"batch": 3})
    panel.generate()
    drawn(qtbot, panel)
    assert panel.stage.count == 3 and panel.stage.grid.isVisible()
    rect = panel.stage.grid.cell_rect(1)
    qtbot.mouseDClick(panel.stage.grid.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert panel.stage.alone == 1 and panel.stage.view.isVisible()
    numbers = panel.insight._step.fact("‖ε(x|∅)‖₂")
    assert numbers == f"{panel.stage.steps[-1].norms[1, 1]:.2f}"
    second = panel.stage.pictures()[1]
    panel.variations()
    qtbot.waitUntil(lambda: panel.stage.count == 9 and panel.shown.result is not None, timeout=LONG)
    assert panel.shown.request.seed == 6 and panel.stage.alone is None
    assert np.abs(panel.stage.pictures()[0].astype(int) - second).max() <= 1
    qtbot.keyClick(panel.stage.grid, Qt.Key.Key_Return)
    assert panel.stage.alone is not None
    qtbot.keyClick(panel.stage.view, Qt.Key.Key_Escape)
    assert panel.stage.alone is None


def test_a_sweep_fills_a_labelled_grid_and_a_cell_gives_its_settings(qtbot, desk_room, tmp_path):
    panel = desk_room(steps=3)
    panel.controls.sweep_section.set_expanded(True)
    panel.controls.sweep.restore([["guidance_scale", "0, 3"], ["sampler", "ddim, ddpm"]])
    qtbot.mouseClick(panel.controls.sweep.button, Qt.MouseButton.LeftButton)
    drawn(qtbot, panel)
    assert panel.stage.is_sweep and panel.stage.count == 4
    assert panel.stage.captions == ("0, DDIM", "3, DDIM", "0, DDPM (ancestral)", "3, DDPM (ancestral)")
    panel.use_settings(3)
    form = panel.controls.form.value()
    assert (form.guidance_scale, form.sampler) == (3.0, "ddpm")
    assert desk_room.store.records()[0].kind == "sweep"
    panel.stage.show_alone(2)
    assert panel.stage.view.isVisible() and panel.stage.current == 2
    assert panel.insight._step.fact("sampler") == "DDPM (ancestral)"
    for place, item in enumerate(panel.exportables()):
        assert panel.context.export.save(item, tmp_path / str(place)).stat().st_size > 0
    panel.variations()
    qtbot.waitUntil(lambda: panel.stage.count == 9 and panel.shown.result is not None, timeout=LONG)
    assert panel.shown.request.sampler == "ddpm"


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"prompt": "a cat and a dragon"}, "“and”, “dragon”"),
        ({"prompt": "  "}, "without any condition"),
        ({"prompt": "a cat on a red background a cat on a red background"}, "reads 8 words"),
        ({"prompt": "a cat"}, ""),
    ],
)
def test_the_prompt_box_says_what_the_model_will_not_take_in(qtbot, desk_room, fields, note):
    panel = desk_room()
    panel.controls.form.set_fields(fields)
    said = panel.controls.form.prompt_field().note()
    assert note in said and bool(note) == bool(said)


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"seed": "many"}, "not a whole number"), ({"seed": -4}, "too small"), ({"prompt": "a " * 5000}, "too many")],
)
def test_settings_that_cannot_be_drawn_are_named(qtbot, desk_room, fields, says):
    panel = desk_room()
    panel.controls.form.set_fields(fields)
    panel.generate()
    assert panel.last_message.level == "error" and says in panel.last_message.text
    assert desk_room.engine.tasks() == []


def test_a_model_that_is_gone_fails_in_the_message_bar_and_the_panel_lives(qtbot, desk_room):
    panel = desk_room()
    panel.controls.form.set_fields({"model": "emoji-gone"})
    panel.generate()
    qtbot.waitUntil(lambda: panel.last_message is not None, timeout=LONG)
    assert "emoji-gone" in panel.last_message.text and panel.last_message.details
    panel.controls.form.set_fields({"model": "tiny"})
    panel.generate()
    drawn(qtbot, panel)
    assert panel.last_message is None


def test_out_of_memory_offers_a_smaller_batch(qtbot, desk_room, monkeypatch):
    from studio_plugins.generate import drawing

    real = drawing.draw

    def hungry(run):
        if run.request.batch > 2:
            raise MemoryError
        return real(run)

    monkeypatch.setattr("studio_plugins.generate.drawing.draw", hungry)
    panel = desk_room()
    panel.controls.form.set_fields({"batch": 4})
    panel.generate()
    qtbot.waitUntil(lambda: panel.last_message is not None and panel.last_message.level == "error", timeout=LONG)
    (label, act), *_ = panel.last_message.actions
    assert "memory" in panel.last_message.text and label == "Draw 2 at once"
    act()
    drawn(qtbot, panel)
    assert panel.stage.count == 2


def test_a_store_that_cannot_be_written_still_shows_the_picture_and_can_try_again(qtbot, desk_room, monkeypatch):
    add = ResultsStore.add

    def refuse(self, *args, **kwargs):
        raise StoreUnwritable(self.root, OSError(28, "No space left on device"))

    monkeypatch.setattr(ResultsStore, "add", refuse)
    panel = desk_room()
    panel.generate()
    drawn(qtbot, panel)
    assert panel.stage.count == 1 and "still here" in panel.last_message.text
    monkeypatch.setattr(ResultsStore, "add", add)
    dict(panel.last_message.actions)["Try again"]()
    quiet(qtbot, panel)
    assert len(desk_room.store.records()) == 1 and panel.shown.file_of(0) is not None


def test_a_picture_gives_back_its_settings_and_those_of_other_tools_are_mapped(qtbot, desk_room, tmp_path):
    panel = desk_room()
    panel.controls.form.set_fields({"batch": 2, "sampler": "ddim", "eta": 0.5})
    panel.generate()
    drawn(qtbot, panel)
    want = panel.shown.request
    panel.controls.form.set_fields({"prompt": "dog", "sampler": "ddpm", "seed": 77, "batch": 1})
    panel.desk.read_settings(panel.shown.file_of(1))
    qtbot.waitUntil(lambda: panel.last_message is not None, timeout=LONG)
    assert panel.controls.form.value() == want and "picture 2 of 2" in panel.last_message.text
    dict(panel.last_message.actions)["Only this one"]()
    assert (panel.controls.form.value().seed, panel.controls.form.value().batch) == (6, 1)

    text = (
        "a red apple\nNegative prompt: blurry\n"
        "Steps: 12, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 123, Size: 512x512, Model: sd15"
    )
    foreign = tmp_path / "foreign.png"
    foreign.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8), None, text))
    panel.message("")
    panel.desk.read_settings(foreign)
    qtbot.waitUntil(lambda: panel.last_message is not None, timeout=LONG)
    form = panel.controls.form.value()
    assert (form.prompt, form.steps, form.sampler) == ("a red apple", 12, "dpmpp_2m")
    assert (form.guidance_scale, form.seed) == (6.5, 123)
    for part in ("AUTOMATIC1111", "blurry", "sd15", "512×512"):
        assert part in panel.last_message.text

    plain = tmp_path / "plain.png"
    plain.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    panel.desk.read_settings(plain)
    qtbot.waitUntil(lambda: "no settings" in panel.last_message.text, timeout=LONG)
    (tmp_path / "broken.png").write_bytes(plain.read_bytes()[:40])
    panel.desk.read_settings(tmp_path / "broken.png")
    qtbot.waitUntil(lambda: panel.last_message.level == "error", timeout=LONG)
    assert panel.controls.form.value() == form


def test_a_session_comes_back_with_its_picture_and_steps(qtbot, desk_room):
    panel = desk_room()
    panel.controls.form.set_fields({"batch": 2})
    panel.controls.sweep.restore([["steps", "2, 3"], ["seed", "1-3"]])
    panel.generate()
    drawn(qtbot, panel)
    quiet(qtbot, panel)
    state = json.loads(json.dumps(panel.state()))
    again = desk_room(state)
    drawn(qtbot, again)
    assert again.controls.form.value() == panel.controls.form.value()
    assert (again.stage.pictures() == panel.stage.pictures()).all() and len(again.stage.steps) == 4
    assert again.controls.sweep.state() == [["steps", "2, 3"], ["seed", "1-3"]]
    assert len(again.insight.norms.data()["‖ε(x|y)‖"][0]) == 4


def test_restoring_a_result_of_the_history_shows_its_picture_and_steps(qtbot, desk_room):
    panel = desk_room()
    panel.generate()
    drawn(qtbot, panel)
    quiet(qtbot, panel)
    first, kept = panel.stage.pictures(), desk_room.store.records()[0]
    panel.controls.form.set_fields({"seed": 40})
    panel.generate()
    quiet(qtbot, panel)
    assert panel.restore_request(kept.kind, kept.request) == []
    quiet(qtbot, panel)
    assert panel.shown.record_id == kept.id and (panel.stage.pictures() == first).all() and len(panel.stage.steps) == 4
    assert panel.controls.form.value().seed == 5


def test_restoring_a_stored_request_names_what_does_not_fit(qtbot, desk_room):
    panel = desk_room()
    stored = {**GenerateRequest(prompt="two cats", model="tiny", seed=3).to_dict(), "steps": 0, "mystery": 1}
    notes = panel.restore_request("generate", stored)
    assert len(notes) == 2 and any("Steps" in note for note in notes) and any("mystery" in note for note in notes)
    assert panel.controls.form.value().prompt == "two cats"
    sweep = SweepRequest.checked(
        base=GenerateRequest(model="tiny"), axes=[{"field": "prompt", "values": ["a cat", "a dog"]}]
    )
    assert panel.restore_request("sweep", sweep.to_dict()) == []
    assert panel.controls.sweep.request(sweep.base) == sweep
    foreign = {"prompt": "a dog", "sampler": "Euler a", "seed": 9, "width": 512, "height": 512}
    notes = panel.restore_request("generate", foreign)
    assert len(notes) == 2 and "Euler a" in notes[0] and "512×512" in notes[1]
    assert (panel.controls.form.value().prompt, panel.controls.form.value().seed) == ("a dog", 9)
    assert "not on this machine" in panel.restore_request("generate", GenerateRequest().to_dict())[0]


def test_everything_offered_for_export_can_be_written(qtbot, desk_room, tmp_path):
    panel = desk_room()
    panel.controls.form.set_fields({"batch": 2})
    panel.generate()
    drawn(qtbot, panel)
    service = panel.context.export
    offered = panel.exportables()
    assert {item.kind for item in offered} == {"image", "animation", "table", "plot", "script"}
    for place, item in enumerate(offered):
        for form in service.formats(item.kind):
            if form.available:
                path = service.save(item, tmp_path / f"{place}{form.suffixes[0]}")
                assert path.stat().st_size > 0
    panel.outlet.copy()
    assert QGuiApplication.clipboard().image().width() == 16
    panel.copy_script()
    assert "load_text2im" in QGuiApplication.clipboard().text()


def test_a_run_that_ended_out_of_sight_is_whole_when_the_panel_shows_again(qtbot, desk_room):
    panel = desk_room()
    panel.hide()
    panel.generate()
    drawn(qtbot, panel)
    quiet(qtbot, panel)
    panel.show()
    assert panel.stage.count == 1 and len(panel.stage.steps) == 4


def test_the_example_of_the_manual_shows_a_whole_run_without_the_engine(qtbot, desk_room, monkeypatch, tmp_path):
    from studio_plugins.generate import demo

    panel = desk_room()
    panel.demo()
    assert panel.controls.form.value() == demo.REQUEST
    monkeypatch.setattr(demo, "REQUEST", GenerateRequest(model="tiny", prompt="a cat", steps=3, batch=2))
    monkeypatch.setattr(demo, "FILE", tmp_path / "demo.npz")
    demo.draw(demo.FILE)
    panel.demo()
    assert panel.stage.count == 2 and len(panel.stage.steps) == 3 and desk_room.engine.tasks() == []
    assert len(panel.insight.norms.data()["‖ε(x|y)‖"][0]) == 3


def test_commands_come_and_go_with_the_panel(qtbot, desk_room):
    panel = desk_room()
    commands = panel.context.commands
    assert commands.search("variations")[0].id == "generate.variations"
    commands.run("generate.run")
    drawn(qtbot, panel)
    panel.closing()
    assert len(commands) == 0


def test_the_panel_imports_no_torch():
    import subprocess
    import sys

    code = "import sys, studio_plugins.generate.panel; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_closing_while_it_draws_ends_cleanly(qtbot, desk_room):
    panel = desk_room(steps=500)
    panel.generate()
    qtbot.waitUntil(lambda: len(panel.stage.steps) >= 1, timeout=LONG)
    panel.closing()
    desk_room.engine.cancel_owner("generate")
    quiet(qtbot, panel)
    assert all(task.state is TaskState.CANCELLED for task in desk_room.engine.tasks())
