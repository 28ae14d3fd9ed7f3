"""The job: same noise for all, sums that add up, forks that are exact, and nothing computed twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from studio.engine import JobContext, Log, Preview, Progress, Snapshot, run_inline
from studio.host.imagemeta import read_metadata
from studio.host.results import ResultsStore
from studio.models.catalog import ModelMissing
from studio_plugins.guidance import cost, drawing, jobs
from studio_plugins.guidance.keeping import read_back
from studio_plugins.guidance.request import Column, Guidance, GuidanceRequest
from studio_plugins.guidance.script import script
from studio_plugins.guidance.trajectory import SCORES, TERMS, Step, StepsUnreadable, read, to_npz
from tests.plugins.guidance.conftest import tiny_request
from tests.plugins.tiny_models import write_tiny_pixel_model

FREE = Column(guidance=Guidance(free=True))
MIXED = Column(guidance=Guidance(free=True, classifier=True, classifier_scale=30.0, clip=True, clip_scale=20.0))
ALL = Column(guidance=Guidance(classifier=True, clip=True, clip_x0=True, clip_x0_scale=5.0))


@pytest.fixture(autouse=True)
def _tiny(bundled):
    return bundled


@pytest.fixture
def store(tmp_path):
    store = ResultsStore(tmp_path / "results")
    yield store
    store.close()


def run(order, store=None):
    events = []
    context = JobContext(services={"results": store} if store else {})
    job = jobs.compare if isinstance(order, GuidanceRequest) else jobs.extend
    return run_inline(job, order, context=context, on_event=events.append), events


def same(first: Step, second: Step) -> bool:
    return all((getattr(first, name) == getattr(second, name)).all() for name in ("x_t", "x", "x0", "heat", "gram"))


def test_columns_start_from_the_same_noise_and_advance_together(store):
    done, events = run(tiny_request(batch=2), store)
    assert done.problem == "" and len(done.columns) == 5
    drawn = [event.data for event in events if isinstance(event, Snapshot)]
    assert [(d.step.index, d.column) for d in drawn] == [(i, c) for i in range(4) for c in range(5)]
    noise = [d.step.x_t for d in drawn if d.step.index == 0]
    assert noise[0].shape == (2, 16, 16, 3) and all((other == noise[0]).all() for other in noise)
    assert [e.text for e in events if isinstance(e, Progress)][-1] == "saving"
    assert len([e for e in events if isinstance(e, Preview)]) == 4


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m", "ddpm"])
def test_the_pictures_are_those_of_the_pipeline(sampler):
    """A column against `TextToImage.sample` called by hand."""
    from studio.ml.diffusion.glide import load_text2im
    from studio.ml.diffusion.sampling import Sampling
    from studio.models.catalog import locate

    request = tiny_request(sampler=sampler, columns=(FREE,))
    done, _ = run(request)
    model = load_text2im(locate("tiny"))
    records = list(model.sample([request.prompt], [request.seed], scale=3.0, sampling=Sampling(sampler, 4)))
    steps = done.columns[0].steps
    for step, record in zip(steps, records, strict=True):
        assert (step.x == record.x[:].permute(0, 2, 3, 1).numpy()).all() and step.t == record.t
        assert step.norms()[0, 0] == pytest.approx(float(record.parts.eps_uncond.norm()), rel=1e-5)
        assert step.guided_norm()[0] == pytest.approx(float(record.eps.norm()), rel=1e-5)


def test_base_and_terms_add_up_to_what_the_sampler_used(monkeypatch):
    """DDIM, eq. 12, from eps = base + terms alone, at steps where nothing is clamped."""
    kept = []
    real = drawing._arrays
    monkeypatch.setattr(drawing, "_arrays", lambda record: (kept.append(record), real(record))[1])
    request = tiny_request(sampler="ddim", columns=(MIXED,), steps=16)
    done, _ = run(request)
    checked = 0
    for step, record, after in zip(done.columns[0].steps, kept, [*kept[1:], None], strict=True):
        a = step.alpha_bar
        eps = record.parts.base + sum(term.eps for term in record.parts.terms)
        assert [term.name for term in record.parts.terms] == ["classifier-free", "classifier", "clip"]
        assert step.guided_norm()[0] == pytest.approx(float(eps.norm()), rel=1e-4)
        for name, norm in zip(TERMS, step.norms()[1:, 0], strict=True):
            wanted = [term.eps for term in record.parts.terms if term.name == name]
            assert norm == pytest.approx(float(wanted[0].norm()) if wanted else 0.0, rel=1e-4)
        plain = record.parts.eps
        unclamped = ((record.x_t - (1 - a) ** 0.5 * plain) / a**0.5).abs() <= 1
        if after is None or not unclamped.any():
            continue
        b = float(done.columns[0].steps[step.index + 1].alpha_bar)
        x0 = (record.x_t - (1 - a) ** 0.5 * eps) / a**0.5
        wanted_x = b**0.5 * x0 + (1 - b) ** 0.5 * (record.x_t - a**0.5 * x0) / (1 - a) ** 0.5
        assert torch.allclose(wanted_x[unclamped], record.x[unclamped], atol=2e-4)
        checked += int(unclamped.sum())
    assert checked > 10


def test_heat_is_the_length_of_the_term_over_the_channels():
    done, _ = run(tiny_request(columns=(MIXED,)))
    for step in done.columns[0].steps:
        squares = (step.heat.astype(np.float64) ** 2).sum(axis=(1, 2, 3))
        assert np.allclose(squares, step.norms()[1:, 0] ** 2, rtol=5e-3)
        assert step.heat[TERMS.index("clip-x0")].max() == 0


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m", "ddpm"])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_fork_with_the_same_guidance_is_bit_identical_and_computes_only_the_rest(sampler, at, tmp_path):
    """The parent read back from disk, its guidance taken up after step `at`."""
    request = tiny_request(sampler=sampler, eta=0.5, steps=6, columns=(MIXED,))
    store = ResultsStore(tmp_path / "results")
    done, _ = run(request, store)
    parent = read_back(store, done.record_id)
    store.close()
    bench = opened(request)
    shared = parent.columns[0].steps[: at + 1]
    runner = drawing.Runner(bench.model, bench.request, MIXED, bench.guidings, bench.scorer, shared)
    for _ in range(5 - at):
        runner.advance()
    assert all(same(mine, theirs) for mine, theirs in zip(runner.steps, parent.columns[0].steps, strict=True))
    assert runner.computed == 2 * (5 - at)


def opened(request):
    def job(_request, ctx):
        return (yield from jobs.open_bench(request, ctx))

    return run_inline(job, None)


def test_a_fork_shares_its_beginning_and_steps_of_before_are_taken_over(store):
    fork = FREE.fork(1).model_copy(update={"guidance": Guidance(clip=True, clip_scale=50.0)})
    first, _ = run(tiny_request(columns=(FREE,)), store)
    known = read_back(store, first.record_id)
    done, _ = run(jobs.Order(tiny_request(columns=(FREE, fork)), first.record_id), store)
    done = read_back(store, done.record_id)
    assert [column.cost.computed for column in done.columns] == [0, 2]
    assert [column.cost.evaluations for column in done.columns] == [8, 6]
    assert done.columns[1].shared == (0, 2)
    assert all(same(a, b) for a, b in zip(done.columns[0].steps, known.columns[0].steps, strict=True))
    assert same(done.columns[1].steps[1], done.columns[0].steps[1])
    assert not same(done.columns[1].steps[3], done.columns[0].steps[3])
    other, _ = run(jobs.Order(tiny_request(columns=(FREE,), seed=6), first.record_id), store)
    assert other.columns[0].cost.computed == 8, "other noise shares nothing"
    gone, _ = run(jobs.Order(tiny_request(columns=(FREE,)), "20200101-000000-0000"), store)
    assert gone.columns[0].cost.computed == 8, "what is gone is drawn anew"


def test_guidance_in_a_part_of_the_way_costs_nothing_elsewhere():
    early = Guidance(free=True, course="interval", stop=0.5)
    done, _ = run(tiny_request(steps=8, sampler="ddim", columns=(Column(), Column(guidance=early))))
    plain, guided = done.columns
    acting = [bool(step.acting) for step in guided.steps]
    assert acting[0] and not acting[-1]
    assert guided.cost.evaluations == 8 + sum(acting) and plain.cost.times == pytest.approx(1.0)
    assert guided.cost.times == pytest.approx((8 + sum(acting)) / 8)


def test_costs_are_counted_on_the_networks_in_use():
    """The forward pass against torch's own FlopCounterMode; classifier-free guidance is exactly twice unguided."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    done, _ = run(tiny_request(columns=(Column(), FREE, ALL)))
    plain, free, everything = done.columns
    bench = opened(tiny_request(columns=(Column(),)))
    x, t = torch.zeros(1, 3, 16, 16), torch.tensor([500])
    denoiser = bench.model.denoiser([""])
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        denoiser(x, t)
    assert plain.cost.gflop == pytest.approx(4 * counter.get_total_flops() / 1e9, rel=1e-9)
    assert free.cost.times == pytest.approx(2.0) and free.cost.evaluations == 8
    assert everything.cost.gradients == {"classifier": 4, "clip": 4, "clip-x0": 4}
    assert everything.cost.times > 3, "a forward and a backward pass of the denoiser for CLIP on x0"
    assert cost.count(lambda: torch.ones(3, 4) @ torch.ones(4, 5)) == pytest.approx(2 * 3 * 4 * 5 / 1e9)


