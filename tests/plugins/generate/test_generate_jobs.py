from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from studio.engine import (
    Engine, JobContext, Log, Metric, Preview, Progress, Snapshot, TaskState, run_inline,
)  # fmt: skip
from studio.host.imagemeta import read_metadata
from studio.host.results import ResultsStore
from studio.models.catalog import ModelMissing, ModelUnreadable
from studio_plugins.generate.jobs import generate
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.script import script
from studio_plugins.generate.sweep import cell_request, sweep
from studio_plugins.generate.sweep_request import SweepRequest
from studio_plugins.generate.trajectory import Trajectory

BASE = GenerateRequest(prompt="a cat left of a dog", model="tiny", steps=4, seed=5)


@pytest.fixture(autouse=True)
def _tiny(bundled):
    return bundled


@pytest.fixture
def store(tmp_path):
    store = ResultsStore(tmp_path / "results")
    yield store
    store.close()


def run(request, store=None, job=generate):
    events = []
    context = JobContext(services={"results": store} if store else {})
    return run_inline(job, request, context=context, on_event=events.append), events


def test_every_step_is_shown_and_the_result_is_kept(store):
    result, events = run(BASE.replace(batch=2), store)
    previews = [event for event in events if isinstance(event, Preview)]
    assert len(previews) == BASE.steps and previews[0].array.shape == (2, 16, 16, 3)
    assert (previews[-1].array == result.pictures).all()
    steps = [event.data for event in events if isinstance(event, Snapshot)]
    assert [step.index for step in steps] == [0, 1, 2, 3]
    assert [step.t for step in steps] == sorted((step.t for step in steps), reverse=True)
    series = {event.series for event in events if isinstance(event, Metric)}
    assert series == {"cond", "uncond", "difference", "cosine", "seconds"}
    assert [event.text for event in events if isinstance(event, Progress)][-1] == "saving"

    record = store.get(result.record_id)
    assert sorted(record.files) == ["picture-01.png", "picture-02.png", "steps.npz"]
    assert record.request == result.request.to_dict() and record.thumbnail is not None
    for i, name in enumerate(("picture-01.png", "picture-02.png")):
        assert (np.asarray(Image.open(record.files[name])) == result.pictures[i]).all()
        found = read_metadata(record.files[name])
        assert GenerateRequest.from_json(found.request) == result.request
        assert (found.provenance["picture"], found.provenance["seed"]) == (i, 5 + i)
        assert f"Seed: {5 + i}" in found.texts["parameters"]


def test_the_norms_are_those_of_the_network(store):
    """Against the network evaluated by hand at the first step."""
    import torch
    from studio.ml.diffusion.glide import load_text2im
    from studio.ml.diffusion.noise import NoiseSource
    from studio.models.catalog import locate

    result, _ = run(BASE, store)
    first = Trajectory.read(store.get(result.record_id).files["steps.npz"]).steps[0]
    model = load_text2im(locate("tiny"))
    x = NoiseSource(5, [0]).initial((3, 16, 16))
    t = torch.tensor([first.t])
    with torch.no_grad():
        cond = model.net(x, t, model.encode([BASE.prompt]))[:, :3].flatten()
        uncond = model.net(x, t, model.encode([""]))[:, :3].flatten()
    wanted = [
        cond.norm(), uncond.norm(), (cond - uncond).norm(), torch.nn.functional.cosine_similarity(cond, uncond, dim=0)
    ]  # fmt: skip
    assert np.allclose(first.norms[:, 0], [float(value) for value in wanted], rtol=1e-4)
    assert np.abs(first.x_t[0] - x[0].permute(1, 2, 0).numpy()).max() < 2e-3


def test_the_steps_kept_read_back_and_end_in_the_picture(store):
    result, events = run(BASE, store)
    steps = Trajectory.read(store.get(result.record_id).files["steps.npz"]).steps
    live = [event.data for event in events if isinstance(event, Snapshot)]
    assert len(steps) == len(live) == 4
    for kept, shown in zip(steps, live, strict=True):
        assert (kept.x0 == shown.x0).all() and (kept.x_t == shown.x_t).all() and (kept.norms == shown.norms).all()
        assert (kept.index, kept.total, kept.t, kept.alpha_bar) == (shown.index, 4, shown.t, shown.alpha_bar)
    assert (steps[-1].x0 == result.pictures).all()
    assert steps[0].noisy.std() > 20


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddim", "ddpm"])
def test_a_seed_gives_the_same_picture_in_any_batch(sampler):
    one, _ = run(BASE.replace(sampler=sampler, eta=0.5, seed=7))
    many, _ = run(BASE.replace(sampler=sampler, eta=0.5, seed=5, batch=4))
    # Batches of other sizes add up in another order, so the last bit of a float may differ, and with it one grey level.
    assert np.abs(one.pictures[0].astype(int) - many.pictures[2]).max() <= 1
    assert np.abs(one.pictures[0].astype(int) - many.pictures[1]).max() > 1


