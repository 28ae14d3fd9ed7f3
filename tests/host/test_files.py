"""Atomic writing, data paths, session, notifications and crash logs."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.host import atomic
from studio.host.atomic import FileUnwritable, describe_os_error, replacing, write_bytes, write_text
from studio.host.crash import CrashGuard, ErrorReport
from studio.host.notifications import Notification, NotificationCenter
from studio.host.paths import VARIABLE, DataPaths
from studio.host.processes import is_running, process_mark
from studio.host.session import OpenPanel, Session, SessionStore


def test_writing_replaces_or_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "ä")
    write_bytes(path, b"two")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    for call in ("write", "fsync", "replace"):
        monkeypatch.setattr(atomic.os, call, lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(FileUnwritable, match="disk is full.*MiB free") as caught:
            write_bytes(path, b"three")
        assert caught.value.errno == errno.ENOSPC and caught.value.path == path
        monkeypatch.undo()
    assert path.read_bytes() == b"two" and [p.name for p in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "no permission"), (errno.EROFS, "read-only"), (errno.ENOTDIR, "folder does not exist"),
     (errno.ENAMETOOLONG, "too long"), (errno.EIO, "Check the disk"), (errno.ENOSPC, "full")],
)  # fmt: skip
def test_errors_say_what_to_do(number: int, words: str) -> None:
    text = describe_os_error(Path("/no/where/x"), OSError(number, os.strerror(number)))
    assert words in text and text.endswith("choose another place.")


def test_data_paths(tmp_path: Path) -> None:
    assert DataPaths.default(tmp_path, {VARIABLE: "/other"}).root == tmp_path
    assert DataPaths.default(None, {VARIABLE: str(tmp_path)}).root == tmp_path
    assert DataPaths.default("", {VARIABLE: "relative"}).root.is_absolute()
    assert "glassbox" in str(DataPaths.default(None, {})).lower()
    paths = DataPaths(tmp_path / "a" / "b").ensure()
    assert paths.root.is_dir()
    inside = [paths.results, paths.settings, paths.session, paths.crash, paths.plugins, paths.cache]
    assert len(set(inside)) == 6 and all(p.parent == paths.root for p in inside)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileUnwritable, match="--data-dir"):
        DataPaths(tmp_path / "file" / "x").ensure()


SESSION = Session(
    panels=(OpenPanel(panel="generate", name="1", state={"x": [1, None, "ü"]}), OpenPanel(panel="inspector")),
    active="generate", window={"geometry": "AAAA"},
)  # fmt: skip


def test_session_round_trip_and_quiet_autosave(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "session.json")
    assert store.load() is None and store.notes == []
    assert store.save(SESSION) and not store.save(SESSION)
    assert SessionStore(store.path).load() == SESSION
    odd = Session(panels=(OpenPanel(panel="a", state={"bad": object()}), OpenPanel(panel="b", state={"ok": 1})))
    assert store.save(odd) and len(store.notes) == 1 and "“a”" in store.notes[0]
    again = SessionStore(store.path).load()
    assert again is not None and [panel.state for panel in again.panels] == [{}, {"ok": 1}]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"[" * 9000, b'{"version": 2}', b"\xff", b'{"panels": []}'])
def test_unusable_sessions_are_kept_aside(tmp_path: Path, raw: bytes) -> None:
    store = SessionStore(tmp_path / "session.json")
    store.path.write_bytes(raw)
    assert store.load() is None and "could not be restored" in store.notes[0]
    assert store.path.with_name("session.json.bak").read_bytes() == raw


def test_damaged_entries_are_left_out_alone(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "session.json")
    entries = [{"panel": "a", "state": 3}, {"panel": "b", "new": 1}, 7, {"panel": ""}, {"state": {}}]
    store.path.write_text(json.dumps({"version": 1, "panels": entries, "active": 3, "window": {"a": 1, "b": "x"}}))
    assert store.load() == Session(panels=(OpenPanel(panel="b"),), window={"b": "x"}) and len(store.notes) == 4
    store.path.unlink()
    store.path.mkdir()
    assert store.load() is None and "could not be read" in store.notes[0]


ENTRIES = st.lists(st.dictionaries(st.sampled_from(["panel", "state"]), st.text() | st.integers()))
SESSIONS = st.dictionaries(st.sampled_from(["version", "panels", "active", "window"]), st.just(1) | ENTRIES)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100) | SESSIONS.map(lambda data: json.dumps(data).encode()))
def test_any_session_file_opens(tmp_path: Path, raw: bytes) -> None:
    store = SessionStore(tmp_path / "session.json")
    store.path.write_bytes(raw)
    loaded = store.load()
    assert loaded is not None or store.notes


def test_notifications_count_repeats_and_stay_bounded() -> None:
    now = [0.0]
    center = NotificationCenter(clock=lambda: now[0], limit=3)
    heard: list[Notification] = []
    stop = center.on_add(heard.append)
    first = center.add("disk full", "error", "one")
    center.add("saved", "odd level")
    center.mark_read()
    now[0] = 5.0
    again = center.add("disk full", "error", "two")
    assert (again.id, again.count, again.details, again.when, again.read) == (first.id, 2, "two", 5.0, False)
    assert [n.text for n in center.items()] == ["saved", "disk full"] and center.unread() == 1 and len(heard) == 3
    assert center.items()[0].level == "info"
    stop()
    for number in range(5):
        center.add(f"n{number}")
    assert [n.text for n in center.items()] == ["n2", "n3", "n4"] and len(heard) == 3
    center.dismiss(center.items()[0].id)
    center.dismiss(999)
    assert len(center.items()) == 2
    center.clear()
    assert center.items() == [] and center.unread() == 0


def test_processes() -> None:
    assert is_running(process_mark())
    assert not is_running(f"{os.getpid()}.12345")  # the id was used again
    for mark in ("", "x", "1", "1.", ".1", "-1.5", "99999999999.1", "٣.٤", "999999.1", "deleted-x.1.2"):
        assert not is_running(mark)


def test_errors_of_all_threads_are_logged_once(tmp_path: Path) -> None:
    seen: list[ErrorReport] = []
    called: list[str] = []
    before = sys.excepthook, threading.excepthook
    sys.excepthook, threading.excepthook = (lambda *a: called.append("main")), (lambda a: called.append("thread"))
    guard = CrashGuard(tmp_path / "crash", version="1", on_error=seen.append)
    guard.install()
    try:

        def fail() -> None:
            raise ValueError("in a thread")

        for _ in range(2):
            thread = threading.Thread(target=fail, name="worker")
            thread.start()
            thread.join()
        for error in (KeyError("slot"), KeyboardInterrupt()):
            sys.excepthook(type(error), error, None)
        (running,) = guard.folder.glob("running-*.log")
        text = running.read_text()
        assert text.count("ValueError: in a thread") == 1 and "KeyError: 'slot'" in text
        assert [r.summary for r in seen] == ["ValueError: in a thread", "KeyError: 'slot'"]
        assert seen[0].thread == "worker"
        assert called == ["thread", "thread", "main", "main"]
        assert guard.previous_crash() is None  # this process is alive
        guard.on_error = lambda report: sys.excepthook(OSError, OSError("while reporting"), None)
        sys.excepthook(TypeError, TypeError("x"), None)  # comes back: reporting does not report itself
    finally:
        guard.close()
        guard.close()
        restored = sys.excepthook, threading.excepthook
        sys.excepthook, threading.excepthook = before
    assert restored[0] is not guard._own and called[-1] == "main"
    assert CrashGuard(guard.folder).previous_crash() is None
    assert len(list((guard.folder / "archive").glob("errors-*.log"))) == 1


def test_a_clean_run_leaves_nothing(tmp_path: Path) -> None:
    before = sys.excepthook
    guard = CrashGuard(tmp_path / "crash")
    guard.install()
    guard.close()
    assert list(guard.folder.iterdir()) == [] and sys.excepthook is before


DYING = """
import sys, faulthandler, os
from pathlib import Path
from studio.host.crash import CrashGuard
guard = CrashGuard(Path(sys.argv[1]), version="9.9")
guard.install()
how = sys.argv[2]
if how == "segfault":
    import ctypes
    ctypes.string_at(0)
elif how == "kill":
    os.kill(os.getpid(), 9)
raise RuntimeError("uncaught at the end")
"""


@pytest.mark.parametrize(
    ("how", "words"), [("segfault", "Fatal Python error"), ("kill", "9.9"), ("raise", "uncaught at the end")]
)
def test_a_crash_is_told_once_at_the_next_start(tmp_path: Path, how: str, words: str) -> None:
    done = subprocess.run([sys.executable, "-c", DYING, str(tmp_path / "crash"), how], capture_output=True, timeout=60)
    assert done.returncode != 0
    guard = CrashGuard(tmp_path / "crash")
    report = guard.previous_crash()
    assert report is not None and words in report.text and "Glassbox Studio 9.9" in report.text
    assert report.path.read_text() == report.text and report.path.parent.name == "archive"
    assert guard.previous_crash() is None


def test_a_crash_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: called.append(args[1]))
    (tmp_path / "crash").write_text("")
    guard = CrashGuard(tmp_path / "crash")
    before = sys.excepthook
    guard.install()
    assert "could not be written" in guard.problem and guard.previous_crash() is None
    sys.excepthook(ValueError, ValueError("x"), None)
    guard.close()
    assert sys.excepthook is before and len(called) == 1
