"""The benches of agents: equal settings on both sides, and scores that go on where they stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from studio.ml.rl.presets import presets
from tests.bench import rl, rl_scores


@pytest.mark.parametrize(
    ("algorithm", "spec", "count", "told"),
    [("PPO", rl.CARTPOLE, 8, rl.PPO), ("DQN", rl.CARTPOLE, 1, rl.DQN), ("SAC", rl.PENDULUM, 1, rl.SAC)],
)
def test_both_sides_have_equal_settings(algorithm: str, spec: object, count: int, told: dict[str, object]) -> None:
    ours, theirs = rl.our_agent(algorithm, spec), rl.their_agent(algorithm, spec, count, told)  # type: ignore[arg-type]
    settings = ours.settings
    names = {"n_epochs": "epochs", "n_envs": "worlds"}
    checked = ["learning_rate", "gamma", "batch_size", "n_envs", "n_steps", "n_epochs", "gae_lambda", "buffer_size"]
    checked += ["learning_starts", "gradient_steps", "exploration_final_eps", "tau", "max_grad_norm"]
    checked += ["target_update_interval"] if algorithm == "DQN" else []
    checked = [name for name in checked if hasattr(settings, names.get(name, name)) and hasattr(theirs, name)]
    assert len(checked) >= 8
    for name in checked:
        assert getattr(settings, names.get(name, name)) == getattr(theirs, name), name
    if algorithm != "PPO":
        assert settings.train_freq == theirs.train_freq.frequency
    widths = [parameter.shape[0] for name, parameter in theirs.policy.named_parameters() if name.endswith("0.weight")]
    assert str(widths[0]) in settings.hidden
    ours.close()


def test_scores_go_on_where_they_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = tuple(replace(p, steps=300) for p in presets() if p.world.id == "CartPole-v1" and p.kind != "dqn")
    monkeypatch.setattr(rl_scores, "presets", lambda: short)
    monkeypatch.setattr(rl_scores, "EPISODES", 2)
    monkeypatch.setattr(rl_scores.os, "nice", lambda _: 0)
    file = tmp_path / "scores.jsonl"
    assert rl_scores.main([str(file), "--seeds", "1"]) == 0
    first = [json.loads(line) for line in file.read_text().splitlines()]
    assert [told["preset"] for told in first] == ["CartPole-v1/ppo", "CartPole-v1/a2c"]
    assert all(told["steps"] >= 300 and told["mean"] > 5 for told in first)
    with file.open("a") as cut:
        cut.write('{"preset": "CartPole-v1/ppo", "se')
    measured: list[tuple[str, int]] = []
    real = rl_scores.measure

    def counted(preset: object, seed: int) -> object:
        measured.append((rl_scores.name_of(preset), seed))  # type: ignore[arg-type]
        return real(preset, seed)  # type: ignore[arg-type]

    monkeypatch.setattr(rl_scores, "measure", counted)
    rl_scores.main([str(file), "--seeds", "2", "--only", "CartPole-v1/ppo"])
    assert measured == [("CartPole-v1/ppo", 1)]
    table = capsys.readouterr().out.splitlines()[-1]
    assert table.startswith("| CartPole-v1 | PPO | 300 |") and "0 of 2 (≥ 475)" in table
    with pytest.raises(SystemExit):
        rl_scores.main([str(file), "--only", "Nowhere-v0/ppo"])
