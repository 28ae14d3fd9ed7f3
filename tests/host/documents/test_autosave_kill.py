"""kill -9 at any instant while the recovery copy is written: what was said to be kept is found again, whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Set
from pathlib import Path

import pytest

from studio.host.documents.archive import read_document
from studio.host.documents.content import DocumentContent
from studio.host.documents.recovery import find_recoveries
from tests.host.documents.samples import sample

# One process that has imported everything forks the victims, since a start of Python costs more than a life of theirs.
FORKER = r"""
import os, sys, tempfile
from dataclasses import replace
from pathlib import Path
import numpy as np
from studio.host.documents.archive import write_document
from studio.host.documents.autosave import AutoSave
from tests.host.documents.samples import sample

def content(revision):
    return replace(sample(520, 300, revision % 3), view={"revision": revision})

def small(revision):
    return replace(sample(seed=revision), layers=sample(seed=revision).layers[:1], versions=(), view={"revision": revision})

def paint(root, first):
    '''Keep one revision after another, now and then saved, and tell each when it is done.'''
    path = Path(root) / f"{first}.glassbox"
    autosave = AutoSave(Path(root) / "recovery", path)
    revision = int(first)
    while True:
        revision += 1
        print("begin", revision, flush=True)
        autosave.write(content(revision), revision)
        print("kept", revision, flush=True)
        if revision % 4 == 0:
            write_document(path, content(revision))
            print("file", revision, flush=True)
            autosave.saved(path, revision)
            print("saved", revision, flush=True)

def die(root, fatal):
    '''Keep two revisions, save, keep another, close; die right before the system call number `fatal`.'''
    calls = 0
    def deadly(function):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == int(fatal):
                os.kill(os.getpid(), 9)
            return function(*args, **kwargs)
        return call
    path = Path(root) / "a.glassbox"
    for name in ("open", "write", "fsync", "rename", "replace", "mkdir", "unlink", "close", "rmdir"):
        setattr(os, name, deadly(getattr(os, name)))
    autosave = AutoSave(Path(root) / "recovery", path)
    for revision in (1, 2):
        autosave.write(small(revision), revision)
        print("kept", revision, flush=True)
    write_document(path, small(2))
    print("file", 2, flush=True)
    autosave.saved(path, 2)
    print("saved", 2, flush=True)
    autosave.write(small(3), 3)
    print("kept", 3, flush=True)
    autosave.close()
    print("closed", calls, flush=True)

with tempfile.TemporaryDirectory() as folder:  # what is imported on first use is imported before the first victim
    first = AutoSave(Path(folder) / "recovery")
    first.write(small(1), 1)
    write_document(Path(folder) / "a.glassbox", small(1))
    first.close()

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
"""


class Forker:
    """Talks to the forking process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", FORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

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


def facts(output: Path) -> dict[str, int]:
    """The last revision of each kind that a victim told of; the kill may have fallen into the middle of a line."""
    *whole, _cut = output.read_text().split("\n")
    return {word: int(number) for word, number in (line.split() for line in whole)}


def revision_in(content: DocumentContent) -> int:
    return int(content.view["revision"])


def check(root: Path, told: dict[str, int], path: Path, alive: Set[Path] = frozenset()) -> DocumentContent | None:
    """What is on the disk after the end of a victim holds everything that it told of; what lives is not offered."""
    found, notes = find_recoveries(root / "recovery")
    assert notes == [] and not alive & {recovery.path for recovery in found}
    mine = [recovery for recovery in found if recovery.path == path]
    assert len(mine) <= 1
    in_file = revision_in(read_document(path)) if path.exists() else 0
    assert in_file >= told.get("file", 0)
    if not mine:
        assert told.get("kept", 0) <= in_file
        return None
    _, content = mine[0].take()
    assert max(revision_in(content), in_file) >= told.get("kept", 0)
    if revision_in(content) > in_file:
        assert mine[0].newer
    return content


def test_killed_at_random_moments(tmp_path: Path, forker: Forker) -> None:
    chance = random.Random(7)
    found = 0
    for turn in range(8):
        # Two windows at once, killed at different moments: neither may take or hurt what belongs to the other.
        victims = [(f"{turn}{n}000", tmp_path / f"out-{turn}-{n}") for n in range(1 + turn % 2)]
        pids = [forker.ask("paint", tmp_path, first, output) for first, output in victims]
        limit = time.monotonic() + 30
        while not all(output.exists() and "kept" in output.read_text() for _, output in victims):
            assert time.monotonic() < limit, "the victims did not start"
            time.sleep(0.002)
        paths = [tmp_path / f"{first}.glassbox" for first, _ in victims]
        for n, (pid, (_, output)) in enumerate(zip(pids, victims, strict=True)):
            time.sleep(chance.uniform(0.0, 0.15))  # the moment of the kill is the point of this test
            os.kill(pid, signal.SIGKILL)
            assert forker.ask("wait", pid) == -signal.SIGKILL
            content = check(tmp_path, facts(output), paths[n], {*paths[n + 1 :]})
            if content is not None:
                found += 1
                original = sample(520, 300, revision_in(content) % 3)
                assert content.layers == original.layers and content.versions == original.versions
    assert found > 3


def test_killed_before_each_system_call(tmp_path: Path, forker: Forker) -> None:
    """The deterministic companion: the process dies right before each single call of keeping, saving and closing."""

    def run(fatal: int) -> tuple[Path, int, Path]:
        root, output = tmp_path / str(fatal), tmp_path / f"{fatal}.txt"
        root.mkdir()
        return root, forker.ask("wait", forker.ask("die", root, fatal, output)), output

    _, code, output = run(0)
    total = facts(output)["closed"]
    assert code == 0 and total > 60 and not list((tmp_path / "0" / "recovery").iterdir())
    copies = 0
    for fatal in range(1, total + 1):
        root, code, output = run(fatal)
        assert code == -signal.SIGKILL
        told = facts(output)
        if told.get("kept") == 3:  # it died while it closed: the third revision was not wanted
            told["kept"] = 2
        content = check(root, told, root / "a.glassbox")
        if content is not None:
            copies += 1
            assert content.layers == sample(seed=revision_in(content)).layers[:1]
    assert copies > 20
