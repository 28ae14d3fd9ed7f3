"""The training as a script: the studio's own agents used as a library, without window or engine."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from studio.ml.rl.plan import Plan
from studio.ml.rl.worlds import WorldSpec
from studio_plugins.rl.keeping import title
from studio_plugins.rl.plans import agent_title, plans
from studio_plugins.rl.request import RlRequest

_HEAD = '''"""{titles}.

Every seed decides its run to the last bit: this prints the returns that the studio shows.
"""

import numpy as np

from studio.ml.rl.plan import Plan
from studio.ml.rl.session import Session
from studio.ml.rl.worlds import WorldSpec
{imports}
world = {world}

plans = {{
{plans}}}

for name, plan in plans.items():
    session = Session(plan)
    while not session.done:
        session.advance()
    returns = [np.array(record.totals) for record in session.records]
    last = [seed[-100:].mean() for seed in returns if len(seed)]
    print(f"{{name}}: {{sum(map(len, returns))}} episodes, mean return of the last 100: {{np.mean(last):.2f}}")
    session.close()
'''


def script(request: RlRequest) -> str:
    """Python that trains the same agents on the same seeds. Raises RequestError."""
    made = plans(request)
    classes = {type(plan.settings) for plan in made}
    imports = "".join(f"from {one.__module__} import {one.__name__}\n" for one in sorted(classes, key=lambda c: c.__name__))
    lines = "".join(f"    {_name(plan, k)!r}: {_plan(plan)},\n" for k, plan in enumerate(made))
    return _HEAD.format(
        titles="; ".join(map(title, made)), imports=imports + "\n", world=_world(made[0].world), plans=lines
    )


def _name(plan: Plan, place: int) -> str:
    return f"{'ABCD'[place]}, {agent_title(plan)}"


def _plan(plan: Plan) -> str:
    settings = _call(type(plan.settings).__name__, plan.settings)
    return f"Plan(world, {plan.kind!r}, {settings}, seed={plan.seed}, seeds={plan.seeds}, steps={plan.steps})"


def _call(name: str, settings: Any) -> str:
    """The settings with those that differ from their defaults."""
    changed = {f.name: getattr(settings, f.name) for f in fields(settings) if getattr(settings, f.name) != f.default}
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in changed.items())})"


def _world(spec: WorldSpec) -> str:
    return f"WorldSpec.from_json({spec.to_json()!r})"
