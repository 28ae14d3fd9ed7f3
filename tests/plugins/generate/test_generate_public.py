"""Generate with public models: tiny random pipelines draw, are kept, replayed, swept and chosen in the panel."""

from __future__ import annotations

import runpy
import threading

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from studio.engine import JobContext, Log, Offload, Preview, Snapshot, run_inline
from studio.host.imagemeta import read_metadata
from studio.host.results import ResultsStore
from studio.ml.diffusion.external.errors import DeviceFull, ExternalError, Offer
from studio.ml.diffusion.external.model import THREAD, ExternalModel
from studio.models.catalog import EXTERNAL, ModelUnreadable
from studio.models.external import scheduler_choices
from studio_plugins.generate.jobs import generate, live
from studio_plugins.generate.keeping import parameters_text
from studio_plugins.generate.public_drawing import asked
from studio_plugins.generate.quick import load_run, open_place
from studio_plugins.generate.remedies import remedies
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.script import script
from studio_plugins.generate.sweep import sweep
from studio_plugins.generate.sweep_request import SweepAxis, SweepRequest

from tests.ml.diffusion.external.tiny import Pipelines
from tests.plugins.tiny_models import TINY


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    return Pipelines(tmp_path_factory.mktemp("pipelines"))


@pytest.fixture
def store(tmp_path):
    store = ResultsStore(tmp_path / "results")
    yield store
    store.close()


def request_of(folder, **changes):
    return GenerateRequest(prompt="a red cat", model=str(folder), steps=3, seed=4).replace(**changes)


def run(request, store=None, job=generate):
    events = []
    context = JobContext(services={"results": store} if store else {})
    return run_inline(job, request, context=context, on_event=events.append), events


@pytest.mark.parametrize("family", ["sd1", "flux"])
def test_every_step_is_shown_and_the_result_is_kept(store, pipelines, family):
    request = request_of(pipelines(family), batch=2, width=16, height=16)
    result, events = run(request, store)
    assert result.pictures.shape == (2, 16, 16, 3) and result.request.public and result.small is None
    previews = [event.array for event in events if isinstance(event, Preview)]
    assert len(previews) == 4 and (previews[-1] == result.pictures).all()  # three steps and the decoded pictures
    steps = [event.data for event in events if isinstance(event, Snapshot)]
    assert [step.index for step in steps] == [0, 1, 2] and (steps[1].x0 == previews[1]).all()
    assert result.cost.steps == 3 and result.cost.evaluations == (6 if family == "sd1" else 3)

    alone, _ = run(request.replace(batch=1, seed=5), job=live)
    assert np.abs(alone.pictures[0].astype(int) - result.pictures[1]).max() <= 1

    record = store.get(result.record_id)
    found = read_metadata(record.files["picture-02.png"])
    assert GenerateRequest.from_json(found.request) == result.request and found.provenance["seed"] == 5
    assert record.provenance["family"] and "x_t" not in record.provenance
    stored = run_inline(load_run, result.record_id, context=JobContext(services={"results": store}))
    assert (stored.pictures == result.pictures).all()
    for kept, step in zip(stored.steps.steps, steps, strict=True):
        assert kept.x_t is None and np.isnan(kept.alpha_bar) and kept.numbers() == {} and (kept.x0 == step.x0).all()


def test_the_request_reaches_the_pipeline_in_its_own_words(tmp_path):
    request = request_of("x", public=True, negative_prompt="a dog", width=24, scheduler="euler", batch=2)
    order = asked(request.replace(loras=(f"{tmp_path / 'a.safetensors'} : 0.5",)))
    assert (order.prompt, order.negative, order.seeds, order.scale) == ("a red cat", "a dog", (4, 5), 3.0)
    assert (order.width, order.height, order.scheduler) == (24, None, "euler")
    assert [(lora.file.name, lora.weight) for lora in order.loras] == [("a.safetensors", 0.5)]
    plain = asked(request.replace(guidance="none"))
    assert (plain.scale, plain.negative) == (1.0, "")
    assert asked(request.replace(ignore_prompt=True)).prompt == ""
    assert asked(request.replace(guidance="clip")).scale == 1.0  # guidance it does not know does not act


def test_size_and_scheduler_decide_the_picture(pipelines, tmp_path):
    request = request_of(pipelines("sd1"), width=24, height=16)
    wide, _ = run(request, job=live)
    assert wide.pictures.shape == (1, 16, 24, 3)
    other, _ = run(request.replace(scheduler="euler"), job=live)
    assert (other.pictures != wide.pictures).any()
    text = parameters_text(wide.request.replace(scheduler="euler"), (24, 16))
    assert "Sampler: Euler" in text and "Size: 24x16" in text


