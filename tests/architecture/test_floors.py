"""The floors of the house (pyproject.toml, [tool.importlinter]) hold, and cover every room."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_import_contracts_hold() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_room_stands_on_a_floor() -> None:
    contracts = {c["id"]: c for c in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]}
    layers = {layer.strip("()") for layer in contracts["floors"]["layers"]}
    placed = layers | set(contracts["science"]["source_modules"]) | {"studio.resources"}
    rooms = {f"studio.{path.stem}" for path in (ROOT / "studio").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"studio.__init__"} <= placed, "give the new room a floor in [tool.importlinter]"
