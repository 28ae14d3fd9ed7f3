"""From the command to the first paint, and to the moment one can press Generate; on a second start, as people see it daily."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from studio.app import MARKS, QUIT_AT
from tests.bench.figure import Figure

ROUNDS = 3
ROOT = Path(__file__).resolve().parents[2]


def run() -> list[Figure]:
    """Medians over ROUNDS starts after a first one that is not counted."""
    with tempfile.TemporaryDirectory() as scratch:
        starts = [_start(Path(scratch)) for _ in range(ROUNDS + 1)][1:]
    painted = statistics.median(start["painted"] for start in starts)
    ready = statistics.median(start["ready"] for start in starts)
    note = f"median of {ROUNDS} second starts, from the spawn of the process"
    return [
        Figure.at_most("time to first paint", painted, "s", 1.0, note),
        Figure.at_most("time to ready-to-generate", ready, "s", 6.0, note),
        Figure.at_most("bootstrap's own share of a second start", _bootstrap(), "s", 0.3, "`bootstrap.py run --version` less `glassbox --version`"),
    ]


def _start(scratch: Path) -> dict[str, float]:
    marks = scratch / "marks.json"
    environment = {**os.environ, MARKS: str(marks), QUIT_AT: "ready"}
    spawned = time.time()
    subprocess.run([sys.executable, "-m", "studio", "--data-dir", str(scratch / "data")], env=environment, check=True, timeout=120)
    return {name: at - spawned for name, at in json.loads(marks.read_text()).items()}


def _bootstrap() -> float:
    """Seconds that bootstrap adds to a start when there is nothing to install (minimum of five)."""
    whole = [sys.executable, str(ROOT / "bootstrap.py"), "run", "--version"]
    alone = [sys.executable, "-m", "studio", "--version"]
    return min(_seconds(whole) for _ in range(5)) - min(_seconds(alone) for _ in range(5))


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return time.perf_counter() - start