def test_the_script_makes_the_same_pictures(pipelines, tmp_path, monkeypatch):
    result, _ = run(request_of(pipelines("sd1"), batch=2, scheduler="ddim", negative_prompt="a dog"), job=live)
    (tmp_path / "again.py").write_text(script(result.request, result.provenance), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("again.py")
    for seed, picture in zip((4, 5), result.pictures, strict=True):
        assert (np.asarray(Image.open(tmp_path / "pictures" / f"{seed}.png")) == picture).all()


def test_a_grid_may_mix_public_models_and_ours(store, bundled, pipelines):
    base = request_of(pipelines("sd1"), width=24, height=16)
    axis = SweepAxis(field="model", values=(str(pipelines("sd1")), TINY))
    result, _ = run(SweepRequest(base=base.replace(prompt="a cat"), axes=(axis,)), store, sweep)
    assert result.cells.shape == (2, 16, 24, 3) and result.record_id
    assert result.cost.evaluations == 12 and (result.cells[1][:, :4] == 128).all()  # 16 x 16, centred on grey


def test_guidance_it_does_not_know_is_said_and_left_out(pipelines):
    result, events = run(request_of(pipelines("sd1"), guidance="clip"), job=live)
    assert any(isinstance(event, Log) and "classifier-free" in event.text for event in events)
    assert result.request.kinds == () and result.cost.evaluations == 3


def test_a_size_it_cannot_draw_is_offered_as_one_it_can(pipelines):
    events = []
    request = request_of(pipelines("pixart"), width=18)
    with pytest.raises(ExternalError, match="multiples"):
        run_inline(live, request, on_event=events.append)
    (offers,) = [event.data for event in events if isinstance(event, Snapshot) and event.name == "offers"]
    ((text, other),) = remedies(request, offers, "ExternalError")
    assert other.width % 4 == 0 and other.height == 16 and str(other.width) in text


def test_offers_become_requests():
    request = request_of("x", batch=4)
    offers = [
        Offer("Use half precision", {"dtype": "float16"}), Offer("Off-load", {"offload": "model"}),
        Offer("One at a time", {"seeds": (4,)}), Offer("Too large", {"width": 10**6}),
    ]  # fmt: skip
    found = dict(remedies(request, offers, "out_of_memory"))
    assert found["Use half precision"].precision == "float16" and found["Off-load"].offload == "model"
    assert found["One at a time"].batch == 1 and "Too large" not in found
    assert [other.batch for _, other in remedies(request, (), "out_of_memory")] == [2]


def test_cancelling_stops_the_pipeline(pipelines):
    running = threads()
    context = JobContext()
    job = live(request_of(pipelines("sd1"), steps=500), context)
    events = drive(job, until=Preview)
    assert THREAD in threads() - running
    job.close()
    assert events and THREAD not in threads() - running


def threads():
    return {thread.name for thread in threading.enumerate()}


def drive(job, until):
    """The events of a job until the first of a kind; what it off-loads is done at once."""
    events, answer = [], None
    while not any(isinstance(event, until) for event in events):
        event = job.send(answer)
        answer = event.fn(*event.args) if isinstance(event, Offload) else None
        events.append(event)
    return events


def test_public_models_are_opened_by_hand(pipelines, tmp_path):
    info = run_inline(open_place, pipelines("sd1") / "model_index.json")
    assert (info.kind, info.family, info.folder) == (EXTERNAL, "sd1", pipelines("sd1"))
    with pytest.raises(ModelUnreadable, match="prompt"):
        run_inline(open_place, pipelines("sd1-inpaint"))
    assert [name for name, _ in scheduler_choices(info)][:2] == ["default", "ddim"]


def test_the_panel_draws_with_a_model_that_was_opened(desk_room, qtbot, pipelines):
    panel = desk_room()
    form = panel.controls.form
    form.set_fields({"guidance": "clip"})
    assert form.field("scheduler").isHidden() and not form.field("upsample").idle_reason()
    panel.opening.open(pipelines("sd1"))
    qtbot.waitUntil(lambda: panel.controls.model is not None and panel.controls.model.kind == EXTERNAL, timeout=20_000)
    request = form.value()
    assert request.public and request.guidance == "classifier-free"
    assert not form.field("scheduler").isHidden() and form.field("sampler").isHidden()
    assert form.field("upsample").idle_reason()
    qtbot.mouseClick(panel.zones.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.shown.record_id is not None, timeout=30_000)
    assert panel.stage.final.shape == (1, 16, 16, 3) and len(panel.stage.steps) == 4
    assert not panel.bar._noisy.isEnabled() and panel.stage.at_end
    names = [each.name for each in panel.exportables()]
    assert "animation of the steps" in names and "norms per step" not in names
    assert panel.insight.norms.isHidden()
    desk_room.quiet()
    state = panel.state()
    again = desk_room(state)
    desk_room.quiet()
    assert again.controls.model is not None and again.controls.model.kind == EXTERNAL
    assert (again.stage.final == panel.stage.final).all()
    again.controls.form.set_fields({"model": TINY})
    assert not again.controls.form.value().public and again.controls.form.field("scheduler").isHidden()


def test_what_would_help_is_a_button(desk_room, qtbot, pipelines, monkeypatch):
    def full(self, asked, **_):
        raise DeviceFull("There is too little memory.", [Offer("Decode in tiles", {"tiling": True})])

    monkeypatch.setattr(ExternalModel, "sample", full)
    panel = desk_room()
    said = []
    panel.desk.said.connect(lambda *words: said.append(words))
    panel.desk.generate(request_of(pipelines("sd1")))
    qtbot.waitUntil(lambda: any(words[3] for words in said), timeout=30_000)
    actions = dict(next(words[3] for words in said if words[3]))
    drawn = []
    monkeypatch.setattr(panel.desk, "submit", lambda job, request, *_, **__: drawn.append(request))
    actions["Decode in tiles"]()
    assert drawn[0].tiling and drawn[0].prompt == "a red cat"
    desk_room.quiet()
