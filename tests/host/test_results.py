"""The results store: what it keeps, finds, forgets and says."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from studio.host import atomic, results_folder
from studio.host.results import ResultMissing, ResultsStore, StoreUnwritable
from studio.host.results_folder import BadRecord
from studio.host.results_index import Index

PNG = b"\x89PNG\r\n\x1a\nthumb"


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = ResultsStore(tmp_path / "results")
    yield store
    store.close()


def add(store: ResultsStore, prompt: str = "a cat", kind: str = "generate", title: str = "") -> str:
    return store.add(kind, {"prompt": prompt, "seed": 3}, {"image.png": b"pixels"}, title=title, thumbnail=PNG).id


def test_a_result_is_kept_whole(store: ResultsStore, tmp_path: Path) -> None:
    source = tmp_path / "big.bin"
    source.write_bytes(b"123")
    files: dict[str, Any] = {"a.bin": b"\0\1", "b.npy": lambda path: path.write_bytes(b"made"), "c.bin": source}
    record = store.add(
        "train", {"steps": 3, "sizes": (1, 2)}, files, title="Läufe", provenance={"device": "cpu"}, thumbnail=PNG,
        metrics={"loss": 0.5},
    )  # fmt: skip
    again = ResultsStore(store.root)
    assert again.get(record.id) == store.get(record.id) == record
    assert record.request == {"steps": 3, "sizes": [1, 2]} and record.provenance == {"device": "cpu"}
    assert record.metrics == {"loss": 0.5} and record.title == "Läufe" and record.created.endswith("+00:00")
    assert {name: path.read_bytes() for name, path in again.files(record.id).items()} == {
        "a.bin": b"\0\1", "b.npy": b"made", "c.bin": b"123",
    }  # fmt: skip
    assert record.thumbnail is not None and record.thumbnail.read_bytes() == PNG
    again.verify(record.id)
    record.files["a.bin"].write_bytes(b"\0\2")
    with pytest.raises(BadRecord, match="changed since"):
        again.verify(record.id)
    again.close()


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "a\\b", ".hidden", "record.json", "STATE.JSON", "x" * 200, "a\0", "a."]
)
def test_impossible_file_names_are_refused(store: ResultsStore, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        store.add("k", {}, {name: b""})
    assert store.records() == []


def test_a_failing_writer_leaves_nothing(store: ResultsStore) -> None:
    def writer(path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("encoder broke")

    with pytest.raises(RuntimeError):
        store.add("k", {}, {"a": b"1", "b": writer})
    for bad in ({"x": lambda path: None}, {"x": Path("/no/such/file")}):
        with pytest.raises(ValueError, match="made no file|no file that"):
            store.add("k", {}, bad)
    with pytest.raises(ValueError, match="JSON"):
        store.add("k", {"x": object()}, {})
    assert store.records() == [] and list((store.root / "tmp").iterdir()) == []
    assert list((store.root / "records").iterdir()) == []


def test_search_and_filters(store: ResultsStore) -> None:
    cat = add(store, "A CAT left of an apple")
    dog = add(store, "a dog, 100% ÉCLAIR", title="Best_of")
    run = add(store, "cat food", kind="train")
    ids = [record.id for record in store.records()]
    assert ids == [run, dog, cat]
    found = lambda *words, **filters: [r.id for r in store.records(*words, **filters)]  # noqa: E731
    assert found("cat") == [run, cat] and found("apple cat") == [cat] and found("éclair") == [dog]
    assert found("train") == [run] and found("best_") == [dog] and found("100%") == [dog]
    assert found("t_a") == [] and found("%") == [dog] and found("\\") == [] and found("'\"; --\0") == []
    assert found(kind="generate") == [dog, cat] and store.kinds() == ["generate", "train"]
    assert found(limit=1, offset=1) == [dog] and store.count("cat") == 2
    store.star(cat)
    assert found(starred=True) == [cat] and found(starred=False) == [run, dog] and store.get(cat).starred
    store.star(cat, False)
    assert found(starred=True) == []


def test_trash_restore_and_empty(store: ResultsStore) -> None:
    one, two = add(store), add(store, "two")
    store.star(one)
    store.trash(one)
    assert [r.id for r in store.records()] == [two] and [r.id for r in store.records(trashed=True)] == [one]
    assert store.files(one)["image.png"].read_bytes() == b"pixels"
    store.restore(one)
    assert store.get(one).starred and [r.id for r in store.records()] == [two, one]
    store.trash(two)
    folder = store.get(two).folder
    assert store.empty_trash() == 1 and not folder.exists() and store.empty_trash() == 0
    with pytest.raises(ResultMissing, match="not in the store"):
        store.get(two)
    for action in (store.star, store.trash, store.restore, store.delete, store.files):
        with pytest.raises(ResultMissing):
            action(two)
        with pytest.raises(ResultMissing):
            action("../../etc")


def test_changes_are_counted(store: ResultsStore) -> None:
    start = store.counter
    assert store.changed_since(start).changed == ()
    one, two = add(store), add(store)
    changes = store.changed_since(start)
    assert changes.changed == (one, two) and changes.counter > start
    store.star(one)
    store.delete(two)
    later = store.changed_since(changes.counter)
    assert later.changed == (one,) and later.removed == (two,)
    assert store.changed_since(later.counter).changed == ()


@pytest.mark.parametrize("damage", ["missing", "garbage", "truncated", "foreign", "version", "flipped"])
def test_the_index_is_rebuilt_from_the_folders(store: ResultsStore, damage: str) -> None:
    ids = [add(store, f"prompt {n}") for n in range(30)]
    store.star(ids[3])
    store.trash(ids[4])
    before, counter = store.records(trashed=None), store.counter
    store.close()
    index = store.root / "index.sqlite"
    raw = index.read_bytes()
    if damage == "missing":
        index.unlink()
    elif damage == "garbage":
        index.write_bytes(os.urandom(5000))
    elif damage == "truncated":
        index.write_bytes(raw[: len(raw) // 3])
    elif damage == "flipped":
        index.write_bytes(raw[:4096] + bytes(b ^ 0x55 for b in raw[4096:]))
    else:
        import sqlite3

        index.unlink()
        connection = sqlite3.connect(index)
        if damage == "foreign":
            connection.execute("CREATE TABLE records (x)")
        connection.execute("PRAGMA user_version=99" if damage == "version" else "CREATE TABLE y (x)")
        connection.commit()
        connection.close()
    again = ResultsStore(store.root)
    assert again.records(trashed=None) == before
    assert again.changed_since(counter).counter > counter
    assert again.get(ids[3]).starred and again.get(ids[4]).trashed
    add(again, "after")
    assert len(again.records("after")) == 1
    again.close()


def test_an_index_damaged_while_open_is_rebuilt(store: ResultsStore) -> None:
    ids = [add(store, f"prompt {n}") for n in range(50)]
    store._index._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (store.root / "index.sqlite").open("r+b") as file:
        file.write(os.urandom(20_000))
    new = add(store, "new one")
    assert {r.id for r in store.records()} == {*ids, new}


def test_a_crash_between_state_file_and_index_is_healed(store: ResultsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    one = add(store)
    monkeypatch.setattr(type(store._index), "mark", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        store.star(one)
    monkeypatch.undo()
    store.close()
    again = ResultsStore(store.root)
    assert again.get(one).starred
    again.close()


def test_damaged_and_removed_folders(store: ResultsStore) -> None:
    one, two, three = add(store), add(store), add(store)
    shutil.rmtree(store.get(one).folder)
    with pytest.raises(ResultMissing):
        store.files(one)
    store.close()
    (store.root / "index.sqlite").unlink()
    (store.root / "records" / two / "image.png").unlink()
    (store.root / "records" / "stranger").mkdir()
    again = ResultsStore(store.root)
    assert [r.id for r in again.records()] == [three]
    assert len(again.notes) == 1 and two in again.notes[0] and (store.root / "records" / two).exists()
    again.close()


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "{}", '{"id": 3}', "[" * 9000,
        '{"id":"X","kind":"","title":"","created":"","files":{"../x":{}},"request":{},"provenance":{},"metrics":{}}',
    ],
    ids=range(8),
)  # fmt: skip
def test_hostile_record_files_are_not_listed(tmp_path: Path, text: str) -> None:
    name = results_folder.new_id()
    folder = tmp_path / "records" / name
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(text.replace("X", name))
    store = ResultsStore(tmp_path)
    assert store.records() == [] and len(store.notes) == 1
    store.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_refuses(store: ResultsStore, monkeypatch: pytest.MonkeyPatch, number: int, call: str) -> None:
    kept = add(store)

    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, call, refuse)
    for action in (lambda: add(store), lambda: store.star(kept)):
        with pytest.raises(StoreUnwritable) as caught:
            action()
        assert "--data-dir" in str(caught.value) and str(store.root) in str(caught.value)
    words = {errno.ENOSPC: "full", errno.EROFS: "read-only", errno.EACCES: "permission", errno.EIO: "Check the disk"}
    assert words[number] in str(caught.value)
    monkeypatch.undo()
    assert [r.id for r in store.records()] == [kept] and not store.get(kept).starred
    assert list((store.root / "tmp").iterdir()) == []
    add(store)
    assert store.count() == 2


def test_a_read_only_folder_opens_for_reading(store: ResultsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = add(store, "kept")
    store.close()

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(Path, "mkdir", refuse)
    again = ResultsStore(store.root)
    assert not again.writable and "read-only" in again.problem
    assert [r.id for r in again.records("kept")] == [kept]
    with pytest.raises(StoreUnwritable):
        add(again)
    again.close()


def test_the_data_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("x")
    store = ResultsStore(tmp_path / "results")
    assert not store.writable and store.records() == [] and store.counter > 0
    with pytest.raises(StoreUnwritable):
        add(store)
    store.close()


def test_threads_add_search_star_and_trash_at_once(store: ResultsStore) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(12):
                one = add(store, f"thread{number} turn{turn}")
                store.star(one)
                if turn % 3 == 0:
                    store.trash(one)
                assert store.get(one).starred and store.records(f"thread{number} turn{turn}", trashed=None)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.count() == 6 * 8 and store.count(trashed=True) == 6 * 4


def test_two_stores_on_one_folder_see_each_other(store: ResultsStore) -> None:
    other = ResultsStore(store.root)
    start = other.counter
    one = add(store, "from the first")
    assert other.changed_since(start).changed == (one,) and other.get(one).request["prompt"] == "from the first"
    other.trash(one)
    assert store.get(one).trashed
    (store.root / "index.sqlite").unlink()
    for name in ("index.sqlite-wal", "index.sqlite-shm"):
        (store.root / name).unlink(missing_ok=True)
    third = ResultsStore(store.root)  # builds a new index
    new = add(third, "in the new index")
    assert store.counter and other.counter  # the poll notices the new file
    assert store.get(new).id == new and other.get(new).id == new
    assert store.get(one).trashed
    third.close()
    other.close()


def test_a_job_that_ends_after_close_still_saves(store: ResultsStore) -> None:
    store.close()
    late = add(store, "late")
    again = ResultsStore(store.root)
    assert again.get(late).request["prompt"] == "late"
    again.close()


def test_record_json_is_plain_for_other_programs(store: ResultsStore) -> None:
    record = store.get(add(store, "ein Häuschen"))
    data = json.loads((record.folder / "record.json").read_text("utf-8"))
    assert data["schema"] == 1 and data["files"]["image.png"]["size"] == 6
    assert data["request"]["prompt"] == "ein Häuschen"


def test_the_newest_result_of_exactly_a_request_is_found(tmp_path: Path) -> None:
    with closing(ResultsStore(tmp_path)) as store:
        ids = [store.add("count", {"n": n}, {"a.txt": b"a"}).id for n in (1, 2, 1)]
        found = store.newest("count", {"n": 1})
        assert found is not None and found.id == ids[2]
        assert store.newest("count", {"n": 3}) is None and store.newest("other", {"n": 1}) is None


def test_a_start_takes_no_star_away_from_what_another_window_has_just_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other window puts its result into the index and stars it after this one has read the folder."""
    other = ResultsStore(tmp_path)
    put = Index.put

    def late(index: Index, *arguments: Any, **options: Any) -> None:
        monkeypatch.undo()
        other.star(kept.id)
        put(index, *arguments, **options)

    with closing(other):
        kept = other.add("count", {"n": 1}, {"a.txt": b"a"})
        monkeypatch.setattr(Index, "ids", lambda index: set())  # asked before the other window had told of it
        monkeypatch.setattr(Index, "put", late)
        with closing(ResultsStore(tmp_path)) as store:
            assert store.get(kept.id).starred
