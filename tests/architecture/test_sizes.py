"""The house stays small: weights fit a clone, and a file is a room with one purpose."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MIB = 2**20


def kept_files() -> list[Path]:
    """What a clone holds: the files git tracks, or everything in the source folders where there is no git."""
    if (ROOT / ".git").exists():
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    folders = ("studio", "plugins", "resources", "tests", "packaging")
    return [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def test_a_clone_stays_small() -> None:
    sizes = {path: path.stat().st_size for path in kept_files()}
    assert sum(sizes.values()) < 56 * MIB
    assert not [path for path, size in sizes.items() if size > 16 * MIB], "shard it"


@pytest.mark.parametrize("folder", ["studio", "plugins", "packaging"])
def test_no_file_is_two_rooms(folder: str) -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert lines
    assert not {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > 400}
