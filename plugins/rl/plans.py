"""Requests as plans that the science runs, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from studio.host.request import RequestError
from studio.ml.rl.errors import RLError
from studio.ml.rl.learners import kind_of
from studio.ml.rl.plan import Plan
from studio.ml.rl.worlds import WorldSpec
from studio_plugins.rl.request import RlRequest, RunFields


def agent_title(plan: Plan) -> str:
    """What a run's agent is called; of Stable-Baselines3 by its algorithm."""
    kind = kind_of(plan.kind)
    return f"{plan.settings.algorithm}, Stable-Baselines3" if kind.family == "sb3" else kind.title


def is_on_policy(plan: Plan) -> bool:
    """Whether it learns about the policy by which it acts."""
    kind = kind_of(plan.kind)
    return plan.settings.on_policy if kind.on_policy is None else kind.on_policy


def world_of(request: RlRequest) -> WorldSpec:
    """Raises RequestError."""
    try:
        return WorldSpec.from_json(request.world_json())
    except RLError as error:
        raise RequestError(str(error)) from error


def settings_of(run: RunFields) -> Any:
    """The settings dataclass of a run. Raises RequestError naming what the agent does not have or cannot take."""
    try:
        kind = kind_of(run.agent)
        known = {setting.name for setting in fields(kind.settings)}
        if unknown := sorted(run.values().keys() - known):
            raise RequestError(f"{kind.title} has no setting {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
        return kind.settings(**run.values())
    except (RLError, TypeError) as error:
        raise RequestError(str(error)) from error


def plans(request: RlRequest) -> tuple[Plan, ...]:
    """One for each run. Raises RequestError."""
    world = world_of(request)
    return tuple(
        Plan(world, run.agent, settings_of(run), request.seed, request.seeds, run.steps or request.steps) for run in request.runs
    )
