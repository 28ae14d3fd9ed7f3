"""Presets in the form of rl-baselines3-zoo: numbers taken over as they are, the rest named, nothing run."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from studio.ml.rl.deep.settings import A2CSettings, DQNSettings, PPOSettings, SACSettings
from studio.ml.rl.learners import LEARNERS
from studio.ml.rl.presets import Preset, preset_of, presets, presets_for, read, read_file
from studio.ml.rl.sb3.settings import SB3Settings
from studio.ml.rl.worlds import MissingPackage, WorldSpec, describe
from studio.ml.rl.zoo import BadPreset, Word, keywords

PPO = """
# Tuned
CartPole-v1: &cart
  n_envs: 8
  n_timesteps: !!float 1e5
  policy: 'MlpPolicy'
  n_steps: 32
  batch_size: 256
  gae_lambda: 0.8
  gamma: 0.98
  n_epochs: 20
  ent_coef: 0.0
  learning_rate: lin_0.001
  clip_range: lin_0.2
Other-v3:
  <<: *cart
  n_timesteps: 1e6
  normalize: "{'norm_obs': True, 'norm_reward': False}"
  learning_rate: 2.5e-4
  use_sde: True
  sde_sample_freq: 4
  frobnicate: 3
  policy_kwargs: "dict(log_std_init=-2,
                       ortho_init=False,
                       activation_fn=nn.ReLU,
                       net_arch=[dict(pi=[256, 256], vf=[256, 256])]
                       )"
"""


def one(text: str, algorithm: str) -> Preset:
    (preset,) = read(text, algorithm).presets
    return preset


def test_a_zoo_file_of_ppo_is_taken_over() -> None:
    cart, other = read(PPO, "ppo").presets
    assert cart == Preset(WorldSpec("CartPole-v1"), "ppo", PPOSettings(
        learning_rate=1e-3, decay=True, worlds=8, n_steps=32, batch_size=256, epochs=20, gamma=0.98, gae_lambda=0.8,
        clip=0.2, clip_decay=True,
    ), 100_000)  # fmt: skip
    assert other.steps == 1_000_000
    settings = other.settings
    assert (settings.learning_rate, settings.decay, settings.clip_decay) == (2.5e-4, False, True)
    assert (settings.normalize_observations, settings.normalize_rewards) == (True, False)
    assert (settings.hidden, settings.activation, settings.n_steps) == ("256, 256", "relu", 32)
    named = " ".join(other.left_out)
    assert all(word in named for word in ("use_sde", "sde_sample_freq", "frobnicate", "log_std_init", "ortho_init"))
    assert len(other.left_out) == 5


def test_what_a_file_leaves_out_has_the_default_of_its_library() -> None:
    import inspect

    import stable_baselines3

    def default(algorithm: str, name: str) -> Any:
        return inspect.signature(getattr(stable_baselines3, algorithm).__init__).parameters[name].default

    ours = {
        "PPO": {"epochs": "n_epochs", "clip": "clip_range", "entropy": "ent_coef", "value": "vf_coef"},
        "A2C": {"entropy": "ent_coef", "value": "vf_coef"},
        "DQN": {}, "SAC": {},
    }  # fmt: skip
    same = {
        "PPO": "learning_rate n_steps batch_size gamma gae_lambda max_grad_norm normalize_advantage",
        "A2C": "learning_rate n_steps gamma gae_lambda max_grad_norm normalize_advantage",
        "DQN": "learning_rate batch_size gamma learning_starts train_freq gradient_steps target_update_interval tau"
        " exploration_fraction exploration_initial_eps exploration_final_eps max_grad_norm",
        "SAC": "learning_rate batch_size gamma learning_starts train_freq gradient_steps tau",
    }
    for algorithm in ours:
        settings = preset_of("CartPole-v1", algorithm.lower(), {}).settings
        for name, theirs in {**{name: name for name in same[algorithm].split()}, **ours[algorithm]}.items():
            assert getattr(settings, name) == default(algorithm, theirs), (algorithm, name)
    assert not preset_of("CartPole-v1", "dqn", {}).settings.double
    assert preset_of("CartPole-v1", "dqn", {"n_timesteps": 2e4}).settings.buffer_size == 20_000


def test_dqn_sac_and_a2c_are_mapped() -> None:
    dqn = one("""
