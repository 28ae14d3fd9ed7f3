"""What an import costs: nothing heavy before the first paint, no Qt below the host, no plugin before it is opened."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "diffusers", "transformers", "scipy", "matplotlib", "pandas")
QT = ("PySide6", "shiboken6", "pyqtgraph")


def modules_after(code: str) -> set[str]:
    """Top-level and `studio*` modules loaded in a fresh interpreter after `code`."""
    program = f"{code}\nimport sys\nprint('\\n'.join(['==='] + sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split("===\n")[1].splitlines())


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import studio.engine", HEAVY + QT),
        ("import studio.host", HEAVY + QT),
        ("import studio.ui", HEAVY),
        ("import studio.app", HEAVY),
        ("import studio.cli", (*HEAVY, *QT, "numpy", "pydantic")),
        ("import studio.ml.diffusion", QT),
        ("from studio.host.discovery import discover\nassert discover()", (*HEAVY, "studio_plugins", "studio_plugins.generate.panel")),
    ],
)
def test_import_stays_light(code: str, absent: tuple[str, ...]) -> None:
    assert modules_after(code).isdisjoint(absent)


def test_the_version_needs_nothing() -> None:
    code = "import studio.__main__\ntry:\n    studio.__main__.main(['--version'])\nexcept SystemExit as end:\n    assert not end.code"
    assert modules_after(code).isdisjoint((*HEAVY, *QT, "numpy", "pydantic", "importlib.metadata"))
