"""Token attention of public models: tiny random pipelines are followed, kept, read back and shown in the panel."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.engine import JobContext, Preview, Snapshot, run_inline
from studio.host.results import ResultsStore
from studio.ml.diffusion.attention_maps import View
from studio.ml.diffusion.external.errors import ExternalError
from studio.models import catalog
from studio.models.catalog import EXTERNAL, ModelInfo
from studio.models.library.holding import Holding
from studio.models.shelf import Shelf
from studio_plugins.tokens import tracing
from studio_plugins.tokens.jobs import live, tokens
from studio_plugins.tokens.panel import FOLLOWED
from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.run import TokenRun, _place
from studio_plugins.tokens.script import script
from studio_plugins.tokens.tracing import TooManyMaps

from tests.ml.diffusion.external.tiny import Pipelines


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    return Pipelines(tmp_path_factory.mktemp("pipelines"))


@pytest.fixture
def store(tmp_path):
    store = ResultsStore(tmp_path / "results")
    yield store
    store.close()


def request_of(folder, **changes):
    return TokensRequest(prompt="a red cat", model=str(folder), steps=2, seed=5).replace(**changes)


def run(request, store=None, job=tokens):
    events = []
    context = JobContext(services={"results": store} if store else {})
    return run_inline(job, request, context=context, on_event=events.append), events


@pytest.mark.parametrize(("family", "kind"), [("sd1", "cross"), ("sd3", "joint")])
def test_every_step_comes_with_its_maps_and_the_result_is_kept(store, pipelines, family, kind):
    result, events = run(request_of(pipelines(family)), store)
    snapshots = [event for event in events if isinstance(event, Snapshot)]
    assert [event.name for event in snapshots] == ["plan", "step 0", "step 1"]
    plan = snapshots[0].data
    assert plan.kind == kind and "red" in plan.pieces and plan.total == 2
    assert f"{len(plan.layers)} layers" in plan.badge and plan.badge.startswith(kind.title())
    assert len({*plan.layer_titles}) == len(plan.layers)
    assert len([event for event in events if isinstance(event, Preview)]) == 2
    assert result.request.public and result.provenance["family"]
    kept = TokenRun.read(store.get(result.record_id).files["attention.npz"])
    assert kept.plan == plan
    for step, shown in zip(kept.steps, snapshots[1:], strict=True):
        assert (step.x0 == shown.data.x0).all()
        assert all((a == b).all() for a, b in zip(step.maps.maps, shown.data.maps.maps, strict=True))
    masses = kept.attention.masses(View())
    assert masses.sum() == pytest.approx(1, abs=2e-3) and (masses[-1] > 0.02) == (kind == "joint")


def test_the_scheduler_says_how_many_steps_there_are(pipelines):
    result, events = run(request_of(pipelines("sd1"), scheduler="heun", heads="mean", layers="coarse"), job=live)
    assert result.run.plan.total == len(result.run.steps) == 3  # of second order: two evaluations a step but the last
    assert {layer.heads for layer in result.run.plan.layers} == {1} and "mean of the heads" in result.run.plan.badge


def test_the_script_draws_and_measures_the_same(pipelines, tmp_path, monkeypatch):
    result, _ = run(request_of(pipelines("sd1"), heads="mean"), job=live)
    (tmp_path / "again.py").write_text(script(result.request, result.provenance), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("again.py")
    assert (np.asarray(Image.open(tmp_path / "picture.png")) == result.picture).all()
    assert (np.load(tmp_path / "shares.npz")["shares"] == result.run.attention.shares(View())).all()


def test_maps_that_do_not_fit_are_offered_smaller(pipelines, monkeypatch):
    monkeypatch.setattr(tracing, "MAX_BYTES", 10)
    with pytest.raises(TooManyMaps, match="tokens over 2 steps"):
        run(request_of(pipelines("sd1")), job=live)


def test_what_cannot_be_asked_is_said(pipelines):
    with pytest.raises(ExternalError, match="scheduler"):
        run(request_of(pipelines("sd3"), scheduler="ddim"), job=live)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("input_blocks.3.1", "down 3"), ("middle_block.1", "middle"),
        ("up_blocks.1.attentions.2.transformer_blocks.0.attn2", "up 1.2.0"),
        ("mid_block.attentions.0.transformer_blocks.0.attn2", "middle"),
        ("transformer_blocks.3.attn2", "block 3"), ("single_transformer_blocks.12.attn", "single 12"),
    ],
)  # fmt: skip
def test_layers_are_named_by_where_they_are(name, place):
    assert _place(name) == place


def test_only_models_that_can_be_followed_are_offered(tmp_path, monkeypatch):
    found = [held("one", "sdxl"), held("two", "other"), held("three", "flux", ())]
    monkeypatch.setattr(catalog, "remembered", lambda: found)
    shelf = Shelf(tmp_path, kinds=("text2im", EXTERNAL), families=FOLLOWED)
    shelf.look()
    assert [info.title for info in shelf.models if info.kind == EXTERNAL] == ["one"]
    everything = Shelf(tmp_path, kinds=("text2im", EXTERNAL))
    everything.look()
    assert [info.title for info in everything.models if info.kind == EXTERNAL] == ["one", "two"]


def held(title, family, abilities=("text2im",)):
    return Holding(Path(title), title, "folder", "pipeline", family=family, abilities=abilities)


def test_the_panel_follows_the_words_of_a_public_model(room, pipelines):
    panel = room.open()
    form = panel.controls.form
    assert form.field("scheduler").isHidden() and not form.field("sampler").isHidden()
    folder = pipelines("sd1")
    info = ModelInfo(str(folder), "Tiny", folder, 16, kind=EXTERNAL, family="sd1", abilities=("text2im",))
    panel.controls.set_models([*panel.shelf.models, info])
    form.set_fields({"model": info.id})
    assert form.value().public and not form.field("scheduler").isHidden() and form.field("sampler").isHidden()
    room.draw(panel)
    run = panel.stage.run
    assert run.plan.kind == "cross" and len(run.steps) == 3 and panel.desk.record_id
    assert panel.stage.painted().shape[0] >= 16
    assert panel.insight._step.fact("captured") == run.plan.badge
    form.set_fields({"model": "tiny"})
    assert not form.value().public
