"""Public checkpoints as painters: tiny random pipelines fill a hole of a photo, step by step, untouched outside."""

from __future__ import annotations

import runpy

import numpy as np
import pytest
from PIL import Image
from studio.engine import JobContext, Preview, Snapshot, run_inline
from studio.models.external import is_external, open_external
from studio.models.external import lora_of
from studio_plugins.inpaint.external_painter import ExternalPainter
from studio_plugins.inpaint.inputs import InpaintInputs
from studio_plugins.inpaint.jobs import inpaint, live
from studio_plugins.inpaint.request import InpaintRequest
from studio_plugins.inpaint.script import script
from studio_plugins.inpaint.seeing import SeeOrder, view_of
from studio_plugins.inpaint.stored import read_run

from tests.ml.diffusion.external.tiny import Pipelines
from tests.plugins.inpaint.conftest import INPAINT


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    return Pipelines(tmp_path_factory.mktemp("pipelines"))


def request_of(folder, **changes):
    return InpaintRequest(prompt="a cat", model=str(folder), steps=3, seed=4).replace(**changes)


@pytest.mark.parametrize("family", ["sd1", "sd1-inpaint"])
def test_a_hole_is_filled_and_nothing_else_touched(run, store, photo, pipelines, family):
    picture, mask = photo
    result, events = run(request_of(pipelines(family), batch=2))
    steps = [event for event in events if isinstance(event, Snapshot)]
    assert [event.name for event in steps][0] == "view" and len(steps) == 5  # three steps, then the decoded pictures
    assert [event for event in events if isinstance(event, Preview)][-1].array.shape[0] == 2
    region, composite = result.view.region, result.view.composite
    cover = np.zeros(mask.shape, np.uint8)
    cover[region.inside(mask.shape)] = composite[region.within(mask.shape)]
    for i in range(2):
        after = result.picture(i, picture)
        assert (after[cover == 0] == picture[cover == 0]).all() and (after[mask > 0] != picture[mask > 0]).mean() > 0.5
    assert (result.filled.patches[0] != result.filled.patches[1]).any()
    again, _ = run(InpaintRequest.from_json(store.get(result.record_id).request), inpaint)
    assert (again.filled.patches == result.filled.patches).all()
    assert (read_run(store, result.record_id).result.filled.patches == result.filled.patches).all()
    assert store.get(result.record_id).provenance["family"] == "Stable Diffusion 1.x"


def test_what_is_asked_is_what_the_view_shows(pipelines, photo):
    painter = ExternalPainter(run_inline(lambda r, c: (yield from open_external(str(pipelines("sd1")), c)), None))
    hints = np.zeros((40, 50, 4), np.uint8)
    hints[20:24, 30:36] = 255, 0, 0, 255
    request = request_of("x", mode="refine", strength=0.4, scheduler="ddim", negative_prompt="a dog", batch=2)
    view = view_of(SeeOrder(request, InpaintInputs(*photo, hints), painter.size))
    asked = painter.asked(view, request)
    assert (asked.image == view.picture).all() and (asked.mask == view.soft).all() and asked.width == painter.size
    assert (asked.strength, asked.seeds, asked.negative, asked.scheduler) == (0.4, (4, 5), "a dog", "ddim")
    assert painter.asked(view, request.replace(mode="replace")).strength == 1.0
    assert painter.asked(view, request.replace(mode="remove")).prompt == ""


def test_the_script_makes_the_same_picture(run, store, photo, pipelines, tmp_path, monkeypatch):
    result, _ = run(request_of(pipelines("sd1"), colour_match="shift", mode="refine"))
    text = script(result.request, result.provenance, store.get(result.record_id).files)
    (tmp_path / "again.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("again.py")
    assert (np.asarray(Image.open(tmp_path / "pictures" / "4.png")) == result.picture(0, photo[0])).all()


def test_the_same_model_is_opened_once(pipelines):
    context = JobContext()

    def job(request, ctx):
        return (yield from open_external(request, ctx))

    first = run_inline(job, str(pipelines("sd1")), context=context)
    assert run_inline(job, str(pipelines("sd1")), context=context) is first


def test_pipelines_are_told_from_the_studio_s_own_models(pipelines, inpaint_models, tmp_path):
    assert is_external(str(pipelines("sd1")))
    assert not is_external(str(inpaint_models / INPAINT)) and not is_external("emoji-inpaint")
    assert not is_external(str(inpaint_models / INPAINT / "model.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes(b"\0\0")
    assert not is_external(str(tmp_path / "cut.safetensors"))


def test_a_folder_that_cannot_be_opened_says_why(run, tmp_path):
    from studio.ml.diffusion.external.errors import ExternalError

    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "model_index.json").write_text("{")
    with pytest.raises(ExternalError, match="half"):
        run(request_of(tmp_path / "half"), live)


@pytest.mark.parametrize(
    ("text", "file", "weight"),
    [("a b.safetensors", "a b.safetensors", 1.0), ("x.st : 0.5", "x.st", 0.5), ("C: : x", "C: : x", 1.0)],
)
def test_adapters_are_named_with_a_weight_or_without(text, file, weight):
    found = lora_of(text)
    assert (str(found.file), found.weight) == (file, weight)
