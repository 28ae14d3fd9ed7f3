"""Agents of Stable-Baselines3 behind our door: the bits of the library alone, on streams that disturb nobody."""

from __future__ import annotations

import gc
import importlib.util
import json
import random
import threading
from typing import Any

import numpy as np
import pytest
import torch

from studio.ml.rl.errors import BadCheckpoint, BadSetting, Diverged
from studio.ml.rl.learner import Kept
from studio.ml.rl.sb3.handover import Handover
from studio.ml.rl.sb3.learner import SB3Failed, SB3Learner
from studio.ml.rl.sb3.settings import SB3Settings, available, further
from studio.ml.rl.sb3.streams import Streams
from studio.ml.rl.worlds import MissingPackage, Worlds, WorldSpec

CARTPOLE, PENDULUM, LAKE = WorldSpec("CartPole-v1"), WorldSpec("Pendulum-v1"), WorldSpec("FrozenLake-v1")
SMALL = {"policy_kwargs": {"net_arch": [16, 16]}}
PPO = SB3Settings(worlds=3, batch_size=24, more=json.dumps({"n_steps": 16, "n_epochs": 2, "clip_range": "lin_0.2", **SMALL}))
DQN = SB3Settings("DQN", worlds=2, batch_size=8, more=json.dumps({"learning_starts": 20, "train_freq": 4, "gradient_steps": 2, **SMALL}))
SAC = SB3Settings("SAC", worlds=1, batch_size=8, more=json.dumps({"learning_starts": 10, "train_freq": 3, **SMALL}))
CASES = [(CARTPOLE, PPO), (CARTPOLE, DQN), (PENDULUM, SAC)]


def weights(learner: SB3Learner) -> dict[str, Any]:
    return {name: array for name, array in learner.keep().arrays.items() if name.startswith(("network/", "optimizer/"))}


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def run(learner: SB3Learner, steps: int) -> list[tuple[int, float]]:
    """Advances to the collecting of that many steps; the episodes as (steps, return)."""
    episodes: list[tuple[int, float]] = []
    while learner.steps < steps:
        episodes += [(e.steps, e.total) for e in learner.advance().episodes]
    return episodes


@pytest.mark.parametrize(("spec", "settings"), CASES, ids=lambda case: getattr(case, "algorithm", ""))
def test_it_is_bit_for_bit_the_library_alone(spec: WorldSpec, settings: SB3Settings) -> None:
    import stable_baselines3
    from stable_baselines3.common.utils import LinearSchedule

    from studio.ml.rl.sb3.venv import OurWorlds

    steps = 144
    told = further(settings.more)
    told |= {"clip_range": LinearSchedule(0.2, 0.0, 1.0)} if "clip_range" in told else {}
    told |= {} if settings.on_policy else {"buffer_size": 100_000}
    venv = OurWorlds(Worlds(spec, settings.worlds, 5))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = getattr(stable_baselines3, settings.algorithm)(
        "MlpPolicy", venv, seed=5, learning_rate=settings.learning_rate, batch_size=settings.batch_size, device="cpu", **told
    )
    alone.learn(steps)
    torch.set_num_threads(before)

    ours = SB3Learner(spec, settings, 5, budget=steps)
    run(ours, steps)
    updates = ours.updates
    while ours.advance().phase == "update":
        updates += 1
    assert updates > 0
    expected = alone.policy.state_dict()
    # The step after the last update has changed no weight.
    found = ours.model.policy.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    ours.close()
    venv.close()


def test_other_learners_and_draws_in_between_change_nothing() -> None:
    alone = SB3Learner(CARTPOLE, PPO, 3)
    curve = run(alone, 300)
    first, second = SB3Learner(CARTPOLE, PPO, 3), SB3Learner(CARTPOLE, DQN, 4)
    noisy: list[tuple[int, float]] = []
    while first.steps < 300:
        noisy += run(first, first.steps + 1)
        second.advance()
        torch.rand(3)
        np.random.rand()
        random.random()
        first.look()
        first.policy().act(first.look().observation, 0.3)
        first.keep()
    assert curve == noisy and len(curve) > 3
    assert same(weights(alone), weights(first))
    for learner in (alone, first, second):
        learner.close()


def test_the_global_streams_are_given_back_as_they_were() -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    expected = float(torch.rand(1)), np.random.rand(), random.random()
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    learner = SB3Learner(PENDULUM, SAC, 0)
    run(learner, 20)
    learner.policy().act(learner.look().observation, 0.5)
    learner.close()
    assert expected == (float(torch.rand(1)), np.random.rand(), random.random())


