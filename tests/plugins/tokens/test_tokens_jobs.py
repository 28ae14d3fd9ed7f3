from __future__ import annotations

import contextlib
import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.engine import JobContext, Log, Offload, Preview, Progress, Snapshot, run_inline
from studio.host.imagemeta import read_metadata
from studio.host.request import RequestError
from studio.host.results import ResultsStore
from studio.ml.diffusion.attention_capture import attention_layers, traced
from studio.ml.diffusion.attention_maps import View
from studio.ml.diffusion.glide import load_text2im
from studio.ml.diffusion.sampling import Sampling
from studio.models.catalog import ModelMissing, locate
from studio_plugins.tokens import tracing
from studio_plugins.tokens.jobs import live, tokens
from studio_plugins.tokens.request import TokensRequest, quoted
from studio_plugins.tokens.run import AttentionUnreadable, TokenRun
from studio_plugins.tokens.script import script
from studio_plugins.tokens.tracing import NoText, TooManyMaps

BASE = TokensRequest(prompt="a red cat", model="tiny", steps=3, seed=5)


@pytest.fixture
def store(tmp_path: Path):
    store = ResultsStore(tmp_path / "results")
    yield store
    store.close()


def run(request, store=None, job=tokens):
    events = []
    context = JobContext(services={"results": store} if store else {})
    return run_inline(job, request, context=context, on_event=events.append), events


def said(events, level="info"):
    return [event.text for event in events if isinstance(event, Log) and event.level == level]


def test_every_step_comes_with_its_maps_and_the_result_is_kept(store):
    result, events = run(BASE, store)
    snapshots = [event for event in events if isinstance(event, Snapshot)]
    assert [event.name for event in snapshots] == ["plan", "step 0", "step 1", "step 2"]
    plan = snapshots[0].data
    assert plan.pieces == ("a", "red", "cat") and plan.names[-2:] == ("padding", "picture") and plan.total == 3
    assert {layer.height for layer in plan.layers} == {8, 4} and "middle · 4×4" in plan.layer_titles
    assert [event.text for event in events if isinstance(event, Progress)][-1] == "saving"
    previews = [event.array for event in events if isinstance(event, Preview)]
    assert len(previews) == 3 and (previews[-1] == result.picture).all()

    record = store.get(result.record_id)
    assert sorted(record.files) == ["attention.npz", "picture.png"] and record.title == "a red cat"
    assert record.request == result.request.to_dict() and record.thumbnail is not None
    kept = read_metadata(record.files["picture.png"])
    assert TokensRequest.from_json(kept.request) == result.request and "Seed: 5" in kept.texts["parameters"]
    assert (np.asarray(Image.open(record.files["picture.png"])) == result.picture).all()
    again = TokenRun.read(record.files["attention.npz"])
    assert again.plan == plan and len(again.steps) == 3
    for kept_step, shown in zip(again.steps, (event.data for event in snapshots[1:]), strict=True):
        assert kept_step.maps.t == shown.maps.t and (kept_step.x0 == shown.x0).all()
        for one, other in zip(kept_step.maps.maps, shown.maps.maps, strict=True):
            assert (one == other).all()
    assert record.metrics["text"] == pytest.approx(again.attention.masses(View())[:3].sum(), abs=1e-4)


def test_the_maps_are_those_of_the_run_and_the_picture_is_the_plain_one():
    """Against the science called by hand, and against the same run without a listener."""
    result, _ = run(BASE, job=live)
    model = load_text2im(locate("tiny"))
    sampling = Sampling(steps=3)
    layers = attention_layers(model.net, 16)
    pairs = list(traced(model.sample([BASE.prompt], [5], sampling=sampling), model.net, layers, 3))
    for step, (_, maps) in zip(result.run.steps, pairs, strict=True):
        assert all((a == b).all() for a, b in zip(step.maps.maps, maps.maps, strict=True))
    plain = list(model.sample([BASE.prompt], [5], sampling=sampling))[-1]
    assert np.abs(tracing.picture_of(plain.x).astype(int) - result.picture).max() <= 1


