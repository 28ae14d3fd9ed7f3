"""DQN against Stable-Baselines3 on the same batches, against its formulas, and against a world solved exactly."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from studio.ml.rl.deep.base import NetworkDiverged
from studio.ml.rl.deep.dqn import DQN, loss_and_slope, refuses, target
from studio.ml.rl.deep.replay import Batch
from studio.ml.rl.deep.settings import DQNSettings
from studio.ml.rl.errors import BadCheckpoint, BadSetting
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.learner import Kept
from studio.ml.rl.worlds import WorldSpec, describe

CARTPOLE = WorldSpec("CartPole-v1")
SMALL = DQNSettings(
    hidden="16, 16", batch_size=8, learning_starts=20, train_freq=4, gradient_steps=3, buffer_size=200,
    target_update_interval=10,
)  # fmt: skip
SOURCE = """
import gymnasium as gym, numpy as np
class Dot(gym.Env):
    observation_space = gym.spaces.Box(0, 255, (36, 36, 1), np.uint8)
    action_space = gym.spaces.Discrete(3)
    def reset(self, *, seed=None, options=None):
        self.at = 18
        return self.seen(), {}
    def step(self, action):
        self.at += int(action) - 1
        return self.seen(), float(action), not 15 < self.at < 21, False, {}
    def seen(self):
        picture = np.zeros((36, 36, 1), np.uint8)
        picture[:, self.at] = 255
        return picture