LunarLander-v2:
  n_timesteps: !!float 1.5e5
  policy: 'MlpPolicy'
  learning_rate: !!float 8.8e-4
  buffer_size: 1000000
  n_envs: 4
  train_freq: 16
  gradient_steps: -1
  policy_kwargs: "dict(net_arch=[256, 128])"
""", "dqn")  # fmt: skip
    assert dqn.world.id == "LunarLander-v3" and "LunarLander-v2" in dqn.note
    assert isinstance(dqn.settings, DQNSettings) and dqn.settings.train_freq == 64 and dqn.settings.gradient_steps == -1
    assert dqn.settings.hidden == "256, 128" and dqn.settings.buffer_size == 150_000
    sac = one("Pendulum-v1: {ent_coef: auto_0.5, tau: 0.02, target_entropy: auto}", "sac")
    assert sac.settings == SACSettings(automatic=True, temperature=0.5, tau=0.02)
    fixed = one("Pendulum-v1: {ent_coef: 0.1}", "sac").settings
    assert not fixed.automatic and fixed.temperature == 0.1
    a2c = one("CartPole-v1: {use_rms_prop: false, learning_rate: lin_0.00083, normalize: true, n_envs: 16}", "a2c")
    assert a2c.settings == A2CSettings(
        learning_rate=0.00083, decay=True, worlds=16, optimiser="adam",
        normalize_observations=True, normalize_rewards=True,
    )  # fmt: skip
    continuous = one("LunarLanderContinuous-v2: {}", "sac")
    assert continuous.world == WorldSpec("LunarLander-v3", (("continuous", True),))


def test_agents_of_the_library_take_all_of_it() -> None:
    from studio.ml.rl.sb3.learner import SB3Learner

    cart, other = read(PPO, "sb3:PPO").presets
    assert isinstance(cart.settings, SB3Settings) and cart.kind == "sb3"
    assert (cart.settings.learning_rate, cart.settings.decay, cart.settings.batch_size) == (1e-3, True, 256)
    more = json.loads(cart.settings.more)
    assert more == {"n_steps": 32, "gae_lambda": 0.8, "n_epochs": 20, "ent_coef": 0.0, "clip_range": "lin_0.2"}
    told = json.loads(other.settings.more)
    assert told["policy_kwargs"]["activation_fn"] == "relu" and told["use_sde"] is True
    assert "normalize" in " ".join(other.left_out)
    learner = SB3Learner(WorldSpec("CartPole-v1"), cart.settings, 0)
    learner.advance()
    learner.close()
    td3 = one("Pendulum-v1: {noise_type: normal, noise_std: 0.1, env_wrapper: x.Y, replay_buffer_class: Z}", "sb3:TD3")
    assert json.loads(td3.settings.more) == {"noise_type": "normal", "noise_std": 0.1}
    assert {text.partition(" ")[0] for text in td3.left_out} == {"env_wrapper", "replay_buffer_class"}


def test_json_is_read_like_yaml_and_files_by_their_name(tmp_path: Path) -> None:
    told = json.dumps({"CartPole-v1": {"n_envs": 2, "policy_kwargs": {"net_arch": [8]}}})
    (tmp_path / "ppo.json").write_text(told)
    (preset,) = read_file(tmp_path / "ppo.json").presets
    assert preset.settings.worlds == 2 and preset.settings.hidden == "8"
    (tmp_path / "td3.yml").write_text("Pendulum-v1: {gamma: 0.9}")
    (td3,) = read_file(tmp_path / "td3.yml").presets
    assert (td3.settings.algorithm, td3.settings.gamma) == ("TD3", 0.9)
    (tmp_path / "mine.yml").write_text("CartPole-v1: {gamma: 0.9}")
    with pytest.raises(BadPreset, match="which agent"):
        read_file(tmp_path / "mine.yml")
    assert read_file(tmp_path / "mine.yml", "dqn").presets[0].settings.gamma == 0.9
    (tmp_path / "ppo.yml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(BadPreset, match="UTF-8"):
        read_file(tmp_path / "ppo.yml")
    (tmp_path / "a2c.yml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(BadPreset, match="larger"):
        read_file(tmp_path / "a2c.yml")
    with pytest.raises(BadPreset, match="cannot be read"):
        read_file(tmp_path / "sac.yml")


def test_one_bad_entry_does_not_spoil_the_others() -> None:
    found = read("""
