"""The inpainting jobs: what is shown and kept, untouched outside the mask, replayed, cancelled, refused in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from studio.engine import Engine, Log, Metric, Preview, Progress, Snapshot, TaskState
from studio.host.imagemeta import read_metadata
from studio.ml.diffusion.compositing import colour_matched
from studio.ml.diffusion.inpainting import InpaintingError
from studio.ml.diffusion.regions import RegionError
from studio.models.catalog import ModelMissing, ModelUnreadable
from studio_plugins.inpaint.inputs import InpaintInputs, InputsMissing
from studio_plugins.inpaint.jobs import InpaintOrder, inpaint, live, methods, paint, paint_methods
from studio_plugins.inpaint.painters import NotNumbers
from studio_plugins.inpaint.request import InpaintRequest, MethodsRequest
from studio_plugins.inpaint.stored import ResultUnreadable, read_run

from tests.plugins.inpaint.conftest import ANOTHER, INPAINT
from tests.plugins.tiny_models import CLIP, TINY, UPSAMPLER

BASE = InpaintRequest(prompt="a cat", model=INPAINT, steps=4, seed=5, colour_match="off")


pytestmark = pytest.mark.usefixtures("tiny_bundled")


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_every_step_is_shown_in_the_picture_and_the_result_is_kept(run, store, photo):
    result, events = run(BASE.replace(batch=2))
    picture, mask = photo
    side = result.view.region.side
    previews = of_kind(events, Preview)
    assert len(previews) == 4 and previews[0].array.shape == (2, side, side, 3)
    untouched = result.view.composite == 0
    shown = previews[0].array[:, untouched]
    assert (shown == picture[result.view.region.inside(picture.shape)][untouched]).all()
    assert {event.series for event in of_kind(events, Metric)} == {"guidance", "seam"}
    snapshots = [event.name for event in of_kind(events, Snapshot)]
    assert snapshots == ["view", "step 0", "step 1", "step 2", "step 3"]
    assert [event.text for event in of_kind(events, Progress)][-1] == "saving"

    record = store.get(result.record_id)
    names = {"picture-01.png", "picture-02.png", "layer-01.png", "layer-02.png"}
    assert {*record.files} == names | {"input.png", "mask.png", "composite.png", "steps.npz"}
    assert next(iter(record.files)) == "picture-01.png" and record.request == result.request.to_dict()
    for i, name in enumerate(("picture-01.png", "picture-02.png")):
        pixels = np.asarray(Image.open(record.files[name]))
        assert (pixels == result.picture(i, picture)).all() and (pixels != picture).any()
        found = read_metadata(record.files[name])
        assert InpaintRequest.from_json(found.request) == result.request
        assert (found.provenance["picture"], found.provenance["seed"]) == (i, 5 + i)
    assert (np.asarray(Image.open(record.files["mask.png"])) == mask).all()
    assert record.metrics["evaluations"] == 8 and record.metrics["seam jump"] > 0


@pytest.mark.parametrize("mode", ["replace", "refine", "extend", "remove"])
@pytest.mark.parametrize("method", ["trained", "replace_x0", "replace_x_t"])
def test_outside_what_is_pasted_not_a_bit_changes(run, photo, mode, method):
    picture = photo[0]
    request = BASE.replace(mode=mode, method=method, colour_match="membrane", blend=0.2, paste_grow=0.1)
    result, _ = run(request, live)
    after = result.picture(0, picture)
    cover = np.zeros(picture.shape[:2], np.uint8)
    cover[result.view.region.inside(picture.shape)] = result.view.composite[result.view.region.within(picture.shape)]
    assert (after[cover == 0] == picture[cover == 0]).all()
    assert (after[photo[1] > 0] != picture[photo[1] > 0]).mean() > 0.5


def test_a_variant_does_not_depend_on_its_batch(run):
    one, _ = run(BASE.replace(seed=7, sampler="ddpm"), live)
    many, _ = run(BASE.replace(seed=5, batch=4, sampler="ddpm"), live)
    # Batches of other sizes add up in another order, so the last bit of a float may differ, and with it one grey level.
    apart = [np.abs(one.filled.patches[0].astype(int) - patch).max() for patch in many.filled.patches]
    assert apart[2] <= 1 < min(apart[:2])


def test_a_stored_request_is_replayed_bit_for_bit_from_the_store_alone(run, store):
    first, _ = run(BASE.replace(batch=2))
    again, events = run(InpaintRequest.from_json(store.get(first.record_id).request), inpaint)
    assert (first.filled.patches == again.filled.patches).all() and not of_kind(events, Log)
    before, after = store.get(first.record_id), store.get(again.record_id)
    for name in ("picture-01.png", "layer-02.png", "composite.png"):
        assert (np.asarray(Image.open(before.files[name])) == np.asarray(Image.open(after.files[name]))).all()


def test_files_serve_as_inputs_and_a_changed_one_is_told(run, photo, tmp_path):
    for name, pixels in zip(("photo.png", "mask.png"), photo, strict=True):
        Image.fromarray(pixels).save(tmp_path / name)
    request = BASE.replace(picture=str(tmp_path / "photo.png"), mask=str(tmp_path / "mask.png"))
    result, _ = run(request, inpaint, kept=False)
    assert "store" in result.problem and result.record_id is None
    expected, _ = run(BASE, live)
    assert (result.filled.patches == expected.filled.patches).all()
    Image.fromarray(255 - photo[0]).save(tmp_path / "photo.png")
    _, events = run(result.request, inpaint, kept=False)
    assert "is not the picture these settings were made with" in of_kind(events, Log)[0].text


def test_inputs_that_are_nowhere_are_named(run, tmp_path):
    with pytest.raises(InputsMissing, match="no picture to change"):
        run(BASE, inpaint)
    with pytest.raises(InputsMissing, match="“/gone.png” is not there"):
        run(BASE.replace(picture="/gone.png"), inpaint)
    with pytest.raises(InputsMissing, match="no result on this machine holds it"):
        run(BASE.replace(picture_sha256="0" * 64), inpaint)
    Image.new("RGB", (20, 20)).save(tmp_path / "p.png")
    with pytest.raises(InputsMissing, match="name the file of a mask"):
        run(BASE.replace(picture=str(tmp_path / "p.png")), inpaint)


def test_a_stored_run_reads_back_as_it_was(run, store):
    result, _ = run(BASE.replace(batch=2, mode="refine"))
    stored = read_run(store, result.record_id)
    again = stored.result
    assert again.request == result.request and (again.filled.patches == result.filled.patches).all()
    for name in ("picture", "drawn", "soft", "ring", "composite"):
        assert (getattr(again.view, name) == getattr(result.view, name)).all()
    assert again.view.region == result.view.region
    assert [seam.jump for seam in again.filled.seams] == [seam.jump for seam in result.filled.seams]
    assert len(again.filled.steps) == len(result.filled.steps) == 3
    assert all((a.x0 == b.x0).all() for a, b in zip(again.filled.steps, result.filled.steps, strict=True))
    (store.get(result.record_id).folder / "steps.npz").write_bytes(b"PK\3\4 cut off")
    with pytest.raises(ResultUnreadable, match="steps.npz is damaged"):
        read_run(store, result.record_id)
    (store.get(result.record_id).folder / "mask.png").unlink()
    with pytest.raises(ResultUnreadable, match=r"mask\.png"):
        read_run(store, result.record_id)


def test_refining_starts_from_what_is_there_and_from_paint(run, photo):
    picture, mask = photo
    hints = np.zeros((40, 50, 4), np.uint8)
    hints[20:24, 30:36] = 255, 0, 0, 255
    plain, _ = run(BASE.replace(mode="refine", strength=0.5), live)
    assert plain.filled.cost.steps == 2
    painted, _ = run(BASE.replace(mode="refine", strength=0.5), live, InpaintInputs(picture, mask, hints))
    selection = InpaintInputs(picture, mask, hints).selection("refine")
    assert (selection == np.maximum(mask, hints[..., 3])).all()
    rows, columns = painted.view.region.inside(picture.shape)
    assert (painted.view.composite[selection[rows, columns] == 255] == 255).all()
    assert (painted.view.picture != painted.view.truth).any()
    ignored, _ = run(BASE, live, InpaintInputs(picture, mask, hints))
    assert (ignored.view.picture == ignored.view.truth).all()


def test_extending_draws_what_is_transparent(run, photo):
    rgba = np.dstack([photo[0], np.full((40, 50), 255, np.uint8)])
    rgba[:, 42:] = 0
    result, _ = run(BASE.replace(mode="extend"), live, InpaintInputs(rgba, np.zeros((40, 50), np.uint8)))
    after = result.picture(0, rgba)
    assert (after[:, 42:, 3] == 255).all() and (after[:, :30] == rgba[:, :30]).all()


def test_a_second_stage_enlarges_what_was_drawn(run, photo):
    result, events = run(BASE.replace(upsample=UPSAMPLER, batch=2))
    assert result.filled.patches.shape == (2, 64, 64, 3) and result.view.size == 16
    assert result.request.upsampler_sha256 and result.view.region.size == 64
    assert [event.done for event in of_kind(events, Progress)][:-1] == [0, 1, 2, 3, 4, 5, 6]
    assert {step.stage for step in result.filled.steps} == {"base", "upsample"}


def test_all_methods_draw_the_same_hole_from_the_same_noise(run, store, photo):
    request = MethodsRequest.checked(**BASE.to_dict())
    result, events = run(request, paint_methods)
    assert [*result.filled] == ["trained", "replace_x0", "replace_x_t"]
    assert {event.series for event in of_kind(events, Metric)} >= {"trained: seam", "replace_x_t: guidance"}
    for method, filled in result.filled.items():
        single, _ = run(BASE.replace(method=method), live)
        assert (single.filled.patches == filled.patches).all()
        assert filled.seams[0].error > 0 and filled.seams[0].map.any()
    record = store.get(result.record_id)
    assert {"picture-trained.png", "picture-replace_x0.png", "layer-replace_x_t.png", "steps.npz"} < {*record.files}
    assert record.metrics["trained seam error"] == pytest.approx(result.filled["trained"].seams[0].error, abs=1e-3)
    again = read_run(store, result.record_id).result
    assert all((again.filled[name].patches == filled.patches).all() for name, filled in result.filled.items())
    assert (run(again.request, methods)[0].filled["replace_x0"].patches == result.filled["replace_x0"].patches).all()


def test_a_model_that_knows_text_alone_inpaints_by_replacement(run):
    with pytest.raises(InpaintingError, match="not trained to inpaint; use replace_x0"):
        run(BASE.replace(model=TINY), live)
    result, _ = run(MethodsRequest.checked(**BASE.to_dict() | {"model": TINY}), paint_methods)
    assert [*result.filled] == ["replace_x0", "replace_x_t"]


def test_removing_draws_without_a_prompt_and_without_guidance(run):
    result, events = run(BASE.replace(mode="remove"), live)
    empty, _ = run(BASE.replace(prompt=""), live)
    assert (result.filled.patches == empty.filled.patches).all() and result.filled.cost.evaluations == 4
    assert {event.series for event in of_kind(events, Metric)} == {"seam"}


@pytest.mark.parametrize("how", ["shift", "membrane"])
def test_what_is_pasted_and_enlarged_has_its_colours_matched(run, how):
    plain, _ = run(BASE.replace(grow=0.4), live)
    matched, _ = run(BASE.replace(grow=0.4, colour_match=how), live)
    view = plain.view
    expected = colour_matched(plain.filled.patches[0], view.truth, view.drawn, view.ring, how)
    assert (matched.filled.patches[0] == expected).all() and (expected != plain.filled.patches[0]).any()


def test_other_weights_than_then_are_told(run):
    result, _ = run(BASE, live)
    _, events = run(result.request.replace(model=ANOTHER), live)
    assert "are not those these settings were made with" in of_kind(events, Log)[0].text


def test_a_selection_of_everything_is_drawn_with_a_warning(run, photo):
    _, events = run(BASE, live, InpaintInputs(photo[0], np.full((40, 50), 255, np.uint8)))
    assert "Everything the model would see is selected" in of_kind(events, Log)[0].text


def test_a_picture_of_one_pixel_is_changed(run):
    one = np.zeros((1, 1, 3), np.uint8), np.full((1, 1), 255, np.uint8)
    result, _ = run(BASE, live, InpaintInputs(*one))
    assert result.picture(0, one[0]).shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (lambda p, m: InpaintInputs(p, m * 0), "Nothing is selected"),
        (lambda p, m: InpaintInputs(p, m[:-1]), "mask is 50 × 39 pixels and the picture 50 × 40"),
        (lambda p, m: InpaintInputs(p.astype(np.float32), m), "must hold bytes"),
    ],
)
def test_pixels_that_do_not_go_together_are_refused(run, photo, inputs, message):
    with pytest.raises(RegionError, match=message):
        run(BASE, live, inputs(*photo))


def test_models_of_other_kinds_are_refused_with_what_would_do(run):
    with pytest.raises(ModelUnreadable, match=f"of the kind “clip”.*{INPAINT}"):
        run(BASE.replace(model=CLIP), live)
    with pytest.raises(ModelMissing, match="There is no model “nowhere”"):
        run(BASE.replace(model="nowhere"), live)


def test_weights_that_are_no_numbers_are_told(run, inpaint_models, tmp_path):
    import shutil

    import torch
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(inpaint_models / INPAINT, tmp_path / "broken")
    weights = load_file(folder / "model.safetensors")
    broken = {name: torch.full_like(value, torch.nan) for name, value in weights.items()}
    save_file(broken, folder / "model.safetensors")
    with pytest.raises(NotNumbers, match="no numbers. Choose 32 bits"):
        run(BASE.replace(model=str(folder)), live)


def test_cancelling_stops_at_the_step_and_keeps_nothing(store, photo):
    engine = Engine(device="cpu", services={"results": store})
    engine.start()
    try:
        order = InpaintOrder(BASE.replace(steps=900), InpaintInputs(*photo))
        task = engine.submit(paint, order, title="inpaint", owner="test")
        while task.progress is None or task.progress.done < 2:
            assert not task.wait(0.01)
        task.cancel()
        assert task.wait(10) and task.state is TaskState.CANCELLED
        assert task.progress.done < 800 and store.count() == 0
    finally:
        engine.close()


def test_a_full_disk_loses_nothing(run, monkeypatch, store):
    from studio.host.results import StoreUnwritable

    def full(*arguments, **options):
        raise StoreUnwritable(store.root, OSError(28, "No space left on device"))

    monkeypatch.setattr(store, "add", full)
    result, _ = run(BASE)
    assert "disk is full" in result.problem and len(result) == 1


def test_a_step_kept_of_many_stays_within_bounds(run, monkeypatch):
    from studio_plugins.inpaint import results

    monkeypatch.setattr(results, "MAX_STEPS_BYTES", 4 * 16 * 16 * 3)
    result, _ = run(BASE.replace(steps=8), live)
    assert [step.done for step in result.filled.steps] == [1, 5, 8]


def test_inputs_without_meaning_are_left_out(photo):
    opaque = np.dstack([photo[0], np.full((40, 50), 255, np.uint8)])
    inputs = InpaintInputs(opaque, photo[1], np.zeros((40, 50, 4), np.uint8))
    assert inputs.hints is None and inputs.picture.shape == (40, 50, 3)
    assert inputs.digests() == InpaintInputs(*photo).digests()
    assert replace(inputs, mask=photo[1] // 2).digests() != inputs.digests()
