"""Build the wheel without network: `.venv/bin/python packaging/build_wheel.py [FOLDER]` (default dist/).

Uses the build backend that the virtual environment already holds (requirements.lock pins it), so two builds of one commit hold the
same files. The sources are copied aside first: setuptools leaves a build/ folder behind and would pack stale files from it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("studio", "plugins", "resources", "pyproject.toml", "setup.py", "README.md", "LICENSE")


def build(root: Path, folder: Path) -> Path:
    """Build the wheel of the checkout `root` into `folder` and return its path; raises CalledProcessError when the backend fails."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        copy, out = Path(scratch, "source"), Path(scratch, "out")
        copy.mkdir()
        for name in SOURCES:
            if (root / name).is_dir():
                shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
            else:
                shutil.copy2(root / name, copy / name)
        pip = [sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--quiet"]
        subprocess.run([*pip, "--wheel-dir", str(out), str(copy)], check=True)
        (wheel,) = out.glob("*.whl")
        return Path(shutil.copy2(wheel, folder / wheel.name))


def main(arguments: list[str]) -> int:
    print(build(ROOT, Path(arguments[0]) if arguments else ROOT / "dist"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
