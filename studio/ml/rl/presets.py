"""Settings that are known to learn, for a world and an agent, in the form of rl-baselines3-zoo; and files in that form.

    CartPole-v1:
      n_timesteps: !!float 1e5
      learning_rate: lin_0.001          # falls to 0 in a straight line
      policy_kwargs: "dict(net_arch=[256, 256])"
      normalize: true

What such a file leaves out has the default of Stable-Baselines3, for whose agents it was written. What our agents do
not have is named in `left_out`, never dropped in silence. Files are data: nothing in them is run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.ml.rl.deep.settings import A2CSettings, DQNSettings, PPOSettings, SACSettings
from studio.ml.rl.errors import BadSetting, RLError
from studio.ml.rl.sb3.settings import CONTRIB, OWN, SB3Settings
from studio.ml.rl.worlds.spec import WorldSpec
from studio.ml.rl.zoo import BadPreset, Taken, loaded

_RENAMED: dict[str, tuple[str, dict[str, Any]]] = {
    "LunarLander-v2": ("LunarLander-v3", {}), "LunarLanderContinuous-v2": ("LunarLander-v3", {"continuous": True}),
    "LunarLanderContinuous-v3": ("LunarLander-v3", {"continuous": True}), "Pendulum-v0": ("Pendulum-v1", {}),
    "CartPole-v0": ("CartPole-v1", {}), "Taxi-v3": ("Taxi-v4", {}), "CliffWalking-v0": ("CliffWalking-v1", {}),
}  # fmt: skip
"""Worlds that Gymnasium has under a newer name only."""
_STEPS = 100_000
_ALL = ("policy", "n_timesteps", "n_envs")
LARGEST_FILE = 2**20


@dataclass(frozen=True)
class Preset:
    """Settings of agent `kind` (in `learners.LEARNERS`) for a world. steps: the budget of one seed.

    note: where the numbers are from, and any trick. left_out: what was asked for and is not taken over, in words.
    """

    world: WorldSpec
    kind: str
    settings: Any
    steps: int
    note: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """What a file gave. refused: entries that could not be used, by name, with the reason."""

    presets: tuple[Preset, ...]
    refused: Mapping[str, str]


def preset_of(name: str, algorithm: str, told: Mapping[str, Any], note: str = "") -> Preset:
    """The preset that `told`, in the form of the zoo, is for a world. algorithm: "ppo", ..., or "sb3:PPO", ....

    Raises BadSetting.
    """
    world, options = _RENAMED.get(name, (name, {}))
    taken = Taken(told)
    steps = max(1, round(taken.number("n_timesteps", _STEPS)))
    worlds = round(taken.number("n_envs", 1))
    taken.word("policy", "MlpPolicy")
    kind, _, foreign = algorithm.partition(":")
    settings: Any
    if kind == "sb3":
        settings = _of_sb3(foreign, worlds, taken)
    elif kind in _OWN:
        settings = _OWN[kind](worlds, steps, taken)
    else:
        raise BadPreset(f"There is no agent {algorithm} for a preset; choose one of {', '.join((*_OWN, 'sb3:PPO'))}.")
    said = f" It was written for {name}." if world != name else ""
    spec = WorldSpec(world, tuple(options.items()))
    return Preset(spec, kind, settings, steps, (note + said).strip(), taken.left_out())


def read(text: str, algorithm: str) -> Imported:
    """The presets in YAML or JSON text, world by world. Raises BadPreset, MissingPackage."""
    presets, refused = [], {}
    for name, told in loaded(text).items():
        try:
            if not isinstance(told, Mapping):
                raise BadPreset("It holds no settings.")
            if "-v" not in name:
                raise BadPreset("It names no world: settings for a family of worlds are not taken over.")
            presets.append(preset_of(name, algorithm, told))
        except RLError as error:
            refused[name] = str(error)
    return Imported(tuple(presets), refused)


def read_file(path: str | Path, algorithm: str | None = None) -> Imported:
    """The same for a file. algorithm: else its name tells it, as in ppo.yml. Raises BadPreset, MissingPackage."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise BadPreset(f"{path.name} cannot be read ({error.strerror or error}).") from error
    if len(content) > LARGEST_FILE:
        raise BadPreset(f"{path.name} is larger than {LARGEST_FILE // 2**20} MiB: a file of presets is small.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadPreset(f"{path.name} is no text in UTF-8.") from error
    if algorithm is None:
        stem = path.stem.lower()
        foreign = {name.lower(): f"sb3:{name}" for name in OWN + CONTRIB}
        algorithm = stem if stem in _OWN else foreign.get(stem)
    if algorithm is None:
        raise BadPreset(f"{path.name} does not say for which agent it is: name it like ppo.yml, or choose the agent.")
    return read(text, algorithm)


def _ppo(worlds: int, steps: int, taken: Taken) -> PPOSettings:
    learning_rate, decay = taken.schedule("learning_rate", 3e-4)
    clip, clip_decay = taken.schedule("clip_range", 0.2)
    observations, rewards = taken.normalize()
    n_steps = round(taken.number("n_steps", 2048))
    hidden, activation = taken.network((64, 64), "tanh", ("tanh", "relu"))
    return PPOSettings(
        learning_rate=learning_rate, decay=decay, worlds=worlds, n_steps=n_steps,
        batch_size=round(taken.number("batch_size", 64)), epochs=round(taken.number("n_epochs", 10)),
        gamma=taken.number("gamma", 0.99), gae_lambda=taken.number("gae_lambda", 0.95),
        clip=clip, clip_decay=clip_decay,
        clip_value=taken.number("clip_range_vf", 0.0), entropy=taken.number("ent_coef", 0.0),
        value=taken.number("vf_coef", 0.5), max_grad_norm=taken.number("max_grad_norm", 0.5),
        normalize_advantage=taken.flag("normalize_advantage", True), target_kl=taken.number("target_kl", 0.0),
        normalize_observations=observations, normalize_rewards=rewards, hidden=hidden, activation=activation,
    )  # fmt: skip


def _a2c(worlds: int, steps: int, taken: Taken) -> A2CSettings:
    learning_rate, decay = taken.schedule("learning_rate", 7e-4)
    observations, rewards = taken.normalize()
    hidden, activation = taken.network((64, 64), "tanh", ("tanh", "relu"))
    return A2CSettings(
        learning_rate=learning_rate, decay=decay, worlds=worlds, n_steps=round(taken.number("n_steps", 5)),
        gamma=taken.number("gamma", 0.99), gae_lambda=taken.number("gae_lambda", 1.0),
        entropy=taken.number("ent_coef", 0.0), value=taken.number("vf_coef", 0.5),
        max_grad_norm=taken.number("max_grad_norm", 0.5), normalize_advantage=taken.flag("normalize_advantage", False),
        optimiser="rmsprop" if taken.flag("use_rms_prop", True) else "adam",
        normalize_observations=observations, normalize_rewards=rewards, hidden=hidden, activation=activation,
    )  # fmt: skip


def _dqn(worlds: int, steps: int, taken: Taken) -> DQNSettings:
    learning_rate, decay = taken.schedule("learning_rate", 1e-4)
    hidden, activation = taken.network((64, 64), "relu", ("relu", "tanh"))
    return DQNSettings(
        learning_rate=learning_rate, decay=decay, worlds=worlds, gamma=taken.number("gamma", 0.99),
        double=taken.flag("double", False), dueling=taken.flag("dueling", False),
        prioritised=taken.flag("prioritised", False), n_step=round(taken.number("n_steps", 1)),
        buffer_size=_buffer(taken, steps), learning_starts=round(taken.number("learning_starts", 100)),
        batch_size=round(taken.number("batch_size", 32)), train_freq=_train_freq(taken, 4, worlds),
        gradient_steps=round(taken.number("gradient_steps", 1)),
        target_update_interval=round(taken.number("target_update_interval", 10_000)), tau=taken.number("tau", 1.0),
        exploration_fraction=taken.number("exploration_fraction", 0.1),
        exploration_initial_eps=taken.number("exploration_initial_eps", 1.0),
        exploration_final_eps=taken.number("exploration_final_eps", 0.05),
        max_grad_norm=taken.number("max_grad_norm", 10.0), hidden=hidden, activation=activation,
    )  # fmt: skip


def _sac(worlds: int, steps: int, taken: Taken) -> SACSettings:
    learning_rate, decay = taken.schedule("learning_rate", 3e-4)
    hidden, activation = taken.network((256, 256), "relu", ("relu", "tanh"))
    automatic, temperature = taken.temperature()
    return SACSettings(
        learning_rate=learning_rate, decay=decay, worlds=worlds, gamma=taken.number("gamma", 0.99),
        tau=taken.number("tau", 0.005), automatic=automatic, temperature=temperature,
        target_entropy=taken.number("target_entropy", 0.0, auto=True), buffer_size=_buffer(taken, steps),
        learning_starts=round(taken.number("learning_starts", 100)), batch_size=round(taken.number("batch_size", 256)),
        train_freq=_train_freq(taken, 1, worlds), gradient_steps=round(taken.number("gradient_steps", 1)),
        hidden=hidden, activation=activation,
    )  # fmt: skip


def _buffer(taken: Taken, steps: int) -> int:
    """Slots beyond the steps of the run are never filled."""
    return max(100, min(round(taken.number("buffer_size", 1_000_000)), steps))


def _train_freq(taken: Taken, usual: int, worlds: int) -> int:
    """Ours counts the steps of all worlds together, the zoo those of each."""
    return round(taken.number("train_freq", usual)) * worlds


def _of_sb3(algorithm: str, worlds: int, taken: Taken) -> SB3Settings:
    if algorithm not in OWN + CONTRIB:
        raise BadPreset(f"There is no algorithm {algorithm}; choose one of {', '.join(OWN + CONTRIB)}.")
    usual = {"DQN": 1e-4, "A2C": 7e-4, "TD3": 1e-3, "DDPG": 1e-3, "TRPO": 1e-3, "QRDQN": 5e-5, "CrossQ": 1e-3}
    learning_rate, decay = taken.schedule("learning_rate", usual.get(algorithm, 3e-4))
    gamma, batch_size = taken.number("gamma", 0.99), round(taken.number("batch_size", 0))
    taken.leave("normalize", "its VecNormalize is not put around our worlds")
    more = taken.rest()
    return SB3Settings(algorithm, learning_rate, decay, worlds, gamma, batch_size, json.dumps(more) if more else "")


_OWN: dict[str, Callable[[int, int, Taken], Any]] = {"ppo": _ppo, "a2c": _a2c, "dqn": _dqn, "sac": _sac}


def presets() -> tuple[Preset, ...]:
    """All that ship with the studio."""
    return tuple(preset_of(world, algorithm, told, note) for world, algorithm, told, note in _BUILT_IN)


def presets_for(spec: WorldSpec, kinds: Iterable[str] = ("ppo", "a2c", "dqn", "sac")) -> dict[str, Preset]:
    """Those for this world, by agent, as they are with its options and limit. Empty where nothing is known."""
    found = (p for p in presets() if p.world.id == spec.id and p.kind in kinds)
    return {p.kind: replace(p, world=spec) for p in found if set(p.world.options) <= set(spec.options)}


def sb3_presets(spec: WorldSpec) -> dict[str, Preset]:
    """For agents of Stable-Baselines3, by algorithm: the same numbers, where all of them are the zoo's and can be used."""
    found: dict[str, Preset] = {}
    for world, algorithm, told, note in _BUILT_IN:
        if _OUR_WORDS & told.keys():
            continue
        preset = preset_of(world, f"sb3:{algorithm.upper()}", told, note)
        if preset.world.id == spec.id and set(preset.world.options) <= set(spec.options) and not preset.left_out:
            found[algorithm.upper()] = replace(preset, world=spec)
    return found


_OUR_WORDS = {"double", "dueling", "prioritised"}
"""What only our agents have."""
_ZOO = "Numbers of rl-baselines3-zoo."
_BUILT_IN: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("CartPole-v1", "ppo", {
        "n_timesteps": 1e5, "n_envs": 8, "n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98,
        "n_epochs": 20, "learning_rate": "lin_0.001", "clip_range": "lin_0.2",
    }, _ZOO),
    ("CartPole-v1", "a2c", {"n_timesteps": 5e5, "n_envs": 8}, f"{_ZOO} It rises fast and falls back now and then."),
    ("CartPole-v1", "dqn", {
        "n_timesteps": 5e4, "learning_rate": "lin_0.0023", "double": True, "batch_size": 64, "buffer_size": 100_000,
        "learning_starts": 1000, "target_update_interval": 10, "train_freq": 256, "gradient_steps": 128,
        "exploration_fraction": 0.16, "exploration_final_eps": 0.04, "policy_kwargs": "dict(net_arch=[256, 256])",
    }, f"{_ZOO} But double, and its learning rate falls: at a constant one the last policy is good by chance."),
    ("Acrobot-v1", "ppo", {
        "n_timesteps": 1e5, "n_envs": 16, "normalize": True, "n_steps": 256, "gae_lambda": 0.94, "n_epochs": 4,
    }, f"{_ZOO} A tenth of its steps is enough."),
    ("Acrobot-v1", "dqn", {
        "n_timesteps": 1e5, "learning_rate": 6.3e-4, "batch_size": 128, "buffer_size": 50_000, "learning_starts": 0,
        "target_update_interval": 250, "train_freq": 4, "gradient_steps": -1, "exploration_fraction": 0.12,
        "exploration_final_eps": 0.1, "policy_kwargs": "dict(net_arch=[256, 256])",
    }, _ZOO),
    ("MountainCar-v0", "dqn", {
        "n_timesteps": 1.2e5, "learning_rate": "lin_0.004", "double": True, "n_steps": 3, "batch_size": 128,
        "buffer_size": 10_000, "learning_starts": 1000, "gamma": 0.98, "target_update_interval": 600, "train_freq": 16,
        "gradient_steps": 8, "exploration_fraction": 0.2, "exploration_final_eps": 0.07,
        "policy_kwargs": "dict(net_arch=[256, 256])",
    }, f"{_ZOO} But double, with 3-step returns, and its learning rate falls. The trick: many gradient steps on a small "
       "buffer carry the rare goal back."),
    ("MountainCar-v0", "ppo", {
        "n_timesteps": 1e6, "n_envs": 16, "normalize": True, "n_steps": 16, "gae_lambda": 0.98, "n_epochs": 4,
    }, f"{_ZOO} The trick: observations and rewards are normalised; without that it never reaches the goal."),
    ("Pendulum-v1", "sac", {"n_timesteps": 1.2e4, "learning_rate": 1e-3}, f"{_ZOO} Three fifths of its steps are enough."),
    ("Pendulum-v1", "ppo", {
        "n_timesteps": 1e5, "n_envs": 4, "n_steps": 1024, "gamma": 0.9, "learning_rate": 1e-3,
    }, f"{_ZOO} The zoo explores with noise that depends on the state; ours with plain Gaussians."),
    ("MountainCarContinuous-v0", "sac", {
        "n_timesteps": 5e4, "learning_rate": 3e-4, "buffer_size": 50_000, "batch_size": 512, "ent_coef": 0.1,
        "train_freq": 32, "gradient_steps": 32, "gamma": 0.9999, "tau": 0.01, "learning_starts": 0,
        "policy_kwargs": "dict(net_arch=[64, 64])",
    }, f"{_ZOO} The zoo explores with noise that depends on the state; ours with plain Gaussians."),
    ("LunarLander-v3", "ppo", {
        "n_timesteps": 1e6, "n_envs": 16, "n_steps": 1024, "gae_lambda": 0.98, "gamma": 0.999, "n_epochs": 4,
        "ent_coef": 0.01,
    }, _ZOO),
    ("LunarLander-v3", "dqn", {
        "n_timesteps": 1e5, "learning_rate": 6.3e-4, "batch_size": 128, "buffer_size": 50_000, "learning_starts": 0,
        "target_update_interval": 250, "train_freq": 4, "gradient_steps": -1, "exploration_fraction": 0.12,
        "exploration_final_eps": 0.1, "policy_kwargs": "dict(net_arch=[256, 256])",
    }, _ZOO),
    ("MiniGrid-Empty-5x5-v0", "ppo", {
        "n_timesteps": 1e5, "n_envs": 8, "normalize": True, "n_steps": 128, "learning_rate": 2.5e-4,
    }, _ZOO),
    ("MiniGrid-DoorKey-5x5-v0", "ppo", {
        "n_timesteps": 1e5, "n_envs": 8, "normalize": True, "n_steps": 128, "learning_rate": 2.5e-4,
    }, _ZOO),
)  # fmt: skip
