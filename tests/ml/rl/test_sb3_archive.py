"""Saved agents of Stable-Baselines3: the same actions as its own predict, and nothing in the file is ever run."""

from __future__ import annotations

import base64
import copy
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3 as sb3
import torch
from gymnasium import spaces

from studio.ml.rl.errors import BadCheckpoint
from studio.ml.rl.sb3.archive import open_zip


class Blank(gym.Env[Any, Any]):
    """Observations and actions of given spaces, and nothing else."""

    def __init__(self, observation: spaces.Space[Any], action: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = observation, action

    def reset(self, **_: Any) -> Any:
        return self.observation_space.sample(), {}

    def step(self, _: Any) -> Any:
        return self.observation_space.sample(), 0.0, False, False, {}


VECTOR = spaces.Box(-np.inf, np.inf, (4,), np.float32)
TABLE = spaces.Box(-1, 1, (2, 3), np.float32)
PIXELS = spaces.Box(0, 255, (4, 84, 84), np.uint8)
SMALL_PIXELS = spaces.Box(0, 255, (3, 7, 7), np.uint8)
TWO = spaces.Discrete(2)
BOX = spaces.Box(np.array([-2.0, -0.1], np.float32), np.array([2.0, 0.7], np.float32))
NARROW = {"net_arch": [32, 16]}
REPLAY = {"buffer_size": 50}
CASES = {
    "ppo": ("PPO", "MlpPolicy", VECTOR, TWO, {"n_steps": 8}),
    "ppo-box": ("PPO", "MlpPolicy", VECTOR, BOX, {"n_steps": 8, "policy_kwargs": {"net_arch": {"pi": [32], "vf": [16, 8]}, "log_std_init": -1}}),
    "ppo-relu": ("PPO", "MlpPolicy", TABLE, TWO, {"n_steps": 8, "policy_kwargs": {"activation_fn": torch.nn.ReLU}}),
    "ppo-linear": ("PPO", "MlpPolicy", VECTOR, TWO, {"n_steps": 8, "policy_kwargs": {"net_arch": []}}),
    "ppo-cnn": ("PPO", "CnnPolicy", PIXELS, TWO, {"n_steps": 8}),
    "ppo-cnn-apart": ("PPO", "CnnPolicy", PIXELS, TWO, {"n_steps": 8, "policy_kwargs": {"share_features_extractor": False}}),
    "ppo-states": ("PPO", "MlpPolicy", spaces.Discrete(6), TWO, {"n_steps": 8}),
    "ppo-pixels-flat": ("PPO", "MlpPolicy", SMALL_PIXELS, TWO, {"n_steps": 8}),
    "ppo-gsde": ("PPO", "MlpPolicy", VECTOR, BOX, {"n_steps": 8, "use_sde": True}),
    "a2c": ("A2C", "MlpPolicy", VECTOR, TWO, {}),
    "a2c-box": ("A2C", "MlpPolicy", VECTOR, BOX, {}),
    "dqn": ("DQN", "MlpPolicy", VECTOR, TWO, {**REPLAY, "policy_kwargs": NARROW}),
    "dqn-cnn": ("DQN", "CnnPolicy", PIXELS, TWO, REPLAY),
    "sac": ("SAC", "MlpPolicy", VECTOR, BOX, {**REPLAY, "policy_kwargs": NARROW}),
    "sac-gsde": ("SAC", "MlpPolicy", VECTOR, BOX, {**REPLAY, "use_sde": True, "policy_kwargs": NARROW}),
    "td3": ("TD3", "MlpPolicy", VECTOR, BOX, {**REPLAY, "policy_kwargs": NARROW}),
    "ddpg": ("DDPG", "MlpPolicy", VECTOR, BOX, {**REPLAY, "policy_kwargs": NARROW}),
}
KINDS = {"ppo": "PPO or A2C", "a2c": "PPO or A2C", "dqn": "DQN", "sac": "SAC", "td3": "TD3 or DDPG", "ddpg": "TD3 or DDPG"}


def saved(case: str, folder: Path) -> tuple[Any, Path]:
    """An agent with random weights on all layers, saved."""
    algorithm, policy, observation, action, more = copy.deepcopy(CASES[case])
    more |= {} if algorithm == "A2C" else {"batch_size": 8}
    env = Blank(observation, action)
    env.observation_space.seed(1)
    model = getattr(sb3, algorithm)(policy, env, seed=1, device="cpu", **more)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in model.policy.named_parameters():
            if "log_std" not in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    model.save(folder / "agent.zip")
    return model, folder / "agent.zip"


@pytest.mark.parametrize("case", CASES)
def test_actions_are_those_of_predict(case: str, tmp_path: Path) -> None:
    model, path = saved(case, tmp_path)
    opened = open_zip(path)
    assert opened.algorithm == KINDS[case.partition("-")[0]] and opened.version == sb3.__version__
    assert "VecNormalize" in opened.notes[-1] and opened.algorithm in opened.description
    space = CASES[case][2]
    space.seed(3)
    different = set()
    for _ in range(20):
        observation = space.sample()
        expected = model.predict(observation, deterministic=True)[0]
        found = opened.policy.act(observation)
        assert np.allclose(found, expected, rtol=0, atol=1e-6)
        different.add(np.asarray(found).tobytes())
    if isinstance(CASES[case][3], spaces.Box):
        assert len(different) > 1


@pytest.mark.parametrize("case", ["ppo", "ppo-box", "ppo-gsde", "ppo-cnn", "a2c", "dqn", "sac", "sac-gsde"])
def test_chances_deviations_and_values_are_the_librarys(case: str, tmp_path: Path) -> None:
    from studio.ml.rl.sb3.policies import say

    model, path = saved(case, tmp_path)
    policy = open_zip(path).policy
    space = CASES[case][2]
    space.seed(4)
    observation = space.sample()
    expected = say(model.policy, observation, 0.0).look({})
    found = policy.look(observation)
    for name in ("values", "policy", "mean", "deviation"):
        a, b = getattr(found, name), getattr(expected, name)
        assert (a is None) == (b is None) and (a is None or np.allclose(a, b, rtol=1e-5, atol=1e-6)), name
    if found.value is not None:
        assert found.value == pytest.approx(expected.value, abs=1e-5)


def test_draws_follow_the_chances(tmp_path: Path) -> None:
    _, path = saved("ppo", tmp_path)
    policy = open_zip(path).policy
    observation = np.array([0.1, -0.3, 0.2, 0.4], np.float32)
    chances = policy.look(observation).policy
    assert chances is not None
    drawn = [policy.act(observation, u) for u in (np.arange(1000) + 0.5) / 1000]
    assert np.mean(drawn) == pytest.approx(chances[1], abs=0.002)
    _, path = saved("sac", tmp_path)
    actions = np.array([open_zip(path).policy.act(observation, u) for u in np.linspace(0, 0.99, 30)])
    assert actions.std() > 0.05 and (actions >= BOX.low).all() and (actions <= BOX.high).all()


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (str(self.path), "w"))


