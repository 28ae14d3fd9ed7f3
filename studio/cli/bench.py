"""`glassbox bench`: the figures the studio promises, measured here. Lives in a checkout, beside the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import studio
from studio.cli.errors import CommandError


def checkout() -> Path:
    """The root of the checkout this package runs from. Raises CommandError when it is an installation without tests."""
    root = Path(studio.__file__).resolve().parent.parent
    if not (root / "tests" / "bench" / "__main__.py").is_file():
        raise CommandError(
            "the bench is part of the source checkout, not of an installation. Get the source, then: python3 bootstrap.py run bench"
        )
    return root


def main(arguments: Sequence[str]) -> int:
    """Run tests/bench in a process of its own, so that its start-up figures are those of a fresh interpreter."""
    root = checkout()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))}
    return subprocess.call([sys.executable, "-m", "tests.bench", *arguments], env=environment)