def test_fewer_layers_and_heads_can_be_kept():
    everything, _ = run(BASE, job=live)
    for layers, side in (("fine", 8), ("coarse", 4)):
        some, _ = run(BASE.replace(layers=layers), job=live)
        assert {layer.height for layer in some.run.plan.layers} == {side}
        chosen = [i for i, layer in enumerate(everything.run.plan.layers) if layer.height == side]
        whole, part = everything.run.steps[0].maps.maps, some.run.steps[0].maps.maps
        for i, maps in zip(chosen, part, strict=True):
            assert np.allclose(whole[i].astype(float), maps.astype(float), atol=1e-3)
    mean, _ = run(BASE.replace(heads="mean"), job=live)
    assert {layer.heads for layer in mean.run.plan.layers} == {1}
    assert np.allclose(mean.run.attention.masses(View()), everything.run.attention.masses(View()), atol=1e-3)


def test_without_a_prompt_only_padding_is_left_and_it_is_said():
    result, events = run(BASE.replace(prompt=" "), job=live)
    assert result.run.plan.names == ("padding", "picture") and BASE.replace(prompt=" ").evaluations == 3
    padding, picture = result.run.attention.masses(View())
    assert 0 < padding < 1 and padding + picture == pytest.approx(1, abs=1e-3)
    assert "only padding" in said(events)[0]


def test_what_the_model_leaves_out_is_said():
    _, events = run(BASE.replace(prompt="a kitty and a dragon " + "a cat " * 5, model_sha256="0" * 64), job=live)
    warnings = said(events, "warning")
    assert any("weights" in text and "differ" in text for text in warnings)
    assert any("8 tokens" in text and "last 5" in text for text in warnings)
    assert any("“and”, “dragon”" in text for text in warnings)
    assert quoted(list("abcdefgh")) == "“a”, “b”, “c”, “d”, “e”, “f” and 2 more"


def test_the_same_request_twice_gives_the_same_maps_bit_for_bit():
    first, _ = run(BASE, job=live)
    again, _ = run(first.request, job=live)
    assert first.run.to_npz() == again.run.to_npz() and (first.picture == again.picture).all()


def test_a_model_without_text_is_refused_in_words(monkeypatch):
    from studio.ml.diffusion.schedule import Schedule
    from studio.ml.diffusion.unconditional import Unconditional
    from studio.ml.diffusion.unet import UNet, UNetConfig

    config = UNetConfig(
        model_channels=32, num_res_blocks=1, attention_resolutions=(2,), channel_mult=(1, 1), num_head_channels=16
    )
    adm = Unconditional("ADM", UNet(config), Schedule.named("linear"), 16)

    def opened(model, ctx, *, precision="auto"):
        return adm
        yield

    monkeypatch.setattr("studio_plugins.tokens.jobs.open_drawing", opened)
    with pytest.raises(NoText, match="“ADM” draws without text.*Choose a model"):
        run(BASE, job=live)


def test_a_run_whose_maps_do_not_fit_is_refused_before_its_first_step(monkeypatch):
    monkeypatch.setattr(tracing, "MAX_BYTES", 12_000)
    events = []
    with pytest.raises(TooManyMaps, match="3 tokens over 3 steps.*is the most. Keep fewer of them") as refused:
        run_inline(live, BASE, context=JobContext(), on_event=events.append)
    (offered,) = [event.data for event in events if isinstance(event, Snapshot)]
    assert offered == refused.value.smaller and len(offered) >= 2
    for _, smaller in offered:
        result, _ = run(smaller, job=live)
        assert result.run.attention.nbytes <= 12_000
    monkeypatch.setattr(tracing, "MAX_BYTES", 10)
    with pytest.raises(TooManyMaps, match="Take fewer steps") as refused:
        run(BASE, job=live)
    assert refused.value.smaller == ()


def test_a_model_that_is_gone_is_named():
    with pytest.raises(ModelMissing, match="emoji-gone"):
        run(BASE.replace(model="emoji-gone"), job=live)


def test_a_result_that_cannot_be_saved_comes_back_whole(tmp_path: Path):
    store = ResultsStore(tmp_path / "results")
    shutil.rmtree(tmp_path / "results" / "tmp")
    (tmp_path / "results" / "tmp").write_text("no folder")
    result, _ = run(BASE, store)
    store.close()
    assert result.record_id is None and result.problem and len(result.run.steps) == 3
    result, _ = run(BASE)
    assert "no results store" in result.problem


