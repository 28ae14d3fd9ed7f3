"""The wheel holds everything the studio needs, and an installation from it finds it."""

from __future__ import annotations

import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = runpy.run_path(str(ROOT / "packaging" / "build_wheel.py"))["build"]
    path = build(ROOT, tmp_path_factory.mktemp("wheel"))
    assert isinstance(path, Path)
    return path


def shipped(folder: str) -> set[str]:
    """Every file below a source folder that a person's installation needs, relative to it."""
    root = ROOT / folder
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def test_every_source_file_is_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, package in (("studio", "studio"), ("plugins", "studio_plugins"), ("resources", "studio_resources")):
        assert {f"{package}/{name}" for name in shipped(folder)} <= names


def test_nothing_else_is_inside(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"studio", "studio_plugins", "studio_resources"}


def test_an_installation_finds_plugins_and_resources(wheel: Path, tmp_path: Path) -> None:
    """Unpacked as pip would, without this checkout on the path."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        f"import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in getattr(f, '__module__', '') + repr(f)]\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import studio, studio.resources, studio.host.discovery as discovery\n"
        f"assert studio.__file__.startswith({str(tmp_path)!r}), studio.__file__\n"
        f"assert str(studio.resources.resource('icons')).startswith({str(tmp_path)!r})\n"
        "found = discovery.discover()\n"
        "assert not [entry.error for entry in found if entry.error], found\n"
        "print(*sorted(entry.manifest.id for entry in found if entry.manifest))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert {"generate", "inspector"} <= set(run.stdout.split())


def test_the_lock_pins_the_whole_closure() -> None:
    """Every distribution the project needs is pinned at the version the tests run with."""
    run = subprocess.run([sys.executable, str(ROOT / "packaging" / "lock.py"), "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
