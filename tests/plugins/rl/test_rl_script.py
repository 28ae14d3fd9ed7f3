"""The script on the clipboard, run by a Python of its own, finds the returns that the studio shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from studio.ml.rl.session import Session
from studio_plugins.rl.plans import plans
from studio_plugins.rl.request import RlRequest, RunFields
from studio_plugins.rl.script import script

ROOT = Path(__file__).parents[3]
TABULAR = RlRequest(
    runs=(RunFields(agent="sarsa"), RunFields(agent="q_learning", settings=(("alpha", 0.3), ("schedule", "linear")))),
    seed=4, seeds=2, steps=1200,
)  # fmt: skip
DEEP = RlRequest(
    world='{"id":"CartPole-v1"}', runs=(RunFields(agent="a2c", settings=(("n_steps", 8),)),), seed=1, seeds=1, steps=400
)


def returns(request: RlRequest) -> list[list[list[float]]]:
    """By run and seed."""
    found = []
    for plan in plans(request):
        session = Session(plan)
        while not session.done:
            session.advance()
        found.append([list(record.totals) for record in session.records])
        session.close()
    return found


def test_the_script_finds_the_same_returns(tmp_path: Path) -> None:
    told = "    print('RETURNS', __import__('json').dumps([seed.tolist() for seed in returns]))\n"
    path = tmp_path / "train.py"
    path.write_text("\n".join(script(request) + told for request in (TABULAR, DEEP)), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=240, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    lines = [line.removeprefix("RETURNS ") for line in done.stdout.splitlines() if line.startswith("RETURNS")]
    found = [json.loads(line) for line in lines]
    expected = returns(TABULAR) + returns(DEEP)
    assert found == expected and all(map(len, expected[-1]))
    episodes = sum(map(len, expected[0]))
    assert f"A, Sarsa: {episodes} episodes" in done.stdout
