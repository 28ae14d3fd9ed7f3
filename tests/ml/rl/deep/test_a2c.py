"""A2C against Stable-Baselines3 on the same rollout and weights, and in a grid world with a known best return."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from studio.ml.rl.deep.a2c import A2C
from studio.ml.rl.deep.settings import A2CSettings
from studio.ml.rl.evaluation import evaluate
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.learner import Kept
from studio.ml.rl.worlds import WorldSpec
from tests.ml.rl.deep.sb3_twins import Twin

CARTPOLE, PENDULUM = WorldSpec("CartPole-v1"), WorldSpec("Pendulum-v1")
SMALL = A2CSettings(hidden="16, 16", worlds=3, n_steps=5, learning_rate=2e-3)
CORRIDOR = WorldSpec("grid", grid=GridWorld.drawn("S...G\n....."), limit=30)


def updated(agent: A2C, updates: int) -> A2C:
    while agent.updates < updates:
        agent.advance()
    return agent


@pytest.mark.parametrize("spec", [CARTPOLE, PENDULUM])
@pytest.mark.parametrize("change", [{}, {"entropy": 0.02, "normalize_advantage": True, "optimiser": "adam"}])
def test_updates_are_those_of_stable_baselines(spec: WorldSpec, change: dict[str, Any]) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    settings = replace(SMALL, **change)
    ours = A2C(spec, settings, 3)
    env = sb3.common.env_util.make_vec_env(spec.id, 3)
    theirs = sb3.A2C(
        "MlpPolicy", env, learning_rate=2e-3, n_steps=5, ent_coef=settings.entropy, device="cpu",
        use_rms_prop=settings.optimiser == "rmsprop", normalize_advantage=settings.normalize_advantage,
        policy_kwargs={"net_arch": [16, 16]} | ({"optimizer_kwargs": {"eps": 1e-5}} if change else {}),
    )  # fmt: skip
    twin = Twin(ours, theirs)
    for _ in range(4):
        while ours.phase == "collect":
            ours.advance()
        told, figures = twin.train(), ours.advance().figures
        assert twin.apart() < 1e-5
        assert figures["policy_loss"] == pytest.approx(told["train/policy_loss"], rel=1e-4, abs=1e-5)
        assert figures["value_loss"] == pytest.approx(told["train/value_loss"], rel=1e-4)
        assert figures["entropy"] == pytest.approx(-told["train/entropy_loss"], rel=1e-5)
    env.close()


def test_the_shortest_way_through_a_grid_is_found() -> None:
    """Four steps of −1: the best that there is. Each state is a row with a single one."""
    agent = updated(A2C(CORRIDOR, A2CSettings(worlds=8, n_steps=5, learning_rate=0.01, entropy=0.01, hidden=""), 0), 400)
    *_, told = evaluate(agent.policy(), CORRIDOR, 0, 3)
    assert told.totals == (-4.0, -4.0, -4.0)
    look = agent.look()
    assert look.grid is not None and look.net is not None and look.net.policy is not None
    assert look.net.policy.shape == (4,) and {"loss", "gradient_norm", "entropy"} <= set(look.net.last)


@pytest.mark.parametrize("optimiser", ["rmsprop", "adam"])
def test_a_run_goes_on_exactly_from_where_it_was_kept(optimiser: str) -> None:
    settings = replace(SMALL, optimiser=optimiser, decay=True)
    plain = A2C(CARTPOLE, settings, 1, 2000)
    kept = []
    for turn in range(90):
        if turn in (3, 41, 47):  # before the first update, in a rollout, and with an update still to do
            kept.append((turn, plain.keep()))
        plain.advance()
    assert {k.data["phase"] for _, k in kept} == {"collect", "update"}
    for start, at in kept:
        fresh = A2C(CARTPOLE, settings, 1, 2000)
        fresh.put_back(Kept(json.loads(json.dumps(at.data)), at.arrays))
        for _ in range(start, 90):
            fresh.advance()
        assert torch.equal(fresh.flat.vector, plain.flat.vector) and fresh.updates == plain.updates > 10
        assert np.array_equal(fresh.observations, plain.observations)
