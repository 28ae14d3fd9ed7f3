"""The recovery copy: found when its process is gone, never by two windows at once, and gone when nothing is unsaved."""

from __future__ import annotations

import errno
import itertools
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.host.atomic import FileUnwritable
from studio.host.documents import autosave as autosave_module
from studio.host.documents.archive import read_document, write_document
from studio.host.documents.autosave import INDEX, TILES, AutoSave, RecoveryUnwritable
from studio.host.documents.content import DocumentContent
from studio.host.documents.recovery import Recovery, RecoveryTaken, find_recoveries
from studio.host.documents.schema import DocumentUnreadable
from studio.host.results_folder import new_id
from tests.host.documents.samples import files_at_most, noise, sample

GONE = "999999999.1"  # the mark of a process that cannot be running


def left_behind(autosave: AutoSave) -> Path:
    """Make the copy look as if its process had died."""
    dead = autosave.folder.with_name(f"{autosave.folder.name.partition('.')[0]}.{GONE}")
    return autosave.folder.rename(dead)


def only(root: Path) -> Recovery:
    found, notes = find_recoveries(root)
    assert len(found) == 1 and notes == []
    return found[0]


def test_a_copy_of_a_dead_process_is_found_and_taken_up_to_the_bit(tmp_path: Path) -> None:
    autosave = AutoSave(tmp_path, title="Untitled 2")
    assert autosave.write(sample(), 1) > 0
    assert find_recoveries(tmp_path) == ([], [])  # this process is alive: the document is open in it
    left_behind(autosave)
    found = only(tmp_path)
    assert (found.path, found.title, found.newer, found.about) == (None, "Untitled 2", True, "It was never saved.")
    assert (found.description.width, found.description.height) == (30, 20)
    taken, content = found.take()
    assert content == sample() and find_recoveries(tmp_path) == ([], [])
    assert taken.write(sample(seed=5), 1) > 0
    left_behind(taken)
    _, again = only(tmp_path).take()
    assert again == sample(seed=5)


def test_two_windows_do_not_take_the_same_copy(tmp_path: Path) -> None:
    autosave = AutoSave(tmp_path)
    autosave.write(sample(), 1)
    left_behind(autosave)
    here, there = only(tmp_path), only(tmp_path)
    here.take()
    for attempt in (there.take, there.discard):
        with pytest.raises(RecoveryTaken, match="Another window"):
            attempt()


def test_nothing_is_left_after_saving_or_closing(tmp_path: Path) -> None:
    root, path = tmp_path / "recovery", tmp_path / "a.glassbox"
    autosave = AutoSave(root)
    autosave.write(sample(), 1)
    write_document(path, sample())
    autosave.saved(path, 1)
    assert not autosave.folder.exists() and list(root.iterdir()) == []
    assert autosave.write(sample(), 1) == 0  # a late write of what is saved already
    assert autosave.write(sample(seed=2), 2) > 0
    autosave.close()
    assert list(root.iterdir()) == [] and autosave.write(sample(seed=3), 3) == 0
    autosave.close()
    autosave.saved(path, 3)
    assert list(root.iterdir()) == []


def test_an_older_content_never_replaces_a_newer_one(tmp_path: Path) -> None:
    autosave = AutoSave(tmp_path)
    autosave.write(sample(seed=2), 2)
    assert autosave.write(sample(seed=1), 1) == 0
    left_behind(autosave)
    assert only(tmp_path).take()[1] == sample(seed=2)


def test_what_was_painted_while_it_was_saved_stays_in_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "a.glassbox"
    autosave = AutoSave(tmp_path)
    write_document(path, sample(seed=1))
    autosave.write(sample(seed=2), 2)
    autosave.saved(path, 1)
    left_behind(autosave)
    found = only(tmp_path)
    assert found.path == path and found.newer and not found.file_changed
    assert found.about == f"It has changes that are not in “{path}”."
    taken, content = found.take()
    assert content == sample(seed=2)
    write_document(path, content)
    taken.saved(path, 0)  # saved as it was taken up
    assert not taken.folder.exists()


