"""Checkpoints: opened, a run goes on exactly; damaged, they are refused in words and the one before is still there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from studio.ml.rl import agents, files, store
from studio.ml.rl.deep.settings import DQNSettings, PPOSettings
from studio.ml.rl.errors import BadCheckpoint, BadSetting, Diverged
from studio.ml.rl.grid import cliff, frozen_lake
from studio.ml.rl.learner import Kept
from studio.ml.rl.record import Record, Series
from studio.ml.rl.session import Plan, Session
from studio.ml.rl.tabular_settings import TabularSettings, settings_class
from studio.ml.rl.worlds import WorldSpec

CARTPOLE = WorldSpec("CartPole-v1")
LAKE = WorldSpec("grid", grid=frozen_lake(), limit=60)
PPO = PPOSettings(worlds=2, n_steps=32, batch_size=32, epochs=2, hidden="16", normalize_observations=True)
PLANS: dict[str, Callable[[], Plan]] = {
    "q_learning": lambda: Plan(WorldSpec("grid", grid=cliff()), "q_learning", TabularSettings(), 2, 3, 3000),
    "dyna_q": lambda: Plan(LAKE, "dyna_q", settings_class("dyna_q")(gamma=0.9, exploration="softmax"), 0, 1, 1500),
    "ppo": lambda: Plan(CARTPOLE, "ppo", PPO, 1, 2, 300),
    "dqn": lambda: Plan(
        CARTPOLE, "dqn", DQNSettings(learning_starts=40, batch_size=16, hidden="16", prioritised=True), 1, 1, 200
    ),
}  # fmt: skip


def run(session: Session, steps: int | None = None) -> Session:
    while not session.done and (steps is None or min(session.taken) < steps):
        session.advance(100)
    return session


def same(one: Kept, other: Kept) -> bool:
    return one.data == other.data and one.arrays.keys() == other.arrays.keys() and all(
        np.array_equal(array, other.arrays[name], equal_nan=array.dtype.kind == "f")
        for name, array in one.arrays.items()
    )


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_an_opened_run_goes_on_exactly(plan: Callable[[], Plan], tmp_path: Path) -> None:
    session = run(Session(plan()), plan().steps // 2)
    session.watch(session.plan.seeds - 1)
    session.save(tmp_path / "run")
    opened = Session.open(tmp_path / "run")
    told, view = session.view(), opened.view()
    for name in ("plan", "steps", "updates", "watched", "notes"):
        assert getattr(view, name) == getattr(told, name)
    for name, curves in told.curves.items():
        for mine, yours in zip(curves, view.curves[name], strict=True):
            for column in ("steps", "episodes", "seconds", "values"):
                np.testing.assert_array_equal(getattr(mine, column), getattr(yours, column))
    mine, yours = ([(e.seed, e.actions.tolist(), e.total) for e in one.episodes] for one in (told, view))
    assert mine == yours
    run(session), run(opened)
    for mine, yours, one, other in zip(session.members, opened.members, session.records, opened.records, strict=True):
        assert mine is not None and yours is not None and same(mine.keep(), yours.keep())
        assert one.totals == other.totals and one.ended == other.ended
    session.close(), opened.close()


def test_edits_and_failures_are_still_there(tmp_path: Path) -> None:
    session = run(Session(PLANS["q_learning"]()), 500)
    session.change(replace(session.plan.settings, epsilon=0.4))
    session.edit(cliff().put((2, 3), "#"))
    session.troubles[1] = str(Diverged(1, 2, 1e200))
    session.diverged.add(1)
    session.save(tmp_path)
    opened = Session.open(tmp_path)
    assert opened.notes == session.notes and opened.plan.world.grid == cliff().put((2, 3), "#")
    assert opened.trouble == session.trouble != ""
    opened.change(replace(opened.plan.settings, alpha=0.1))
    assert opened.trouble == "" and run(opened).taken == [3000] * 3


def test_the_best_policy_is_still_there(tmp_path: Path) -> None:
    session = run(Session(PLANS["q_learning"]()))
    session.save(tmp_path)
    best, opened = session.bests[0], Session.open(tmp_path).bests[0]
    assert best is not None and opened is not None and (best.mean, best.steps) == (opened.mean, opened.steps)
    assert [best.policy.act(s) for s in range(48)] == [opened.policy.act(s) for s in range(48)]


def damaged(folder: Path, how: str) -> None:
    latest = folder / str(json.loads((folder / "current.json").read_text())["latest"])
    table, arrays = latest / "session.json", latest / "session.safetensors"
    data = json.loads(table.read_text())
    if how == "cut short":
        arrays.write_bytes(arrays.read_bytes()[:-20])
    elif how == "one bit":
        content = bytearray(arrays.read_bytes())
        content[len(content) // 2] ^= 1
        arrays.write_bytes(content)
    elif how == "half a file":
        table.write_text(table.read_text()[:200])
    elif how == "no file":
        arrays.unlink()
    elif how == "newer":
        table.write_text(json.dumps(data | {"format": 99}))
    elif how == "another world":
        data["plan"]["world"] = LAKE.to_json()
        table.write_text(json.dumps(data))
    elif how == "another agent":
        data["plan"]["kind"] = "sarsa"
        table.write_text(json.dumps(data))
    elif how == "no settings":
        data["plan"]["settings"] = {"alpha": 7}
        table.write_text(json.dumps(data))
    elif how == "a seed missing":
        data["members"].pop()
        table.write_text(json.dumps(data))
    else:
        named = load_file(arrays)
        named["0/kept/q"][0, 0] = np.nan
        save_file(named, arrays)
        table.write_text(json.dumps(data | {"sha256": files._checksum(arrays)}))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("cut short", "cut short"), ("one bit", "changed or cut short"), ("half a file", "damaged"),
        ("no file", "cannot be read"),
        ("newer", "newer version"), ("another world", "another world"), ("another agent", "choose that agent"),
        ("no settings", "Step size α goes"),
        ("a seed missing", "every seed"), ("nan", "no numbers"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_refused_and_the_one_before_opens(how: str, words: str, tmp_path: Path) -> None:
    session = run(Session(PLANS["q_learning"]()), 300)
    for _ in range(3):
        session.save(tmp_path)
        steps = session.total
        run(session, max(session.taken) + 100)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2
    damaged(tmp_path, how)
    with pytest.raises(BadCheckpoint, match=words) as refused:
        Session.open(tmp_path)
    assert "The checkpoint before it is still there" in str(refused.value)
    earlier = store.open_session(tmp_path, earlier=True)
    assert 0 < earlier.total < steps and run(earlier).done


def test_a_save_that_fails_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = run(Session(PLANS["q_learning"]()), 300)
    session.save(tmp_path)
    steps = session.total
    run(session, 600)
    real = os.replace
    for failing in range(4):
        calls = iter(range(10))

        def full(old: Any, new: Any, failing: int = failing, calls: Any = calls) -> None:
            if next(calls) == failing:
                raise OSError(28, "No space left on device")
            real(old, new)

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            session.save(tmp_path)
        assert Session.open(tmp_path).total == steps
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    monkeypatch.setattr(os, "replace", real)
    session.save(tmp_path)
    assert Session.open(tmp_path).total == session.total


def test_folders_without_a_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        Session.open(tmp_path / "nowhere")
    (tmp_path / "current.json").write_text("[1, 2]")
    with pytest.raises(BadCheckpoint, match="not written by this studio"):
        Session.open(tmp_path)
    session = Session(PLANS["q_learning"]())
    session.save(tmp_path)
    with pytest.raises(BadCheckpoint, match="no earlier checkpoint"):
        store.open_session(tmp_path, earlier=True)
    assert run(Session.open(tmp_path), 50).total > 0


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_exported_agents_load_as_policies(plan: Callable[[], Plan], tmp_path: Path) -> None:
    session = run(Session(plan()))
    observations = [member.look().observation for member in session.members if member] + [
        member.worlds.reset()[0] for member in session.members if hasattr(member, "worlds")
    ]
    policies = [("current", session.policy()), ("best", session.policy("best"))]
    for which, policy in policies:
        session.export(tmp_path, which)  # type: ignore[arg-type]
        loaded = agents.load(tmp_path)
        assert loaded.plan.kind == session.plan.kind and loaded.steps > 0
        for observation in observations:
            for u in (None, 0.001, 0.3, 0.6, 0.999):
                assert loaded.policy.act(observation, u) == policy.act(observation, u)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent.json", "agent.safetensors"]
    session.close()


def test_agents_that_are_none_are_refused(tmp_path: Path) -> None:
    session = run(Session(PLANS["q_learning"]()), 100)
    kept = agents.weights(session.member(0))
    assert kept is not None
    agents.export(session.plan, Kept(kept.data, {"values": kept.arrays["values"] * np.nan}), tmp_path)
    with pytest.raises(BadCheckpoint, match="no finite numbers"):
        agents.load(tmp_path)
    agents.export(session.plan, Kept(kept.data, {"other": kept.arrays["values"]}), tmp_path)
    with pytest.raises(BadCheckpoint, match="do not fit"):
        agents.load(tmp_path)
    data = json.loads((tmp_path / "agent.json").read_text())
    (tmp_path / "agent.json").write_text(json.dumps(data | {"plan": {"kind": "nobody"}}))
    with pytest.raises(BadCheckpoint, match="does not describe an agent"):
        agents.load(tmp_path)


def test_series_thin_out_and_keep_the_mean() -> None:
    stream, series = np.random.Generator(np.random.PCG64(1)), Series(64)
    values = stream.normal(size=5000)
    cuts = []
    for k, value in enumerate(values.tolist()):
        cuts.append(series.now)
        series.add(k + 1, k // 7, k / 10, value)
        assert len(series.curve()) <= 65
    curve, stride = series.curve(), series.stride
    assert stride == 128 and curve.steps[0] == 128 and curve.steps[-1] == 5000
    assert curve.seconds[-1] == pytest.approx(499.9)
    np.testing.assert_allclose(curve.values[:39], values[: 39 * 128].reshape(39, 128).mean(axis=1), atol=1e-12)
    assert curve.values[-1] == pytest.approx(values[39 * 128 :].mean(), abs=1e-12)
    series.cut(cuts[3000])
    assert series.curve().steps[-1] == 3000
    for k in range(3000, 5000):
        series.add(k + 1, k // 7, k / 10, values[k])
    np.testing.assert_allclose(series.curve().values, curve.values, atol=1e-10)
    np.testing.assert_array_equal(series.curve().steps, curve.steps)


def test_records_that_are_damaged_are_refused() -> None:
    session = run(Session(PLANS["q_learning"]()))
    data, arrays = session.records[0].keep()
    again = Record.of(json.loads(json.dumps(data)), arrays)
    assert again.totals == session.records[0].totals
    assert len(again.curve("return")) == len(session.records[0].curve("return"))
    for broken in ({}, arrays | {"totals": arrays["totals"][:-1]}, arrays | {"ended": np.array(["a"])}):
        with pytest.raises(BadCheckpoint):
            Record.of(data, broken)
    with pytest.raises(BadSetting, match="none numbered 7"):
        session.watch(7)