def test_scores_are_those_of_the_networks_and_do_not_change_the_pictures():
    scored, _ = run(tiny_request(columns=(FREE,)))
    silent, _ = run(tiny_request(columns=(FREE,), probes=False))
    assert (scored.columns[0].pictures == silent.columns[0].pictures).all()
    assert all(np.isnan(step.scores).all() for step in silent.columns[0].steps) and silent.columns[0].verdicts == ()
    step = scored.columns[0].steps[2]
    bench = opened(tiny_request(columns=(ALL,)))
    from studio.ml.clip.model import load_clip
    from studio.ml.diffusion.classifier import load_classifier
    from studio.models.catalog import locate

    clip, classifier = load_clip(locate("tiny-clip")), load_classifier(locate("tiny-classifier"))
    x, t = torch.from_numpy(step.x_t).permute(0, 3, 1, 2), torch.tensor([step.t])
    text = clip.encode_text([bench.request.prompt])
    with torch.no_grad():
        wanted = [float(clip.encode_image(x, t)[0] @ text[0]), float(classifier(x, t).softmax(1)[0, 0])]
    got = [step.scores[SCORES.index(name), 0] for name in ("clip", "classifier")]
    assert got == pytest.approx(wanted, abs=1e-5) and np.isnan(step.scores[SCORES.index("oracle"), 0])


