"""kill -9 at any instant while results are written: what is listed is whole, and nothing said to be saved is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.host.results import ResultsStore

# One process that has imported everything forks the victims, since a start of Python costs more than a life of theirs.
FORKER = r'''
import os, sys
from pathlib import Path
from studio.host.results import ResultsStore

def write(root, name):
    """Add, star, trash and delete without end, and tell each when it is done."""
    store = ResultsStore(Path(root))
    number = 0
    while True:
        data = bytes([number % 251]) * (1 + number * 7919 % 200_000)
        files = {"image.png": data, "note.txt": lambda path: path.write_text("x" * (number % 5000))}
        record = store.add("generate", {"prompt": f"run {name} number {number}"}, files, thumbnail=b"\x89PNG" * 50)
        print("add", record.id, flush=True)
        for every, action in ((3, "star"), (4, "trash"), (7, "delete")):
            if number % every == 0:
                getattr(store, action)(record.id)
                print(action, record.id, flush=True)
        number += 1

def die(root, fatal):
    """Add, star and delete one result; die right before the system call number `fatal`."""
    calls = 0
    def deadly(function):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == int(fatal):
                os.kill(os.getpid(), 9)
            return function(*args, **kwargs)
        return call
    store = ResultsStore(Path(root))
    for name in ("open", "write", "fsync", "rename", "replace", "mkdir", "unlink", "close"):
        setattr(os, name, deadly(getattr(os, name)))
    record = store.add("k", {"prompt": "p"}, {"a.bin": b"1" * 1000}, thumbnail=b"\x89PNG")
    print("add", flush=True)
    store.star(record.id)
    print("star", flush=True)
    store.delete(record.id)
    print("delete", calls, flush=True)

for line in sys.stdin:
    job, *arguments, output = line.rstrip("\n").split("\t")
    if job == "wait":
        print(os.waitstatus_to_exitcode(os.waitpid(int(output), 0)[1]), flush=True)
        continue
    child = os.fork()
    if child == 0:
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        try:
            globals()[job](*arguments)
            os._exit(0)
        finally:
            os._exit(1)
    print(child, flush=True)
'''


class Forker:
    """Talks to the forking process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *words: object) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture
def forker() -> Iterator[Forker]:
    forker = Forker()
    yield forker
    forker.process.communicate(timeout=30)


def test_killed_at_random_moments(tmp_path: Path, forker: Forker) -> None:
    root = tmp_path / "results"
    chance = random.Random(5)
    told: dict[str, set[str]] = {"add": set(), "star": set(), "trash": set(), "delete": set()}
    killed = 0
    for turn in range(10):
        # Every second time two writers at once, killed at different moments: one must not hurt the other either.
        outputs = [tmp_path / f"out-{turn}-{number}" for number in range(1 + turn % 2)]
        writers = [forker.ask("write", root, output.name, output) for output in outputs]
        limit = time.monotonic() + 30
        while not all(output.exists() and output.stat().st_size for output in outputs):
            assert time.monotonic() < limit, "the writers did not start"
            time.sleep(0.002)
        for writer in writers:
            time.sleep(chance.uniform(0.0, 0.15))  # the moment of the kill is the point of this test
            os.kill(writer, signal.SIGKILL)
            assert forker.ask("wait", writer) == -signal.SIGKILL
            killed += 1
        for output in outputs:
            *whole, _cut = output.read_text().split("\n")  # the kill may fall into the middle of a line
            for line in whole:
                action, record_id = line.split()
                told[action].add(record_id)
        store = ResultsStore(root)
        listed = store.records(limit=-1, trashed=None)
        ids = {record.id for record in listed}
        for record in listed:
            store.verify(record.id)
            assert set(record.files) == {"image.png", "note.txt"} and record.thumbnail is not None
            assert record.thumbnail.stat().st_size == 200 and record.request["prompt"].startswith("run out-")
        # What a writer did last may have happened without being told: at most one untold deletion a kill.
        assert len(told["add"] - told["delete"] - ids) <= killed
        assert not ids & told["delete"]
        assert told["star"] & ids <= {record.id for record in listed if record.starred}
        assert told["trash"] & ids <= {record.id for record in listed if record.trashed}
        assert list((root / "tmp").iterdir()) == [] and store.notes == []
        store.close()
    assert len(told["add"]) > 20 and told["delete"] and told["trash"]
    (root / "index.sqlite").unlink()
    rebuilt = ResultsStore(root)
    assert rebuilt.records(limit=-1, trashed=None) == listed
    rebuilt.close()


def test_killed_before_each_system_call(tmp_path: Path, forker: Forker) -> None:
    """The deterministic companion: the process dies right before each single call of add, star and delete."""

    def run(fatal: int) -> tuple[Path, int, str]:
        root, output = tmp_path / str(fatal), tmp_path / f"{fatal}.txt"
        return root, forker.ask("wait", forker.ask("die", root, fatal, output)), output.read_text()

    _, code, output = run(0)
    total = int(output.split()[-1])
    assert code == 0 and total > 20
    for fatal in range(1, total + 1):
        root, code, output = run(fatal)
        assert code == -signal.SIGKILL
        store = ResultsStore(root)
        listed = store.records()
        assert len(listed) <= 1 and store.notes == [] and list((root / "tmp").iterdir()) == []
        for record in listed:
            store.verify(record.id)
            assert record.starred or "star" not in output
        assert len(listed) == 1 or output == "" or "star" in output
        store.close()
