"""Every guidance in the job: what acts, what it adds, what it costs; that all of it is kept and can be made again."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from studio.engine import Engine, JobContext, Log, Metric, Progress, Snapshot, TaskState, run_inline
from studio.host.imagemeta import read_metadata
from studio.host.request import RequestError
from studio.host.results import ResultsStore
from studio.models.catalog import ModelMissing
from studio.models.companions import CompanionMismatch
from studio.models.guiding import NoClass
from studio_plugins.generate.formula import formula, numbers
from studio_plugins.generate.jobs import Stages, generate
from studio_plugins.generate.keeping import parameters_text
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.script import script
from studio_plugins.generate.sweep import cell_request, sweep
from studio_plugins.generate.sweep_request import SweepRequest
from studio_plugins.generate.trajectory import StepData, Trajectory, TrajectoryUnreadable

BASE = GenerateRequest(
    prompt="a cat left of a dog", model="tiny", steps=4, seed=5,
    clip_model="tiny-clip", classifier_model="tiny-classifier",
)  # fmt: skip
TWO_STAGES = BASE.replace(upsample="tiny-upsample", upsample_sampler="ddim", upsample_steps=3)


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


def steps_of(events) -> list[StepData]:
    return [event.data for event in events if isinstance(event, Snapshot) and isinstance(event.data, StepData)]


@pytest.mark.parametrize(
    ("guidance", "terms", "evaluations", "gradients"),
    [
        ("none", [], 4, 0),
        ("classifier-free", ["classifier-free"], 8, 0),
        ("clip", ["clip"], 4, 4),
        ("classifier", ["classifier"], 4, 4),
        ("classifier-free + clip", ["classifier-free", "clip"], 8, 4),
        ("classifier-free + classifier", ["classifier-free", "classifier"], 8, 4),
        ("clip-x0", ["clip-x0"], 8, 4),
    ],
)
def test_each_guidance_adds_its_terms_and_is_counted(guidance, terms, evaluations, gradients):
    result, events = run(BASE.replace(guidance=guidance))
    assert all(list(step.terms) == terms for step in steps_of(events))
    assert (result.cost.evaluations, result.cost.gradients) == (evaluations, gradients)
    series = {event.series for event in events if isinstance(event, Metric)}
    kinds = {kind for kind in terms if kind != "classifier-free"}
    assert kinds | {f"{kind} score" for kind in kinds} <= series
    _, others = run(BASE.replace(guidance="none"))
    same = [float(a.guided[0]) == float(b.guided[0]) for a, b in zip(steps_of(events), steps_of(others), strict=True)]
    assert all(same) if guidance == "none" else not any(same)


def test_the_length_of_what_clip_adds_is_that_of_the_gradient_by_hand():
    """‖term‖ = s √(1 − ᾱ) ‖∇ τ f·g‖ and ‖ε̂‖ = ‖ε(x|y) + term‖, with networks loaded by themselves."""
    import torch
    from studio.ml.clip.model import load_clip
    from studio.ml.diffusion.glide import load_text2im
    from studio.ml.diffusion.noise import NoiseSource
    from studio.models.catalog import locate

    _, events = run(BASE.replace(guidance="clip", clip_scale=2.5))
    first = steps_of(events)[0]
    clip, model = load_clip(locate("tiny-clip")), load_text2im(locate("tiny"))
    x = NoiseSource(5, [0]).initial((3, 16, 16)).requires_grad_()
    t = torch.tensor([first.t])
    score = (clip.encode_image(x, t) * clip.encode_text([BASE.prompt])).sum()
    (slope,) = torch.autograd.grad(clip.logit_scale * score, x)
    term = -2.5 * (1 - first.alpha_bar) ** 0.5 * slope
    with torch.no_grad():
        eps, score = model.net(x, t, model.encode([BASE.prompt]))[:, :3], score.detach()
    shown = numbers(BASE.replace(guidance="clip"), first)
    assert shown["clip"] == pytest.approx(float(term.norm()), rel=1e-4)
    assert shown["clip_score"] == pytest.approx(float(score), rel=1e-4) and shown["clip_scale"] == 2.5
    assert shown["guided"] == pytest.approx(float((eps + term).norm()), rel=1e-4)


def test_guidance_acts_only_in_its_interval():
    _, events = run(BASE.replace(guidance="classifier-free + clip", guidance_course="interval", guidance_stop=0.5))
    acting = ["clip" in step.terms for step in steps_of(events)]
    assert acting[0] and not acting[-1] and acting == sorted(acting, reverse=True)
    scales = [float(step.terms["classifier-free"].scale[0]) for step in steps_of(events)]
    assert scales == [3.0 if acts else 1.0 for acts in acting]


def test_a_negative_prompt_takes_the_place_of_the_empty_one():
    import torch
    from studio.ml.diffusion.glide import load_text2im
    from studio.ml.diffusion.noise import NoiseSource
    from studio.models.catalog import locate

    _, events = run(BASE.replace(negative_prompt=" a red apple "))
    first = steps_of(events)[0]
    model = load_text2im(locate("tiny"))
    x, t = NoiseSource(5, [0]).initial((3, 16, 16)), torch.tensor([first.t])
    with torch.no_grad():
        away = model.net(x, t, model.encode(["a red apple"]))[:, :3]
    assert first.norms[1, 0] == pytest.approx(float(away.norm()), rel=1e-4)
    assert "ε(x|n)" in formula(BASE.replace(negative_prompt="a dog")).symbols


def test_unconditional_keeps_the_prompt_and_draws_what_an_empty_one_draws(store):
    ignored, events = run(BASE.replace(ignore_prompt=True, guidance="clip"), store)
    empty, _ = run(BASE.replace(prompt=""))
    assert (ignored.pictures == empty.pictures).all() and ignored.evaluations == BASE.steps
    assert ignored.request.prompt == BASE.prompt and steps_of(events)[0].terms == {}
    assert store.get(ignored.record_id).title == "without a prompt"
    assert BASE.prompt not in parameters_text(ignored.request, (16, 16))


@pytest.mark.parametrize(
    "own", [{"classifier_class": "dog"}, {"guidance": "clip", "clip_prompt": "a dog : 1 | a cat : -1"}]
)
def test_a_gradient_alone_can_lead_a_network_that_sees_no_prompt(own):
    request = BASE.replace(prompt="", **{"guidance": "classifier", **own})
    _, events = run(request)
    _, plain = run(BASE.replace(prompt=""))
    assert steps_of(events)[0].guided[0] != steps_of(plain)[0].guided[0]
    assert np.isnan(steps_of(events)[0].norms[0]).all(), "ε(x|∅) alone was computed"
    assert formula(request).symbols.count("∅") == 1


def test_two_stages_are_one_run_whose_result_holds_both_pictures(store):
    request = TWO_STAGES.replace(batch=2, guidance="classifier-free + clip")
    result, events = run(request, store)
    assert result.pictures.shape == (2, 64, 64, 3) and result.small.shape == (2, 16, 16, 3)
    alone, _ = run(request.replace(upsample="off"))
    assert (result.small == alone.pictures).all(), "the first stage is the run without a second"
    progress = [event for event in events if isinstance(event, Progress)]
    assert {event.total for event in progress[1:]} == {7} and progress[-1].text == "saving"
    snapshots = [event.data for event in events if isinstance(event, Snapshot)]
    assert [data.shown for data in snapshots if isinstance(data, Stages)] == [(4, 3)]
    assert (result.cost.steps, result.cost.upsample_steps, result.cost.evaluations) == (4, 3, 4 * 2 + 3)

    record = store.get(result.record_id)
    assert sorted(record.files) == [
        "picture-01.png", "picture-02.png", "small-01.png", "small-02.png", "steps.npz",
    ]  # fmt: skip
    for name, pictures in (("picture-02.png", result.pictures), ("small-02.png", result.small)):
        assert (np.asarray(Image.open(record.files[name])) == pictures[1]).all()
        found = read_metadata(record.files[name])
        assert GenerateRequest.from_json(found.request) == result.request and found.provenance["seed"] == 6
    assert read_metadata(record.files["small-02.png"]).provenance["stage"] == "base"
    kept = Trajectory.read(record.files["steps.npz"]).steps
    shown = steps_of(events)
    assert [(step.stage, step.index, step.total) for step in kept] == [("base", i, 4) for i in range(4)] + [
        ("upsample", i, 3) for i in range(3)
    ]
    for one, other in zip(kept, shown, strict=True):
        assert (one.x0 == other.x0).all() and one.x_t.shape == other.x_t.shape
        assert np.array_equal(one.norms, other.norms, equal_nan=True)
        if one.stage == "base":
            assert list(one.terms) == list(other.terms) and (one.guided == other.guided).all()
            assert (one.terms["clip"].norm == other.terms["clip"].norm).all()
    assert record.metrics["upsample_steps"] == 3 and record.metrics["gradients"] == 4


def test_the_second_stage_is_the_up_sampler_by_itself_and_its_seed_only_changes_details():
    from studio.ml.diffusion.sampling import Sampling
    from studio.ml.diffusion.upsampling import load_upsampler
    from studio.models.catalog import locate
    from studio.host.pictures import to_pixels
    import torch

    result, _ = run(TWO_STAGES.replace(upsample_scale=2.0, negative_prompt="a dog"))
    small = torch.from_numpy(result.small.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)
    upsampler = load_upsampler(locate("tiny-upsample"))
    *_, last = upsampler.sample(
        small, [BASE.prompt], [5], scale=2.0, negative="a dog", sampling=Sampling("ddim", 3)
    )
    wanted = to_pixels(last.x.permute(0, 2, 3, 1).numpy())
    assert np.abs(result.pictures.astype(int) - wanted).max() <= 1
    assert result.evaluations == 4 * 2 + 3 * 2
    other, _ = run(TWO_STAGES.replace(upsample_seed=1))
    same, _ = run(TWO_STAGES)
    assert (other.small == same.small).all() and (other.pictures != same.pictures).any()


def test_an_up_samplers_own_sampling_says_how_many_steps():
    result, _ = run(TWO_STAGES.replace(upsample_sampler="own", steps=1))
    assert result.cost.upsample_steps == 2


def test_cancelling_stops_within_a_step_also_between_the_stages(store):
    for stop in (4, 6):  # before the second stage, and in it
        engine = Engine(device="cpu", services={"results": store})
        task = engine.submit(generate, TWO_STAGES)
        while task.progress is None or task.progress.done < stop:
            engine.step()
            task.wait(0.005)
        assert task.cancel()
        engine.close()
        assert task.state is TaskState.CANCELLED and task.progress.done == stop
    assert store.records() == []


def test_a_replay_names_the_companion_whose_weights_are_others():
    first, _ = run(TWO_STAGES.replace(guidance="clip"))
    request = first.request
    assert all((request.model_sha256, request.clip_sha256, request.upsampler_sha256)) and not request.classifier_sha256
    again, events = run(request)
    assert (again.pictures == first.pictures).all() and again.provenance == first.provenance
    assert not [event for event in events if isinstance(event, Log)]
    _, events = run(request.replace(clip_sha256="0" * 64))
    assert [event.text for event in events if isinstance(event, Log)][0].startswith("The weights of “tiny-clip”")


def test_what_is_missing_or_does_not_fit_is_said_in_words(tmp_path, _tiny):
    from tests.plugins.tiny_models import write_tiny_model  # noqa: PLC0415

    with pytest.raises(ModelMissing, match="CLIP guidance needs the model “emoji-none”.*“tiny-clip”"):
        run(BASE.replace(guidance="clip", clip_model="emoji-none"))
    with pytest.raises(ModelMissing, match="Up-sampling needs the model “emoji-none”"):
        run(BASE.replace(upsample="emoji-none"))
    large = write_tiny_model(tmp_path / "large", size=32)
    with pytest.raises(CompanionMismatch, match="16×16.*32×32"):
        run(TWO_STAGES.replace(model=str(large)))
    with pytest.raises(NoClass, match="names nothing"):
        run(BASE.replace(guidance="classifier", prompt="on a blue background"))
    with pytest.raises(ValueError, match="kind"):
        run(BASE.replace(guidance="clip", clip_model="tiny"))


def test_a_sweep_varies_guidance_and_stages_cell_by_cell(store):
    request = SweepRequest.checked(
        base=TWO_STAGES.replace(upsample="off"),
        axes=[
            {"field": "guidance", "values": ["none", "classifier-free + clip"]},
            {"field": "upsample", "values": ["off", "tiny-upsample"]},
        ],
    )
    result, events = run(request, store, sweep)
    assert result.cells.shape == (4, 64, 64, 3)
    for index in (2, 3):
        alone, _ = run(cell_request(request, index))
        assert (alone.pictures[0] == result.cells[index]).all()
    assert [event for event in events if isinstance(event, Progress)][-2].done == 4 * 4 + 2 * 3
    assert result.cost.evaluations == 2 * (4 + 8) + 2 * 3
    assert result.request.base.clip_sha256 and not result.request.base.upsampler_sha256
    grid = read_metadata(store.get(result.record_id).files["grid.png"])
    assert SweepRequest.from_json(grid.request) == result.request


SCRIPTED = (
    {"guidance": "classifier-free + clip", "negative_prompt": "a dog\n'''",
     "upsample": "tiny-upsample", "upsample_seed": 3},
    {"guidance": "classifier", "guidance_course": "ramp", "guidance_start": 0.25, "upsample": "tiny-upsample",
     "upsample_sampler": "ddim", "upsample_steps": 2, "upsample_scale": 2.0},
    {"guidance": "clip-x0", "clip_prompt": "a cat : 1 | a dog : -0.5"},
    {"guidance": "classifier", "prompt": "", "classifier_class": "red apple"},
    {"ignore_prompt": True},
)  # fmt: skip


def test_the_scripts_reproduce_every_guidance_bit_for_bit(tmp_path, _tiny):
    """All in one process, which imports torch once."""
    results = []
    for i, changes in enumerate(SCRIPTED):
        named = {"model": "tiny", "clip_model": "tiny-clip", "classifier_model": "tiny-classifier"}
        named |= {name: value for name, value in changes.items() if name == "upsample"}
        request = BASE.replace(**{**changes, "batch": 2, **{name: str(_tiny / value) for name, value in named.items()}})
        result, _ = run(request)
        results.append(result)
        (tmp_path / str(i)).mkdir()
        (tmp_path / str(i) / "picture.py").write_text(script(result.request, result.provenance), encoding="utf-8")
    loop = f"for i in range({len(SCRIPTED)}):\n    os.chdir(str(i)); runpy.run_path('picture.py'); os.chdir('..')\n"
    check = f"import os, runpy, sys\n{loop}assert 'PySide6' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for i, result in enumerate(results):
        for k in range(2):
            pixels = np.asarray(Image.open(tmp_path / str(i) / "pictures" / f"{5 + k}.png"))
            assert pixels.tobytes() == result.pictures[k].tobytes(), SCRIPTED[i]


def test_replays_of_old_and_new_results_compare_equal(store):
    """A run as it could be made before keeps the same arrays as then, so that its replay compares with the old file."""
    from studio.ui.replay import compare

    for request in (BASE, TWO_STAGES.replace(guidance="classifier-free + clip")):
        first, _ = run(request, store)
        again, _ = run(first.request, store)
        records = store.get(first.record_id), store.get(again.record_id)
        found = compare(*records)
        assert found.largest == 0 and not found.notes
        with np.load(records[0].files["steps.npz"]) as archive:
            old = {"x_t", "x0", "norms", "index", "t", "alpha_bar", "total"}
            assert (set(archive.files) == old) == (request is BASE)


def test_old_requests_read_as_they_were():
    old = {
        "prompt": "a cat", "model": "emoji-base", "guidance_scale": 4.0, "sampler": "ddim", "steps": 9, "seed": 3,
        "batch": 2, "eta": 0.5, "precision": "auto", "model_sha256": "",
    }  # fmt: skip
    request = GenerateRequest.from_json(old)
    assert request.kinds == ("classifier-free",) and not request.upsampled and not request.ignore_prompt
    assert {name: value for name, value in request.to_dict().items() if name in old} == old


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"guidance_course": "ramp", "guidance_start": 0.5, "guidance_stop": 0.5}, "guidance_stop"),
        ({"guidance": "clip + classifier"}, "guidance"),
        ({"clip_scale": -1}, "clip_scale"),
        ({"clip_sha256": "abc"}, "clip_sha256"),
        ({"upsample": ""}, "upsample"),
    ],
)
def test_bad_guidance_is_refused_naming_the_field(bad, field):
    with pytest.raises(RequestError) as caught:
        GenerateRequest.checked(**bad)
    assert set(caught.value.fields) == {field}


@pytest.mark.parametrize(
    ("changes", "hidden", "greyed"),
    [
        ({}, {"clip_scale", "classifier_scale", "classifier_class", "guidance_start", "upsample_scale"}, {"eta"}),
        ({"guidance": "clip"}, {"guidance_scale"}, {"negative_prompt"}),
        ({"guidance": "none"}, {"guidance_scale", "guidance_course"}, {"negative_prompt"}),
        ({"ignore_prompt": True}, {"clip_scale", "negative_prompt", "guidance_scale"}, {"prompt", "guidance"}),
        ({"prompt": ""}, {"clip_scale"}, {"negative_prompt", "guidance_scale", "guidance_course"}),
        ({"prompt": "", "guidance": "classifier"}, {"guidance_scale"}, {"classifier_scale", "guidance_course"}),
        ({"upsample": "tiny-upsample"}, {"upsample_steps"}, set()),
    ],
)
def test_what_has_no_effect_is_known_with_its_reason(changes, hidden, greyed):
    idle = BASE.replace(**changes).without_effect()
    assert hidden <= {name for name, why in idle.items() if why.hidden}
    assert greyed <= {name for name, why in idle.items() if not why.hidden}
    assert all(why.reason.endswith(".") for why in idle.values())
    if changes.get("guidance") == "classifier":
        assert "classifier_class" not in idle, "choosing a class is what makes it act"


def test_other_tools_read_what_was_used_and_nothing_else():
    request = BASE.replace(negative_prompt="a dog", guidance="classifier-free + clip", upsample="x/tiny-upsample")
    used = parameters_text(request, (64, 64))
    assert "Negative prompt: a dog" in used and "CFG scale: 3" in used
    assert "CLIP scale: 3" in used and "Hires upscaler: tiny-upsample" in used and "Size: 64x64" in used
    plain = parameters_text(BASE.replace(negative_prompt="a dog", guidance="none"), (16, 16))
    assert "Negative" not in plain and "CFG" not in plain and "CLIP" not in plain


def test_a_damaged_step_file_of_two_stages_is_refused(tmp_path):
    result, _ = run(TWO_STAGES.replace(guidance="clip"))
    path = tmp_path / "steps.npz"
    path.write_bytes(result.steps.to_npz())
    with np.load(path) as archive:
        arrays = dict(archive)
    assert {"terms", "upsample_x0"} <= set(arrays) and "upsample_terms" not in arrays
    broken = {"terms": arrays["terms"][:2], "upsample_norms": arrays["norms"], "term_names": np.array([1])}
    for name, value in broken.items():
        np.savez(path, **{**arrays, name: value})
        with pytest.raises(TrajectoryUnreadable):
            Trajectory.read(path)
