"""Real windows over a real engine: the plugins that ship, a tiny random model under the bundled model's name."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from studio.app import Studio
from studio.ui.theme import theme
from tests.e2e import helpers
from tests.plugins.tiny_models import write_tiny_model

Opener = Callable[..., Studio]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like resources/models with one tiny model."""
    root = tmp_path_factory.mktemp("models")
    write_tiny_model(root / "emoji-base")
    return root


@pytest.fixture
def models(tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that a test may damage, in the place of the bundled models."""
    from studio.models import catalog

    folder = shutil.copytree(tiny_models, tmp_path / "models")
    monkeypatch.setattr(catalog, "bundled_folder", lambda: folder)
    return folder


@pytest.fixture
def open_studio(qtbot: QtBot, data_dir: Path, models: Path) -> Iterator[Opener]:
    """Opens windows as `glassbox` does and waits until they are ready. Closes what is left open."""
    theme().apply("light", 1.0)
    opened: list[Studio] = []

    def make(folder: Path = data_dir, *, wait: bool = True, **options: bool) -> Studio:
        studio = Studio(folder, **options)
        opened.append(studio)
        studio.show()
        if wait:
            qtbot.waitUntil(lambda: "ready" in studio.marks, timeout=helpers.LONG)
        return studio

    yield make
    for studio in opened:
        if isValid(studio):
            helpers.close(studio)
    QApplication.processEvents()
    for name in [name for name in sys.modules if name.startswith("_glassbox_user_plugin_")]:
        del sys.modules[name]


class Life:
    """One studio in a process of its own. `told` are the lines it told so far."""

    def __init__(self, forker: Forker, pid: int, out: Path, err: Path) -> None:
        self.pid, self.told = pid, list[str]()
        self._forker, self._err = forker, err
        self._stream = out.open(encoding="utf-8")  # waits until the studio has opened its end

    def line(self) -> str:
        """The next line; "" when it has ended."""
        line = self._stream.readline()
        if line.endswith("\n"):  # else the kill fell into the middle of a line
            self.told.append(line.rstrip("\n"))
        return line

    def until(self, start: str) -> str:
        """Read on to a line that starts so; gives it."""
        while line := self.line():
            if line.startswith(start):
                return line.rstrip("\n")
        raise AssertionError(f"it ended without saying “{start}”: {self.told[-5:]} {self.errors}")

    def end(self) -> int:
        """Read to the end; gives the exit status, negative for a signal."""
        while self.line():
            continue
        self._stream.close()
        return self._forker.bury(self.pid)

    @property
    def errors(self) -> str:
        """What it wrote to stderr, without what the offscreen platform always says."""
        lines = self._err.read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in lines if not line.startswith("This plugin does not support"))


class Forker:
    """Talks to the program in studios.py."""

    def __init__(self, models: Path, scratch: Path) -> None:
        self._models, self._scratch, self._count = models, scratch, 0
        self.living: set[int] = set()
        code = "from tests.e2e.studios import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None and self.process.stdout.readline() == "ready\n"

    def ask(self, *words: object) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def live(self, plan: str, data: Path) -> Life:
        """Start a studio on a data folder; `plan` is the name of a function in studios.py."""
        self._count += 1
        out, err = self._scratch / f"out-{self._count}", self._scratch / f"err-{self._count}"
        os.mkfifo(out)
        life = Life(self, self.ask(plan, data, self._models, out, err), out, err)
        self.living.add(life.pid)
        return life

    def bury(self, pid: int) -> int:
        """Wait for the end of a studio; gives its exit status."""
        self.living.discard(pid)
        return self.ask("bury", pid)


@pytest.fixture(scope="session")
def studios(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    """Starts studios in processes of their own."""
    forker = Forker(tiny_models, tmp_path_factory.mktemp("studios"))
    yield forker
    for pid in forker.living:  # of tests that failed
        os.kill(pid, signal.SIGKILL)
    forker.process.communicate(timeout=120)