"""
PARTS = {"double": True, "dueling": True, "n_step": 3, "prioritised": True}


def learner(settings: DQNSettings = SMALL, seed: int = 0, spec: WorldSpec = CARTPOLE, budget: int = 200) -> DQN:
    return DQN(spec, settings, seed, budget)


def pictures(folder: Path) -> WorldSpec:
    file = folder / "dot.py"
    file.write_text(SOURCE)
    return WorldSpec("file", path=str(file), name="Dot", sha256=sha256(file.read_bytes()).hexdigest(), limit=20)


def advanced(agent: DQN, turns: int) -> DQN:
    for _ in range(turns):
        agent.advance()
    return agent


def weights(agent: DQN) -> NDArray[Any]:
    return np.concatenate([p.detach().numpy().ravel() for p in agent.network.parameters()])


def batch_of(size: int, seed: int, weighted: bool = False) -> Batch:
    draws = np.random.Generator(np.random.PCG64(seed))
    ended = draws.random(size) < 0.3
    return Batch(
        np.arange(size), np.arange(size), draws.normal(size=(size, 4)).astype(np.float32), draws.integers(2, size=size),
        (3 * draws.normal(size=size)).astype(np.float32), (0.97 * ~ended).astype(np.float32),
        draws.normal(size=(size, 4)).astype(np.float32), draws.random(size).astype(np.float32) if weighted else None,
    )  # fmt: skip


def test_three_gradient_steps_are_those_of_stable_baselines() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.type_aliases import ReplayBufferSamples

    settings = replace(SMALL, double=False, learning_rate=1e-3, max_grad_norm=0.5)
    agent = learner(settings)
    with torch.random.fork_rng():
        other = sb3.DQN(
            "MlpPolicy", gym.make("CartPole-v1"), policy_kwargs={"net_arch": [16, 16]}, learning_rate=1e-3,
            max_grad_norm=0.5, gamma=0.97, device="cpu",
        )  # fmt: skip
    mine = list(agent.online.parameters())
    for net, source in ((other.q_net, agent.online), (other.q_net_target, agent.target)):
        with torch.no_grad():
            for theirs, own in zip(net.parameters(), source.parameters(), strict=True):
                theirs.copy_(own)
    from stable_baselines3.common.logger import configure

    other.set_logger(configure(None, []))
    for step in range(3):
        batch = batch_of(32, step)
        sample = ReplayBufferSamples(
            torch.from_numpy(batch.observations), torch.from_numpy(batch.actions)[:, None],
            torch.from_numpy(batch.following), torch.from_numpy(batch.discounts == 0)[:, None].float(),
            torch.from_numpy(batch.returns)[:, None],
        )  # fmt: skip
        other.replay_buffer.sample = lambda *_, sample=sample, **__: sample
        other.train(1, 32)
        figures, _ = agent.learn_from(batch)
        assert figures["loss"] == pytest.approx(other.logger.name_to_value["train/loss"], abs=1e-5)
        for theirs, own in zip(other.q_net.parameters(), mine, strict=True):
            assert torch.allclose(theirs, own, rtol=0, atol=1e-5)


@pytest.mark.parametrize("loss", ["huber", "squared"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_slopes_are_those_of_autograd(loss: str, weighted: bool) -> None:
    batch = batch_of(50, 4, weighted)
    q = torch.zeros(50, requires_grad=True)
    each = torch.nn.functional.smooth_l1_loss if loss == "huber" else torch.nn.functional.mse_loss
    losses = each(q, torch.from_numpy(batch.returns), reduction="none")
    if batch.weights is not None:
        losses = losses * torch.from_numpy(batch.weights)
    losses.mean().backward()
    value, slopes = loss_and_slope(batch.returns, loss, batch.weights)
    assert value == pytest.approx(float(losses.mean().detach()), rel=1e-6)
    assert q.grad is not None and np.allclose(slopes, q.grad.numpy(), rtol=1e-6, atol=1e-8)


def test_double_takes_the_online_choice_at_the_target_network_s_worth() -> None:
    batch = batch_of(40, 5)
    draws = np.random.Generator(np.random.PCG64(6))
    online, following = (draws.normal(size=(40, 3)).astype(np.float32) for _ in range(2))
    plain, double = target(batch, following, None), target(batch, following, online)
    for i in range(40):
        best = max(range(3), key=lambda a: online[i, a])
        assert double.target[i] == np.float32(batch.returns[i] + batch.discounts[i] * following[i, best])
        assert plain.target[i] == np.float32(batch.returns[i] + batch.discounts[i] * max(following[i]))
        assert (double.action[i], double.usual[i]) == (best, plain.action[i])
    assert (double.action != double.usual).any()


def test_dueling_is_the_state_s_value_and_centred_advantages() -> None:
    agent = learner(replace(SMALL, dueling=True))
    net, x = agent.online, torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    features = net.body(x)
    assert net.state_value is not None
    advantages = net.head(features)
    expected = net.state_value(features) + advantages - advantages.mean(1, keepdim=True)
    assert torch.allclose(net(x), expected, atol=1e-7)
    assert torch.allclose(net(x).mean(1), net.state_value(features)[:, 0], atol=1e-6)


def test_the_last_numbers_say_how_the_target_came_about() -> None:
    agent = advanced(learner(replace(SMALL, n_step=3)), 90)
    last = agent.look().net.last  # type: ignore[union-attr]
    assert last["target"] == pytest.approx(last["return"] + last["discount"] * last["bootstrap"], abs=1e-6)
    assert last["td_error"] == pytest.approx(last["target"] - last["q"], abs=1e-6)
    assert last["discount"] in (0.0, *(float(np.float32(0.99**k)) for k in (1, 2, 3)))


def test_collecting_and_updating_take_turns_as_in_the_zoo() -> None:
    agent = learner(replace(SMALL, learning_starts=8, train_freq=4, gradient_steps=-1, worlds=2), budget=100)
    phases = [agent.advance().phase for _ in range(16)]
    # Learning begins after more than 8 steps of the two worlds, then as many gradient steps as there were steps.
    assert phases == ["collect"] * 6 + ["update"] * 4 + ["collect"] * 2 + ["update"] * 4
    assert (agent.steps, agent.updates) == (16, 8)


def test_epsilon_falls_over_its_share_of_the_budget() -> None:
    agent = learner(replace(SMALL, exploration_fraction=0.5, exploration_final_eps=0.1), budget=40)
    seen = []
    while agent.steps < 40:
        turn = agent.advance()
        if turn.phase == "collect":
            seen.append(turn.figures["epsilon"])
    assert seen[:20] == [1.0] * 20  # random steps first
    assert seen[20:] == pytest.approx([0.1] * 20)
    agent.change(replace(agent.settings, exploration_fraction=1.0))
    assert agent.epsilon == pytest.approx(0.1)


def test_explored_actions_are_as_random_as_epsilon_says() -> None:
    settings = replace(SMALL, learning_starts=0, exploration_initial_eps=0.3, exploration_final_eps=0.3, worlds=50)
    agent = learner(settings)
    agent._flat.vector.data[:] = 0
    agent.online.head.bias.data[1] = 1.0
    chosen = np.concatenate([agent._choose(agent.observations) for _ in range(200)])
    assert chosen.mean() == pytest.approx(0.85, abs=0.01)


@pytest.mark.parametrize("parts", [{}, PARTS])
def test_equal_seeds_give_equal_runs_and_looking_or_keeping_changes_nothing(parts: dict[str, Any]) -> None:
    settings = replace(SMALL, worlds=2, **parts)
    plain, watched = learner(settings), learner(settings)
    for turn in range(160):
        one, other = plain.advance(), watched.advance()
        assert one.phase == other.phase and one.figures == other.figures
        watched.look(frame=False)
        if turn % 9 == 0:  # in the middle of episodes, and between gradient steps
            watched.put_back(watched.keep())
            watched.policy().act(watched.observations[0], 0.9)
    assert plain.updates > 20
    assert np.array_equal(weights(plain), weights(watched))
    assert np.array_equal(plain.observations, watched.observations)
    assert not np.array_equal(weights(plain), weights(advanced(learner(settings, seed=1), 160)))


@pytest.mark.parametrize("parts", [{}, PARTS])
def test_a_checkpoint_goes_on_in_another_learner_bit_for_bit(parts: dict[str, Any]) -> None:
    settings = replace(SMALL, worlds=2, **parts)
    first, second = advanced(learner(settings), 63), advanced(learner(settings), 13)
    assert first._pending, "the test stands between two gradient steps"
    kept = first.keep()
    before = {name: array.copy() for name, array in kept.arrays.items()}
    looked = first.look()
    second.put_back(kept)
    again = second.look()
    assert looked.net is not None and again.net is not None
    assert again.net.last == looked.net.last
    assert again.net.ages is not None and looked.net.ages is not None
    assert np.array_equal(again.net.ages, looked.net.ages)
    for _ in range(80):
        assert first.advance().figures == second.advance().figures
    assert np.array_equal(weights(first), weights(second))
    assert all(np.array_equal(kept.arrays[name], before[name]) for name in before)


def test_a_checkpoint_that_does_not_fit_changes_nothing() -> None:
    agent = advanced(learner(), 61)
    kept, held = agent.keep(), weights(agent)
    for bad in (
        Kept(kept.data | {"pending": -1}, kept.arrays),
        Kept(kept.data | {"replay": {"rows": 3, "count": 1}}, kept.arrays),
        Kept(kept.data, {n: a for n, a in kept.arrays.items() if n != "replay/rewards"}),
        advanced(learner(seed=3), 40).keep(),
    ):
        with pytest.raises(BadCheckpoint):
            agent.put_back(bad)
    assert np.array_equal(weights(agent), held)
    other = learner()
    other.put_back(kept)
    assert advanced(agent, 30).last == advanced(other, 30).last


def test_diverging_is_said_and_the_weights_stay_finite() -> None:
    agent = advanced(learner(), 61)
    agent.replay._rewards[:] = 1e38
    agent.change(replace(SMALL, loss="squared"))
    with pytest.raises(NetworkDiverged, match="Lower the learning rate"), np.errstate(over="ignore"):
        advanced(agent, 40)
    assert np.isfinite(weights(agent)).all()
    agent.replay._rewards[:] = 1.0
    advanced(agent, 10)


def test_continuous_actions_are_refused_with_what_to_take_instead() -> None:
    assert refuses(describe(CARTPOLE)) == ""
    with pytest.raises(BadSetting, match="SAC"):
        learner(spec=WorldSpec("Pendulum-v1"))


def test_settings_that_shape_the_network_need_a_new_run() -> None:
    agent = learner()
    agent.change(replace(SMALL, learning_rate=1e-2, double=False))
    with pytest.raises(BadSetting, match="Dueling"):
        agent.change(replace(SMALL, dueling=True))


def test_the_policy_is_a_frozen_copy() -> None:
    agent = advanced(learner(replace(SMALL, learning_rate=0.1)), 61)
    policy, here = agent.policy(), agent.observations[0].copy()
    values = agent.values(here[None])[0]
    assert policy.act(here) == values.argmax()
    held = [p.detach().clone() for p in policy._network.parameters()]  # type: ignore[attr-defined]
    advanced(agent, 100)
    assert not np.array_equal(values, agent.values(here[None])[0])
    for mine, kept in zip(policy._network.parameters(), held, strict=True):  # type: ignore[attr-defined]
        assert torch.equal(mine, kept)


def test_a_chain_is_learnt_to_its_known_values() -> None:
    """Five cells in a row, −1 a step, the goal at the right: max Q*(s) = −(1 − γᵈ)/(1 − γ), d steps from the goal."""
    spec = WorldSpec("grid", grid=GridWorld.drawn("S...G"), limit=40)
    settings = DQNSettings(
        hidden="32", learning_rate=5e-3, gamma=0.9, batch_size=32, learning_starts=200, train_freq=2,
        target_update_interval=50, exploration_fraction=0.0, exploration_final_eps=0.5, buffer_size=2000,
        dueling=False,
    )  # fmt: skip
    agent = learner(settings, spec=spec, budget=3000)
    while agent.steps < 3000:
        agent.advance()
    q = agent.values(np.arange(5))
    for state in range(4):
        steps = 4 - state
        assert q[state].max() == pytest.approx(-(1 - 0.9**steps) / 0.1, abs=0.1)


def test_pictures_are_learnt_from(tmp_path: Path) -> None:
    spec = pictures(tmp_path)
    settings = replace(SMALL, batch_size=4, learning_starts=4, dueling=True, n_step=2)
    agent = advanced(learner(settings, spec=spec), 14)
    assert agent.description.observation == "pixels" and agent.updates >= 3
    other = learner(settings, spec=spec)
    other.put_back(agent.keep())
    assert advanced(agent, 6).last == advanced(other, 6).last
