"""The form of rl-baselines3-zoo: YAML or JSON read as data, and its words taken one by one, so that none is lost."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from studio.ml.rl.errors import BadSetting, RLError
from studio.ml.rl.worlds.errors import MissingPackage

_PARTS = 20_000
"""Values in one file, counting again those that an anchor repeats: a small file may unfold into a huge one."""
_REASONS = {
    "use_sde": "noise that depends on the state is not in our agents",
    "sde_sample_freq": "noise that depends on the state is not in our agents",
    "env_wrapper": "worlds are taken as they are",
    "frame_stack": "the studio chooses how pixels are stacked",
    "callback": "it would run code",
    "optimize_memory_usage": "our buffer always does so for pixels",
}
_OF_SB3 = {"use_sde", "sde_sample_freq", "optimize_memory_usage"}


class BadPreset(BadSetting):
    """A file of presets, or an entry in it, that cannot be used."""


def loaded(text: str) -> dict[str, Any]:
    """The entries of YAML or JSON text, by name. Raises BadPreset; MissingPackage for YAML without its reader."""
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
        _count(found, [0])
    except RLError:
        raise
    except RecursionError:
        raise BadPreset("This file is nested too deeply for a file of presets.") from None
    except ValueError as error:
        raise BadPreset(f"This is no JSON: {error}.") from error
    if not isinstance(found, dict) or not found:
        raise BadPreset("A file of presets holds names of worlds, each with its settings.")
    return {str(name): told for name, told in found.items()}


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingPackage("A file in YAML", "pyyaml", "pip install pyyaml") from error

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # it comes without types
        """Plain data only, and merged mappings that stay small."""

        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            super().flatten_mapping(node)
            if len(node.value) > _PARTS:
                raise yaml.YAMLError("anchors that unfold into too much")

    try:
        return yaml.load(text, Loader)  # a SafeLoader
    except (yaml.YAMLError, ValueError, AttributeError, TypeError) as error:
        place = getattr(error, "problem_mark", None)
        where = "" if place is None else f" in line {place.line + 1}"
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise BadPreset(f"This is no plain YAML{where}: {problem}.") from error


def _count(value: Any, seen: list[int]) -> None:
    seen[0] += 1
    if seen[0] > _PARTS:
        raise BadPreset("This file unfolds into too much for a file of presets.")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _count(part, seen)


class Word(str):
    """A dotted name that stood bare in keyword arguments, such as nn.ReLU."""


def keywords(text: str) -> dict[str, Any]:
    """"dict(net_arch=[64, 64], activation_fn=nn.ReLU)" as data: literals, lists and dictionaries. Raises BadPreset."""
    try:
        found = _literal(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
        raise BadPreset(f"{text!r} is not written like dict(net_arch=[64, 64]).") from error
    if not isinstance(found, dict):
        raise BadPreset(f"{text!r} is not written like dict(net_arch=[64, 64]).")
    return found


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_literal(part) for part in parts]
        case ast.Dict(keys=keys, values=values) if all(isinstance(key, ast.Constant) for key in keys):
            return {_literal(key): _literal(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=given) if all(word.arg for word in given):
            return {word.arg: _literal(word.value) for word in given}
        case ast.Name() | ast.Attribute():
            return Word(ast.unparse(node))
    raise BadPreset(f"{ast.unparse(node)!r} is code, and presets are data: write numbers, words, lists and dict(...).")


class Taken:
    """Settings of one entry; each is taken by its name, and what nobody took is told."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = dict(told)
        self._left: list[str] = []

    def number(self, name: str, usual: float, *, auto: bool = False) -> float:
        """A finite number; `usual` where there is none, or for null. auto: "auto" means the usual one too."""
        value = self._told.pop(name, None)
        if value is None or auto and value == "auto":
            return usual
        return _number(name, value)

    def word(self, name: str, usual: str) -> str:
        return str(self._told.pop(name, usual))

    def flag(self, name: str, usual: bool) -> bool:
        value = self._told.pop(name, usual)
        if not isinstance(value, bool):
            raise BadPreset(f"{name} is true or false, not {value!r}.")
        return value

    def schedule(self, name: str, usual: float) -> tuple[float, bool]:
        """The first value, and whether it falls to 0 in a straight line ("lin_0.001")."""
        value = self._told.pop(name, usual)
        if isinstance(value, str) and value.startswith("lin_"):
            return _number(name, value.removeprefix("lin_")), True
        return _number(name, value), False

    def normalize(self) -> tuple[bool, bool]:
        """Whether observations and rewards are normalised."""
        value = self._told.pop("normalize", False)
        if isinstance(value, str):
            value = keywords(value)
        if isinstance(value, Mapping):
            more = sorted(set(value) - {"norm_obs", "norm_reward"})
            self._left += [f"normalize.{name} (only whether is taken over)" for name in more]
            return value.get("norm_obs", True) is True, value.get("norm_reward", True) is True
        if not isinstance(value, bool):
            raise BadPreset(f"normalize is true, false, or norm_obs and norm_reward, not {value!r}.")
        return value, value

    def temperature(self) -> tuple[bool, float]:
        """Whether the entropy has a target, and the (first) temperature."""
        value = self._told.pop("ent_coef", "auto")
        if isinstance(value, str) and value.startswith("auto"):
            first = value.removeprefix("auto").removeprefix("_")
            return True, _number("ent_coef", first) if first else 1.0
        return False, _number("ent_coef", value)

    def kwargs(self) -> dict[str, Any]:
        """policy_kwargs, written as text or as a mapping; nets inside a list of one, as was once usual, out of it."""
        value = self._told.pop("policy_kwargs", None)
        found = keywords(value) if isinstance(value, str) else {} if value is None else value
        if not isinstance(found, Mapping):
            raise BadPreset(f"policy_kwargs are written like dict(net_arch=[64, 64]), not {value!r}.")
        found = dict(found)
        net = found.get("net_arch")
        if isinstance(net, list) and len(net) == 1 and isinstance(net[0], dict):
            found["net_arch"] = net[0]
        return found

    def network(self, widths: tuple[int, ...], activation: str, known: tuple[str, ...]) -> tuple[str, str]:
        """Hidden layers as text, and the activation."""
        told = self.kwargs()
        net, function = told.pop("net_arch", list(widths)), told.pop("activation_fn", None)
        if isinstance(net, dict):
            actor, critic = net.get("pi", []), net.get("vf", net.get("qf", []))
            if actor != critic:
                self._left.append("policy_kwargs.net_arch (our networks are alike: that of the policy is taken)")
            net = actor
        if not isinstance(net, list) or not all(isinstance(width, int) for width in net):
            raise BadPreset(f"net_arch is a list of whole numbers, or pi and vf with such lists, not {net!r}.")
        if function is not None:
            chosen = str(function).rpartition(".")[2].lower()
            if chosen in known:
                activation = chosen
            else:
                self._left.append(f"policy_kwargs.activation_fn ({function} is not in our agents)")
        self._left += [f"policy_kwargs.{name} (not in our agents)" for name in sorted(told)]
        return ", ".join(map(str, net)), activation

    def leave(self, name: str, why: str) -> None:
        """Names a setting as not taken over, where it is there and not switched off."""
        if self._told.pop(name, False):
            self._left.append(f"{name} ({why})")

    def rest(self) -> dict[str, Any]:
        """Everything else as further arguments of Stable-Baselines3."""
        kwargs = self.kwargs()
        function = kwargs.get("activation_fn")
        if isinstance(function, Word):
            kwargs["activation_fn"] = {"leakyrelu": "leaky_relu"}.get(name := function.rpartition(".")[2].lower(), name)
        for name in [name for name, value in kwargs.items() if isinstance(value, Word)]:
            self._left.append(f"policy_kwargs.{name} ({kwargs.pop(name)} is code)")
        for name in [n for n in self._told if n in _REASONS and n not in _OF_SB3 or n.endswith("_class")]:
            self._left.append(f"{name} ({_REASONS.get(name, 'it is code')})")
            self._told.pop(name)
        found, self._told = self._told, {}
        for name, value in found.items():
            if isinstance(value, str) and value.startswith("dict("):
                found[name] = keywords(value)
        return found | ({"policy_kwargs": kwargs} if kwargs else {})

    def left_out(self) -> tuple[str, ...]:
        """What is not taken over, with the reason where one is known."""
        told = [name for name, value in self._told.items() if value not in (None, False)]
        return tuple(self._left + [f"{name} ({_REASONS.get(name, 'not in our agents')})" for name in told])


def _number(name: str, value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise BadPreset(f"{name} is a number, not {value!r}.") from None
    if isinstance(value, bool) or not isfinite(found):
        raise BadPreset(f"{name} is a finite number, not {value!r}.")
    return found
