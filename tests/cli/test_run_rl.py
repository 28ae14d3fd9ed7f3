"""`glassbox run` trains agents without a window, and keeps each run as the panel would."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from studio.__main__ import main
from studio.ml.rl.grid import cliff
from studio.ml.rl.plan import Plan
from studio.ml.rl.session import Session
from studio.ml.rl.tabular_settings import settings_class
from studio.ml.rl.worlds import WorldSpec

Capture = pytest.CaptureFixture[str]


def test_both_runs_are_trained_and_kept(tmp_path: Path, capsys: Capture) -> None:
    order = tmp_path / "request.json"
    order.write_text(json.dumps({"kind": "rl", "seeds": 2, "steps": 800}), encoding="utf-8")
    assert main(["run", str(order), "--data-dir", str(tmp_path / "data")]) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    tables = [path for path in written if path.name == "returns.csv"]
    assert len(tables) == len({path.parent for path in written}) == 2
    kinds = [json.loads(path.with_name("run.json").read_text(encoding="utf-8"))["plan"]["kind"] for path in tables]
    assert kinds == ["sarsa", "q_learning"]
    session = Session(Plan(WorldSpec("grid", grid=cliff()), "sarsa", settings_class("sarsa")(), 0, 2, 800))
    while not session.done:
        session.advance()
    with tables[0].open(encoding="utf-8") as file:
        rows = [float(row["return"]) for row in csv.DictReader(file) if row["seed"] == "1"]
    assert rows == list(session.records[1].totals)


def test_a_request_that_no_agent_can_do_is_said_in_words(tmp_path: Path, capsys: Capture) -> None:
    order = tmp_path / "request.json"
    request = {"kind": "rl", "runs": [{"agent": "sarsa"}], "world": '{"id":"CartPole-v1"}'}
    order.write_text(json.dumps(request), encoding="utf-8")
    assert main(["run", str(order), "--data-dir", str(tmp_path / "data")]) == 1
    err = capsys.readouterr().err
    assert "choose an agent with a network" in err and "Traceback" not in err
