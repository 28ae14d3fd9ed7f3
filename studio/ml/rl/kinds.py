"""Every tabular agent by its name, as requests and checkpoints know it."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, signature
from types import MappingProxyType

from studio.ml.rl.agent import Agent, Settings
from studio.ml.rl.dyna import DynaQ
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.multistep import MonteCarlo, NStepSarsa, SarsaLambda
from studio.ml.rl.td import DoubleQ, ExpectedSarsa, QLearning, Sarsa
from studio.ml.rl.walk import Environment

KINDS: Mapping[str, type[Agent]] = MappingProxyType(
    {kind.name: kind for kind in (Sarsa, ExpectedSarsa, QLearning, DoubleQ, NStepSarsa, SarsaLambda, DynaQ, MonteCarlo)}
)


def options(name: str) -> tuple[str, ...]:
    """What an agent takes beside world, settings and seed. Raises BadSetting for a name that no agent has."""
    if name not in KINDS:
        raise BadSetting(f"There is no agent {name}; choose one of {', '.join(KINDS)}.")
    return tuple(p.name for p in signature(KINDS[name]).parameters.values() if p.kind is Parameter.KEYWORD_ONLY)


def agent_of(name: str, world: Environment, settings: Settings | None = None, seed: int = 0, **more: object) -> Agent:
    """The agent of that name. Raises BadSetting, also for an option that it does not have."""
    if unknown := set(more) - set(options(name)):
        takes = ", ".join(options(name)) or "no options"
        raise BadSetting(f"{name} has no {', '.join(sorted(unknown))}; it takes {takes}.")
    return KINDS[name](world, settings, seed, **more)