def altered(path: Path, change: Callable[[dict[str, Any]], Any], weights: bytes | None = None) -> Path:
    """The same archive with another description, or other weights."""
    new = path.with_name("altered.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w") as archive:
        for name in old.namelist():
            content = old.read(name)
            if name == "data":
                data = json.loads(content)
                content = json.dumps(change(data) or data).encode()
            archive.writestr(name, weights if weights is not None and name == "policy.pth" else content)
    return new


def test_nothing_in_the_file_is_run(tmp_path: Path) -> None:
    _, path = saved("ppo", tmp_path)
    mark = tmp_path / "ran"
    trap = base64.b64encode(pickle.dumps(Trap(mark))).decode()

    def poison(data: dict[str, Any]) -> None:
        for value in data.values():
            if isinstance(value, dict) and ":serialized:" in value:
                value[":serialized:"] = trap

    assert open_zip(altered(path, poison)).algorithm == "PPO or A2C"
    buffer = io.BytesIO()
    torch.save({"weights": Trap(mark)}, buffer)
    with pytest.raises(BadCheckpoint, match="plain tensors"):
        open_zip(altered(path, lambda data: None, buffer.getvalue()))
    with pytest.raises(BadCheckpoint, match="plain tensors"):
        open_zip(altered(path, lambda data: None, pickle.dumps(Trap(mark))))
    assert not mark.exists()
    pickle.loads(base64.b64decode(trap)).close()  # the trap is one
    assert mark.exists()


