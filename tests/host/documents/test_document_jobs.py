"""The jobs around documents, on a real engine: save, keep, crash, find, take, close."""

from __future__ import annotations

import gc
import weakref
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.engine import Engine, Progress, TaskState, run_inline
from studio.host.documents import jobs
from studio.host.documents.archive import read_document
from studio.host.documents.autosave import AutoSave, RecoveryUnwritable
from studio.host.documents.content import DocumentContent
from tests.host.documents.samples import files_at_most, sample
from tests.host.documents.test_autosave import left_behind


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine.start()
    yield engine
    assert engine.close(10)


def done(engine: Engine, job: Any, request: Any) -> Any:
    task = engine.submit(job, request)
    assert task.wait(20)
    assert task.state is TaskState.DONE, task.error
    return task.result


def kept(engine: Engine, autosave: AutoSave, content: DocumentContent, revision: int = 1) -> int:
    autosave.offer(content, revision)
    written: int = done(engine, jobs.keep_recovery, autosave)
    return written


def test_the_life_of_a_document(engine: Engine, tmp_path: Path) -> None:
    path, root = tmp_path / "a.glassbox", tmp_path / "recovery"
    autosave = AutoSave(root)
    assert kept(engine, autosave, sample()) > 0
    saved = done(engine, jobs.save_document, jobs.Saving(path, jobs.Parcel(sample()), 1, autosave))
    assert saved == jobs.Saved(path, 1) and list(root.iterdir()) == []
    opened: jobs.Opened = done(engine, jobs.open_document, jobs.Opening(path, root))
    assert opened.parcel.take() == sample()
    assert kept(engine, opened.autosave, sample(seed=2)) > 0
    left_behind(opened.autosave)
    (found,), notes = done(engine, jobs.look_for_recoveries, root)
    assert found.path == path and found.newer and not found.file_changed and found.title == "a" and notes == []
    taken: jobs.Opened = done(engine, jobs.take_recovery, found)
    assert taken.parcel.take() == sample(seed=2) and read_document(path) == sample()
    done(engine, jobs.close_recovery, taken.autosave)
    assert list(root.iterdir()) == [] and done(engine, jobs.look_for_recoveries, root) == ([], [])


def test_declining_a_copy_deletes_it(engine: Engine, tmp_path: Path) -> None:
    autosave = AutoSave(tmp_path)
    kept(engine, autosave, sample())
    left_behind(autosave)
    (found,), _ = done(engine, jobs.look_for_recoveries, tmp_path)
    done(engine, jobs.discard_recovery, found)
    assert list(tmp_path.iterdir()) == []


def test_saving_and_exporting_tell_how_far_they_are(tmp_path: Path) -> None:
    events: list[Any] = []
    run_inline(
        jobs.save_document, jobs.Saving(tmp_path / "a.glassbox", jobs.Parcel(sample()), 1, AutoSave(tmp_path / "r")), on_event=events.append
    )
    assert [(event.done, event.total) for event in events if isinstance(event, Progress)] == [(n, 5) for n in range(1, 6)]
    events.clear()
    path = run_inline(jobs.export_ora, jobs.Exporting(tmp_path / "a.ora", jobs.Parcel(sample())), on_event=events.append)
    assert [(event.done, event.total) for event in events] == [(n, 5) for n in range(1, 6)]
    assert zipfile.is_zipfile(path)


def test_a_save_that_is_left_keeps_the_old_file(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a.glassbox"
    autosave = AutoSave(tmp_path / "recovery")
    done(engine, jobs.save_document, jobs.Saving(path, jobs.Parcel(sample()), 1, autosave))
    steps = jobs.save_document(jobs.Saving(path, jobs.Parcel(sample(seed=2)), 2, autosave), None)  # type: ignore[arg-type]
    first = next(steps)
    steps.send(first.fn(*first.args))  # type: ignore[union-attr]
    assert len(list(tmp_path.glob(".a-*"))) == 1
    steps.close()
    del first
    assert read_document(path) == sample() and list(tmp_path.glob(".a-*")) == []


def test_a_problem_of_the_copy_does_not_fail_a_save(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(autosave: AutoSave, path: Path, revision: int) -> None:
        raise RecoveryUnwritable(tmp_path, OSError(28, "full"), "")

    monkeypatch.setattr(AutoSave, "saved", full)
    saved = done(engine, jobs.save_document, jobs.Saving(tmp_path / "a.glassbox", jobs.Parcel(sample()), 1, AutoSave(tmp_path / "r")))
    assert "The disk is full" in saved.problem and read_document(saved.path) == sample()


def test_a_full_disk_reaches_the_person_in_words(engine: Engine, tmp_path: Path) -> None:
    autosave = AutoSave(tmp_path)
    autosave.offer(sample(), 1)
    with files_at_most(300):
        task = engine.submit(jobs.keep_recovery, autosave)
        assert task.wait(20)
    assert task.state is TaskState.FAILED and task.error is not None
    assert "save the document on another disk" in task.error.message
    assert done(engine, jobs.keep_recovery, autosave) > 0  # what could not be kept waits until there is room


def test_no_document_stays_in_memory_because_a_task_is_remembered(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a.glassbox"
    autosave = AutoSave(tmp_path / "recovery")
    contents = [sample(seed=seed) for seed in range(4)]
    gone = [weakref.ref(content) for content in contents]
    done(engine, jobs.save_document, jobs.Saving(path, jobs.Parcel(contents[0]), 1, autosave))
    done(engine, jobs.export_ora, jobs.Exporting(tmp_path / "a.ora", jobs.Parcel(contents[1])))
    autosave.offer(contents[2], 2)  # never written: a newer one came before the job did
    kept(engine, autosave, contents[3], 3)
    assert done(engine, jobs.keep_recovery, autosave) == 0
    opened: jobs.Opened = done(engine, jobs.open_document, jobs.Opening(path, tmp_path))
    gone.append(weakref.ref(opened.parcel.take()))
    contents.clear()
    gc.collect()
    assert len(engine.tasks()) == 5 and [reference() for reference in gone] == [None] * 5
    with pytest.raises(RuntimeError, match="handed over before"):
        opened.parcel.take()
