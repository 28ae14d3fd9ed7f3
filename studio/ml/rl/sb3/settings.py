"""Settings of agents of Stable-Baselines3, and its keyword arguments out of JSON text. Nothing here imports it."""

from __future__ import annotations

import importlib.util
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from studio.ml.rl.errors import BadSetting
from studio.ml.rl.knobs import check, knob
from studio.ml.rl.worlds.errors import MissingPackage

ON_POLICY = ("PPO", "A2C", "TRPO")
OWN = ("PPO", "A2C", "DQN", "SAC", "TD3", "DDPG")
CONTRIB = ("QRDQN", "TQC", "TRPO", "CrossQ")
"""Of sb3_contrib. Its recurrent and masked policies need more than an observation and are left out."""

NUMBERED, CONTINUOUS = ("DQN", "QRDQN"), ("SAC", "TD3", "DDPG", "TQC", "CrossQ")
"""For numbered and for continuous actions only; the others take both."""

BUFFER = 100_000
"""Replay buffer where none is asked for; the package's own default, a million, fills the memory with pixels."""
INSTALL = "pip install stable-baselines3"
_FIELDS = {"learning_rate", "gamma", "batch_size", "n_envs"}
_OURS = {
    "env", "seed", "device", "verbose", "tensorboard_log", "_init_setup_model", "self", "monitor_wrapper",
    "action_noise",
}  # fmt: skip
_ACTIVATIONS = {"tanh": "Tanh", "relu": "ReLU", "elu": "ELU", "leaky_relu": "LeakyReLU", "gelu": "GELU", "silu": "SiLU"}
_POLICY_WORDS = {
    "net_arch", "activation_fn", "ortho_init", "log_std_init", "full_std", "use_expln", "squash_output", "n_critics",
    "clip_mean", "normalize_images", "share_features_extractor", "optimizer_kwargs", "features_extractor_kwargs",
    "n_quantiles",
}  # fmt: skip


@dataclass(frozen=True)
class SB3Settings:
    """An algorithm of Stable-Baselines3 (Raffin et al., 2021, JMLR 22), trained beside our own.

    A checkpoint of it resumes with its weights, optimisers, buffer and streams, but not exactly: what was under way,
    a rollout or the rest of an update, is begun anew.
    """

    algorithm: str = knob(
        "PPO", "Algorithm", "Of Stable-Baselines3 or sb3-contrib, where it is installed", choices=OWN + CONTRIB,
        live=False,
    )
    learning_rate: float = knob(3e-4, "Learning rate", "Step size of the optimisers", low=1e-6, high=1.0, log=True)
    decay: bool = knob(False, "Learning rate falls to 0", "In a straight line over the run's steps")
    worlds: int = knob(8, "Parallel worlds", "Copies of the world stepped together", low=1, high=64, live=False)
    gamma: float = knob(0.99, "Discount γ", "What a reward is worth one step later", low=0.0, high=1.0, step=0.001)
    batch_size: int = knob(0, "Minibatch", "Steps in one gradient step; 0 is the algorithm's own", low=0, high=65536)
    more: str = knob(
        "", "Further arguments", 'Keyword arguments of the algorithm as JSON, such as {"n_steps": 256, '
        '"policy_kwargs": {"net_arch": [64, 64]}}. A resume from a checkpoint of this library is not exact.',
        live=False,
    )

    def __post_init__(self) -> None:
        check(self)
        further(self.more)

    @property
    def on_policy(self) -> bool:
        return self.algorithm in ON_POLICY


def further(text: str) -> dict[str, Any]:
    """The further arguments in JSON text; empty text is none. Raises BadSetting."""
    if not text.strip():
        return {}
    try:
        told = json.loads(text)
    except ValueError as error:
        said = f"The further arguments are no JSON: {error}. Write them like {{\"n_steps\": 256}}."
        raise BadSetting(said) from error
    if not isinstance(told, dict):
        raise BadSetting("The further arguments are names with values in braces, like {\"n_steps\": 256}.")
    for name, value in told.items():
        if name in _FIELDS:
            raise BadSetting(f"{name} has a field of its own: set it there, not among the further arguments.")
        if name in _OURS or name.endswith("_class"):
            raise BadSetting(f"{name} cannot be given as a further argument: the studio sees to it.")
        if not _finite(value):
            raise BadSetting(f"{name} must be made of finite numbers, words, lists and yes or no.")
    kwargs = told.get("policy_kwargs", {})
    if not isinstance(kwargs, dict):
        raise BadSetting('policy_kwargs are names with values in braces, like {"net_arch": [64, 64]}.')
    unknown = sorted(set(kwargs) - _POLICY_WORDS)
    if unknown:
        known = ", ".join(sorted(_POLICY_WORDS))
        raise BadSetting(f"policy_kwargs may not hold {', '.join(unknown)}; known are {known}.")
    activation = kwargs.get("activation_fn", "tanh")
    if activation not in _ACTIVATIONS:
        raise BadSetting(f"activation_fn is one of {', '.join(_ACTIVATIONS)}, not {activation!r}.")
    return told


