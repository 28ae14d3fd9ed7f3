"""The jobs of an import without a window: a folder with everything in it, cancelled, killed, full disks, removal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from studio.engine import JobContext, Log, Offload, Progress, Snapshot, run_inline
from studio.host.paths import DataPaths
from studio.host.results import ResultsStore
from studio.models import stepwise
from studio.models.catalog import find_models, imported_folder, read_info
from studio.models.importing import NothingToImport, NotImported, remove_model
from studio.models.inventory import inventory
from studio.models.opening import open_drawing, open_folder
from studio.models.survey import FolderUnreadable, Row, survey
from studio_plugins.models.jobs import Imported, import_models
from studio_plugins.models.request import ImportRequest

from tests.ml.importing.reduced import Bomb, random_state, reduce, write_files

SMALL = ["base.pt", "clip_image_enc.pt", "clip_text_enc.pt", "64x64_diffusion.pt"]


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Good files, a damaged one, a malicious one and one of another network."""
    known = reduce(monkeypatch)
    folder = write_files(tmp_path / "downloads", known, SMALL)
    base = random_state(next(network for network in known if network.name == "glide-base"))
    (folder / "damaged.pt").write_bytes((folder / "base.pt").read_bytes()[:50_000])
    torch.save({**base, "z": Bomb(tmp_path / "trap")}, folder / "malicious.pt")
    torch.save({**base, "out.2.bias": torch.zeros(7)}, folder / "other.pt")
    return folder


@pytest.fixture
def context(tmp_path: Path) -> Iterator[JobContext]:
    store = ResultsStore(tmp_path / "results")
    yield JobContext(services={"results": store, "paths": DataPaths.default()})
    store.close()


def run(job, request, context):
    events = []
    return run_inline(job, request, context=context, on_event=events.append), events


def rows(folder: Path, context: JobContext) -> dict[str, Row]:
    found, _ = run(survey, folder, context)
    return {row.path.name: row for row in found.rows}


def left_behind() -> list[str]:
    return sorted(path.name for path in imported_folder().iterdir()) if imported_folder().is_dir() else []


def test_a_whole_folder_is_told_apart_imported_and_offered_everywhere(downloads, context, tmp_path):
    found = rows(downloads, context)
    assert {name for name, row in found.items() if row.importable} == set(SMALL)
    for name, words in (("damaged.pt", "damaged"), ("malicious.pt", "run code"), ("other.pt", "Closest is GLIDE")):
        assert words in found[name].problem and not found[name].title
    base, clip = found["base.pt"], found["clip_image_enc.pt"]
    assert base.title == "GLIDE (filtered) 64x64" and base.task == "draws 64×64 pictures from text"
    assert base.single > 4 * base.parameters and base.half == base.single // 2 and base.converting == 0
    assert [(need.text, need.here) for need in base.needs] == [("GPT-2's vocabulary", True)]
    assert clip.model == found["clip_text_enc.pt"].model != base.model
    assert [need.here for need in clip.needs] == [True, True] and not clip.needs[1].required

    result, events = run(import_models, ImportRequest(folder=str(downloads)), context)
    assert isinstance(result, Imported) and not result.unkept
    assert [bool(outcome.model) for outcome in result.outcomes] == [True] * 3, result.outcomes
    assert all("equal bit for bit; evaluated once" in outcome.proof for outcome in result.outcomes)
    assert [event.data for event in events if isinstance(event, Snapshot)] == list(result.outcomes)
    shares = [event.done for event in events if isinstance(event, Progress)]
    assert shares == sorted(shares)
    assert left_behind() == ["adm-64", "glide-base", "glide-clip"] and not (tmp_path / "trap").exists()
    (record,) = context.services["results"].records(kind="import_models")
    assert record.title == "3 of 3 models imported from downloads"

    shutil.rmtree(downloads)
    titles = {info.kind: info for info in find_models(kinds=None)[0] if info.folder.parent == imported_folder()}
    assert set(titles) == {"text2im", "class-conditional", "clip"} and len(titles["class-conditional"].classes) == 1000
    drawing, _ = run(lambda id, ctx: open_drawing(id, ctx), titles["class-conditional"].id, context)
    assert drawing.index("class 207") == 207
    from studio.ml.clip.model import load_clip

    opened, _ = run(lambda id, ctx: open_folder(id, load_clip, ctx), titles["clip"].id, context)
    assert opened.image_size == 64
    entries = {entry.info.kind: entry for entry in inventory().entries if entry.origin == "imported"}
    assert "Verified" in entries["clip"].card and entries["text2im"].formats == {"F32": base.parameters}