def test_normalised_observations_are_told(tmp_path: Path) -> None:
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    venv = VecNormalize(DummyVecEnv([lambda: Blank(VECTOR, TWO)]))
    model = sb3.PPO("MlpPolicy", venv, n_steps=8, batch_size=8, device="cpu")
    model.learn(8)
    model.save(tmp_path / "agent.zip")
    opened = open_zip(tmp_path / "agent.zip")
    assert opened.notes[-1].startswith("It was trained with VecNormalize.") and opened.steps == 8
    sac = sb3.A2C("MlpPolicy", DummyVecEnv([lambda: Blank(VECTOR, TWO)]), device="cpu")
    sac.learn(5)
    sac.save(tmp_path / "plain.zip")
    assert open_zip(tmp_path / "plain.zip").notes[-1].startswith("If it was trained")


def test_broken_training_is_told(tmp_path: Path) -> None:
    model, path = saved("dqn", tmp_path)
    with torch.no_grad():
        next(model.policy.parameters()).fill_(float("inf"))
    model.save(path)
    with pytest.raises(BadCheckpoint, match="broke down"):
        open_zip(path)


def other(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other("policy_class", {":type:": "<class 'abc.ABCMeta'>", "__module__": "__main__"}), "__main__"),
        (other("policy_class", None), "unknown module"),
        (other("policy_kwargs", {"features_extractor_class": "<class '__main__.Mine'>"}), "__main__.Mine"),
        (other("policy_kwargs", {"activation_fn": "<class '__main__.Mine'>"}), "activation"),
        (other("observation_space", {":type:": "<class 'gymnasium.spaces.dict.Dict'>"}), "Dict"),
        (other("action_space", {":type:": "<class 'gymnasium.spaces.multi_discrete.MultiDiscrete'>"}), "MultiDiscrete"),
        (other("observation_space", "?"), "observation space"),
        (other("observation_space", {":type:": "<class 'gymnasium.spaces.box.Box'>", "dtype": "float32", "_shape": [9]}), "fit together"),
        (lambda data: [1], "no agent"),
    ],
)
def test_what_cannot_be_rebuilt_is_refused_with_the_reason(change: Any, said: str, tmp_path: Path) -> None:
    _, path = saved("ppo", tmp_path)
    with pytest.raises(BadCheckpoint, match=said):
        open_zip(altered(path, change))


def test_foreign_weights_and_broken_files_are_refused(tmp_path: Path) -> None:
    model, path = saved("ppo", tmp_path)
    for weights, said in (
        ({**model.policy.state_dict(), "memory.weight": torch.zeros(3)}, "memory.weight"),
        ({"foo": torch.zeros(3)}, "none of the standard"),
        ({k: v for k, v in model.policy.state_dict().items() if "value_net.weight" not in k}, "value_net"),
        ([torch.zeros(1)], "by name"),
    ):
        buffer = io.BytesIO()
        torch.save(weights, buffer)
        with pytest.raises(BadCheckpoint, match=said):
            open_zip(altered(path, lambda data: None, buffer.getvalue()))
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(BadCheckpoint, match="zip file"):
        open_zip(tmp_path / "text.zip")
    with pytest.raises(BadCheckpoint, match="zip file"):
        open_zip(tmp_path / "absent.zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme", "hello")
    with pytest.raises(BadCheckpoint, match="no data inside"):
        open_zip(tmp_path / "other.zip")
    whole = path.read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadCheckpoint):
        open_zip(tmp_path / "cut.zip")


def test_another_worlds_observation_is_refused(tmp_path: Path) -> None:
    _, path = saved("ppo", tmp_path)
    with pytest.raises(BadCheckpoint, match="shape"):
        open_zip(path).policy.act(np.zeros(3, np.float32))
    _, path = saved("ppo-states", tmp_path)
    with pytest.raises(BadCheckpoint, match="0 to 5"):
        open_zip(path).policy.act(6)
