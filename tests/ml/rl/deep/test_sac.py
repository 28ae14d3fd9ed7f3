"""SAC against Stable-Baselines3 on the same batches, weights and noise; its runs bit for bit; its bounds."""

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
from studio.ml.rl.deep.replay import Batch
from studio.ml.rl.deep.sac import SAC, refuses, stretched
from studio.ml.rl.deep.settings import SACSettings
from studio.ml.rl.errors import BadCheckpoint, BadSetting
from studio.ml.rl.learner import Kept
from studio.ml.rl.worlds import WorldSpec, describe

SOURCE = """
import gymnasium as gym, numpy as np
class Bar(gym.Env):
    observation_space = gym.spaces.Box(0, 255, (40, 40, 3), np.uint8)
    action_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    def reset(self, *, seed=None, options=None):
        self.at = 0.5
        return self.seen(), {}
    def step(self, action):
        self.at = float(np.clip(self.at + 0.1 * action[0], 0, 1))
        return self.seen(), self.at, self.at > 0.95, False, {}
    def seen(self):
        picture = np.zeros((40, 40, 3), np.uint8)
        picture[:, : int(40 * self.at)] = 200
        return picture
"""
PENDULUM = WorldSpec("Pendulum-v1")
SMALL = SACSettings(hidden="16, 16", batch_size=8, learning_starts=20, train_freq=2, gradient_steps=3, buffer_size=300)


def learner(settings: SACSettings = SMALL, seed: int = 0, spec: WorldSpec = PENDULUM) -> SAC:
    return SAC(spec, settings, seed, 200)


def pictures(folder: Path) -> WorldSpec:
    file = folder / "bar.py"
    file.write_text(SOURCE)
    return WorldSpec("file", path=str(file), name="Bar", sha256=sha256(file.read_bytes()).hexdigest(), limit=20)


def advanced(agent: SAC, turns: int) -> SAC:
    for _ in range(turns):
        agent.advance()
    return agent


def weights(agent: SAC) -> NDArray[Any]:
    return np.concatenate([p.detach().numpy().ravel() for p in agent.network.parameters()])


def batch_of(size: int, seed: int) -> Batch:
    draws = np.random.Generator(np.random.PCG64(seed))
    ended = draws.random(size) < 0.3
    return Batch(
        np.arange(size), np.arange(size), draws.normal(size=(size, 3)).astype(np.float32),
        draws.uniform(-1, 1, size=(size, 1)).astype(np.float32), draws.normal(size=size).astype(np.float32),
        (0.99 * ~ended).astype(np.float32), draws.normal(size=(size, 3)).astype(np.float32),
    )  # fmt: skip


@pytest.mark.parametrize("automatic", [True, False])
def test_three_gradient_steps_are_those_of_stable_baselines(automatic: bool) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.logger import configure
    from stable_baselines3.common.type_aliases import ReplayBufferSamples

    agent = learner(replace(SMALL, learning_rate=1e-3, automatic=automatic, temperature=0.3))
    with torch.random.fork_rng():
        other = sb3.SAC(
            "MlpPolicy", gym.make("Pendulum-v1"), policy_kwargs={"net_arch": [16, 16]}, learning_rate=1e-3,
            ent_coef="auto_0.3" if automatic else 0.3, device="cpu", buffer_size=10,
        )  # fmt: skip
    other.set_logger(configure(None, []))
    pairs = [(other.actor, agent.actor), (other.critic, agent.critics), (other.critic_target, agent.targets)]
    with torch.no_grad():
        for theirs, mine in pairs:
            for one, own in zip(theirs.parameters(), mine.parameters(), strict=True):
                assert one.shape == own.shape
                one.copy_(own)
    for step in range(3):
        batch = batch_of(32, step)
        sample = ReplayBufferSamples(
            torch.from_numpy(batch.observations), torch.from_numpy(batch.actions), torch.from_numpy(batch.following),
            torch.from_numpy(batch.discounts == 0)[:, None].float(), torch.from_numpy(batch.returns)[:, None],
        )  # fmt: skip
        other.replay_buffer.sample = lambda *_, sample=sample, **__: sample
        with torch.random.fork_rng():
            torch.manual_seed(step)
            other.train(1, 32)
        agent.torch_stream.manual_seed(step)
        figures = agent.learn_from(batch)
        told = other.logger.name_to_value
        assert figures["critic_loss"] == pytest.approx(told["train/critic_loss"], abs=1e-5)
        assert figures["actor_loss"] == pytest.approx(told["train/actor_loss"], abs=1e-5)
        assert figures["alpha"] == pytest.approx(told["train/ent_coef"], abs=1e-6)
        for theirs, mine in pairs:
            for one, own in zip(theirs.parameters(), mine.parameters(), strict=True):
                assert torch.allclose(one, own, rtol=0, atol=1e-5)
        if automatic:
            assert float(other.log_ent_coef.detach()) == pytest.approx(float(agent.log_alpha[0].detach()), abs=1e-6)


