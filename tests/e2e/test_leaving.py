"""However it is left, by closing the window or by a signal, the process ends by itself with status 0 and no thread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.host.results import ResultsStore


def left_clean(life: Any, data: Path) -> None:
    status = life.end()
    assert (status, life.errors) == (0, ""), life.told
    assert life.told[-1] == "threads"
    assert [path for path in (data / "crash").iterdir() if path.is_file()] == []
    assert (data / "session.json").is_file()
    ResultsStore(data / "results").close()


@pytest.mark.parametrize("plan", ["close_at_once", "close_while_drawing", "close_with_a_queue", "signalled_before_the_loop"])
def test_closing_the_window_ends_the_process(studios: Any, data_dir: Path, plan: str) -> None:
    life = studios.live(plan, data_dir)
    left_clean(life, data_dir)
    assert "not closed" not in life.told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("plan", ["stand_by", "wait_while_drawing"])
def test_a_signal_closes_it_as_a_person_would(studios: Any, data_dir: Path, plan: str, number: int) -> None:
    life = studios.live(plan, data_dir)
    life.until("drawing" if "drawing" in plan else "ready")
    os.kill(life.pid, number)
    left_clean(life, data_dir)


@pytest.mark.parametrize("moment", ["painted", "ready"])
def test_the_program_itself_closed_at_a_moment_of_its_start(data_dir: Path, moment: str) -> None:
    """At "painted" torch is being imported on the engine's thread, which cannot be interrupted."""
    run = subprocess.run(
        [sys.executable, "-m", "studio", "--data-dir", str(data_dir)], capture_output=True, text=True, timeout=300,
        env={**os.environ, "GLASSBOX_QUIT_AT": moment}, check=False,
    )  # fmt: skip
    said = [line for line in run.stderr.splitlines() if not line.startswith("This plugin does not support")]
    assert run.returncode == 0 and not [line for line in said if "Traceback" in line or "Fatal" in line], said
    assert [path for path in (data_dir / "crash").iterdir() if path.is_file()] == []