def test_the_same_request_twice_is_the_same_picture_bit_for_bit():
    first, _ = run(BASE.replace(batch=2))
    again, _ = run(first.request)
    assert (first.pictures == again.pictures).all()


def test_without_a_prompt_only_the_unconditional_branch_runs(store):
    result, events = run(BASE.replace(prompt=" "), store)
    assert {event.series for event in events if isinstance(event, Metric)} == {"uncond", "seconds"}
    assert result.evaluations == BASE.steps
    assert store.get(result.record_id).title == "without a prompt"


def test_a_replay_with_other_weights_says_so():
    _, events = run(BASE.replace(model_sha256="0" * 64))
    warnings = [event for event in events if isinstance(event, Log)]
    assert len(warnings) == 1 and warnings[0].level == "warning" and "differ" in warnings[0].text


def test_a_result_that_cannot_be_saved_comes_back_whole(tmp_path):
    store = ResultsStore(tmp_path / "results")
    shutil.rmtree(tmp_path / "results" / "tmp")
    (tmp_path / "results" / "tmp").write_text("in the way")
    result, _ = run(BASE, store)
    assert result.record_id is None and result.problem
    assert result.pictures.shape == (1, 16, 16, 3) and result.steps is not None and len(result.steps.steps) == 4
    store.close()


def test_missing_and_damaged_models_fail_in_words(tmp_path, _tiny):
    with pytest.raises(ModelMissing, match="no model “nowhere”.*“tiny”"):
        run(BASE.replace(model="nowhere"))
    folder = shutil.copytree(_tiny / "tiny", tmp_path / "tiny")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(ValueError, match="damaged"):
        run(BASE.replace(model=str(folder)))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelUnreadable, match="missing"):
        run(BASE.replace(model=str(folder)))


def test_cancelling_mid_way_leaves_nothing_behind(store):
    engine = Engine(device="cpu", services={"results": store})
    task = engine.submit(generate, BASE.replace(steps=200))
    while task.progress is None or task.progress.done < 3:
        engine.step()
        task.wait(0.005)
    assert task.cancel()
    engine.close()
    assert task.state is TaskState.CANCELLED and task.progress.done < 10
    assert store.records() == []


def test_a_sweep_draws_each_cell_as_a_run_of_its_own_would(store):
    request = SweepRequest.checked(
        base=BASE,
        axes=[{"field": "guidance_scale", "values": [0, 4]}, {"field": "steps", "values": [3, 5]}],
    )
    result, events = run(request, store, sweep)
    assert result.cells.shape == (4, 16, 16, 3)
    for i in range(4):
        alone, _ = run(cell_request(request, i))
        assert (alone.pictures[0] == result.cells[i]).all()
    assert [event.total for event in events if isinstance(event, Progress)][0] == 16
    record = store.get(result.record_id)
    assert sorted(record.files) == [
        "cell-01-01.png", "cell-01-02.png", "cell-02-01.png", "cell-02-02.png", "grid.png",
    ]  # fmt: skip
    assert SweepRequest.from_json(read_metadata(record.files["grid.png"]).request) == result.request
    assert read_metadata(record.files["cell-02-01.png"]).request["steps"] == 5


@pytest.mark.parametrize("sampler", ["ddim"])
def test_the_script_reproduces_the_picture_bit_for_bit(tmp_path, sampler, _tiny):
    hostile = 'a cat """ \\ \n + exit() {0} on a blue background'
    request = BASE.replace(prompt=hostile, model=str(_tiny / "tiny"), sampler=sampler, eta=0.3, batch=2)
    result, _ = run(request)
    path = tmp_path / "picture.py"
    path.write_text(script(result.request, result.provenance), encoding="utf-8")
    check = "import runpy, sys; runpy.run_path('picture.py'); assert 'PySide6' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for i in range(2):
        pixels = np.asarray(Image.open(tmp_path / "pictures" / f"{5 + i}.png"))
        assert pixels.tobytes() == result.pictures[i].tobytes()


def test_the_script_refuses_other_weights_and_is_valid_before_any_run(_tiny, tmp_path):
    compile(script(GenerateRequest()), "script", "exec")
    source = script(BASE.replace(model=str(_tiny / "tiny"), model_sha256="0" * 64), {"device": "cpu"})
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0 and "other weights" in done.stderr