def test_the_target_is_the_lower_critic_and_the_entropy() -> None:
    agent = advanced(learner(), 60)
    last = agent.look().net.last  # type: ignore[union-attr]
    soft = last["bootstrap"] + last["entropy_bonus"]
    assert last["target"] == pytest.approx(last["return"] + last["discount"] * soft, abs=1e-5)
    assert last["td_error"] == pytest.approx(last["target"] - last["q"], abs=1e-6)


def test_actions_fill_the_world_s_bounds_and_never_pass_them() -> None:
    low, high = np.array([-2.0, 0.0], np.float32), np.array([2.0, 0.1], np.float32)
    ends = stretched(np.array([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]], np.float32), low, high)
    assert ends.tolist() == [low.tolist(), high.tolist(), [0.0, pytest.approx(0.05)]]
    agent = advanced(learner(), 40)
    remembered = agent.replay._actions[: len(agent.replay)]
    assert remembered.dtype == np.float32 and np.abs(remembered).max() <= 1
    assert agent._action == pytest.approx(2 * remembered[-1])


def test_equal_seeds_give_equal_runs_and_looking_or_keeping_changes_nothing() -> None:
    settings = replace(SMALL, worlds=2)
    plain, watched = learner(settings), learner(settings)
    for turn in range(120):
        one, other = plain.advance(), watched.advance()
        assert one.phase == other.phase and one.figures == other.figures
        watched.look()
        if turn % 7 == 0:
            watched.put_back(watched.keep())
            watched.policy().act(watched.observations[0], 0.3)
    assert plain.updates > 20
    assert np.array_equal(weights(plain), weights(watched))
    assert not np.array_equal(weights(plain), weights(advanced(learner(settings, seed=1), 120)))


def test_a_checkpoint_goes_on_in_another_learner_bit_for_bit() -> None:
    first, second = advanced(learner(), 63), advanced(learner(), 13)
    assert first._pending, "the test stands between two gradient steps"
    kept, looked = first.keep(), first.look().net
    second.put_back(kept)
    again = second.look().net
    assert looked is not None and again is not None and again.last == looked.last
    assert np.array_equal(again.mean, looked.mean)  # type: ignore[arg-type]
    for _ in range(60):
        assert first.advance().figures == second.advance().figures
    assert np.array_equal(weights(first), weights(second))


def test_a_checkpoint_that_does_not_fit_changes_nothing() -> None:
    agent = advanced(learner(), 61)
    kept, held = agent.keep(), weights(agent)
    for bad in (
        Kept(kept.data | {"since": "x"}, kept.arrays),
        Kept(kept.data, {n: a for n, a in kept.arrays.items() if n != "replay/actions"}),
    ):
        with pytest.raises(BadCheckpoint):
            agent.put_back(bad)
    assert np.array_equal(weights(agent), held)


def test_diverging_is_said_and_the_weights_stay_finite() -> None:
    agent = advanced(learner(), 61)
    agent.replay._rewards[:] = 1e38
    with pytest.raises(NetworkDiverged, match="critics"):
        advanced(agent, 40)
    assert np.isfinite(weights(agent)).all()
    agent.replay._rewards[:] = 1.0
    advanced(agent, 10)


def test_worlds_it_cannot_learn_in_are_refused_with_what_to_take_instead() -> None:
    assert refuses(describe(PENDULUM)) == ""
    with pytest.raises(BadSetting, match="DQN"):
        learner(spec=WorldSpec("CartPole-v1"))


def test_the_policy_is_a_frozen_copy_and_a_draw_decides() -> None:
    agent = advanced(learner(replace(SMALL, learning_rate=0.05)), 61)
    policy, here = agent.policy(), agent.observations[0].copy()
    best = policy.act(here)
    assert np.array_equal(best, stretched(agent.best(here[None])[0], agent.low, agent.high))
    drawn = policy.act(here, 0.25)
    assert np.array_equal(drawn, policy.act(here, 0.25)) and not np.array_equal(drawn, policy.act(here, 0.75))
    advanced(agent, 60)
    assert np.array_equal(policy.act(here), best) and not np.array_equal(agent.policy().act(here), best)


def test_what_is_seen_of_the_policy_is_in_the_world_s_units() -> None:
    agent = advanced(learner(), 61)
    net = agent.look().net
    assert net is not None and net.mean is not None and net.deviation is not None
    with torch.no_grad():
        actions, _ = agent.actor(torch.from_numpy(agent.observations).expand(20_000, -1)).sample(
            torch.Generator().manual_seed(0)
        )
    policy = agent.policy()
    assert net.mean == pytest.approx(policy.act(agent.observations[0]))
    # Near the middle tanh is almost straight, so the first order is close to the deviation of the draws.
    assert 0 < float(net.deviation[0]) < 2.5 * 2 * float(actions.std())


def test_pictures_are_learnt_from(tmp_path: Path) -> None:
    agent = advanced(learner(replace(SMALL, batch_size=4, learning_starts=4), spec=pictures(tmp_path)), 14)
    assert agent.description.observation == "pixels" and agent.updates >= 3
    other = learner(agent.settings, spec=agent.spec)
    other.put_back(agent.keep())
    assert advanced(agent, 6).last == advanced(other, 6).last