CartPole-v1: {gamma: 7}
Acrobot-v1: {n_steps: many}
atari: {n_envs: 8}
Pendulum-v1: 3
MountainCar-v0: {gamma: 0.5}
Taxi-v3: {train_freq: [1, episode]}
""", "dqn")  # fmt: skip
    assert [p.world.id for p in found.presets] == ["MountainCar-v0"]
    assert set(found.refused) == {"CartPole-v1", "Acrobot-v1", "atari", "Pendulum-v1", "Taxi-v3"}
    assert "Discount" in found.refused["CartPole-v1"] and "n_steps is a number" in found.refused["Acrobot-v1"]


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k1: 1, k2: 2}\n" + "\n".join(
    f"{b}: &{b} {{<<: [{','.join(['*' + a] * 9)}]}}" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "no plain YAML in line"), ("{", "no JSON"), ("", "names of worlds"), ("- 1", "names of worlds"),
        ("CartPole-v1: !!python/object/apply:os.system ['touch x']", "no plain YAML"),
        ("CartPole-v1: {n_timesteps: !!float x}", "no plain YAML"),
        ("[" * 100_000, "nested too deeply"), (LAUGHS, "unfolds"), (MERGES, "too much"), ("a: *b", "no plain YAML"),
        ('{"a": ' * 50_000, "nested too deeply"), ("a: &a [*a]", "nested too deeply|unfolds|found"),
    ],
)  # fmt: skip
def test_broken_or_hostile_text_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadPreset, match=said):
        read(text, "ppo")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')", "dict(a=f())", "dict(**x)", "dict(a=1+1)", "[1]", "dict(", "lambda: 1",
        "dict(a=[x for x in y])", "(" * 300 + "1" + ")" * 300, "dict(1)", "dict(a=b'x')",
    ],
)  # fmt: skip
def test_code_in_keyword_arguments_is_refused(text: str) -> None:
    with pytest.raises(BadPreset):
        keywords(text)


def test_keyword_arguments_are_data() -> None:
    found = keywords("dict(net_arch=[256, (4, 5)], eps=-1e-5, activation_fn=th.nn.ELU, a={'b': None}, c=dict(d=True))")
    assert found == {
        "net_arch": [256, [4, 5]], "eps": -1e-5, "activation_fn": "th.nn.ELU", "a": {"b": None}, "c": {"d": True},
    }  # fmt: skip
    assert isinstance(found["activation_fn"], Word)


def test_yaml_without_its_reader_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "yaml":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingPackage, match="pyyaml"):
        read("CartPole-v1: {}", "ppo")


def test_what_ships_fits_its_agents_and_worlds() -> None:
    shipped = presets()
    assert len({(p.world.id, p.kind) for p in shipped}) == len(shipped) >= 14
    for preset in shipped:
        kind = LEARNERS[preset.kind]
        assert type(preset.settings) is kind.settings and not preset.left_out and preset.note
        assert kind.refuses(describe(preset.world)) is None
    assert set(presets_for(WorldSpec("CartPole-v1"))) == {"ppo", "a2c", "dqn"}
    assert presets_for(WorldSpec("CartPole-v1", limit=50))["ppo"].world.limit == 50
    assert presets_for(WorldSpec("FrozenLake-v1")) == {}


def test_an_unknown_agent_is_named() -> None:
    with pytest.raises(BadPreset, match="There is no agent td4"):
        preset_of("CartPole-v1", "td4", {})
    with pytest.raises(BadPreset, match="no algorithm TD4"):
        preset_of("CartPole-v1", "sb3:TD4", {})
