"""Saved agents of Stable-Baselines3, opened read-only and without running anything that is in them.

Its own `load` unpickles, and a pickle may run anything. Here the weights are read by torch's reader of plain tensors,
the rest from the JSON beside them, pickled parts left alone; the networks are built anew from names and shapes of the
weights. What cannot be rebuilt for certain is refused with the reason.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from studio.ml.rl.errors import BadCheckpoint
from studio.ml.rl.sb3.rebuilt import Rebuilt, rebuild
from studio.ml.rl.sb3.space import Space, class_name, number

_LARGEST_DATA, _LARGEST_WEIGHTS = 64 * 2**20, 2 * 2**30
_PICKLED, _VERSION = ":serialized:", "_stable_baselines3_version"
_EXTRACTORS = {f"stable_baselines3.common.torch_layers.{name}" for name in ("FlattenExtractor", "NatureCNN")}


@dataclass(frozen=True, eq=False)
class Opened:
    """A saved agent. policy: acts, and never learns. algorithm: "PPO or A2C", "DQN", "SAC", "TD3 or DDPG".

    version: of the package that saved it. steps: it was trained for. shape: of an observation. notes: what a person
    should know, in sentences.
    """

    policy: Rebuilt
    algorithm: str
    version: str
    steps: int
    shape: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def description(self) -> str:
        """One line for a title."""
        return f"{self.algorithm} of Stable-Baselines3 {self.version}, trained for {self.steps:,} steps"


def open_zip(path: str | Path) -> Opened:
    """The agent in a zip file that `model.save` of Stable-Baselines3 wrote. Raises BadCheckpoint with the reason."""
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(_read(archive, "data", _LARGEST_DATA))
            weights = _weights(_read(archive, "policy.pth", _LARGEST_WEIGHTS))
            names = set(archive.namelist())
            version = _read(archive, _VERSION, 100).decode() if _VERSION in names else "?"
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise BadCheckpoint(f"{Path(path).name} cannot be opened as a zip file ({error}).") from error
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        if isinstance(error, BadCheckpoint):
            raise
        raise BadCheckpoint(f"The description inside {Path(path).name} cannot be read ({error}).") from error
    if not isinstance(data, dict):
        raise BadCheckpoint(f"{Path(path).name} holds no agent of Stable-Baselines3.")
    _standard(data)
    observation, action = Space.of(data, "observation_space"), Space.of(data, "action_space")
    kwargs = _mapping(data.get("policy_kwargs"))
    policy = rebuild(weights, observation, action, kwargs, number(data.get("exploration_rate")))
    return Opened(
        policy, policy.algorithm, version.strip(), int(number(data.get("num_timesteps"))), observation.shape,
        _notes(data, policy.algorithm),
    )


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    try:
        with archive.open(name) as file:
            content = file.read(most + 1)
    except KeyError:
        raise BadCheckpoint(f"There is no {name} inside: this is no agent that Stable-Baselines3 saved.") from None
    except RuntimeError as error:
        raise BadCheckpoint(f"{name} inside cannot be read ({error}).") from error
    if len(content) > most:
        raise BadCheckpoint(f"{name} inside is larger than {most // 2**20:,} MiB.")
    return content


def _weights(content: bytes) -> dict[str, torch.Tensor]:
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # its readers raise what they like about broken files
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise BadCheckpoint(f"The weights are no plain tensors, or are damaged ({reason}).") from error
    if not isinstance(found, Mapping) or not all(isinstance(v, torch.Tensor) for v in found.values()):
        raise BadCheckpoint("The weights are no plain tensors by name.")
    numbers = ((name, tensor) for name, tensor in found.items() if tensor.is_floating_point())
    broken = sorted(name for name, tensor in numbers if not torch.isfinite(tensor).all())
    if broken:
        raise BadCheckpoint(f"The training of this agent broke down: {broken[0]} holds numbers that are not finite.")
    return {str(name): tensor.float() for name, tensor in found.items()}


def _standard(data: Mapping[str, Any]) -> None:
    """Refuses policies and feature extractors of other packages: their code would be needed. Raises BadCheckpoint."""
    policy = data.get("policy_class")
    home = str(policy.get("__module__", "")) if isinstance(policy, dict) else ""
    if home.partition(".")[0] not in ("stable_baselines3", "sb3_contrib"):
        raise BadCheckpoint(
            f"Its policy is a class of {home or 'an unknown module'}: only those of Stable-Baselines3 can be rebuilt "
            "without running code."
        )
    extractor = str(_mapping(data.get("policy_kwargs")).get("features_extractor_class", ""))
    if extractor and (named := class_name(extractor)) not in _EXTRACTORS:
        raise BadCheckpoint(f"Its features come from {named or extractor}, whose code would have to be run.")


def _notes(data: Mapping[str, Any], algorithm: str) -> tuple[str, ...]:
    notes = ["Opened without running anything in the file: it can act and be looked into, not learn."]
    if algorithm == "PPO or A2C" and data.get("_last_original_obs") is not None:
        notes.append(
            "It was trained with VecNormalize. The statistics of its observations are not in this file, but in a "
            "pickle beside it, which is not opened: shown plain observations it will play badly."
        )
    else:
        notes.append(
            "If it was trained with VecNormalize, the statistics of its observations are not in this file and it will "
            "play badly."
        )
    return tuple(notes)


def _mapping(told: Any) -> dict[str, Any]:
    """What can be read of a dictionary without its pickle."""
    return {k: v for k, v in told.items() if k not in (_PICKLED, ":type:")} if isinstance(told, dict) else {}
