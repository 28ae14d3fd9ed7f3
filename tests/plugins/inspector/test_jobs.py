"""The jobs through a real engine: lists, statistics, planes, cancelling, errors in words."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.engine import Engine, JobContext, Progress, Snapshot, TaskState, run_inline
from studio.host.results import ResultsStore
from studio_plugins.inspector import jobs
from studio_plugins.inspector.block import ReadingError
from studio_plugins.inspector.jobs import MAX_SIDE, Plane, measure, plane
from studio_plugins.inspector.reading import Listing
from studio_plugins.inspector.request import InspectRequest, MeasureRequest, PlaneRequest
from studio_plugins.inspector.stats import Statistics


@pytest.fixture
def context() -> Iterator[JobContext]:
    context = JobContext()
    yield context
    context.models.clear()
    context.cleanup()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, big=rng.normal(size=(1100, 2500)).astype(np.float32), small=np.arange(24).reshape(2, 3, 4))
    return path


def test_a_file_is_listed(archive: Path, context: JobContext) -> None:
    found: Listing = run_inline(jobs.list_file, str(archive), context=context)
    assert [(info.name, info.shape, info.dtype) for info in found.tensors] == [("big", (1100, 2500), "float32"), ("small", (2, 3, 4), "int64")]


def test_tensors_are_measured_in_chunks(archive: Path, context: JobContext) -> None:
    events: list[Any] = []
    found: dict[str, Statistics] = run_inline(measure, MeasureRequest(str(archive), ("small", "big")), context=context, on_event=events.append)
    with np.load(archive) as data:
        big = data["big"].astype(np.float64)
    assert found["big"].variance == pytest.approx(big.var(), rel=1e-12)
    assert found["big"].l2 == pytest.approx(np.linalg.norm(big), rel=1e-12)
    assert found["small"].mean == 11.5
    assert {event.name for event in events if isinstance(event, Snapshot)} == {"statistics small", "statistics big"}
    counted = [event for event in events if isinstance(event, Progress) and event.text == "measuring big"]
    assert len(counted) == 6, "a step for every half million values"
    assert counted[-1].done == counted[-1].total == big.size + 24


def test_a_plane_of_a_large_tensor_is_thinned_and_says_so(archive: Path, context: JobContext) -> None:
    found: Plane = run_inline(plane, PlaneRequest(str(archive), "big", 0, 1, (0, 0)), context=context)
    with np.load(archive) as data:
        expected = data["big"]
    assert (found.row_step, found.col_step) == (2, 3)
    assert max(found.values.shape) <= MAX_SIDE
    assert np.array_equal(found.values, expected[::2, ::3])


def test_a_plane_across_other_axes(archive: Path, context: JobContext) -> None:
    found: Plane = run_inline(plane, PlaneRequest(str(archive), "small", 2, 0, (0, 1, 0)), context=context)
    assert np.array_equal(found.values, np.arange(24).reshape(2, 3, 4)[:, 1, :].T)


@pytest.mark.parametrize("array", [np.array(7.5), np.arange(5000), np.zeros(0)], ids=["scalar", "vector", "empty"])
def test_one_axis_or_none_is_a_row(tmp_path: Path, context: JobContext, array: np.ndarray[Any, Any]) -> None:
    np.save(tmp_path / "v.npy", array)
    found: Plane = run_inline(plane, PlaneRequest(str(tmp_path / "v.npy"), "v", -1, -1, ()), context=context)
    assert np.array_equal(found.values, array.reshape(1, -1)[:, :: found.col_step])
    assert found.values.shape[1] <= MAX_SIDE


def test_a_picture_is_cut_with_its_channels(tmp_path: Path, context: JobContext) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    found: Plane = run_inline(plane, PlaneRequest(str(tmp_path / "p.png"), "pixels", 0, 1, (0, 0, 0), picture=True), context=context)
    assert np.array_equal(found.values, pixels)


def test_a_picture_is_decoded_once_and_only_the_last_file_is_kept(tmp_path: Path, context: JobContext, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio_plugins.inspector.picture import PictureFile

    decoded: list[str] = []
    decode = PictureFile._decode

    def counted(file: PictureFile) -> np.ndarray[Any, Any]:
        decoded.append(file.path.name)
        return decode(file)

    monkeypatch.setattr(PictureFile, "_decode", counted)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    for name in ("a.png", "a.png", "b.png", "b.png", "a.png"):
        run_inline(plane, PlaneRequest(str(tmp_path / name), "pixels", 0, 1, (0, 0, 0)), context=context)
    assert decoded == ["a.png", "b.png", "a.png"]
    assert len(context.models.keys()) == 1


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path, context: JobContext) -> None:
    path = tmp_path / "w.npy"
    for value in (1.0, 2.0):
        np.save(path, np.full((3, 3 + int(value)), value))
        found: Plane = run_inline(plane, PlaneRequest(str(path), "w", 0, 1, (0, 0)), context=context)
        assert found.values[0, 0] == value


@pytest.mark.parametrize(
    ("tensor", "message"), [("missing", "no tensor “missing”"), ("objects", "pickle")],
)  # fmt: skip
def test_what_cannot_be_opened_is_said_in_words(tmp_path: Path, context: JobContext, tensor: str, message: str) -> None:
    np.savez(tmp_path / "o.npz", objects=np.array([None], object), good=np.ones(2))
    with pytest.raises(ReadingError, match=message):
        run_inline(plane, PlaneRequest(str(tmp_path / "o.npz"), tensor, -1, -1, ()), context=context)
    found = run_inline(measure, MeasureRequest(str(tmp_path / "o.npz"), ("objects", "good")), context=context)
    assert list(found) == ["good"]


def test_measuring_stops_when_cancelled(tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", np.ones(20_000_000, np.float32))
    with_engine = Engine(device="cpu")
    try:
        task = with_engine.submit(measure, MeasureRequest(str(tmp_path / "long.npy"), ("long",)))
        while not any(isinstance(event, Progress) for event in task.mailbox.drain()):
            with_engine.step()
        task.cancel()
        while with_engine.step():
            continue
        assert task.state is TaskState.CANCELLED
    finally:
        with_engine.close()


def test_inspect_keeps_a_table(tmp_path: Path, archive: Path) -> None:
    store = ResultsStore(tmp_path / "results")
    context = JobContext(services={"results": store})
    try:
        record = store.get(run_inline(jobs.inspect, InspectRequest(path=str(archive)), context=context))
        rows = list(csv.DictReader(io.StringIO(record.files["tensors.csv"].read_text(encoding="utf-8"))))
        assert [row["tensor"] for row in rows] == ["big", "small"]
        assert float(rows[1]["std"]) == pytest.approx(np.arange(24).std(), rel=1e-12)
        assert record.request == {"path": str(archive), "tensor": ""}
        with pytest.raises(ReadingError, match="no tensor “nothing”"):
            run_inline(jobs.inspect, InspectRequest(path=str(archive), tensor="nothing"), context=context)
    finally:
        context.models.clear()
        context.cleanup()
        store.close()