def test_streams_go_through_a_checkpoint() -> None:
    streams = Streams()
    with streams.borrowed():
        np.random.standard_normal()  # leaves a second Gaussian waiting
        random.gauss(0, 1)
    kept = streams.keep()
    kept = Kept(json.loads(json.dumps(kept.data)), kept.arrays)

    def draws() -> list[float]:
        with streams.borrowed():
            return [float(torch.rand(1)), np.random.standard_normal(), random.gauss(0, 1), random.random()]

    first = draws()
    assert draws() != first
    streams.put_back(kept)
    assert draws() == first
    with pytest.raises(BadCheckpoint):
        streams.put_back(Kept({"numpy": [1]}, {}))


def test_phases_and_figures_are_told_and_its_thread_moves_only_when_asked() -> None:
    learner = SB3Learner(CARTPOLE, PPO, 0)
    phases = [learner.advance().phase for _ in range(16 + 4 + 1)]
    assert phases == ["collect"] * 16 + ["update"] * 4 + ["collect"]
    assert learner.updates == 4 and learner.steps == 17 * 3
    assert {"loss", "entropy", "kl", "value_loss", "clip_fraction"} <= set(learner.advance().figures)
    (thread,) = [t for t in threading.enumerate() if t.name.startswith("Stable-Baselines3")]
    learner.close()
    assert not thread.is_alive()
    learner.close()
    with pytest.raises(SB3Failed, match="new run"):
        learner.advance()


def test_an_agent_that_is_dropped_takes_its_thread_along() -> None:
    learner = SB3Learner(CARTPOLE, PPO, 0)
    learner.advance()
    (thread,) = [t for t in threading.enumerate() if t.name.startswith("Stable-Baselines3")]
    del learner
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_a_changed_rate_is_used_by_the_next_update() -> None:
    learner = SB3Learner(CARTPOLE, PPO, 0)
    run(learner, 60)
    learner.change(SB3Settings(**{**PPO.__dict__, "learning_rate": 0.0123, "gamma": 0.5}))
    run(learner, 120)
    assert learner.model.policy.optimizer.param_groups[0]["lr"] == 0.0123
    assert learner.model.rollout_buffer.gamma == learner.model.gamma == 0.5
    assert learner.advance().figures["learning_rate"] == 0.0123
    with pytest.raises(BadSetting, match="Parallel worlds"):
        learner.change(SB3Settings(**{**PPO.__dict__, "worlds": 5}))
    with pytest.raises(BadSetting, match="no settings"):
        learner.change(None)
    learner.close()


def test_schedules_fall_over_the_budget_and_stay_there() -> None:
    learner = SB3Learner(CARTPOLE, SB3Settings("DQN", worlds=1, more='{"exploration_fraction": 0.5}'), 0, budget=100)
    run(learner, 26)
    assert learner.model.exploration_rate == pytest.approx(1 - 0.95 * 25 / 50)
    run(learner, 150)
    assert learner.model.exploration_rate == pytest.approx(0.05)
    learner.close()


@pytest.mark.parametrize(("spec", "settings"), CASES, ids=lambda case: getattr(case, "algorithm", ""))
def test_a_checkpoint_brings_back_weights_optimisers_and_buffer(spec: WorldSpec, settings: SB3Settings) -> None:
    learner = SB3Learner(spec, settings, 2)
    run(learner, 100)
    kept = learner.keep()
    kept = Kept(json.loads(json.dumps(kept.data)), kept.arrays)
    steps, look = learner.steps, learner.look()
    run(learner, 160)
    assert not same(weights(learner), {n: a for n, a in kept.arrays.items() if n.startswith(("network/", "optimizer/"))})
    learner.put_back(kept)
    again = learner.keep()
    assert learner.steps == steps and again.data == kept.data
    assert again.arrays.keys() == kept.arrays.keys()
    assert all(np.array_equal(again.arrays[name], kept.arrays[name]) for name in kept.arrays)
    assert np.array_equal(learner.look().observation, look.observation) and learner.look().total == look.total
    first = run(learner, 260)
    learner.put_back(kept)
    assert run(learner, 260) == first  # two resumes of one checkpoint agree, though not with the run it is from
    assert not learner.exact_resume
    learner.close()


def test_a_checkpoint_of_something_else_changes_nothing() -> None:
    learner = SB3Learner(CARTPOLE, PPO, 2)
    run(learner, 60)
    before = learner.keep()
    broken = Kept(before.data, {n: a for n, a in before.arrays.items() if not n.startswith("network/policy/value_net")})
    for bad in (broken, Kept(before.data | {"seed": 9}, before.arrays), Kept(before.data | {"counts": 3}, before.arrays)):
        with pytest.raises(BadCheckpoint):
            learner.put_back(bad)
    assert same(learner.keep().arrays, before.arrays)
    assert learner.advance().phase == "collect"
    learner.close()


