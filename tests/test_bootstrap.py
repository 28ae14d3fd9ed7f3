"""bootstrap.py: what it decides, with pip, apt and exec replaced."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def boot() -> ModuleType:
    """A fresh copy of the script as a module, so that a test may replace its parts."""
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", ROOT / "bootstrap.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project folder with the three files that decide what is installed."""
    for name in ("pyproject.toml", "setup.py"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / "requirements.lock").write_text("numpy==2.4.6\nsetuptools==84.2.1\n", encoding="utf-8")
    return tmp_path


class Calls:
    """Stands in for subprocess.call: records commands; `answer` decides the exit code and may have an effect."""

    def __init__(self, answer: Callable[[list[str]], int] = lambda command: 0) -> None:
        self.commands: list[list[str]] = []
        self.answer = answer

    def __call__(self, command: list[str], **options: object) -> int:
        self.commands.append(command)
        if command[1:3] == ["-m", "venv"]:
            python = Path(command[-1], *(("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")))
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()
        return self.answer(command)

    def pip(self) -> list[list[str]]:
        return [command for command in self.commands if command[1:4] == ["-m", "pip", "install"]]


@pytest.fixture
def calls(boot: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    monkeypatch.setattr(boot.subprocess, "call", calls)
    monkeypatch.setattr(boot, "loads", lambda soname: True)
    monkeypatch.setattr(boot, "has_fonts", lambda: True)
    return calls


def test_first_start_installs_and_second_does_nothing(boot: ModuleType, checkout: Path, calls: Calls) -> None:
    python = boot.prepare(checkout, "run")
    assert [command[-1] for command in calls.pip()] == ["setuptools==84.2.1", str(checkout)]
    assert "--constraint" in calls.pip()[1] and str(checkout / "requirements.lock") in calls.pip()[1]
    calls.commands.clear()
    assert boot.prepare(checkout, "run") == python
    assert calls.commands == []


def test_tests_add_their_extras_and_serve_the_window_too(boot: ModuleType, checkout: Path, calls: Calls) -> None:
    boot.prepare(checkout, "run")
    calls.commands.clear()
    boot.prepare(checkout, "test")
    assert calls.pip()[-1][-1] == f"{checkout}[test]"
    calls.commands.clear()
    boot.prepare(checkout, "run")
    assert calls.commands == []


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml", "setup.py"])
def test_a_changed_project_is_installed_again(boot: ModuleType, checkout: Path, calls: Calls, name: str) -> None:
    boot.prepare(checkout, "run")
    calls.commands.clear()
    (checkout / name).write_text((checkout / name).read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    boot.prepare(checkout, "run")
    assert len(calls.pip()) == 2


def test_another_python_or_place_is_another_installation(boot: ModuleType, checkout: Path) -> None:
    here = boot.fingerprint(checkout, (3, 11, 2))
    assert here == boot.fingerprint(checkout, (3, 11, 7))
    assert here != boot.fingerprint(checkout, (3, 12, 0))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1}', '{"modes": ["run"]}', "\xff"])
def test_a_damaged_stamp_means_install(boot: ModuleType, checkout: Path, calls: Calls, text: str) -> None:
    boot.prepare(checkout, "run")
    (checkout / ".venv" / boot.STAMP).write_text(text, encoding="latin-1")
    calls.commands.clear()
    boot.prepare(checkout, "run")
    assert len(calls.pip()) == 2


def test_an_interrupted_installation_is_started_over(boot: ModuleType, checkout: Path, calls: Calls) -> None:
    def killed(command: list[str]) -> int:
        if command[1:4] == ["-m", "pip", "install"]:
            raise KeyboardInterrupt
        return 0

    calls.answer = killed
    with pytest.raises(KeyboardInterrupt):
        boot.prepare(checkout, "run")
    half = checkout / ".venv" / "half-installed"
    half.touch()
    calls.answer = lambda command: 0
    boot.prepare(checkout, "run")
    assert not half.exists()
    assert not (checkout / ".venv" / boot.UNFINISHED).exists()
    assert boot.ready_modes(checkout / ".venv", boot.fingerprint(checkout, sys.version_info[:3])) == ["run"]


def test_a_failing_pip_says_what_to_do_and_leaves_no_stamp(
    boot: ModuleType, checkout: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.answer = lambda command: int(command[1:4] == ["-m", "pip", "install"])
    monkeypatch.setattr(boot, "ROOT", checkout)
    assert boot.main(["run"]) == 1
    assert "Check network and disk space" in capsys.readouterr().err
    assert not (checkout / ".venv" / boot.STAMP).exists()


def test_a_foreign_environment_is_kept(boot: ModuleType, checkout: Path, calls: Calls) -> None:
    """A .venv that a person made is installed into, not deleted."""
    python = boot.venv_python(checkout / ".venv")
    python.parent.mkdir(parents=True)
    python.touch()
    own = checkout / ".venv" / "own-file"
    own.touch()
    boot.prepare(checkout, "run")
    assert own.exists()


def test_too_old_python_goes_on_with_a_newer_one(boot: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(boot, "newer_python", lambda: "/opt/python3.12")
    monkeypatch.setattr(boot, "replace_process", became.append)
    boot.check_python((3, 8, 1), ["run", "--safe"])
    assert became == [["/opt/python3.12", str(ROOT / "bootstrap.py"), "run", "--safe"]]


def test_too_old_python_alone_is_told_what_to_install(boot: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "newer_python", lambda: None)
    with pytest.raises(boot.BootstrapError, match=r"needs Python 3\.11 or newer; this is 3\.8"):
        boot.check_python((3, 8, 1), ["run"])


def test_an_old_python_can_read_the_script() -> None:
    """Otherwise its SyntaxError would stand where the message should."""
    ast.parse((ROOT / "bootstrap.py").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_missing_libraries_are_named_by_package(boot: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "has_fonts", lambda: False)
    monkeypatch.setattr(boot, "loads", lambda soname: soname not in ("libEGL.so.1", "libxcb-cursor.so.0", "libwayland-egl.so.1"))
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert boot.missing_packages(window=False) == ["libegl1", "fonts-dejavu-core"]
    assert boot.missing_packages(window=True) == ["libegl1", "libxcb-cursor0", "fonts-dejavu-core"]
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert "libwayland-egl1" in boot.missing_packages(window=True)


def test_a_library_that_is_not_there_is_noticed(boot: ModuleType) -> None:
    assert not boot.loads("libno-such-library-of-anybody.so.7")


def test_packages_are_installed_where_allowed_after_fetching_lists(boot: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    updated: list[bool] = []

    def answer(command: list[str]) -> int:
        if "update" in command:
            updated.append(True)
        return 0 if updated else 100

    calls = Calls(answer)
    monkeypatch.setattr(boot.subprocess, "call", calls)
    monkeypatch.setattr(boot.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(boot, "apt_prefix", list)
    boot.offer_packages(["libegl1"], "missing")
    assert [("install" in command, "update" in command) for command in calls.commands] == [(True, False), (False, True), (True, False)]


def test_without_rights_the_one_line_to_run_is_shown(boot: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(boot, "apt_prefix", lambda: None)
    with pytest.raises(boot.BootstrapError, match="sudo apt-get install -y libegl1 libgl1"):
        boot.offer_packages(["libegl1", "libgl1"], "Qt needs system libraries that are missing")


def test_elsewhere_the_names_are_a_hint(boot: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(boot.shutil, "which", lambda name: None)
    boot.offer_packages(["libegl1"], "Qt needs system libraries that are missing")
    assert "libegl1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "becomes"),
    [([], ["-m", "studio"]), (["run", "models"], ["-m", "studio", "models"]), (["test", "-k", "x"], ["-m", "pytest", "-k", "x"])],
)
def test_it_becomes_the_application(
    boot: ModuleType, checkout: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch, arguments: list[str], becomes: list[str]
) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(boot, "ROOT", checkout)
    monkeypatch.setattr(boot, "replace_process", became.append)
    monkeypatch.chdir(checkout)
    boot.main(arguments)
    assert became == [[str(boot.venv_python(checkout / ".venv")), *becomes]]


def test_an_unknown_command_shows_the_two(boot: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert boot.main(["jump"]) == 2
    assert "bootstrap.py test" in capsys.readouterr().out


def test_the_second_start_is_cheap(boot: ModuleType, checkout: Path, calls: Calls) -> None:
    """A few file reads: measured at 0.02 s; the promise is 0.3 s with the interpreter's own start."""
    boot.prepare(checkout, "run")
    started = time.process_time()
    boot.prepare(checkout, "run")
    assert time.process_time() - started < 0.1


def test_the_script_needs_only_the_standard_library() -> None:
    run = subprocess.run([sys.executable, "-I", "-S", str(ROOT / "bootstrap.py"), "--help"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "python3 bootstrap.py run" in run.stdout


def test_the_stamp_is_plain_data(boot: ModuleType, checkout: Path, calls: Calls) -> None:
    boot.prepare(checkout, "test")
    stamp = json.loads((checkout / ".venv" / boot.STAMP).read_text(encoding="utf-8"))
    assert stamp == {"key": boot.fingerprint(checkout, sys.version_info[:3]), "modes": ["test"]}