def available() -> tuple[str, ...]:
    """Algorithms that are installed here; does not import them."""
    if importlib.util.find_spec("stable_baselines3") is None:
        return ()
    return OWN + (CONTRIB if importlib.util.find_spec("sb3_contrib") is not None else ())


def refuses(algorithm: str, actions: str) -> str:
    """Why an algorithm is not for "discrete" or "continuous" actions, or not here, in words; else empty."""
    here = [name for name in available() if name not in (CONTINUOUS if actions == "discrete" else NUMBERED)]
    if algorithm in here:
        return ""
    advice = f"; choose one of {', '.join(here)}." if here else "."
    if algorithm in NUMBERED and actions != "discrete":
        return f"{algorithm} is for numbered actions, and these are continuous{advice}"
    if algorithm in CONTINUOUS and actions == "discrete":
        return f"{algorithm} is for continuous actions, and these are numbered{advice}"
    package = "sb3-contrib" if algorithm in CONTRIB else "stable-baselines3"
    return f"{algorithm} needs the package {package}: pip install {package}{advice}"


def algorithm_class(name: str) -> Any:
    """The class of that name. Raises MissingPackage."""
    if importlib.util.find_spec("stable_baselines3") is None:
        raise MissingPackage("An agent of Stable-Baselines3", "stable-baselines3", INSTALL)
    if name in CONTRIB:
        if importlib.util.find_spec("sb3_contrib") is None:
            raise MissingPackage(f"The algorithm {name}", "sb3-contrib", "pip install sb3-contrib")
        module = importlib.import_module("sb3_contrib")
    else:
        module = importlib.import_module("stable_baselines3")
    return getattr(module, name)


def arguments(settings: SB3Settings, made: Any, pixels: bool, actions: int) -> dict[str, Any]:
    """Keyword arguments for the class `made`, `policy` among them. actions: numbers in one. Raises BadSetting."""
    told = further(settings.more)
    known = inspect.signature(made.__init__).parameters
    noise = _noise(told, actions, "action_noise" in known)
    unknown = sorted(set(told) - set(known))
    if unknown:
        usual = ", ".join(sorted(set(known) - _OURS - _FIELDS))
        raise BadSetting(f"{settings.algorithm} has no argument {', '.join(unknown)}; it has {usual}.")
    found: dict[str, Any] = {"policy": "CnnPolicy" if pixels else "MlpPolicy", "gamma": settings.gamma, **noise}
    if "buffer_size" in known:
        found["buffer_size"] = BUFFER
    if settings.batch_size and "batch_size" in known:
        found["batch_size"] = settings.batch_size
    for name, value in told.items():
        found[name] = _schedule(value, name) if isinstance(value, str) and value.startswith("lin_") else value
    if isinstance(found.get("train_freq"), list):
        found["train_freq"] = tuple(found["train_freq"])
    found["learning_rate"] = rate(settings)
    kwargs = dict(found.get("policy_kwargs", {}))
    if "activation_fn" in kwargs:
        from torch import nn

        kwargs["activation_fn"] = getattr(nn, _ACTIVATIONS[kwargs["activation_fn"]])
    return found | ({"policy_kwargs": kwargs} if kwargs else {})


def rate(settings: SB3Settings) -> Any:
    """The learning rate as the package takes it: a number, or a function of the share of the run that is left."""
    return _linear(settings.learning_rate) if settings.decay else settings.learning_rate


def _linear(first: float) -> Any:
    from stable_baselines3.common.utils import LinearSchedule

    return LinearSchedule(first, 0.0, 1.0)


def _schedule(text: str, name: str) -> Any:
    try:
        return _linear(float(text.removeprefix("lin_")))
    except ValueError:
        raise BadSetting(f"{name} falls in a straight line when written like lin_0.2, not {text!r}.") from None


def _noise(told: dict[str, Any], actions: int, possible: bool) -> dict[str, Any]:
    """`noise_type` and `noise_std` of rl-zoo, taken out of `told`."""
    kind, deviation = told.pop("noise_type", None), told.pop("noise_std", 0.1)
    if kind is None:
        return {}
    if not possible:
        raise BadSetting("noise_type is for algorithms with continuous actions and action noise: TD3, DDPG and SAC.")
    import numpy as np
    from stable_baselines3.common.noise import NormalActionNoise, OrnsteinUhlenbeckActionNoise

    kinds = {"normal": NormalActionNoise, "ornstein-uhlenbeck": OrnsteinUhlenbeckActionNoise}
    if kind not in kinds or not isinstance(deviation, (int, float)) or deviation < 0:
        raise BadSetting("noise_type is normal or ornstein-uhlenbeck, and noise_std a number from 0 up.")
    return {"action_noise": kinds[kind](np.zeros(actions), np.full(actions, float(deviation)))}


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, list):
        return all(_finite(v) for v in value)
    return all(_finite(v) for v in value.values()) if isinstance(value, Mapping) else True
