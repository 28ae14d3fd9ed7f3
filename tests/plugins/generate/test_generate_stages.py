"""Guidance and the second stage in the panel: what the form offers, what stage and insight show, what comes back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from studio.host.imagemeta import encode_png
from studio_plugins.generate.request import GenerateRequest

LONG = 60_000
COMPANIONS = {"clip_model": "tiny-clip", "classifier_model": "tiny-classifier"}


def drawn(qtbot, panel):
    qtbot.waitUntil(lambda: panel.shown.result is not None, timeout=LONG)


def quiet(qtbot, panel):
    engine, pump = panel.context.engine, panel.context.window.pump
    qtbot.waitUntil(lambda: engine.wait_idle(0) and pump.watching() == 0, timeout=LONG)


def choices(panel, name):
    box = panel.controls.form.field(name).focus_widget()
    return [(box.itemData(i), box.itemText(i)) for i in range(box.count())]


@pytest.fixture
def panel(desk_room):
    made = desk_room()
    made.controls.form.set_fields(COMPANIONS)
    return made


def test_the_form_offers_the_networks_there_are_and_the_classes_of_the_classifier(panel):
    assert choices(panel, "upsample") == [("off", "Off"), ("tiny-upsample", "64×64 with Tiny random model")]
    panel.controls.form.set_fields({"guidance": "classifier", "prompt": "two dogs"})
    assert choices(panel, "classifier_class")[:2] == [("", "Automatic: dog"), ("cat", "cat")]
    form = panel.controls.form
    assert form.field("classifier_scale").isVisible() and not form.field("guidance_scale").isVisible()
    form.set_fields({"prompt": "on blue"})
    assert "names nothing the classifier knows" in form.field("guidance").note()
    form.set_fields({"guidance": "clip", "clip_model": "gone"})
    assert "There is no CLIP “gone”" in form.field("guidance").note()


def test_unconditional_greys_the_prompt_and_keeps_it(panel):
    form = panel.controls.form
    form.set_fields({"ignore_prompt": True})
    prompt = form.prompt_field()
    assert not prompt.isEnabled() and prompt.value() == "a cat left of a dog" and "kept" in prompt.idle_reason()
    assert form.value().prompt == "a cat left of a dog" and form.value().unconditional
    form.set_fields({"ignore_prompt": False})
    assert prompt.isEnabled() and prompt.idle_reason() == ""


def test_the_timeline_covers_both_stages_with_the_numbers_of_each(qtbot, panel):
    panel.controls.form.set_fields({"guidance": "classifier-free + clip", "upsample": "tiny-upsample"})
    panel.generate()
    drawn(qtbot, panel)
    stage, insight = panel.stage, panel.insight
    assert stage.timeline.count() == 4 + 2 and stage.timeline._strip._breaks == (4,)
    assert stage.pictures().shape == (1, 64, 64, 3) and stage.at_end
    assert list(insight.norms.data()) == ["‖ε(x|y)‖"] and not insight.scores.isVisible()
    assert insight._cost.fact("evaluations") == str(4 * 2 + 2) and insight._cost.fact("gradients") == "4"
    stage.timeline.set_value(3)
    assert stage.pictures().shape == (1, 16, 16, 3)
    assert {"‖CLIP term‖", "‖ε(x|∅)‖"} <= set(insight.norms.data()) and len(insight.scores.data()["f(xₜ)·g(y)"][0]) == 4
    step = stage.steps[3]
    assert insight._step.fact("‖CLIP term‖₂") == f"{step.terms['clip'].norm[0]:.2f}"
    assert f"{float(step.guided[0]):.4g}" in insight._formula.text()
    assert "6 steps" in panel.bar.status()
    stage.timeline.set_value(5)
    assert list(insight.norms.data()) == ["‖ε(x|y)‖"]


def test_a_result_of_two_stages_comes_back_from_the_history_whole(qtbot, panel, desk_room, tmp_path):
    panel.controls.form.set_fields({"guidance": "clip", "upsample": "tiny-upsample", "batch": 2})
    panel.generate()
    drawn(qtbot, panel)
    quiet(qtbot, panel)
    kept, pictures = desk_room.store.records()[0], panel.stage.pictures()
    state = json.loads(json.dumps(panel.state()))
    again = desk_room(state)
    drawn(qtbot, again)
    assert (again.stage.pictures() == pictures).all() and len(again.stage.steps) == 6
    assert again.controls.form.value().upsample == "tiny-upsample"
    again.stage.timeline.set_value(0)
    assert "‖CLIP term‖" in again.insight.norms.data()
    assert again.insight._cost.fact("gradients") == "4" and "2 steps" in again.insight._cost.fact("second stage")
    assert again.restore_request(kept.kind, kept.request) == []
    for place, item in enumerate(again.exportables()):
        assert again.context.export.save(item, tmp_path / str(place)).stat().st_size > 0


def test_another_companion_chosen_by_hand_is_no_replay(qtbot, panel):
    digest = "0" * 64
    made = GenerateRequest(model="tiny", prompt="a cat", guidance="clip", clip_model="tiny-clip", clip_sha256=digest)
    panel.controls.show_request(made)
    assert panel.controls.form.value().clip_sha256 == digest
    panel.controls.form.set_fields({"steps": 9})
    assert panel.controls.form.value().clip_sha256 == digest
    panel.controls.form.set_fields({"clip_model": "another"})
    assert panel.controls.form.value().clip_sha256 == ""


def test_a_negative_prompt_of_another_tool_is_taken_over_with_its_guidance(qtbot, panel, tmp_path):
    panel.controls.form.set_fields({"guidance": "clip", "ignore_prompt": True, "negative_prompt": "a cat"})
    text = "a red apple\nNegative prompt: a blue dog, blurry\nSteps: 12, Sampler: DDIM, CFG scale: 6.5, Seed: 123"
    foreign = tmp_path / "foreign.png"
    foreign.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8), None, text))
    panel.desk.read_settings(foreign)
    qtbot.waitUntil(lambda: panel.last_message is not None, timeout=LONG)
    form = panel.controls.form.value()
    assert (form.negative_prompt, form.guidance, form.ignore_prompt) == ("a blue dog, blurry", "classifier-free", False)
    assert "“blurry”" in panel.last_message.text and "“a blue dog" not in panel.last_message.text
    assert "blurry" in panel.controls.form.prompt_field("negative_prompt").note()


def test_a_stored_request_whose_fields_do_not_go_together_restores_the_rest(panel):
    stored = {**GenerateRequest(model="tiny", prompt="a cat", steps=7).to_dict()}
    stored |= {"guidance_course": "interval", "guidance_start": 0.6, "guidance_stop": 0.4}
    notes = panel.restore_request("generate", stored)
    assert len(notes) == 1 and "Guidance stops" in notes[0]
    assert (panel.controls.form.value().steps, panel.controls.form.value().guidance_start) == (7, 0.6)


def test_switches_and_guidances_vary_in_a_sweep(qtbot, panel):
    panel.controls.sweep.restore([["guidance", "none, classifier-free + clip"], ["ignore_prompt", "off, on"]])
    panel.run_sweep()
    drawn(qtbot, panel)
    assert panel.stage.count == 4
    assert panel.stage.captions == ("None, off", "Classifier-free + CLIP, off", "None, on", "Classifier-free + CLIP, on")
    cells = panel.stage.pictures()
    assert (cells[2] == cells[3]).all(), "without a condition nothing guides"
    panel.use_settings(1)
    assert panel.controls.form.value().guidance == "classifier-free + clip"
    panel.stage.show_alone(1)
    assert panel.insight._step.fact("guidance") == "Classifier-free + CLIP"
