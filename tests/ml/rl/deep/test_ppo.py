"""PPO against Stable-Baselines3 on the same rollout and weights, against autograd, and in worlds solved at sight."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from studio.ml.rl.deep.base import NetworkDiverged, generator
from studio.ml.rl.deep.ppo import PPO, loss_and_slopes
from studio.ml.rl.deep.settings import PPOSettings
from studio.ml.rl.errors import BadCheckpoint, BadSetting
from studio.ml.rl.learner import Kept, Look
from studio.ml.rl.worlds import WorldSpec
from tests.ml.rl.deep.sb3_twins import Twin
from tests.ml.rl.deep.small_worlds import AIM, LIGHT, registered

CARTPOLE, PENDULUM = WorldSpec("CartPole-v1"), WorldSpec("Pendulum-v1", limit=7)
SMALL = PPOSettings(hidden="16, 16", worlds=2, n_steps=12, batch_size=10, epochs=3, learning_rate=3e-3)
NORMAL = replace(SMALL, normalize_observations=True, normalize_rewards=True)


@pytest.fixture(scope="module", autouse=True)
def small_worlds() -> Iterator[None]:
    with registered():
        yield


def advanced(agent: PPO, turns: int) -> PPO:
    for _ in range(turns):
        agent.advance()
    return agent


def updating(agent: PPO) -> PPO:
    while agent.phase == "collect":
        agent.advance()
    return agent


def weights(agent: PPO) -> NDArray[Any]:
    return agent.flat.vector.detach().numpy().copy()


def stored(kept: Kept) -> Kept:
    """As a file would give it back: JSON, and arrays in the order of their names."""
    return Kept(json.loads(json.dumps(kept.data)), {name: kept.arrays[name] for name in sorted(kept.arrays)})


@pytest.mark.parametrize("spec", [CARTPOLE, PENDULUM])
@pytest.mark.parametrize("change", [{}, {"clip_value": 0.05, "entropy": 0.02, "normalize_advantage": False}])
def test_an_update_is_that_of_stable_baselines(spec: WorldSpec, change: dict[str, Any]) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    settings = replace(SMALL, batch_size=24, epochs=5, learning_rate=0.02, clip=0.1, max_grad_norm=0.3, **change)
    ours = updating(PPO(spec, settings, 3))
    env = sb3.common.env_util.make_vec_env(spec.id, 2)
    theirs = sb3.PPO(
        "MlpPolicy", env, learning_rate=0.02, n_steps=12, batch_size=24, n_epochs=5, clip_range=0.1, max_grad_norm=0.3,
        clip_range_vf=settings.clip_value or None, ent_coef=settings.entropy, device="cpu",
        normalize_advantage=settings.normalize_advantage, policy_kwargs={"net_arch": [16, 16]},
    )  # fmt: skip
    twin = Twin(ours, theirs)
    told = twin.train()
    while ours.phase == "update":
        turn = ours.advance()
    assert twin.apart() < 1e-5
    figures = turn.figures
    pairs = {
        "policy_loss": "policy_gradient_loss", "value_loss": "value_loss", "clip_fraction": "clip_fraction",
        "explained_variance": "explained_variance",
    }  # fmt: skip
    for name, other in pairs.items():
        assert figures[name] == pytest.approx(told[f"train/{other}"], rel=1e-5, abs=1e-5), name
    assert figures["entropy"] == pytest.approx(-told["train/entropy_loss"], abs=1e-5)
    assert ours.updates == 5
    env.close()


@pytest.mark.parametrize("clip_value", [0.0, 0.3])
@pytest.mark.parametrize("normalize", [True, False])
def test_slopes_are_those_of_the_loss(clip_value: float, normalize: bool) -> None:
    stream, clip = generator(0, "slopes"), 0.2
    settings = PPOSettings(clip_value=clip_value, value=0.7, entropy=0.01, normalize_advantage=normalize)
    log_probs, values = (torch.randn(200, generator=stream).mul_(0.4).requires_grad_() for _ in range(2))
    numbers = torch.randn(4, 200, generator=stream) * torch.tensor([[0.4], [0.4], [1.0], [1.0]])
    old_log_probs, old_values, advantages, returns = numbers
    if normalize:
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    ratio = (log_probs - old_log_probs).exp()
    policy_loss = -torch.min(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages).mean()
    moved = values - old_values
    seen = old_values + moved.clamp(-clip_value, clip_value) if clip_value else values
    loss = policy_loss + 0.7 * torch.nn.functional.mse_loss(seen, returns) - 0.01 * 0.5
    loss.backward()
    ours = loss_and_slopes(
        log_probs.detach().numpy(), values.detach().numpy(), 0.5, numbers.numpy(), settings, clip
    )
    assert ours.figures["loss"] == pytest.approx(loss.item(), abs=1e-6)
    np.testing.assert_allclose(ours.by_log_prob, log_probs.grad, atol=1e-8)
    np.testing.assert_allclose(ours.by_value, values.grad, atol=1e-8)


def test_kl_is_the_divergence_of_old_from_new() -> None:
    old, new = np.log(np.array([0.25, 0.75, 0.75, 0.75], np.float32)), np.full(4, np.log(0.5), np.float32)
    numbers = np.stack([old, *np.zeros((3, 4), np.float32)])
    told = loss_and_slopes(new, np.zeros(4, np.float32), 0.0, numbers, PPOSettings(), 0.4).figures
    assert told["kl"] == pytest.approx(0.25 * np.log(0.25 / 0.5) + 0.75 * np.log(0.75 / 0.5), abs=1e-6)
    assert told["clip_fraction"] == 0.25 and told["ratio_high"] == pytest.approx(2)
    assert told["ratio_low"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("spec", "settings"), [(CARTPOLE, SMALL), (PENDULUM, NORMAL), (LIGHT, replace(SMALL, decay=True, clip_decay=True))]
)
def test_watching_keeping_and_going_back_change_nothing(spec: WorldSpec, settings: PPOSettings) -> None:
    """Kept in mid-rollout and mid-update, at every turn of two updates, by a run that is looked at all the time."""
    plain = advanced(PPO(spec, settings, 5, 200), 80)
    watched, kept, curve = PPO(spec, settings, 5, 200), [], []
    for turn in range(80):
        if turn % 7 == 0:
            kept.append((turn, stored(watched.keep())))
        watched.look(frame=turn % 40 == 0)
        watched.policy().act(watched.observations[0], 0.3)
        curve.append(dict(watched.advance().figures))
    assert np.array_equal(weights(plain), weights(watched)) and plain.updates == watched.updates > 20
    assert {k.data["phase"] for _, k in kept} == {"collect", "update"}
    for start, at in kept[::3]:
        fresh = PPO(spec, settings, 5, 200)
        fresh.put_back(at)
        watched.put_back(at)
        for agent in (fresh, watched):
            assert [dict(agent.advance().figures) for _ in range(start, 80)] == curve[start:]
            assert np.array_equal(weights(agent), weights(plain))
            assert agent.steps == plain.steps and np.array_equal(agent.observations, plain.observations)


def test_seeds_differ_and_no_global_stream_is_touched() -> None:
    torch_before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    a, b = (advanced(PPO(CARTPOLE, SMALL, seed), 30) for seed in (0, 1))
    assert not np.array_equal(weights(a), weights(b))
    assert torch.equal(torch.random.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_threads_of_torch_are_left_as_they_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        agent = advanced(PPO(CARTPOLE, SMALL, 0), 20)
        assert torch.get_num_threads() == 2 and agent.updates
    finally:
        torch.set_num_threads(before)


def greedy(agent: PPO, spec: WorldSpec, count: int = 50) -> list[tuple[Any, Any]]:
    env, policy = gym.make(spec.id), agent.policy()
    observations = [env.reset(seed=seed)[0] for seed in range(count)]
    return [(observation, policy.act(observation)) for observation in observations]


def test_pixels_are_told_apart_in_a_second() -> None:
    settings = PPOSettings(worlds=8, n_steps=8, batch_size=64, epochs=4, learning_rate=1e-3)
    agent = PPO(LIGHT, settings, 0)
    while agent.steps < 512:
        agent.advance()
    assert all(action == (observation[0, 0, 0] == 0) for observation, action in greedy(agent, LIGHT))
    look = agent.look().net
    assert look is not None and look.policy is not None and look.policy.max() > 0.8


def test_continuous_actions_are_aimed() -> None:
    settings = PPOSettings(worlds=32, n_steps=4, batch_size=128, epochs=10, learning_rate=1e-2, hidden="32")
    agent = PPO(AIM, settings, 0)
    while agent.steps < 2_000:
        agent.advance()
    assert np.mean([abs(observation - action) for observation, action in greedy(agent, AIM)]) < 0.05
    net = agent.look().net
    assert net is not None and net.mean is not None and net.deviation is not None and net.deviation[0] < 0.5


def test_the_shown_policy_is_the_one_that_acts() -> None:
    agent = advanced(PPO(CARTPOLE, SMALL, 0), 30)
    look: Look = agent.look(frame=True)
    assert look.net is not None and look.net.policy is not None and look.frame is not None
    assert look.net.policy.sum() == pytest.approx(1.0)
    with torch.no_grad():
        policy, values = agent.network(torch.from_numpy(agent.observations))
    np.testing.assert_allclose(look.net.policy, policy.probabilities[0], atol=1e-6)
    assert look.net.value == pytest.approx(float(values[0]), abs=1e-6)
    frozen, row = agent.policy(), agent.observations[0]
    drawn = np.bincount([frozen.act(row, (u + 0.5) / 1000) for u in range(1000)], minlength=2) / 1000
    np.testing.assert_allclose(drawn, look.net.policy, atol=2e-3)
    assert frozen.act(row) == look.net.policy.argmax()
    assert {"kl", "ratio_low", "ratio_high", "gradient_norm", "explained_variance"} <= set(look.net.last)


def test_wide_networks_are_left_to_torch_and_act_the_same() -> None:
    agent = PPO(CARTPOLE, replace(SMALL, hidden="256, 256", worlds=6), 0)
    rows, alone = agent.actor.outputs(agent.observations), agent.actor.outputs(agent.observations[:3])
    with torch.no_grad():
        outputs, values = agent.network.outputs(torch.from_numpy(agent.observations))
    assert np.array_equal(rows[0], outputs.numpy()) and np.array_equal(rows[1], values.numpy())
    np.testing.assert_allclose(alone[0], rows[0][:3], atol=1e-6)
    np.testing.assert_allclose(alone[1], rows[1][:3], atol=1e-6)


def test_a_drawn_continuous_action_has_the_policys_mean_and_deviation() -> None:
    agent = advanced(PPO(PENDULUM, NORMAL, 0), 30)
    net, frozen = agent.look().net, agent.policy()
    assert net is not None and net.mean is not None and net.deviation is not None
    row = agent.observations[0]
    np.testing.assert_allclose(frozen.act(row), net.mean, atol=1e-6)
    assert np.array_equal(frozen.act(row, 0.25), frozen.act(row, 0.25))
    draws = np.array([frozen.act(row, (u + 0.5) / 4000)[0] for u in range(4000)])
    within = abs(draws) < 2  # the rest was cut to the bounds
    assert np.median(draws) == pytest.approx(net.mean[0], abs=0.1) and within.mean() > 0.9
    assert draws[within].std() == pytest.approx(net.deviation[0], rel=0.15)


def test_the_present_advantage_is_one_step_of_td() -> None:
    agent = advanced(PPO(CARTPOLE, SMALL, 0), 5)
    net = agent.look().net
    assert net is not None and net.value is not None
    assert net.last["advantage"] == pytest.approx(1 + 0.99 * net.value - agent.rollout.values[4, 0], abs=1e-5)


def test_cut_episodes_go_on_from_what_truly_followed() -> None:
    """Acted again by a Gymnasium world of its own, with the seeds and actions that are told of its episodes."""
    agent, episodes = PPO(PENDULUM, SMALL, 0), []
    while agent.phase == "collect":
        episodes += agent.advance().episodes
    rollout, cuts = agent.rollout, 0
    for episode in episodes:
        env = gym.make("Pendulum-v1")
        env.reset(seed=episode.seed)
        for action in episode.actions:
            final = env.step(action)[0]
        t = (episode.number + 1) * 7 - 1
        with torch.no_grad():
            _, value = agent.network(torch.from_numpy(final)[None])
        assert rollout.next_values[t, episode.place] == pytest.approx(float(value), abs=1e-5)
        assert rollout.going[t, episode.place] == 0
        cuts += not episode.terminated
        env.close()
    assert cuts == 2 and (rollout.going == 0).sum() == 2


def test_returns_that_overflow_are_told() -> None:
    agent = updating(PPO(CARTPOLE, SMALL, 0))
    good = weights(agent)
    assert agent.batch is not None
    agent.batch.numbers[3] = 1e30
    with pytest.raises(NetworkDiverged, match="the loss"):
        agent.advance()
    assert np.array_equal(weights(agent), good) and agent.phase == "collect"


def test_a_rate_without_measure_is_told_and_the_good_weights_are_back() -> None:
    settings = replace(SMALL, learning_rate=1.0, max_grad_norm=100.0)
    agent = updating(PPO(CARTPOLE, settings, 0))
    good = weights(agent)
    advanced(agent, 2)
    assert not np.array_equal(weights(agent), good)
    with torch.no_grad():
        agent.network.value[1].weight[0, 0] = torch.nan
    with pytest.raises(NetworkDiverged, match="Lower the learning rate"):
        agent.advance()
    assert np.array_equal(weights(agent), good) and agent.phase == "collect"
    agent.change(replace(settings, learning_rate=1e-4))
    assert np.isfinite(weights(advanced(agent, 60))).all() and agent.updates > 3


def test_a_kl_limit_ends_the_update_before_the_step_that_passes_it() -> None:
    agent = updating(PPO(CARTPOLE, replace(SMALL, target_kl=1e-4, epochs=50, learning_rate=0.02), 0))
    turns = 0
    while agent.phase == "update":
        before = weights(agent)
        turn, turns = agent.advance(), turns + 1
    assert 1 < turns < 50 and np.array_equal(before, weights(agent)) and agent.last["kl"] > 1.5e-4
    assert turn.figures["kl"] > 0 and agent.updates == turns - 1


def test_rates_and_clips_fall_to_nothing_at_the_end_of_the_budget() -> None:
    agent, told = PPO(CARTPOLE, replace(SMALL, decay=True, clip_decay=True), 0, 96), []
    while agent.steps < 120:
        figures = agent.advance().figures
        if figures:
            told.append((figures["learning_rate"], figures["clip_range"]))
    np.testing.assert_allclose(told, np.outer([0.75, 0.5, 0.25, 0, 0], [3e-3, 0.2])[: len(told)], atol=1e-12)
    assert len(told) >= 4


def test_live_knobs_change_and_others_name_themselves() -> None:
    agent = updating(PPO(CARTPOLE, SMALL, 0))
    agent.change(replace(SMALL, learning_rate=1e-5, batch_size=5, clip=0.05))
    agent.advance()
    assert agent.last["learning_rate"] == 1e-5 and agent.last["clip_range"] == 0.05
    with pytest.raises(BadSetting, match="Parallel worlds, Hidden layers"):
        agent.change(replace(SMALL, worlds=3, hidden="8"))
    with pytest.raises(BadSetting, match="no settings of ppo"):
        agent.change(None)
    assert agent.settings.clip == 0.05


@pytest.mark.parametrize(
    "broken", ["order", "numbers", "network/policy.1.weight", "optimizer/weights/0/exp_avg", "input"]
)
def test_a_checkpoint_that_does_not_fit_leaves_the_agent_as_it_was(broken: str) -> None:
    agent, other = (updating(PPO(CARTPOLE, SMALL, 0)) for _ in range(2))
    advanced(agent, 2)
    advanced(other, 3)
    kept = agent.keep()
    assert broken in kept.arrays
    holed = Kept(kept.data, {name: array for name, array in kept.arrays.items() if name != broken})
    with pytest.raises(BadCheckpoint):
        advanced(other, 3).put_back(holed)
    short = Kept(kept.data, kept.arrays | {broken: kept.arrays[broken][:-1]})
    with pytest.raises(BadCheckpoint):
        other.put_back(short)
    twin = advanced(updating(PPO(CARTPOLE, SMALL, 0)), 6)
    assert np.array_equal(weights(advanced(other, 40)), weights(advanced(twin, 40)))
    with pytest.raises(BadCheckpoint, match="ppo with seed 1"):
        PPO(CARTPOLE, SMALL, 1).put_back(kept)
    with pytest.raises(BadCheckpoint, match="Hidden layers"):
        PPO(CARTPOLE, replace(SMALL, hidden="8"), 0).put_back(kept)