def test_it_says_how_the_copy_and_the_file_relate(tmp_path: Path) -> None:
    path = tmp_path / "a.glassbox"
    write_document(path, sample())
    autosave = AutoSave(tmp_path, path)
    autosave.write(sample(seed=2), 1)
    left_behind(autosave)
    write_document(path, sample(seed=3))
    os.utime(path, (time.time() + 60, time.time() + 60))
    assert only(tmp_path).file_changed and not only(tmp_path).newer and " after this copy" in only(tmp_path).about
    os.utime(path, (1e9, 1e9))
    assert only(tmp_path).file_changed and only(tmp_path).newer and " before this copy" in only(tmp_path).about
    path.unlink()
    assert only(tmp_path).newer and "not there any more" in only(tmp_path).about
    only(tmp_path).discard()
    assert find_recoveries(tmp_path) == ([], []) and list(tmp_path.iterdir()) == []


def test_a_stroke_on_a_large_document_writes_only_the_tiles_under_it(tmp_path: Path) -> None:
    side = 2048
    photo = noise(side // 4, side // 4, 4).repeat(4, 0).repeat(4, 1)
    photo.flags.writeable = False
    mask = np.zeros((side, side), np.uint8)
    content = DocumentContent(side, side, (replace(sample().layers[0], pixels=photo),), None, mask)
    autosave = AutoSave(tmp_path)
    first = autosave.write(content, 1)
    names = {path.name for path in (autosave.folder / TILES).iterdir()}
    stroke = mask.copy()
    stroke[600:620, 300:900] = 255
    second = autosave.write(replace(content, mask=stroke), 2)
    fresh = {path.name for path in (autosave.folder / TILES).iterdir()} - names
    assert len(fresh) == 2 and second < first / 50
    index = json.loads((autosave.folder / INDEX).read_text())
    assert {part for layer in index["document"]["layers"] for part in layer["pixels"]["parts"]} <= {n[:-4] for n in names}
    autosave.write(content, 3)  # undone: the tiles of the stroke go
    assert {path.name for path in (autosave.folder / TILES).iterdir()} == names


@pytest.mark.parametrize("size", [0, 200, 1000, 2400])
@pytest.mark.parametrize("first", [False, True])
def test_a_full_disk_is_told_and_the_last_copy_stays(tmp_path: Path, size: int, first: bool) -> None:
    autosave = AutoSave(tmp_path)
    if not first:
        autosave.write(sample(), 1)
    words = "there is no copy yet" if first else r"the copy of \d\d:\d\d is kept in case of a crash"
    with files_at_most(size), pytest.raises(RecoveryUnwritable, match=f"save the document on another disk; until then {words}"):
        autosave.write(sample(seed=7), 2)
    if first:
        assert not autosave.folder.exists()
    else:
        kept = {path.stem for path in (autosave.folder / TILES).iterdir()}
        index = json.loads((autosave.folder / INDEX).read_text())
        assert kept == {part for part in kept if part in json.dumps(index)}  # the room of the failed copy is given back
    assert autosave.write(sample(seed=8), 3) > 0  # there is room again
    left_behind(autosave)
    assert only(tmp_path).take()[1] == sample(seed=8)


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "open"])
def test_whichever_call_says_that_the_disk_is_full_the_copy_on_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Fail the n-th call of a kind, for every n: what is on the disk can always be taken up, the old one or the new."""
    real = getattr(os, call)
    failures = 0
    for number in itertools.count(1):
        root = tmp_path / str(number)
        autosave = AutoSave(root)
        autosave.write(sample(), 1)
        count = 0

        def full(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                raise OSError(errno.ENOSPC, "full")
            return real(*args, **kwargs)

        monkeypatch.setattr(os, call, full)
        try:
            autosave.write(sample(seed=7), 2)
            told = ""
        except RecoveryUnwritable as error:
            told = str(error)
        monkeypatch.setattr(os, call, real)
        left_behind(autosave)
        content = only(root).take()[1]
        if count < number:
            break
        failures += "The disk is full" in told
        assert content == sample() or content == sample(seed=7)
    assert content == sample(seed=7) and told == "" and failures == number - 1 > 0


def test_saving_when_the_index_cannot_be_renewed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    autosave = AutoSave(tmp_path)
    autosave.write(sample(), 2)

    def full(path: Path, data: bytes) -> None:
        raise FileUnwritable(path, OSError(errno.ENOSPC, "full"))

    monkeypatch.setattr(autosave_module, "write_bytes", full)
    with pytest.raises(RecoveryUnwritable, match="The disk is full"):
        autosave.saved(tmp_path / "a.glassbox", 1)


def test_rubbish_goes_and_what_cannot_be_read_stays_with_a_note(tmp_path: Path) -> None:
    whole = AutoSave(tmp_path)
    whole.write(sample(), 1)
    unborn = tmp_path / f"{new_id()}.{GONE}"
    (unborn / TILES).mkdir(parents=True)
    strangers = [tmp_path / "notes", tmp_path / ".hidden"]
    for folder in strangers:
        folder.mkdir()
    broken: list[Path] = []
    text = (whole.folder / INDEX).read_bytes()
    for data in (
        b"", b"{}", text.replace(b'"schema": 1', b'"schema": 9'), text.replace(b'"recovery"', b'"other"'),
        text.replace(b'"written": "2', b'"written": "x2'),
    ):  # fmt: skip
        broken.append(tmp_path / f"{new_id()}.{GONE}")
        broken[-1].mkdir()
        (broken[-1] / INDEX).write_bytes(data)
    found, notes = find_recoveries(tmp_path)
    assert found == [] and len(notes) == len(broken) and any("newer version" in note for note in notes)
    assert not unborn.exists() and all(folder.exists() for folder in (*broken, *strangers, whole.folder))
    assert find_recoveries(tmp_path / "nothing") == ([], [])


def test_a_damaged_copy_is_not_lost_by_looking_at_it(tmp_path: Path) -> None:
    autosave = AutoSave(tmp_path)
    autosave.write(sample(), 1)
    dead = left_behind(autosave)
    next((dead / TILES).iterdir()).write_bytes(b"")
    with pytest.raises(DocumentUnreadable, match="could not be opened"):
        only(tmp_path).take()
    (kept,) = tmp_path.iterdir()
    assert (kept / INDEX).exists()


def test_the_latest_copy_comes_first(tmp_path: Path) -> None:
    for seed in range(3):
        autosave = AutoSave(tmp_path, title=str(seed))
        autosave.write(sample(seed=seed), 1)
        time.sleep(0.002)  # the clock of the copies counts milliseconds
        left_behind(autosave)
    assert [found.title for found in find_recoveries(tmp_path)[0]] == ["2", "1", "0"]


def test_a_copy_saved_under_its_name_reads_as_any_document(tmp_path: Path) -> None:
    autosave = AutoSave(tmp_path / "recovery")
    autosave.write(sample(), 1)
    left_behind(autosave)
    _, content = only(tmp_path / "recovery").take()
    write_document(tmp_path / "a.glassbox", content)
    assert read_document(tmp_path / "a.glassbox") == sample()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 12), tile=st.booleans(), cut=st.floats(0, 1) | st.none())
def test_any_damage_on_the_disk_is_told_and_never_an_accident(tmp_path: Path, seed: int, flips: int, tile: bool, cut: float | None) -> None:
    root = tmp_path / str(time.monotonic_ns())
    autosave = AutoSave(root, tmp_path / "a.glassbox")
    autosave.write(sample(6, 5), 1)
    dead = left_behind(autosave)
    target = sorted((dead / TILES).iterdir())[seed % 5] if tile else dead / INDEX
    random = np.random.default_rng(seed)
    data = np.frombuffer(target.read_bytes(), np.uint8).copy()
    data[random.integers(0, len(data), flips)] = random.integers(0, 256, flips)
    target.write_bytes(data[: len(data) if cut is None else int(cut * len(data))].tobytes())
    found, notes = find_recoveries(root)
    assert len(found) + len(notes) == 1
    for recovery in found:
        assert recovery.about and recovery.newer in (True, False)
        try:
            _, content = recovery.take()
        except DocumentUnreadable as error:
            assert "could not be opened" in str(error)
        else:
            assert tile is False or content == sample(6, 5)


def test_an_index_with_an_impossible_path_is_still_a_copy(tmp_path: Path) -> None:
    autosave = AutoSave(tmp_path, tmp_path / "a.glassbox")
    autosave.write(sample(), 1)
    index = left_behind(autosave) / INDEX
    index.write_bytes(index.read_bytes().replace(b"a.glassbox", b"a\\u0000"))
    assert "not there any more" in only(tmp_path).about and only(tmp_path).take()[1] == sample()