def test_what_was_kept_reads_back_whole(store):
    done, events = run(tiny_request(batch=2, columns=(MIXED, ALL)), store)
    record = store.get(done.record_id)
    names = [f"picture-0{c}-0{n}.png" for c in (1, 2) for n in (1, 2)]
    assert sorted(record.files) == [*names, "steps.npz"] and record.thumbnail is not None
    assert (np.asarray(Image.open(record.files[names[3]])) == done.columns[1].pictures[1]).all()
    found = read_metadata(record.files[names[3]])
    assert GuidanceRequest.from_json(found.request) == done.request
    assert (found.provenance["column"], found.provenance["picture"], found.provenance["seed"]) == (1, 1, 6)
    assert all(len(digest) == 64 for digest in done.request.weights)
    back = read_back(store, done.record_id)
    live = [event.data for event in events if isinstance(event, Snapshot)]
    for d in live:
        assert same(back.columns[d.column].steps[d.step.index], d.step)
    assert [column.cost for column in back.columns] == [column.cost for column in done.columns]
    assert [column.verdicts for column in back.columns] == [column.verdicts for column in done.columns]
    for column in back.columns:
        assert sum(step.seconds for step in column.steps) == pytest.approx(column.cost.seconds, abs=1e-3)


@pytest.mark.parametrize("probes", [True, False])
def test_a_replay_is_equal_bit_for_bit(store, probes):
    """A forked comparison drawn again in one go, by the studio's own comparison of results."""
    from studio.ui.replay import compare

    first, _ = run(tiny_request(columns=(FREE,), probes=probes), store)
    fork = FREE.fork(1).model_copy(update={"guidance": Guidance(clip=True)})
    forked, _ = run(jobs.Order(tiny_request(columns=(FREE, fork), probes=probes), first.record_id), store)
    again, _ = run(forked.request, store)
    assert again.columns[0].cost.computed == 8
    compared = compare(store.get(forked.record_id), store.get(again.record_id))
    assert compared.largest == 0 and compared.notes == () and len(compared.differences) == 3