def test_what_was_imported_before_is_said_and_a_second_import_takes_another_name(downloads, context):
    one = ImportRequest(folder=str(downloads), files=(str(downloads / "64x64_diffusion.pt"),))
    run(import_models, one, context)
    assert rows(downloads, context)["64x64_diffusion.pt"].imported == str(imported_folder() / "adm-64")
    assert rows(downloads, context)["base.pt"].imported == ""
    run(import_models, one, context)
    assert left_behind() == ["adm-64", "adm-64-2"]
    run(remove_model, str(imported_folder() / "adm-64"), context)
    assert left_behind() == ["adm-64-2"]
    for place in (imported_folder().parent, imported_folder() / "none", downloads):
        with pytest.raises(NotImported):
            run(remove_model, str(place), context)


@pytest.mark.parametrize("steps", [3, 12])
def test_a_cancelled_import_leaves_nothing_of_what_was_under_way(downloads, context, monkeypatch, steps):
    monkeypatch.setattr(stepwise, "_STRIDE", 1e-9)  # a single piece a step
    job = import_models(ImportRequest(folder=str(downloads)), context)
    item, done = next(job), 0
    while done < steps:
        value = item.fn(*item.args, **item.kwargs) if isinstance(item, Offload) else None
        done += isinstance(item, Progress)
        item = job.send(value)
    assert len(left_behind()) == 1 and left_behind()[0].startswith(".importing-")
    assert find_models([])[0] == [info for info in find_models([])[0] if info.folder.parent != imported_folder()]
    job.close()
    assert left_behind() == []


@pytest.mark.parametrize("last", [False, True])
def test_cancelling_while_a_step_runs_leaves_the_cleaning_to_that_step(downloads, context, monkeypatch, last):
    """The engine closes the job while a worker thread still writes, or does the last of it."""
    job = import_models(ImportRequest(folder=str(downloads)), context)
    item = next(job)
    while not (isinstance(item, Offload) and getattr(item.fn, "__name__", "") == "advance"):
        item = job.send(item.fn(*item.args, **item.kwargs) if isinstance(item, Offload) else None)
    work = item.fn.__self__
    steps = work._steps

    def slow():
        for step in steps:
            if not last or step.text.startswith("putting"):
                job.close()  # comes while this step runs
                assert left_behind() != []
            yield step

    work._steps = slow()
    while not work.given_up:
        item.fn()
    assert left_behind() == []


def test_what_a_killed_import_left_is_swept_away_by_the_next(downloads, context):
    left = imported_folder() / ".importing-999999.1-abcdef"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    (left / "config.json").write_text(json.dumps({"kind": "text2im", "image_size": 64}))
    assert left not in [info.folder for info in find_models()[0]]
    run(import_models, ImportRequest(folder=str(downloads), files=(str(downloads / "clip_text_enc.pt"),)), context)
    assert left_behind() == []


def test_one_that_cannot_be_imported_does_not_keep_the_others(downloads, context):
    (downloads / "vocab.bpe.gz").unlink()
    files = tuple(str(downloads / name) for name in ("base.pt", "64x64_diffusion.pt"))
    result, events = run(import_models, ImportRequest(folder=str(downloads), files=files), context)
    assert [bool(outcome.model) for outcome in result.outcomes] == [False, True]
    assert "GPT-2's vocabulary is missing" in result.outcomes[0].problem
    assert any(isinstance(event, Log) and "was not imported" in event.text for event in events)
    assert left_behind() == ["adm-64"]


def test_a_full_disk_is_said_before_and_leaves_nothing(downloads, context, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    result, _ = run(import_models, ImportRequest(folder=str(downloads), files=(str(downloads / "base.pt"),)), context)
    assert "GiB are free" in result.outcomes[0].problem and left_behind() == []


def test_nothing_to_import_and_folders_that_cannot_be_read_are_said_in_words(downloads, context, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NothingToImport, match=r"\.pt or \.safetensors"):
        run(import_models, ImportRequest(folder=str(empty)), context)
    with pytest.raises(NothingToImport, match="other.pt: None of the published"):
        run(import_models, ImportRequest(folder=str(downloads), files=(str(downloads / "other.pt"),)), context)
    assert rows(empty, context) == {}
    for place, words in ((tmp_path / "none", "not there"), (downloads / "base.pt", "is no folder")):
        with pytest.raises(FolderUnreadable, match=words):
            run(survey, place, context)


def test_an_imported_folder_says_its_kind(downloads, context):
    run(import_models, ImportRequest(folder=str(downloads), files=(str(downloads / "base.pt"),)), context)
    info = read_info(imported_folder() / "glide-base", bundled=False)
    assert (info.kind, info.size, info.length, info.prompted, info.words) == ("text2im", 64, 128, True, ())