def test_a_cancelled_run_leaves_the_network_as_it_was(monkeypatch):
    context = JobContext()
    job = live(BASE, context)
    item, model = next(job), None
    while not (isinstance(item, Snapshot) and item.name == "step 0"):
        answer = item.fn(*item.args, **item.kwargs) if isinstance(item, Offload) else None
        model = model or answer  # whether it is a public model is asked first: it is not
        item = job.send(answer)
    job.close()
    assert all(block.capture is None for _, block in model.net.attention_blocks())


@pytest.mark.parametrize("fields", [{}, {"layers": "coarse", "heads": "mean"}, {"prompt": "", "sampler": "ddim"}])
def test_the_script_draws_the_same_maps_bit_for_bit(tmp_path: Path, tiny_models: Path, fields):
    request = BASE.replace(model=str(tiny_models / "tiny"), **fields)
    result, _ = run(request, job=live)
    source = script(result.request, result.provenance)
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(source, "script.py", "exec"), {"__name__": "__main__"})
    with np.load(tmp_path / "shares.npz") as data:
        assert (data["shares"] == result.run.attention.shares(View())).all()
        assert tuple(data["pieces"]) == result.run.plan.pieces
    assert (np.asarray(Image.open(tmp_path / "picture.png")) == result.picture).all()
    assert "step 3 of 3" in printed.getvalue() and "padding" in printed.getvalue()


def test_a_script_survives_any_prompt_and_names_other_kinds_of_model():
    awkward = BASE.replace(prompt='quotes """ and \\N{nothing} \\', model_sha256="a" * 64)
    compile(script(awkward), "script.py", "exec")
    assert 'resource("models", \'tiny\')' in script(awkward) and "a" * 64 in script(awkward)
    released = script(BASE.replace(model="/models/base.pt"))
    compile(released, "script.py", "exec")
    assert "load_released(Path('/models/base.pt'), DataPaths.default().cache" in released


def damage(change: Callable[[dict], None]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        arrays = dict(np.load(io.BytesIO(data)))
        change(arrays)
        out = io.BytesIO()
        np.savez(out, **arrays)
        return out.getvalue()

    return changed


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:200],
        lambda data: b"",
        lambda data: b"PK" + data[2:100],
        damage(lambda a: a.pop("t")),
        damage(lambda a: a.pop("maps1")),
        damage(lambda a: a.update(maps0=a["maps0"].astype(np.float32))),
        damage(lambda a: a.update(maps0=a["maps0"][:, :0])),
        damage(lambda a: a.update(pieces=a["pieces"][:-1])),
        damage(lambda a: a.update(x0=a["x0"][:-1])),
        damage(lambda a: a.update(sides=a["sides"] + 1)),
        damage(lambda a: a.update(sides=a["sides"][:1])),
        damage(lambda a: a.update(t=a["t"][:0])),
        damage(lambda a: a.update(layers=a["layers"][:0])),
    ],
)
def test_a_damaged_file_says_that_the_picture_is_whole(tmp_path: Path, npz: bytes, spoil: Callable[[bytes], bytes]):
    path = tmp_path / "attention.npz"
    path.write_bytes(spoil(npz))
    with pytest.raises(AttentionUnreadable, match="picture is whole"):
        TokenRun.read(path)


@pytest.fixture(scope="module")
def npz(tiny_models: Path) -> bytes:
    result = run_inline(live, BASE.replace(model=str(tiny_models / "tiny"), steps=2))
    return result.run.to_npz()


def test_a_file_that_would_fill_the_memory_is_not_opened(tmp_path: Path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.npy", bytes(200_000))
    monkeypatch.setattr("studio_plugins.tokens.run.MAX_FILE_BYTES", 100_000)
    with pytest.raises(AttentionUnreadable, match="not one of ours"):
        TokenRun.read(tmp_path / "bomb.npz")


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"steps": 0}, "steps"), ({"layers": "some"}, "layers"), ({"model_sha256": "x"}, "model_sha256")],
)
def test_a_bad_request_names_its_field(fields, name):
    with pytest.raises(RequestError) as error:
        BASE.replace(**fields)
    assert name in error.value.fields