def test_damaged_steps_leave_the_pictures(store, tmp_path):
    done, _ = run(tiny_request(columns=(FREE,)), store)
    path = store.get(done.record_id).files["steps.npz"]
    path.write_bytes(path.read_bytes()[:2000])
    back = read_back(store, done.record_id)
    assert "cannot be read" in back.problem and back.columns[0].steps == ()
    assert (back.columns[0].pictures == done.columns[0].pictures).all()
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, columns=np.array(1), other=np.zeros(3))
    with pytest.raises(StepsUnreadable):
        read(foreign)


def test_a_column_that_diverges_stops_and_the_others_go_on(store):
    wild = Column(guidance=Guidance(classifier=True, classifier_scale=5.0))
    real = drawing.Runner.advance

    def advance(runner):
        if runner._column == wild and len(runner.steps) == 2:
            raise drawing.Diverged("step 3")
        return real(runner)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing.Runner, "advance", advance)
        done, events = run(tiny_request(columns=(wild, FREE)), store)
    assert "step 3" in done.columns[0].problem and len(read_back(store, done.record_id).columns[0].steps) == 2
    assert len(read_back(store, done.record_id).columns[1].steps) == 4
    assert [e.data for e in events if isinstance(e, Snapshot) and isinstance(e.data, jobs.Stopped)][0].column == 0


def test_numbers_out_of_bounds_are_noticed(monkeypatch):
    real = drawing._arrays

    def broken(record):
        arrays = real(record)
        if record.index == 1:
            arrays["x"][0, 0, 0, 0] = np.nan
        return arrays

    monkeypatch.setattr(drawing, "_arrays", broken)
    done, _ = run(tiny_request(columns=(FREE,)))
    assert "step 2" in done.columns[0].problem and len(done.columns[0].steps) == 1


def test_missing_networks_are_named_and_missing_observers_are_not_missed():
    with pytest.raises(ModelMissing, match="CLIP guidance needs the model “nowhere”"):
        run(tiny_request(columns=(ALL,), clip_model="nowhere"))
    done, _ = run(tiny_request(columns=(FREE,), clip_model="nowhere", classifier_model=""))
    assert np.isnan(done.columns[0].steps[0].scores).all()


@pytest.mark.parametrize("classes", [[], ["cat", "dog"]])
def test_models_without_text_are_guided_by_gradients(tmp_path, classes):
    model = str(write_tiny_pixel_model(tmp_path / "pixels", classes))
    led = Column(guidance=Guidance(classifier=True, clip_x0=True, classifier_scale=50.0))
    done, _ = run(tiny_request(model=model, prompt="cat", columns=(Column(), led)))
    plain, guided = done.columns
    assert plain.problem == guided.problem == "" and plain.cost.times == pytest.approx(1.0)
    assert guided.target == "cat" and guided.cost.gradients == {"classifier": 4, "clip-x0": 4}
    assert (plain.steps[0].x_t == guided.steps[0].x_t).all() and (plain.pictures != guided.pictures).any()


def test_other_weights_than_then_are_said():
    _, events = run(tiny_request(columns=(FREE,), weights=("0" * 64, "", "")))
    assert [e.level for e in events if isinstance(e, Log)] == ["warning"]


def test_the_script_draws_the_same_pictures(tmp_path, monkeypatch, capsys):
    """Run inside this process, where the tiny networks are the bundled ones."""
    fork = ALL.fork(1).model_copy(update={"guidance": Guidance(free=True, course="ramp", stop=0.8, negative="a dog")})
    bare = Column(guidance=Guidance(prompted=False, clip=True, clip_prompt="a cat : 2 | a dog : -1"))
    request = tiny_request(batch=2, columns=(ALL, fork, bare))
    done, _ = run(request)
    monkeypatch.chdir(tmp_path)
    exec(compile(script(done.request, done.provenance), "script", "exec"), {"__name__": "script"})  # noqa: S102
    for c, column in enumerate(done.columns):
        for n in range(2):
            saved = np.asarray(Image.open(tmp_path / "guidance" / f"column {c + 1}-{5 + n}.png"))
            assert (saved == column.pictures[n]).all(), c


def test_columns_without_steps_are_kept_as_such(tmp_path):
    done, _ = run(tiny_request(columns=(FREE,)))
    path = tmp_path / "steps.npz"
    path.write_bytes(to_npz([done.columns[0].steps, ()]))
    first, second = read(path)
    assert len(first) == 4 and second == ()
