"""The sweep job: what it yields, what it keeps, what it refuses; and stored sweeps read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from studio.engine import JobContext, Preview, Progress, Snapshot, run_inline
from studio.host.panel_jobs import FindOrder
from studio.host.request import RequestError
from studio.host.results import ResultsStore
from studio.ml.diffusion.weights import sha256_of
from studio.ml.evaluation.points import Measured, Setting
from studio_plugins.tradeoff import quick
from studio_plugins.tradeoff.demo import write
from studio_plugins.tradeoff.jobs import UnfitModel, sweep, tradeoff
from studio_plugins.tradeoff.keeping import POINTS_FILE, SweepUnreadable, read_files, read_record
from studio_plugins.tradeoff.request import TradeoffRequest
from studio_plugins.tradeoff.results import Begun


@pytest.fixture
def store(tmp_path):
    store = ResultsStore(tmp_path / "results")
    yield store
    store.close()


def same(one, other):
    assert one.request == other.request and one.texts == other.texts and one.points == other.points
    assert [m.faults for m in one.measured] == [m.faults for m in other.measured]
    assert all((a.pictures == b.pictures).all() for a, b in zip(one.measured, other.measured, strict=True))


def test_every_point_is_told_and_kept(tiny_models, small, store):
    events = []
    result = run_inline(tradeoff, small, context=JobContext(services={"results": store}), on_event=events.append)
    assert [point.kind for point in result.points] == ["renders", "unguided", "classifier-free", "classifier", "clip"]
    assert result.complete and result.record_id
    snapshots = {event.name: event.data for event in events if isinstance(event, Snapshot)}
    assert snapshots["begun"] == Begun(result.texts) and len(result.texts) == 8
    told = [snapshots[f"point {i}"] for i in range(5)]
    assert [measured.point for measured in told] == result.points
    progress = [event for event in events if isinstance(event, Progress) and event.total == 4 * 8 * 2]
    assert progress[-1].done == 4 * 8 * 2 and [p.done for p in progress] == sorted(p.done for p in progress)
    assert all(event.array.shape == (8, 32, 32, 3) for event in events if isinstance(event, Preview))
    digest = sha256_of([tiny_models / "tiny-classifier" / "model.safetensors"])
    assert result.provenance["companions"] == {"classifier": digest, "clip": "c" * 64}
    record = store.get(result.record_id)
    same(read_record(record, store.files(record.id)), result)
    same(run_inline(quick.load_sweep, record.id, context=JobContext(services={"results": store})), result)
    order = FindOrder("tradeoff", small.to_dict())
    same(run_inline(quick.find_sweep, order, context=JobContext(services={"results": store})), result)


def test_the_same_sweep_gives_the_same_points(tiny_models, small):
    one, again = run_inline(sweep, small), run_inline(sweep, small)
    strip = [point.model_copy(update={"seconds": 0.0}) for point in one.points]
    assert strip == [point.model_copy(update={"seconds": 0.0}) for point in again.points]
    other = run_inline(sweep, small.replace(seed=1))
    assert other.texts != one.texts


def test_a_sweep_that_cannot_be_kept_says_why_and_comes_back(tiny_models, small):
    result = run_inline(tradeoff, small.replace(classifier=(), clip=()))
    assert "no results store" in result.problem and result.record_id is None and len(result.measured) == 3


def test_unguided_scales_are_not_drawn_twice():
    request = TradeoffRequest(classifier_free=(3, 1, 3), classifier=(0, 2), clip=(0,))
    assert request.classifier_free == (1.0, 3.0)
    assert request.settings == (Setting("unguided"), Setting("classifier-free", 3.0), Setting("classifier", 2.0))
    nothing = request.replace(base="nothing", classifier_free=(0, 1))
    assert nothing.settings[1] == Setting("classifier-free", 1.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"classifier_free": (), "classifier": (), "clip": ()}, "at least one scale"),
        ({"clip": (-1.0,)}, "from 0 to 1000"),
        ({"clip": tuple(range(17))}, "17 scales are too many"),
        ({"prompts": 250, "per_prompt": 16}, "4000 pictures a point are too many"),
        ({"per_prompt": 1}, "Pictures per prompt"),
        ({"clip": ("x",)}, "CLIP scales"),
    ],
)
def test_impossible_sweeps_are_refused_in_words(fields, message):
    with pytest.raises(RequestError, match=message):
        TradeoffRequest.checked(**fields)


def test_a_request_survives_json():
    request = TradeoffRequest(clip=(0.5, 4), base="nothing")
    assert TradeoffRequest.from_json(request.to_json()) == request


def test_a_model_the_oracle_cannot_read_is_refused(tiny_models, small, monkeypatch, tmp_path):
    from studio.models import catalog
    from tests.plugins.tiny_models import TINY, write_tiny_model

    write_tiny_model(tmp_path / TINY, size=16)
    (tmp_path / "emoji-oracle").symlink_to(tiny_models / "emoji-oracle")
    monkeypatch.setattr(catalog, "bundled_folder", lambda: tmp_path)
    with pytest.raises(UnfitModel, match="reads pictures of 32 pixels"):
        run_inline(sweep, small)


@pytest.fixture
def written(tiny_models, small, tmp_path):
    """A sweep's files in a folder: the example's format, with the pictures of the first prompts."""
    result = run_inline(sweep, small)
    write(result, tmp_path / "example")
    return result, {path.name: path for path in (tmp_path / "example").iterdir()}


def test_the_examples_files_hold_all_points_and_few_pictures(written):
    result, files = written
    found = read_files(result.request, files)
    timeless = [point.model_copy(update={"seconds": 0.0}) for point in result.points]
    assert found.points == timeless and found.texts == result.texts
    assert [len(measured.pictures) for measured in found.measured] == [6] * 5
    assert (found.measured[2].pictures == result.measured[2].pictures[:6]).all()


def test_damaged_sweeps_say_what_is_wrong(written):
    result, files = written
    without = {name: path for name, path in files.items() if name != POINTS_FILE}
    with pytest.raises(SweepUnreadable, match=r"points\.json is missing"):
        read_files(result.request, without)
    with pytest.raises(SweepUnreadable, match="point-00"):
        read_files(result.request, {POINTS_FILE: files[POINTS_FILE]})
    text = files[POINTS_FILE].read_text()
    broken = Path(files["point-00.png"])
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SweepUnreadable, match="Draw it again"):
        read_files(result.request, files)
    broken.write_bytes(whole)
    stored = json.loads(text)
    stored["points"][0]["point"]["right"] = 99
    files[POINTS_FILE].write_text(json.dumps(stored))
    with pytest.raises(SweepUnreadable, match="Draw it again"):
        read_files(result.request, files)
    with pytest.raises(SweepUnreadable, match="which is not 6 pictures"):
        files[POINTS_FILE].write_text(text)
        read_files(result.request.replace(per_prompt=5), files)


def test_pictures_are_cut_where_they_were_joined(written):
    result, files = written
    measured: Measured = read_files(result.request, files).measured[0]
    assert measured.pictures.dtype == np.uint8 and measured.pictures.shape == (6, 32, 32, 3)