def test_broken_weights_are_told_and_the_last_good_ones_come_back() -> None:
    learner = SB3Learner(CARTPOLE, PPO, 0)
    run(learner, 50)
    with torch.no_grad():
        next(learner.model.policy.parameters()).fill_(float("nan"))
    with pytest.raises(Diverged, match="learning rate"):
        for _ in range(50):
            learner.advance()
    assert all(np.isfinite(array).all() for array in weights(learner).values())
    run(learner, learner.steps + 100)
    learner.close()


@pytest.mark.parametrize(("spec", "settings"), [*CASES, (LAKE, PPO)], ids=str)
def test_the_frozen_policy_acts_as_the_library_predicts(spec: WorldSpec, settings: SB3Settings) -> None:
    learner = SB3Learner(spec, settings, 1)
    run(learner, 60)
    frozen = learner.policy()
    observations = learner.worlds.reset()
    expected = [learner.model.predict(o, deterministic=True)[0] for o in observations]
    assert all(np.allclose(frozen.act(o), e, atol=1e-6) for o, e in zip(observations, expected, strict=True))
    drawn = [frozen.act(observations[0], u) for u in np.linspace(0, 0.999, 40)]
    assert len({float(np.ravel(action)[0]) for action in drawn}) > 1
    acted = frozen.act(observations[0])
    with torch.no_grad():
        for parameter in learner.model.policy.parameters():
            parameter.zero_()
    assert np.array_equal(frozen.act(observations[0]), acted)
    net = learner.look().net
    assert net is not None
    assert (net.policy is None) == (spec is PENDULUM) and net.value is not None or settings.algorithm == "DQN"
    learner.close()


def test_td3_with_noise_of_the_zoo() -> None:
    more = json.dumps({"noise_type": "normal", "noise_std": 0.1, "learning_starts": 10, **SMALL})
    learner = SB3Learner(PENDULUM, SB3Settings("TD3", worlds=1, batch_size=8, more=more), 0)
    run(learner, 40)
    assert learner.updates > 20 and learner.look().net is not None
    learner.close()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("{", "no JSON"), ("[1]", "in braces"), ('{"gamma": 0.9}', "field of its own"), ('{"seed": 1}', "sees to it"),
        ('{"rollout_buffer_class": "x"}', "sees to it"), ('{"n_steps": Infinity}', "finite"),
        ('{"policy_kwargs": {"features_extractor_class": "x"}}', "may not hold"),
        ('{"policy_kwargs": {"activation_fn": "os.system"}}', "activation_fn"), ('{"policy_kwargs": 3}', "policy_kwargs"),
    ],
)
def test_bad_further_arguments_are_refused_at_once(more: str, said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        SB3Settings(more=more)


@pytest.mark.parametrize(
    ("spec", "settings", "said"),
    [
        (CARTPOLE, SB3Settings(more='{"tau": 0.5}'), "no argument tau; it has .*n_steps"),
        (CARTPOLE, SB3Settings("SAC"), "does not take this world"),
        (PENDULUM, SB3Settings("DQN"), "does not take this world"),
        (CARTPOLE, SB3Settings(more='{"n_steps": "many"}'), "does not take this world or these arguments"),
        (CARTPOLE, SB3Settings(more='{"clip_range": "lin_x"}'), "straight line"),
        (CARTPOLE, SB3Settings("DQN", more='{"noise_type": "normal"}'), "continuous"),
        (CARTPOLE, SB3Settings("DQN", more='{"buffer_size": 100000000000}'), "GiB"),
    ],
)
def test_what_an_algorithm_cannot_take_is_refused_with_the_reason(spec: WorldSpec, settings: SB3Settings, said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        SB3Learner(spec, settings, 0)
    assert not [t for t in threading.enumerate() if t.name.startswith("Stable-Baselines3")]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in ("stable_baselines3", "sb3_contrib") else found(name, *a))
    assert available() == ()
    with pytest.raises(MissingPackage, match="stable-baselines3"):
        SB3Learner(CARTPOLE, PPO, 0)


def test_a_handover_tells_raises_and_ends() -> None:
    done: list[str] = []

    def work(handover: Handover) -> None:
        try:
            handover.hand_back(1)
            handover.hand_back(2)
            raise KeyError("three")
        finally:
            done.append("over")

    handover = Handover(work, "test")
    assert handover.advance() == 1 and not done
    assert handover.advance() == 2
    with pytest.raises(KeyError):
        handover.advance()
    assert done == ["over"] and handover.advance() is None
    stopped = Handover(work, "test")
    stopped.advance()
    stopped.stop()
    stopped.stop()
    assert done == ["over", "over"] and stopped.advance() is None
    never = Handover(work, "test")
    never.stop()
    assert never.advance() is None and len(done) == 2
